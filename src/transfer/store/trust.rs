//! What the isolated side trusts: one record with a digest in `trust/state`, written durably, and
//! the lock that keeps two imports apart.

use std::{
    fs,
    io::{self, Read as _},
    path::Path,
};

use bundle_format::{
    limits::BundleLimits,
    trust::{Fingerprint, RootOrigin, RootRecord, RootRoles, TrustError, TrustState},
};
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::side;
use crate::{
    data_dir::{DataDir, FolderLock},
    durable,
    file_error::Doing as _,
    transfer::{error::TransferError, kill},
};

/// The beginning of the names of temporary files.
const TEMPORARY: &str = ".tmp";

type Result<T> = std::result::Result<T, TransferError>;

/// What `trust add` did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrustAdded {
    /// The root is trusted now.
    Added,
    /// It was trusted already.
    Already,
}

/// What is trusted now.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct TrustOverview {
    /// The root, and who holds which role by it.
    pub root: RootRoles,
    /// Since when it is trusted, if that was noted.
    pub since: Option<RootRecord>,
    /// The newest snapshot that was accepted under it.
    pub accepted: Option<u64>,
    /// The mirror that is followed.
    pub mirror_id: Option<Uuid>,
    /// A newer root was seen, and no snapshot of it has taken effect yet.
    pub awaits_snapshot: bool,
    /// The roots before, oldest first.
    pub before: Vec<RootRecord>,
}

/// What `trust replace` did.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct TrustReplaced {
    /// The root that is trusted now.
    pub root: RootRoles,
    /// The one that was trusted before; `None` if the record of it was damaged.
    pub before: Option<RootRoles>,
    /// The newest snapshot that was accepted under it.
    pub accepted: Option<u64>,
}

/// Reads a root file, to show its fingerprint and keys before it is trusted.
///
/// # Errors
/// When it cannot be read or is no valid root.
pub fn inspect_root(path: &Path) -> Result<RootRoles> {
    let root = read_root(path)?;
    roles(path, pin_root(path, &root)?.root())
}

/// What is trusted now, for people.
///
/// # Errors
/// When nothing is trusted, or the record is damaged.
pub fn trust_show(data: &DataDir) -> Result<TrustOverview> {
    side::require_isolated(data)?;
    let state = load_state(data)?;
    let root = roles(&data.trust_state(), state.root())?;
    let mut before = state.records().to_vec();
    let since = before.pop_if(|last| last.fingerprint == root.fingerprint);
    Ok(TrustOverview {
        root,
        since,
        accepted: state.snapshot(),
        mirror_id: state.mirror(),
        awaits_snapshot: state.before_newest_root().is_some(),
        before,
    })
}

/// What [`trust_replace`] would do; nothing is written.
///
/// # Errors
/// As [`trust_replace`].
pub fn preview_replace(data: &DataDir, path: &Path, expected: &str) -> Result<TrustReplaced> {
    side::require_isolated(data)?;
    let root = read_root(path)?;
    let new = roles(path, pin_root(path, &root)?.root())?;
    let found = fingerprint(path, &root)?;
    if !found.matches(expected) {
        return Err(TransferError::Fingerprint { found: found.words() });
    }
    let (before, accepted) = match load_state(data) {
        Ok(state) => (Some(roles(&data.trust_state(), state.root())?), state.snapshot()),
        Err(TransferError::State { .. }) => (None, None),
        Err(e) => return Err(e),
    };
    if before.as_ref().is_some_and(|before| before.fingerprint_hex == new.fingerprint_hex) {
        return Err(TransferError::OtherRoot {
            what: "this root is trusted here already: there is nothing to replace".to_owned(),
        });
    }
    Ok(TrustReplaced { root: new, before, accepted })
}

/// Trusts a root in the place of another one that did not sign it: the way out when the root keys are
/// lost. Whatever the new root's holder signs is accepted from now on, and snapshots may count anew;
/// catalogue, computers and approvals stay.
///
/// # Errors
/// When this is no isolated side, nothing was trusted, the fingerprint differs, the root is trusted
/// already, or the disk fails.
pub fn trust_replace(data: &DataDir, path: &Path, expected: &str) -> Result<TrustReplaced> {
    preview_replace(data, path, expected)?;
    let _lock = lock(data)?;
    // Again under the lock: what is replaced is what is said.
    let replaced = preview_replace(data, path, expected)?;
    let earlier = load_state(data).map(|state| state.records().to_vec()).unwrap_or_default();
    write_state(data, pin_root(path, &read_root(path)?)?, &earlier, Some(RootOrigin::Replaced))?;
    Ok(replaced)
}

/// What a newer root changes, as sentences: which key lost or gained its role.
pub(crate) fn changes_of_root(
    path: &Path,
    before: &TrustState,
    now: &TrustState,
) -> Result<Vec<String>> {
    Ok(roles(path, before.root())?.changes(&roles(path, now.root())?))
}

