//! What is to be published, and how.

use std::{fs, path::PathBuf, str::FromStr};

use jiff::Timestamp;
use uuid::{Uuid, uuid};

use super::{applies_if::AppliesIf, error::PublishError};
use crate::{
    file_error::Doing as _,
    update::{UpdateId, kb_number},
};

/// A request to publish one installer.
#[derive(Debug, Clone)]
pub struct PublishRequest {
    /// The `.exe`, `.msi`, `.cab` or `.msu`.
    pub file: PathBuf,
    /// Title, up to 200 characters.
    pub title: String,
    /// Description, up to 1,500 characters.
    pub description: Option<String>,
    /// `Product`, `Company/Product` or `Company/Family/Product`. A product that the catalogue has
    /// under that name is used; otherwise it is made, under "Local Publisher" without a company.
    pub product: String,
    /// KB article: digits, with or without `KB` before them.
    pub kb: Option<String>,
    /// MSRC severity.
    pub severity: Option<Severity>,
    /// Classification.
    pub classification: Classification,
    /// Arguments of the installer; for an `.msi` its properties; for a `.cab` without `update.mum`
    /// the program in it and its arguments.
    pub command_line: Option<String>,
    /// How an agent tells that it is installed, if the file does not say so itself.
    pub applies_if: Option<AppliesIf>,
    /// Language of title and description.
    pub language: String,
    /// Languages that the installer is for; none means all.
    pub languages: Vec<String>,
    /// Whether the computer must restart.
    pub reboot: Reboot,
    /// Where a reader learns more.
    pub more_info_url: Option<String>,
    /// Where a user gets help.
    pub support_url: Option<String>,
    /// Updates that it replaces.
    pub supersedes: Vec<UpdateId>,
    /// Makes this the next revision of that update.
    pub update_id: Option<UpdateId>,
}

impl PublishRequest {
    /// A request with the defaults of the command line.
    pub fn new(
        file: impl Into<PathBuf>,
        title: impl Into<String>,
        product: impl Into<String>,
    ) -> Self {
        Self {
            file: file.into(),
            title: title.into(),
            description: None,
            product: product.into(),
            kb: None,
            severity: None,
            classification: Classification::default(),
            command_line: None,
            applies_if: None,
            language: "en".to_owned(),
            languages: Vec::new(),
            reboot: Reboot::default(),
            more_info_url: None,
            support_url: None,
            supersedes: Vec::new(),
            update_id: None,
        }
    }

    /// The request with its texts in the form that goes into the document.
    pub(super) fn checked(&self) -> Result<Self, PublishError> {
        let mut request = self.clone();
        request.title = line("the title", &self.title, 200)?;
        request.description = self.description.as_deref().map(description).transpose()?;
        request.product = product(&self.product)?;
        request.kb = self.kb.as_deref().map(kb).transpose()?;
        request.command_line = match self.command_line.as_deref().map(str::trim) {
            None | Some("") => None,
            Some(text) => Some(line("the command line", text, 4000)?),
        };
        request.language = language(&self.language)?;
        request.languages =
            self.languages.iter().map(|text| language(text)).collect::<Result<_, _>>()?;
        request.more_info_url = self.more_info_url.as_deref().map(url).transpose()?;
        request.support_url = self.support_url.as_deref().map(url).transpose()?;
        request.file_name()?;
        Ok(request)
    }

    /// The file's name, as agents will call it.
    pub(super) fn file_name(&self) -> Result<&str, PublishError> {
        let name = self.file.file_name().and_then(|name| name.to_str());
        name.filter(|name| {
            name.len() <= 200
                && !name.ends_with(['.', ' '])
                && !name.contains(|c: char| c.is_control() || "\\/:*?\"<>|".contains(c))
        })
        .ok_or_else(|| {
            PublishError::invalid(format!(
                "{} is not a file name that Windows allows: rename the file",
                self.file.display()
            ))
        })
    }

    pub(super) fn file_modified(&self) -> Result<Timestamp, PublishError> {
        let modified =
            fs::metadata(&self.file).and_then(|data| data.modified()).doing("read", &self.file)?;
        Ok(Timestamp::try_from(modified).unwrap_or(Timestamp::UNIX_EPOCH))
    }
}

/// One line that XML can hold, trimmed, not empty, of at most so many characters.
fn line(what: &str, text: &str, most: usize) -> Result<String, PublishError> {
    let text = text.trim();
    let bad = |why: String| Err(PublishError::invalid(format!("{what} {why}")));
    if text.is_empty() {
        return bad("is empty".to_owned());
    }
    if text.chars().count() > most {
        return bad(format!("has more than {most} characters"));
    }
    if let Some(c) = text.chars().find(|c| !is_plain(*c)) {
        return bad(format!("holds the character {:?}, which is not allowed there", c));
    }
    Ok(text.to_owned())
}

fn is_plain(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}')
}

/// Several lines, whose ends become those of XML.
fn description(text: &str) -> Result<String, PublishError> {
    let lines = text.trim().lines().map(str::trim_end);
    let text = lines.collect::<Vec<_>>().join("\n").replace('\t', " ");
    line("the description", &text.replace('\n', " "), 1500)?;
    Ok(text)
}

fn product(text: &str) -> Result<String, PublishError> {
    let parts: Vec<_> = text
        .split('/')
        .map(|part| line("a part of the product", part, 200))
        .collect::<Result<_, _>>()?;
    if parts.len() > 3 {
        return Err(PublishError::invalid(
            "the product has too many parts: use PRODUCT, COMPANY/PRODUCT or COMPANY/FAMILY/PRODUCT",
        ));
    }
    Ok(parts.join("/"))
}

