//! Loading a head: with the TUF client, from memory, with a scratch copy of the counters; or by
//! hand, for a countersigner whose signature is still missing.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use bytes::Bytes;
use futures_util::stream;
use tough::{
    ExpirationEnforcement, IntoVec as _, Repository, RepositoryLoader, Transport, TransportError,
    TransportErrorKind, TransportStream, async_trait,
    error::Error,
    schema::{self, Metafile, Root, Signed, Snapshot, Target, Targets},
};
use url::Url;

use super::{
    TrustError,
    document::{self, parse_slot},
    error::{DAMAGED, explain, signatures},
    head::{Head, INDEX_TARGET, POLICY_ROLE, POLICY_TARGET, Part},
    scratch::Scratch,
    sign::target_name,
    signers::valid_signers,
    state::Accepted,
};
use crate::{digest::Sha256, limits::BundleLimits};

/// A head whose signatures and digests hold.
pub(super) struct Loaded {
    pub(super) root: Signed<Root>,
    pub(super) timestamp: Signed<schema::Timestamp>,
    pub(super) snapshot: Signed<Snapshot>,
    /// With the policy role's targets filled in.
    pub(super) targets: Signed<Targets>,
    pub(super) policy: Signed<Targets>,
    pub(super) index_file: Vec<u8>,
    pub(super) policy_file: Vec<u8>,
}

impl Loaded {
    /// The snapshot's number.
    pub(super) fn number(&self) -> u64 {
        self.snapshot.signed.version.get()
    }
}

/// Why a head did not load. The error of the TUF client is kept as it is: a head that was refused as
/// older is checked a second time.
pub(super) enum LoadError {
    /// The TUF client refused it.
    Tuf(Box<Error>),
    /// Anything else.
    Other(TrustError),
}

impl From<LoadError> for TrustError {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Tuf(error) => explain(*error),
            LoadError::Other(error) => error,
        }
    }
}

impl From<Error> for LoadError {
    fn from(error: Error) -> Self {
        Self::Tuf(Box::new(error))
    }
}