/// Trusts a root from now on. `expected` is the fingerprint that the connected side gave (words or
/// hexadecimal); without one the caller has shown [`inspect_root`] to a person who said yes. Only with
/// one does this replace a damaged trust state: the catalogue still keeps older snapshots out, but
/// keys that were revoked are trusted again if the root is one from before.
///
/// # Errors
/// When this is no isolated side, the fingerprint differs, another root is trusted, the trust state
/// is damaged, or the disk fails.
pub fn trust_add(data: &DataDir, path: &Path, expected: Option<&str>) -> Result<TrustAdded> {
    side::require_isolated(data)?;
    let root = read_root(path)?;
    let state = pin_root(path, &root)?;
    let found = fingerprint(path, &root)?;
    if expected.is_some_and(|expected| !found.matches(expected)) {
        return Err(TransferError::Fingerprint { found: found.words() });
    }
    let _lock = lock(data)?;
    match load_state(data) {
        Err(TransferError::NothingTrusted) => {}
        Err(TransferError::State { .. }) if expected.is_some() => {}
        Err(e) => return Err(e),
        Ok(trusted) => {
            let trusted = fingerprint(&data.trust_state(), trusted.root())?;
            if trusted == found {
                return Ok(TrustAdded::Already);
            }
            return Err(TransferError::OtherRoot {
                what: format!(
                    "this site trusts another root already ({}). A new root of the same mirror needs no `trust add`: bundles carry it. If the connected side has lost its root keys, use `tidegate trust replace`. To follow another mirror, make a new data folder",
                    trusted.words()
                ),
            });
        }
    }
    write_state(data, state, &[], Some(RootOrigin::Added))?;
    Ok(TrustAdded::Added)
}

/// What is trusted now. A damaged record is refused, never repaired.
pub(crate) fn load_state(data: &DataDir) -> Result<TrustState> {
    let path = data.trust_state();
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(TransferError::NothingTrusted),
        Err(e) => Err(e).doing("read", &path)?,
    };
    TrustState::from_bytes(&bytes).map_err(|source| TransferError::State { path, source })
}

/// Stores what is trusted from now on. A root that was seen stays: it may have revoked keys.
pub(crate) fn store_state(data: &DataDir, state: &TrustState) -> Result<()> {
    let path = data.trust_state();
    let stored = load_state(data).ok();
    if let Some(stored) = &stored
        && stored.root_version() > state.root_version()
    {
        let (stored, older) = (stored.root_version(), state.root_version());
        let what = format!("it trusts root {stored}, and root {older} must not take its place");
        return Err(TransferError::State { path, source: TrustError::State { what } });
    }
    let earlier = stored.as_ref().map(TrustState::records).unwrap_or_default();
    // Since when a root is trusted that stays, nobody knows if it was never noted.
    let is_new = stored.as_ref().is_none_or(|stored| stored.root() != state.root());
    write_state(data, state.clone(), earlier, is_new.then_some(RootOrigin::Bundle))
}

/// Writes the record, with what was noted of `earlier` roots.
fn write_state(
    data: &DataDir,
    state: TrustState,
    earlier: &[RootRecord],
    new: Option<RootOrigin>,
) -> Result<()> {
    let path = data.trust_state();
    let state = state
        .noted(earlier, new.map(|origin| (Timestamp::now(), origin)))
        .map_err(|source| TransferError::Trust { path: path.clone(), source })?;
    kill::step("before the trust state");
    durable::write(&path, &state.to_bytes()).doing("write", path)?;
    kill::step("after the trust state");
    Ok(())
}

/// A trust state of a root file alone, for `verify`.
pub(crate) fn state_of_root(path: &Path) -> Result<TrustState> {
    pin_root(path, &read_root(path)?)
}

/// To be held while something is imported or trusted.
pub(crate) fn lock(data: &DataDir) -> Result<FolderLock> {
    let path = data.trust_state().with_file_name("lock");
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).doing("make", folder)?;
    }
    let lock = FolderLock::new(&path).doing("lock", &path)?;
    let lock = lock.ok_or_else(|| TransferError::Busy { path: path.clone() })?;
    // Whoever writes beside the lock holds it: what has a temporary name was left by a killed run.
    if let Some(folder) = path.parent() {
        durable::sweep(folder, TEMPORARY).doing("clear", folder)?;
    }
    Ok(lock)
}

/// As [`lock`], for who only looks: on a file system that cannot be written nobody is at work.
pub(crate) fn lock_to_look(data: &DataDir) -> Result<Option<FolderLock>> {
    match lock(data) {
        Err(TransferError::File(error)) if is_unwritable(&error.source) => Ok(None),
        locked => locked.map(Some),
    }
}

fn is_unwritable(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied)
}

fn read_root(path: &Path) -> Result<Vec<u8>> {
    let mut root = Vec::new();
    let file = fs::File::open(path).doing("read the root", path)?;
    file.take(BundleLimits::default().metadata_bytes + 1)
        .read_to_end(&mut root)
        .doing("read the root", path)?;
    match kind_of(&root) {
        None => Ok(root),
        Some(kind) => Err(TransferError::refused(format!(
            "{} is {kind}, and no root file: `tidegate keys init` makes that on the connected side, and shows where (N.root.json)",
            path.display()
        ))),
    }
}

/// What a file that is no root is, as far as its beginning says.
fn kind_of(bytes: &[u8]) -> Option<&'static str> {
    let begins = |with: &str| bytes.starts_with(with.as_bytes());
    if begins("VOLUME.json") {
        return Some("a bundle (`tidegate import` takes it in)");
    }
    if begins("-----BEGIN") {
        return Some("a key, which must stay where it is");
    }
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    (first != Some(&b'{')).then_some("something else")
}

fn pin_root(path: &Path, root: &[u8]) -> Result<TrustState> {
    TrustState::pin(root).map_err(|source| TransferError::Trust { path: path.to_owned(), source })
}

fn roles(path: &Path, root: &[u8]) -> Result<RootRoles> {
    RootRoles::from_root(root)
        .map_err(|source| TransferError::Trust { path: path.to_owned(), source })
}

fn fingerprint(path: &Path, root: &[u8]) -> Result<Fingerprint> {
    Fingerprint::from_root(root)
        .map_err(|source| TransferError::Trust { path: path.to_owned(), source })
}
