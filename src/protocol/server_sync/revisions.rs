//! Lists of revisions. [MS-WSUSSS] 3.1.4.5, 3.1.4.9

use std::{convert::Infallible, io::BufRead};

use uuid::Uuid;

use super::{
    NAMESPACE,
    answer::{self, AnswerError},
    auth::SyncCookie,
    operation::{Operation, write_result},
};
use crate::{
    protocol::{fault::ProtocolFault, fields::Fields},
    soap::{Element, MessageLimits, Writer, read_lists},
    update::{UpdateId, UpdateIdentity},
};

/// More products than Microsoft has.
const MAX_FILTER_IDS: usize = 10_000;

/// Which revisions are there? The answer grows with the catalogue: [`Self::read_list`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetRevisionIdList {
    /// The downstream's cookie.
    pub cookie: Option<SyncCookie>,
    /// What is asked for.
    pub filter: ServerSyncFilter,
}

/// `ServerSyncFilter`. [MS-WSUSSS] 3.1.4.5.3.1
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerSyncFilter {
    /// Of the last call with this filter; absent: everything.
    pub anchor: Option<String>,
    /// Categories, classifications and detectoids; else software and drivers.
    pub config: bool,
    /// Asked by servers of 2005.
    pub only_63_languages: bool,
    /// Products. Absent and empty are alike; with one list the other is needed.
    pub categories: Vec<IdAndDelta>,
    /// Classifications.
    pub classifications: Vec<IdAndDelta>,
    /// LCIDs.
    pub languages: Vec<LanguageAndDelta>,
    /// Whether `Categories` was there at all: an empty list selects nothing, none selects all.
    pub has_categories: bool,
    /// The same of `Classifications`.
    pub has_classifications: bool,
}

/// A category; `delta`: only what changed since the anchor, else all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdAndDelta {
    /// A product or classification.
    pub id: UpdateId,
    /// Only changes.
    pub delta: bool,
}

/// A language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LanguageAndDelta {
    /// LCID.
    pub id: i32,
    /// Only changes.
    pub delta: bool,
}

impl ServerSyncFilter {
    /// Everything of these products that is of these classifications.
    pub fn matching(categories: Vec<IdAndDelta>, classifications: Vec<IdAndDelta>) -> Self {
        Self {
            categories,
            classifications,
            has_categories: true,
            has_classifications: true,
            ..Self::default()
        }
    }

    fn read(fields: &Fields<'_>) -> Result<Self, ProtocolFault> {
        let pairs = |list| {
            fields
                .each_within(list, "IdAndDelta", MAX_FILTER_IDS)?
                .iter()
                .map(|pair| Ok(IdAndDelta { id: pair.get("Id")?, delta: pair.flag("Delta")? }))
                .collect::<Result<Vec<_>, ProtocolFault>>()
        };
        let languages = fields.each_within("Languages", "LanguageAndDelta", MAX_FILTER_IDS)?;
        Ok(Self {
            anchor: fields.maybe_text("Anchor").map(str::to_owned),
            config: fields.flag("GetConfig")?,
            only_63_languages: fields.flag("Get63LanguageOnly")?,
            categories: pairs("Categories")?,
            classifications: pairs("Classifications")?,
            languages: languages
                .iter()
                .map(|pair| {
                    Ok(LanguageAndDelta { id: pair.get("Id")?, delta: pair.flag("Delta")? })
                })
                .collect::<Result<_, ProtocolFault>>()?,
            has_categories: fields.maybe_within("Categories").is_some(),
            has_classifications: fields.maybe_within("Classifications").is_some(),
        })
    }
}

impl Operation for GetRevisionIdList {
    type Answer = (String, Vec<UpdateIdentity>);
    const NAME: &'static str = "GetRevisionIdList";

    fn read(operation: &Element) -> Result<Self, ProtocolFault> {
        let fields = Fields::new(operation);
        // The cookie first: without one nothing else is said.
        let cookie = SyncCookie::read(&fields, "cookie")?;
        // As a WSUS: the whole filter is named.
        let filter = fields.within("filter")?;
        Ok(Self {
            cookie,
            filter: ServerSyncFilter::read(&filter)
                .map_err(|_| ProtocolFault::invalid("filter"))?,
        })
    }

    fn write_fields(&self, w: &mut Writer<Infallible>) {
        if let Some(cookie) = &self.cookie {
            cookie.write("cookie", w);
        }
        let filter = &self.filter;
        let pairs = |w: &mut Writer<Infallible>, name, is_present, list: &[IdAndDelta]| {
            if is_present || !list.is_empty() {
                write_pairs(w, name, list);
            }
        };
        w.element("filter", |w| {
            w.optional("Anchor", filter.anchor.as_ref());
            w.value("GetConfig", filter.config);
            w.value("Get63LanguageOnly", filter.only_63_languages);
            pairs(w, "Categories", filter.has_categories, &filter.categories);
            pairs(w, "Classifications", filter.has_classifications, &filter.classifications);
            if !filter.languages.is_empty() {
                w.element("Languages", |w| {
                    for language in &filter.languages {
                        w.element("LanguageAndDelta", |w| {
                            w.value("Id", language.id);
                            w.value("Delta", language.delta);
                        });
                    }
                });
            }
        });
    }

