//! What a deployment asks an agent to do.

use std::{fmt, str::FromStr};

/// `DeploymentAction`. [MS-WUSP] 2.2.2.2.4
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Offer and, being assigned, install.
    Install,
    /// Offer, never by itself. Agents before Windows 10 1903 do not know it.
    OptionalInstall,
    /// Remove.
    Uninstall,
    /// Do not offer, report whether it is needed.
    PreDeploymentCheck,
    /// Overrides another deployment; not deployed. Never sent in practice.
    Block,
    /// Do not offer, do not report: categories, detectoids, prerequisites.
    Evaluate,
    /// Deployed only as part of a bundle.
    Bundle,
}

impl Action {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Install => "Install",
            Self::OptionalInstall => "OptionalInstall",
            Self::Uninstall => "Uninstall",
            Self::PreDeploymentCheck => "PreDeploymentCheck",
            Self::Block => "Block",
            Self::Evaluate => "Evaluate",
            Self::Bundle => "Bundle",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no action.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is no deployment action")]
pub struct UnknownAction {
    word: String,
}

impl FromStr for Action {
    type Err = UnknownAction;

    fn from_str(word: &str) -> Result<Self, UnknownAction> {
        [
            Self::Install,
            Self::OptionalInstall,
            Self::Uninstall,
            Self::PreDeploymentCheck,
            Self::Block,
            Self::Evaluate,
            Self::Bundle,
        ]
        .into_iter()
        .find(|action| action.as_str() == word)
        .ok_or_else(|| UnknownAction { word: word.chars().take(100).collect() })
    }
}
