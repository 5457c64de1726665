//! `tidegate publish`

use std::path::PathBuf;

use tidegate::{
    ops::publish::{self, PublishRequest, Published},
    publish::{AppliesIf, Classification, Reboot, Severity},
    update::UpdateId,
};

use super::{
    Context, Outcome,
    output::{count, human_bytes},
};

/// Make an update of an installer of your own (.exe, .msi, .cab, .msu).
///
/// Agents install it only if the file is signed by a publisher that the computers trust, and the
/// policy allows signed updates from an intranet location.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The installer
    file: PathBuf,
    /// Title
    #[arg(long)]
    title: String,
    /// Product, Company/Product or Company/Family/Product; made on first use
    #[arg(long)]
    product: String,
    /// Description
    #[arg(long)]
    description: Option<String>,
    /// KB article
    #[arg(long, value_name = "N")]
    kb: Option<String>,
    /// critical, important, moderate or low
    #[arg(long)]
    severity: Option<Severity>,
    /// For example "Security Updates" [default: Updates]
    #[arg(long)]
    classification: Option<Classification>,
    /// Arguments of the installer
    #[arg(long, value_name = "ARGS", allow_hyphen_values = true)]
    command_line: Option<String>,
    /// Where it applies: always; registry:HKLM\Key!Value >= 2; file:C:\path\x.exe >= 1.2.3.4; msi:{GUID}
    #[arg(long, value_name = "RULE")]
    applies_if: Option<AppliesIf>,
    /// Language of title and description
    #[arg(long, value_name = "LANG", default_value = "en")]
    language: String,
    /// Whether it restarts the computer: never, perhaps or always [default: perhaps]
    #[arg(long)]
    reboot: Option<Reboot>,
    /// Where a reader learns more
    #[arg(long, value_name = "URL")]
    more_info_url: Option<String>,
    /// Where a user gets help
    #[arg(long, value_name = "URL")]
    support_url: Option<String>,
    /// An update that it replaces; can be repeated
    #[arg(long, value_name = "UPDATE")]
    supersedes: Vec<UpdateId>,
    /// Make it the next revision of this update
    #[arg(long, value_name = "UPDATE")]
    update_id: Option<UpdateId>,
}

impl Args {
    pub(super) fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let request = PublishRequest {
            description: self.description,
            kb: self.kb,
            severity: self.severity,
            classification: self.classification.unwrap_or_default(),
            command_line: self.command_line,
            applies_if: self.applies_if,
            language: self.language,
            reboot: self.reboot.unwrap_or_default(),
            more_info_url: self.more_info_url,
            support_url: self.support_url,
            supersedes: self.supersedes,
            update_id: self.update_id,
            ..PublishRequest::new(self.file, self.title, self.product)
        };
        let outcome = publish::publish(&context.ops(), &request)?;
        context.out.data(&outcome, || text(&outcome.published))?;
        Ok(Outcome::Done)
    }
}

fn text(published: &Published) -> String {
    let Published { identity, size, sha256, .. } = published;
    let mut text = if published.changed {
        format!("Published {identity}: {}, SHA-256 {sha256}.\n", human_bytes(*size))
    } else {
        format!("{identity} is published already: nothing has changed.\n")
    };
    if !published.categories_made.is_empty() {
        text.push_str(&format!(
            "Made {}: {}.\n",
            count(published.categories_made.len() as u64, "category"),
            published.categories_made.join(", ")
        ));
    }
    text
}
