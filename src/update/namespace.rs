//! Which vocabulary a name belongs to. Prefixes are the writer's whim; only this decides.

use std::rc::Rc;

const MSUS: &str = "http://schemas.microsoft.com/msus/";
const UPDATE: &str = "http://schemas.microsoft.com/msus/2002/12/Update";
const BASE_RULES: &str = "http://schemas.microsoft.com/msus/2002/12/BaseApplicabilityRules";
const MSI_RULES: &str = "http://schemas.microsoft.com/msus/2002/12/MsiApplicabilityRules";
const DRIVER: &str = "http://schemas.microsoft.com/msus/2002/12/UpdateHandlers/WindowsDriver";
pub(super) const XML: &str = "http://www.w3.org/XML/1998/namespace";
pub(super) const XMLNS: &str = "http://www.w3.org/2000/xmlns/";

/// A namespace, as far as they are treated differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Namespace {
    /// No namespace.
    None,
    /// `xml:`, bound without a declaration.
    Xml,
    /// The document's own: `Update` and what stands directly in it.
    Update,
    /// Rules that agents know as `b.`.
    BaseRules,
    /// Rules that agents know as `m.`.
    MsiRules,
    /// Driver metadata, known as `d.`.
    Driver,
    /// Another of Microsoft's update vocabularies: agents get its names bare.
    Msus,
    /// Any other: fragments keep its declaration.
    Foreign(Rc<str>),
}

impl Namespace {
    pub(super) fn from_uri(uri: &str) -> Self {
        match uri {
            "" => Self::None,
            XML => Self::Xml,
            UPDATE => Self::Update,
            BASE_RULES => Self::BaseRules,
            MSI_RULES => Self::MsiRules,
            DRIVER => Self::Driver,
            _ if uri.starts_with(MSUS) => Self::Msus,
            _ => Self::Foreign(uri.into()),
        }
    }

    /// Microsoft's update vocabularies, all of them.
    pub(super) fn is_msus(&self) -> bool {
        !matches!(self, Self::None | Self::Xml | Self::Foreign(_))
    }

    /// What stands before the local name of an element in a fragment. [MS-WUSP] 3.1.1.1
    pub(super) fn element_prefix(&self) -> &'static str {
        match self {
            Self::BaseRules => "b.",
            Self::MsiRules => "m.",
            Self::Driver => "d.",
            _ => "",
        }
    }
}

/// Which prefix means what, here and now.
#[derive(Debug, Default)]
pub(super) struct Scope<'a> {
    /// (depth of the declaring element, prefix, meaning); the newest last.
    bindings: Vec<(usize, &'a str, Namespace)>,
}

impl<'a> Scope<'a> {
    pub(super) fn len(&self) -> usize {
        self.bindings.len()
    }

    pub(super) fn bind(&mut self, depth: usize, prefix: &'a str, namespace: Namespace) {
        self.bindings.push((depth, prefix, namespace));
    }

    /// Forgets what the element at `depth` declared.
    pub(super) fn leave(&mut self, depth: usize) {
        while self.bindings.last().is_some_and(|(at, _, _)| *at >= depth) {
            self.bindings.pop();
        }
    }

    /// `None` when the prefix is not bound. The empty prefix is the default namespace.
    pub(super) fn resolve(&self, prefix: &str) -> Option<Namespace> {
        if prefix == "xml" {
            return Some(Namespace::Xml);
        }
        let bound = self.bindings.iter().rev().find(|(_, known, _)| *known == prefix);
        match bound {
            Some((_, _, namespace)) => Some(namespace.clone()),
            None if prefix.is_empty() => Some(Namespace::None),
            None => None,
        }
    }
}