/// Loads a head from the newest stored root on, with the counters of what was accepted before.
///
/// On a thread of its own: the TUF client is asynchronous, and a thread that already drives a
/// runtime must not block on another.
pub(super) fn load(
    root: &[u8],
    accepted: Option<&Accepted>,
    head: &Head,
    limits: &BundleLimits,
) -> Result<Loaded, LoadError> {
    let run = || {
        let disk = |source| {
            LoadError::Other(TrustError::machine("no scratch copy of the trust state", source))
        };
        let scratch = Scratch::new().map_err(disk)?;
        if let Some(accepted) = accepted {
            write_scratch(scratch.path(), accepted).map_err(disk)?;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(disk)?;
        runtime.block_on(load_from(root, scratch.path(), head, limits))
    };
    let ended = std::thread::scope(|scope| scope.spawn(run).join());
    ended.unwrap_or_else(|_| {
        Err(LoadError::Other(TrustError::refused("its metadata made the TUF client fail")))
    })
}

/// The scratch copy. Without `latest_known_time.json`: a clock that was once wrong must not lock an
/// isolated machine.
fn write_scratch(scratch: &Path, accepted: &Accepted) -> std::io::Result<()> {
    fs::write(scratch.join("timestamp.json"), &accepted.timestamp)?;
    fs::write(scratch.join("snapshot.json"), &accepted.snapshot)
}

async fn load_from(
    root: &[u8],
    scratch: &Path,
    head: &Head,
    limits: &BundleLimits,
) -> Result<Loaded, LoadError> {
    let base = |folder: &str| {
        Url::parse(&format!("bundle:///{folder}/"))
            .map_err(|e| LoadError::Other(TrustError::machine("a URL does not parse", e)))
    };
    let repository = RepositoryLoader::new(&root, base("metadata")?, base("targets")?)
        .transport(Memory(Arc::new(head.files.clone())))
        .datastore(scratch)
        .limits(tough::Limits {
            max_root_size: limits.metadata_bytes,
            max_targets_size: limits.metadata_bytes,
            max_timestamp_size: limits.metadata_bytes,
            max_snapshot_size: limits.metadata_bytes,
            max_root_updates: limits.roots,
        })
        // Drives travel for weeks: expiry is compared with the clock by our own check.
        .expiration_enforcement(ExpirationEnforcement::Unsafe)
        .load()
        .await?;
    let policy = repository
        .delegated_role(POLICY_ROLE)
        .and_then(|role| role.targets.clone())
        .ok_or_else(|| {
            LoadError::Other(TrustError::refused(
                "its metadata are wrong: they list no policy role, or delegate to none",
            ))
        })?;
    Ok(Loaded {
        index_file: read_target(&repository, INDEX_TARGET).await?,
        policy_file: read_target(&repository, POLICY_TARGET).await?,
        root: repository.root().clone(),
        timestamp: repository.timestamp().clone(),
        snapshot: repository.snapshot().clone(),
        targets: repository.targets().clone(),
        policy,
    })
}

/// Reads a target to its end, so that its digest is known to hold.
async fn read_target(repository: &Repository, name: &str) -> Result<Vec<u8>, LoadError> {
    let target = target_name(name).map_err(LoadError::Other)?;
    let stream = repository.read_target(&target).await?.ok_or_else(|| {
        LoadError::Other(TrustError::refused(format!("its metadata do not name {name}")))
    })?;
    Ok(stream.into_vec().await?)
}

/// The head as the TUF client's way to fetch files.
#[derive(Debug, Clone)]
struct Memory(Arc<BTreeMap<String, Bytes>>);

#[async_trait]
impl Transport for Memory {
    async fn fetch(&self, url: Url) -> Result<TransportStream, TransportError> {
        match self.0.get(url.path().trim_start_matches('/')) {
            Some(bytes) => {
                let bytes = bytes.clone();
                Ok(Box::pin(stream::once(async move { Ok(bytes) })))
            }
            None => Err(TransportError::new(TransportErrorKind::FileNotFound, url)),
        }
    }
}

/// Loads a head whose timestamp may lack signatures: the same chain of digests and signatures,
/// followed by hand from the timestamp down.
pub(super) fn load_by_hand(root: &Signed<Root>, head: &Head) -> Result<Loaded, TrustError> {
    let keys = &root.signed;
    let timestamp: Signed<schema::Timestamp> =
        parse_slot(file(head, Part::Timestamp)?).map_err(|what| wrong(Part::Timestamp, &what))?;
    if !timestamp.signatures.is_empty() && valid_signers(keys, &timestamp).is_empty() {
        return Err(wrong(Part::Timestamp, "no signature on it holds"));
    }
    let role = |e| TrustError::refused(signatures("own", &e));

    let meta = listed_meta(&timestamp.signed.meta, "snapshot.json")?;
    let snapshot: Signed<Snapshot> = read_pinned(head, Part::Snapshot(meta.version.get()), meta)?;
    keys.verify_role(&snapshot).map_err(role)?;

    let meta = listed_meta(&snapshot.signed.meta, "targets.json")?;
    let mut targets: Signed<Targets> = read_pinned(head, Part::Targets(meta.version.get()), meta)?;
    keys.verify_role(&targets).map_err(role)?;

    let meta = listed_meta(&snapshot.signed.meta, &format!("{POLICY_ROLE}.json"))?;
    let policy: Signed<Targets> = read_pinned(head, Part::Policy(meta.version.get()), meta)?;
    let delegations = targets.signed.delegations.as_mut();
    let delegations =
        delegations.ok_or_else(|| TrustError::refused("its targets delegate to no policy role"))?;
    delegations.verify_role(&policy, POLICY_ROLE).map_err(role)?;
    for role in &mut delegations.roles {
        role.targets = Some(policy.clone());
    }

    let index_file = signed_target(head, &targets.signed, INDEX_TARGET, Part::IndexTarget)?;
    let policy_file = signed_target(head, &policy.signed, POLICY_TARGET, Part::PolicyTarget)?;
    Ok(Loaded { root: root.clone(), timestamp, snapshot, targets, policy, index_file, policy_file })
}

fn file(head: &Head, part: Part) -> Result<&Bytes, TrustError> {
    head.get(part).ok_or_else(|| TrustError::refused(format!("{} is missing from it", part.name())))
}

fn wrong(part: Part, what: &str) -> TrustError {
    TrustError::refused(format!("{} {what}: {DAMAGED}", part.name()))
}

fn listed_meta<'a>(
    meta: &'a std::collections::HashMap<String, Metafile>,
    name: &str,
) -> Result<&'a Metafile, TrustError> {
    meta.get(name).ok_or_else(|| TrustError::refused(format!("its metadata do not list {name}")))
}

/// A metadata file with the length, digest and version that another one names.
fn read_pinned<T: serde::de::DeserializeOwned + schema::Role>(
    head: &Head,
    part: Part,
    meta: &Metafile,
) -> Result<Signed<T>, TrustError> {
    let bytes = file(head, part)?;
    if meta.length != Some(bytes.len() as u64)
        || meta.hashes.as_ref() != Some(&document::hashes(bytes))
    {
        return Err(wrong(part, "does not have the digest that was signed"));
    }
    let document: Signed<T> = document::parse(bytes).map_err(|what| wrong(part, &what))?;
    if document.signed.version() != meta.version {
        return Err(wrong(part, "does not have the version that was signed"));
    }
    Ok(document)
}

fn signed_target(
    head: &Head,
    targets: &Targets,
    name: &str,
    part: impl Fn(Sha256) -> Part,
) -> Result<Vec<u8>, TrustError> {
    let target: &Target = targets
        .targets
        .get(&target_name(name)?)
        .ok_or_else(|| TrustError::refused(format!("its metadata do not name {name}")))?;
    let digest = Sha256::from_slice(&target.hashes.sha256)
        .map_err(|e| TrustError::refused(format!("the digest of {name} is none: {e}")))?;
    let part = part(digest);
    let bytes = file(head, part)?;
    if Sha256::hash(bytes) != digest || bytes.len() as u64 != target.length {
        return Err(wrong(part, "does not have the digest that was signed"));
    }
    Ok(bytes.to_vec())
}
