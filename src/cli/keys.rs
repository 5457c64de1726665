//! `tidegate keys`

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use tidegate::ops::keys::{
    self, BroughtKeys, KeyName, KeyRole, KeyRotation, KeysOverview, KeysReport, ListedKey, MadeKey,
    NewKeys, RootToSign,
};

use super::{Context, Outcome, passphrase::Passphrase, question::ask};

/// Signing keys of the mirror, and of the people who sign for it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make one key on any machine, without a data folder: a secret file, and a public part (*.pub) to
    /// carry to the mirror
    Make {
        /// What it is for
        #[arg(long)]
        role: Role,
        /// The secret file; the public part is written beside it
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// What people call it, such as "Anna, 2nd floor"
        #[arg(long)]
        name: Option<KeyName>,
        #[command(flatten)]
        passphrase: Passphrase,
    },
    /// Make keys and the first root; prints the root to carry and its fingerprint
    Init {
        #[command(flatten)]
        passphrase: Passphrase,
        /// Root keys to be made here, for as many people
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=16))]
        root_keys: u64,
        /// How many of the root keys a new root needs
        #[arg(long, value_name = "K", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=16))]
        root_threshold: u64,
        /// Keys of second persons to be made here, each of whom can countersign snapshots
        #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=15))]
        countersigners: u64,
        /// How many signatures a snapshot needs [default: 2 with countersigners, else 1]
        #[arg(long, value_name = "K", value_parser = clap::value_parser!(u64).range(1..=16))]
        threshold: Option<u64>,
        #[command(flatten)]
        brought: Brought,
    },
    /// Replace keys: makes a new root, signed by the old and the new root keys, that revokes the old
    Rotate(Rotate),
    /// Show which keys there are, where their secret parts are, and what waits for signatures
    List,
    /// Sign a root with a root key, on any machine, without a data folder. Shows first what it says
    SignRoot {
        /// The root file; the signature is added to it
        root: PathBuf,
        /// Secret file of the root key
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        #[command(flatten)]
        passphrase: Passphrase,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Use the root that waits for signatures, when the holders of root keys have signed it
    TakeRoot {
        /// Copies of it that they have signed, if not the file itself
        roots: Vec<PathBuf>,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Role {
    Root,
    Content,
    Policy,
    Countersigner,
}

/// Public parts of keys that were made elsewhere.
#[derive(Debug, clap::Args)]
struct Brought {
    /// Public part of a root key that was made elsewhere; once for each
    #[arg(long, value_name = "PUB")]
    root_key: Vec<PathBuf>,
    /// Public part of the key of a second person; once for each
    #[arg(long, value_name = "PUB")]
    countersigner_key: Vec<PathBuf>,
    /// How many countersigners must sign a snapshot, beside the content key
    #[arg(long, value_name = "K", conflicts_with = "threshold", value_parser = clap::value_parser!(u64).range(0..=15))]
    countersigners_needed: Option<u64>,
    /// Public part of a content key; bring its secret part to keys/ before the next seal
    #[arg(long, value_name = "PUB")]
    content_key: Option<PathBuf>,
    /// Public part of a policy key; likewise
    #[arg(long, value_name = "PUB")]
    policy_key: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct Rotate {
    #[command(flatten)]
    passphrase: Passphrase,
    /// Replace the root keys by keys made here
    #[arg(long)]
    root: bool,
    /// Replace the content key by one made here
    #[arg(long)]
    content: bool,
    /// Replace the policy key by one made here
    #[arg(long)]
    policy: bool,
    #[command(flatten)]
    brought: Brought,
    /// How many of the root keys a new root needs
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u64).range(1..=16))]
    root_threshold: Option<u64>,
    /// How many signatures a snapshot needs
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u64).range(1..=16))]
    threshold: Option<u64>,
    /// Secret file of a root key that signs, wherever it lies; once for each [default: those in keys/]
    #[arg(long, value_name = "FILE")]
    key: Vec<PathBuf>,
    /// Forget a new root that still waits for signatures
    #[arg(long)]
    anew: bool,
    /// Go on although the date is before that of the newest keys
    #[arg(long)]
    clock_is_right: bool,
}

impl Args {
    pub(super) fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let ops = context.ops();
        let report = match self.command {
            Command::Make { role, out, name, passphrase } => {
                let passphrase = passphrase.new_one(context)?;
                let made = keys::make(&out, role.into(), name, passphrase.as_deref())?;
                context.out.data(&made, || made_text(&made))?;
                return Ok(Outcome::Done);
            }
            Command::List => {
                let overview = keys::list(&ops)?;
                context.out.data(&overview, || list_text(&overview))?;
                return Ok(Outcome::Done);
            }
            Command::SignRoot { root, key, passphrase, yes } => {
                return sign_root(context, &root, key, &passphrase, yes);
            }
            Command::Init {
                passphrase,
                root_keys,
                root_threshold,
                countersigners,
                threshold,
                brought,
            } => {
                let threshold = brought.threshold().or(threshold);
                let passphrase = passphrase.new_one(context)?;
                let brought = brought.into();
                let new = NewKeys {
                    passphrase,
                    root_keys,
                    root_threshold,
                    countersigners,
                    threshold,
                    brought,
                };
                keys::init(&ops, new)?
            }
            Command::Rotate(rotate) => rotate.run(context)?,
            Command::TakeRoot { roots } => keys::take_root(&ops, &roots)?,
        };
        context.out.data(&report, || text(&report))?;
        Ok(Outcome::complete(report.in_use))
    }
}