fn kb(text: &str) -> Result<String, PublishError> {
    let (text, digits) = (text.trim(), kb_number(text));
    if (1..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(digits.to_owned());
    }
    Err(PublishError::invalid(format!(
        "{text:?} is no KB article: give its number, such as KB5001234"
    )))
}

fn language(text: &str) -> Result<String, PublishError> {
    let text = text.trim().to_ascii_lowercase();
    let good = text == "all"
        || text.split('-').enumerate().all(|(n, part)| {
            let length = if n == 0 { 2..=3 } else { 2..=8 };
            length.contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric())
        });
    if good && text.len() <= 20 {
        return Ok(text);
    }
    Err(PublishError::invalid(format!(
        "{text:?} is no language: use short names such as en, de, pt-br"
    )))
}

fn url(text: &str) -> Result<String, PublishError> {
    let text = line("an address", text, 2000)?;
    if (text.starts_with("https://") || text.starts_with("http://")) && !text.contains(' ') {
        return Ok(text);
    }
    Err(PublishError::invalid(format!(
        "{text:?} is no address: it must begin with https:// or http://"
    )))
}

/// MSRC severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Critical.
    Critical,
    /// Important.
    Important,
    /// Moderate.
    Moderate,
    /// Low.
    Low,
}

impl Severity {
    /// As documents write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Critical => "Critical",
            Self::Important => "Important",
            Self::Moderate => "Moderate",
            Self::Low => "Low",
        }
    }
}

impl FromStr for Severity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Self::Critical, Self::Important, Self::Moderate, Self::Low];
        all.into_iter()
            .find(|severity| severity.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| format!("{text:?} is no severity: critical, important, moderate or low"))
    }
}

/// Whether installing restarts the computer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reboot {
    /// Never.
    Never,
    /// Perhaps; the installer says so by its return code.
    #[default]
    Perhaps,
    /// Always.
    Always,
}

impl Reboot {
    /// As documents write it.
    pub(super) fn behavior(self) -> &'static str {
        match self {
            Self::Never => "NeverReboots",
            Self::Perhaps => "CanRequestReboot",
            Self::Always => "AlwaysRequiresReboot",
        }
    }
}

impl FromStr for Reboot {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "never" => Ok(Self::Never),
            "perhaps" => Ok(Self::Perhaps),
            "always" => Ok(Self::Always),
            _ => Err(format!("{text:?} is no restart behaviour: never, perhaps or always")),
        }
    }
}

/// The field's classifications, as far as published software can have them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Classification {
    /// Applications.
    Applications,
    /// Critical Updates.
    CriticalUpdates,
    /// Definition Updates.
    DefinitionUpdates,
    /// Feature Packs.
    FeaturePacks,
    /// Security Updates.
    SecurityUpdates,
    /// Service Packs.
    ServicePacks,
    /// Tools.
    Tools,
    /// Update Rollups.
    UpdateRollups,
    /// Updates.
    #[default]
    Updates,
    /// Upgrades.
    Upgrades,
}

impl Classification {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Applications,
        Self::CriticalUpdates,
        Self::DefinitionUpdates,
        Self::FeaturePacks,
        Self::SecurityUpdates,
        Self::ServicePacks,
        Self::Tools,
        Self::UpdateRollups,
        Self::Updates,
        Self::Upgrades,
    ];

    /// Its English title.
    pub fn title(self) -> &'static str {
        self.title_and_id().0
    }

    /// Its identity, the same on every server.
    pub fn id(self) -> UpdateId {
        UpdateId(self.title_and_id().1)
    }

    fn title_and_id(self) -> (&'static str, Uuid) {
        match self {
            Self::Applications => ("Applications", uuid!("5c9376ab-8ce6-464a-b136-22113dd69801")),
            Self::CriticalUpdates => {
                ("Critical Updates", uuid!("e6cf1350-c01b-414d-a61f-263d14d133b4"))
            }
            Self::DefinitionUpdates => {
                ("Definition Updates", uuid!("e0789628-ce08-4437-be74-2495b842f43b"))
            }
            Self::FeaturePacks => ("Feature Packs", uuid!("b54e7d24-7add-428f-8b75-90a396fa584f")),
            Self::SecurityUpdates => {
                ("Security Updates", uuid!("0fa1201d-4330-4fa8-8ae9-b877473b6441"))
            }
            Self::ServicePacks => ("Service Packs", uuid!("68c5b0a3-d1a6-4553-ae49-01d3a7827828")),
            Self::Tools => ("Tools", uuid!("b4832bd8-e735-4761-8daf-37f882276dab")),
            Self::UpdateRollups => {
                ("Update Rollups", uuid!("28bc880e-0592-4cbf-8f95-c79b17911d5f"))
            }
            Self::Updates => ("Updates", uuid!("cd5ffd1e-e932-4e3a-bf74-18bf0b1bbd83")),
            Self::Upgrades => ("Upgrades", uuid!("3689bdc8-b205-4af4-8d4a-a63924c5e9d5")),
        }
    }
}

impl FromStr for Classification {
    type Err = String;

    /// The English title in any letter case, with spaces or hyphens.
    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = text.trim().replace(['-', '_'], " ");
        let found = Self::ALL.into_iter().find(|c| c.title().eq_ignore_ascii_case(&wanted));
        found.ok_or_else(|| {
            let all: Vec<_> = Self::ALL.iter().map(|c| c.title()).collect();
            format!("{text:?} is no classification; there are: {}", all.join(", "))
        })
    }
}