    fn read_answer(answer: &Element) -> Result<Self::Answer, ProtocolFault> {
        let result = Fields::new(answer).within("GetRevisionIdListResult")?;
        let list = result.each_within("NewRevisions", "UpdateIdentity", usize::MAX - 1)?;
        let ids = list.iter().map(Fields::identity).collect::<Result<_, _>>()?;
        Ok((result.text("Anchor")?.to_owned(), ids))
    }
}

impl GetRevisionIdList {
    /// Reads the answer while it arrives; returns the anchor. An id may come more than once, with
    /// several revisions.
    ///
    /// # Errors
    /// When it is a fault, cut short or malformed. What `each` got until then is not all.
    pub fn read_list(
        source: impl BufRead,
        each: &mut dyn FnMut(UpdateIdentity),
    ) -> Result<String, AnswerError> {
        let limits = MessageLimits { bytes: 1 << 20, elements: 1000, ..MessageLimits::default() };
        let rest = read_lists(source, &limits, NAMESPACE, &["NewRevisions"], &mut |_, item| {
            let identity = Fields::new(&item).identity();
            each(identity.map_err(|fault| answer::malformed(Self::NAME, &fault))?);
            Ok::<_, AnswerError>(())
        })?;
        let body = answer::body(rest, Self::NAMESPACE, Self::NAME)?;
        let (anchor, _) =
            Self::read_answer(&body).map_err(|fault| answer::malformed(Self::NAME, &fault))?;
        Ok(anchor)
    }
}

/// Writes the answer to GetRevisionIdList.
pub fn write_revision_ids<F>(
    anchor: &str,
    revisions: impl IntoIterator<Item = UpdateIdentity>,
    w: &mut Writer<F>,
) {
    write_result::<GetRevisionIdList, F>(w, |w| {
        w.value("Anchor", anchor);
        w.element("NewRevisions", |w| {
            for identity in revisions {
                write_identity(w, "UpdateIdentity", &identity);
            }
        });
    });
}

/// Not used by anybody; to be ignored. [MS-WSUSSS] 3.1.4.9
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetRelatedRevisionsForUpdates {
    /// The downstream's cookie.
    pub cookie: Option<SyncCookie>,
    /// Updates.
    pub updates: Vec<Uuid>,
}

impl Operation for GetRelatedRevisionsForUpdates {
    type Answer = Vec<UpdateIdentity>;
    const NAME: &'static str = "GetRelatedRevisionsForUpdates";

    fn read(operation: &Element) -> Result<Self, ProtocolFault> {
        let fields = Fields::new(operation);
        Ok(Self {
            cookie: SyncCookie::read(&fields, "cookie")?,
            updates: fields.list("updateIDs", "guid", MAX_FILTER_IDS)?,
        })
    }

    fn write_fields(&self, w: &mut Writer<Infallible>) {
        if let Some(cookie) = &self.cookie {
            cookie.write("cookie", w);
        }
        w.element("updateIDs", |w| {
            for id in &self.updates {
                w.value("guid", id.hyphenated());
            }
        });
    }

    fn read_answer(answer: &Element) -> Result<Self::Answer, ProtocolFault> {
        let list = Fields::new(answer).each_within(
            "GetRelatedRevisionsForUpdatesResult",
            "UpdateIdentity",
            usize::MAX - 1,
        )?;
        list.iter().map(Fields::identity).collect()
    }
}

/// Writes the answer to GetRelatedRevisionsForUpdates.
pub fn write_related<F>(revisions: &[UpdateIdentity], w: &mut Writer<F>) {
    write_result::<GetRelatedRevisionsForUpdates, F>(w, |w| {
        for identity in revisions {
            write_identity(w, "UpdateIdentity", identity);
        }
    });
}

pub(super) fn write_pairs<F>(w: &mut Writer<F>, name: &str, list: &[IdAndDelta]) {
    w.element(name, |w| {
        for pair in list {
            w.element("IdAndDelta", |w| {
                w.value("Id", pair.id);
                w.value("Delta", pair.delta);
            });
        }
    });
}

pub(super) fn write_identity<F>(w: &mut Writer<F>, name: &str, identity: &UpdateIdentity) {
    w.element(name, |w| {
        w.value("UpdateID", identity.id);
        w.value("RevisionNumber", identity.revision);
    });
}