impl Rotate {
    fn run(self, context: &Context) -> anyhow::Result<KeysReport> {
        let ops = context.ops();
        let passphrase = self.passphrase.open(context, || match self.key.as_slice() {
            [] => keys::secret_files(&ops),
            given => Ok(given.to_vec()),
        })?;
        let which = KeyRotation {
            root: self.root,
            content: self.content,
            policy: self.policy,
            snapshot_threshold: self.brought.threshold().or(self.threshold),
            brought: self.brought.into(),
            root_threshold: self.root_threshold,
            signers: self.key,
            anew: self.anew,
            clock_is_right: self.clock_is_right,
        };
        Ok(keys::rotate(&ops, which, passphrase.as_deref())?)
    }
}

impl Brought {
    /// How many signatures a snapshot needs, the content key's own included.
    fn threshold(&self) -> Option<u64> {
        self.countersigners_needed.map(|needed| needed + 1)
    }
}

impl From<Brought> for BroughtKeys {
    fn from(brought: Brought) -> Self {
        let Brought { root_key, countersigner_key, content_key, policy_key, .. } = brought;
        Self {
            root: root_key,
            countersigner: countersigner_key,
            content: content_key,
            policy: policy_key,
        }
    }
}

impl From<Role> for KeyRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Root => Self::Root,
            Role::Content => Self::Content,
            Role::Policy => Self::Policy,
            Role::Countersigner => Self::Countersigner,
        }
    }
}

fn sign_root(
    context: &Context,
    root: &std::path::Path,
    key: PathBuf,
    passphrase: &Passphrase,
    yes: bool,
) -> anyhow::Result<Outcome> {
    let shown = keys::inspect_root(root)?;
    context.out.note(&root_text(&shown));
    if !yes {
        ask(
            context,
            "Does the mirror tell the same fingerprint, and are these the right keys?",
            "compare the fingerprint and the keys with what the mirror shows, then sign with --yes",
            "nothing was signed",
        )?;
    }
    let passphrase = passphrase.open(context, || Ok(vec![key.clone()]))?;
    let signed = keys::sign_root(shown, &key, passphrase.as_deref())?;
    context.out.data(&signed, || {
        let note = match signed.names_key {
            true => "",
            false => "\nThe root does not name this key: the signature counts only if the root before names it.",
        };
        format!(
            "Signed: {}{note}\nBring it to the mirror: tidegate keys take-root {}",
            root.display(),
            root.display()
        )
    })?;
    Ok(Outcome::Done)
}

/// A root for the person who is about to sign it.
fn root_text(root: &RootToSign) -> String {
    let roles = &root.roles;
    format!(
        "Root {}, until {:.0}\nFingerprint:    {}\n{}",
        roles.version,
        roles.expires,
        roles.fingerprint,
        super::trust::roles_text(roles)
    )
}

fn made_text(made: &MadeKey) -> String {
    format!(
        "Secret {} key:  {}\nPublic part:    {}\nKey id:         {}\nFingerprint:    {}\nKeep the secret part; carry the public part to the mirror, and tell the fingerprint by voice.",
        made.role,
        made.secret.display(),
        made.public.display(),
        made.key_id,
        made.fingerprint
    )
}

fn list_text(overview: &KeysOverview) -> String {
    let mut text = String::new();
    if let Some(root) = &overview.root {
        text.push_str(&format!(
            "Root {}, until {:.0}\nFingerprint:    {}\nA new root needs {} of the root keys, a snapshot {}.\n",
            root.version,
            root.expires,
            root.fingerprint,
            root.root_threshold,
            super::output::count(root.snapshot_threshold, "signature"),
        ));
    }
    for ListedKey { role, key_id, name, secret } in &overview.keys {
        let id = key_id.as_deref().and_then(|id| id.get(..8)).unwrap_or("id not noted");
        let name = name.as_ref().map_or(String::new(), |name| format!(" ({})", name.as_str()));
        let place = match secret {
            Some(path) => format!("secret part here: {}", path.display()),
            None => "secret part not here".to_owned(),
        };
        text.push_str(&format!("{role} key {id}{name}: {place}\n"));
    }
    if let Some(waiting) = &overview.waiting {
        text.push_str(&format!(
            "Root {} waits for signatures: {}.\n",
            waiting.root.version, waiting.signatures
        ));
        for change in &waiting.changes {
            text.push_str(&format!("  {change}\n"));
        }
        for line in super::trust::roles_text(&waiting.root).lines() {
            text.push_str(&format!("  {line}\n"));
        }
        text.push_str(&waiting_text(&waiting.path, &waiting.root.fingerprint));
    }
    text
}

/// What to do with a root that waits.
fn waiting_text(path: &std::path::Path, fingerprint: &str) -> String {
    let path = path.display();
    format!(
        "  Fingerprint: {fingerprint}\n  Let the holders of root keys sign it: tidegate keys sign-root {path} --key FILE\n  (or a copy on their machine), then: tidegate keys take-root [COPY…]\n"
    )
}

fn text(report: &KeysReport) -> String {
    if !report.in_use {
        return format!(
            "Not in use yet: {} has {}.\n{}",
            report.root.display(),
            report.signatures,
            waiting_text(&report.root, &report.fingerprint)
        );
    }
    let mut text = format!(
        "Root to carry:  {}\nFingerprint:    {}\n                {}\n",
        report.root.display(),
        report.fingerprint,
        report.fingerprint_hex
    );
    for (role, path) in &report.keys {
        text.push_str(&format!("Secret {role} key: {}\n", path.display()));
    }
    if report.keys.iter().any(|(role, _)| role == "root") {
        text.push_str(
            "Move the root keys off this machine: they are needed again only to replace keys.\n",
        );
    }
    text
}
