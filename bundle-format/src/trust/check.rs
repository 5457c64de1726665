//! The isolated side: checking the head of a volume.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use tough::schema::Root;

use super::{
    TrustError, document,
    error::is_rollback,
    head::{Head, POLICY_ROLE, Part},
    load::{LoadError, Loaded, load},
    roles::RootRoles,
    root::{check_chain, same_mirror},
    shape::{check_shape, policy_role},
    signers::{valid_policy_signers, valid_signers},
    state::{Accepted, TrustState, counters_hold},
};
use crate::{
    digest::Sha256,
    index::{self, Index},
    limits::BundleLimits,
    policy::Policy,
};

/// What a bundle is checked against.
#[derive(Debug, Clone)]
pub struct Expectation<'a> {
    /// The site that imports; `None` for a bare `verify`, which then names the sites instead.
    pub site: Option<&'a str>,
    /// The clock.
    pub now: Timestamp,
    /// Refuse expired signatures instead of warning.
    pub refuse_expired: bool,
}

/// How a snapshot stands to the newest accepted one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Freshness {
    /// Newer, or the first one. After the keys were replaced for good its number may be lower than the
    /// one accepted before: this value decides, not the number.
    Newer,
    /// The same snapshot.
    Same,
    /// Older: validly signed, but it may only fill gaps and never be switched to.
    Older,
}

/// A head whose signatures hold. Only this yields an index.
#[derive(Debug, Clone)]
pub struct VerifiedHead {
    /// The signed index.
    pub index: Index,
    /// SHA-256 of the compressed index, as targets names it.
    pub index_digest: Sha256,
    /// The signed policy.
    pub policy: Policy,
    /// Against the trust state.
    pub freshness: Freshness,
    /// The state to keep, if and when the snapshot takes effect. Unchanged for `Older`.
    pub next_state: TrustState,
    /// Plain sentences, for example of what has expired.
    pub warnings: Vec<String>,
    /// Key ids that signed, by role, for the record.
    pub signers: Vec<(String, Vec<String>)>,
    /// When the first of its signatures expires.
    pub expires: Timestamp,
}

impl VerifiedHead {
    /// Who signed the snapshot, for people: what each key is for, and its name.
    pub fn signed_by(&self) -> Vec<String> {
        let roles = RootRoles::from_root(&self.next_state.root);
        roles.map(|roles| roles.describe_signers(&self.signers)).unwrap_or_default()
    }
}

/// Checks a volume's head: signatures from the newest stored root on, rollback, site, mirror,
/// format version. Touches neither `state` nor the disk (but for a temporary folder). Blocks.
///
/// # Errors
/// [`TrustError::Refused`] for everything that is the bundle's fault.
pub fn check_head(
    state: &TrustState,
    head: &Head,
    expect: &Expectation<'_>,
    limits: &BundleLimits,
) -> Result<VerifiedHead, TrustError> {
    head.parts(limits).map_err(TrustError::refused)?;
    let pinned = super::root::parse_root(&state.root)
        .map_err(|what| TrustError::State { what: format!("the stored root {what}") })?;
    let counted = super::root::parse_root(state.counted_under())
        .map_err(|what| TrustError::State { what: format!("the root before the newest {what}") })?;
    let head_roots = head.roots();
    same_mirror(&pinned.signed, &head_roots)?;
    check_chain(head_roots.iter().map(AsRef::as_ref))?;

    let (loaded, older) = load_in_order(state, (&pinned.signed, &counted.signed), head, limits)?;
    check_shape(head, &loaded)?;
    let (index, index_digest) = open_index(state, &loaded, expect, limits)?;
    let policy = Policy::from_zst(&loaded.policy_file, limits)
        .map_err(|e| TrustError::refused(e.to_string()))?;

    let freshness = if older {
        Freshness::Older
    } else {
        judge_freshness(state, &counted.signed, head, &loaded)?
    };
    let mut warnings = check_expiry(&loaded, expect)?;
    warnings.extend(clock_warning(&index, expect));
    let next_state = match freshness {
        Freshness::Older => state.clone(),
        Freshness::Newer | Freshness::Same => next_state(&index, head, &loaded)?,
    };
    let signers = signers(&loaded);
    let expires =
        expiry_dates(&loaded).into_iter().map(|(_, date)| date).min().unwrap_or(Timestamp::MAX);
    Ok(VerifiedHead {
        index,
        index_digest,
        policy,
        freshness,
        next_state,
        warnings,
        signers,
        expires,
    })
}

/// Loads a head; says whether it is older than the accepted one. `pinned` is the newest stored root,
/// `counted` the one under which the counters were made.
fn load_in_order(
    state: &TrustState,
    (pinned, counted): (&Root, &Root),
    head: &Head,
    limits: &BundleLimits,
) -> Result<(Loaded, bool), TrustError> {
    let behind = |loaded: &Loaded| {
        state.snapshot().is_some_and(|accepted| loaded.number() < accepted)
            && counters_hold(counted, &loaded.root.signed)
    };
    // A newer root may have ended the counters before a snapshot of it was accepted.
    let counters = state.accepted.as_ref().filter(|_| counters_hold(counted, pinned));
    match load(&state.root, counters, head, limits) {
        Ok(loaded) => {
            let older = behind(&loaded);
            Ok((loaded, older))
        }
        // Checked again without the counters: everything but the order must hold. A head that is
        // not older as a whole, but takes one of the counters back, stays refused.
        Err(LoadError::Tuf(error)) if is_rollback(&error) => {
            let loaded = load(&state.root, None, head, limits)?;
            if !behind(&loaded) {
                return Err(LoadError::Tuf(error).into());
            }
            Ok((loaded, true))
        }
        Err(error) => Err(error.into()),
    }
}

/// Site, mirror and format version from the signed `custom`; only then the index itself, which must
/// say the same.
pub(super) fn open_index(
    state: &TrustState,
    loaded: &Loaded,
    expect: &Expectation<'_>,
    limits: &BundleLimits,
) -> Result<(Index, Sha256), TrustError> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "kebab-case")]
    struct Custom {
        format_version: u32,
        mirror_id: uuid::Uuid,
        snapshot: u64,
        sites: Vec<String>,
    }
    let target = loaded.targets.signed.targets.values().next();
    let target = target.ok_or_else(|| TrustError::refused("its targets name no index"))?;
    let object: serde_json::Map<_, _> = target.custom.clone().into_iter().collect();
    // The version first and alone: in a newer format the rest may look otherwise.
    let version = object.get("format-version").and_then(serde_json::Value::as_u64);
    let version = version.and_then(|version| u32::try_from(version).ok());
    index::check_version("bundle", version.unwrap_or_default())
        .map_err(|e| TrustError::refused(e.to_string()))?;
    let custom: Custom = serde_json::from_value(object.into()).map_err(|_| {
        TrustError::refused("its targets do not say for which site and mirror it is")
    })?;
    index::check_version("bundle", custom.format_version)
        .map_err(|e| TrustError::refused(e.to_string()))?;
    if let Some(followed) = state.mirror().filter(|mirror| *mirror != custom.mirror_id) {
        return Err(TrustError::refused(format!(
            "it comes from the mirror {}, but this site follows the mirror {followed}; a site \
             follows one mirror",
            custom.mirror_id
        )));
    }
    if let Some(site) = expect.site.filter(|site| !custom.sites.iter().any(|s| s == site)) {
        let sites = match custom.sites.as_slice() {
            [] => "no site yet".to_owned(),
            sites => format!("the sites {:?}", sites.join(", ")),
        };
        return Err(TrustError::refused(format!(
            "it is for {sites}, and this is {site:?}; ask the connected side to export with \
             `--site {site}`"
        )));
    }
    let digest = Sha256::hash(&loaded.index_file);
    let index = Index::from_zst(&loaded.index_file, limits)
        .map_err(|e| TrustError::refused(e.to_string()))?;
    if index.snapshot != loaded.number()
        || index.snapshot != custom.snapshot
        || index.mirror_id != custom.mirror_id
        || index.sites != custom.sites
    {
        return Err(TrustError::refused("its index and its signed metadata contradict each other"));
    }
    Ok((index, digest))
}

/// Whether a head that is not older is newer or the same. Refuses one that no mirror with a correct
/// count signs.
fn judge_freshness(
    state: &TrustState,
    counted: &Root,
    head: &Head,
    loaded: &Loaded,
) -> Result<Freshness, TrustError> {
    let Some(accepted) = &state.accepted else {
        return Ok(Freshness::Newer);
    };
    if !counters_hold(counted, &loaded.root.signed) {
        return Ok(Freshness::Newer);
    }
    let policy = loaded.policy.signed.version.get();
    if policy < accepted.policy {
        return Err(TrustError::refused(format!(
            "it takes the policy back from version {} to {policy}; ask the connected side to seal \
             and export again",
            accepted.policy
        )));
    }
    if loaded.number() > accepted.number {
        return Ok(Freshness::Newer);
    }
    if head.get(Part::Snapshot(accepted.number)) == Some(&accepted.snapshot) {
        return Ok(Freshness::Same);
    }
    Err(TrustError::refused(format!(
        "another snapshot with the same number {} was accepted before: the connected side was \
         restored from an older backup, or runs twice; let it bring back its newest backup and export \
         again",
        accepted.number
    )))
}

/// Compares all expiry dates with the clock; gives a warning for each date that has passed.
fn check_expiry(loaded: &Loaded, expect: &Expectation<'_>) -> Result<Vec<String>, TrustError> {
    let expired: Vec<String> = expiry_dates(loaded)
        .iter()
        .filter(|(_, expires)| *expires < expect.now)
        .map(|(role, expires)| format!("the {role} metadata expired on {expires}"))
        .collect();
    if expect.refuse_expired && !expired.is_empty() {
        return Err(TrustError::refused(format!(
            "{} (this machine's clock says {}), and this site refuses expired bundles; ask the \
             connected side for a new export, and check the clock",
            expired.join(", "),
            expect.now
        )));
    }
    Ok(expired)
}

/// When the metadata of each role expires.
fn expiry_dates(loaded: &Loaded) -> [(&'static str, Timestamp); 5] {
    [
        ("root", loaded.root.signed.expires),
        ("timestamp", loaded.timestamp.signed.expires),
        ("snapshot", loaded.snapshot.signed.expires),
        ("targets", loaded.targets.signed.expires),
        ("policy", loaded.policy.signed.expires),
    ]
}

/// A warning when this machine's clock is before the time of sealing.
fn clock_warning(index: &Index, expect: &Expectation<'_>) -> Option<String> {
    const TOLERANCE: SignedDuration = SignedDuration::from_hours(24);
    let ahead = index.created.duration_since(expect.now);
    (ahead > TOLERANCE).then(|| {
        format!(
            "the snapshot was sealed on {}, which lies ahead of this machine's clock ({}): one of \
             the two clocks is wrong",
            index.created, expect.now
        )
    })
}

fn next_state(index: &Index, head: &Head, loaded: &Loaded) -> Result<TrustState, TrustError> {
    let file = |part| head.get(part).cloned().unwrap_or_default();
    let accepted = Accepted::new(
        index.mirror_id,
        file(Part::Timestamp),
        file(Part::Snapshot(loaded.number())),
    )
    .map_err(TrustError::refused)?;
    let root = document::to_bytes(&loaded.root)?.into();
    Ok(TrustState { root, accepted: Some(accepted), before: None, records: Vec::new() })
}

/// The key ids with a valid signature, by role.
pub(super) fn signers(loaded: &Loaded) -> Vec<(String, Vec<String>)> {
    let root = &loaded.root.signed;
    let policy = policy_role(&loaded.targets.signed).and_then(|role| role.targets.as_ref());
    let delegations = loaded.targets.signed.delegations.as_ref();
    let policy_signers = match (policy, delegations) {
        (Some(policy), Some(delegations)) => valid_policy_signers(delegations, policy),
        _ => Vec::new(),
    };
    vec![
        ("root".to_owned(), valid_signers(root, &loaded.root)),
        ("timestamp".to_owned(), valid_signers(root, &loaded.timestamp)),
        ("snapshot".to_owned(), valid_signers(root, &loaded.snapshot)),
        ("targets".to_owned(), valid_signers(root, &loaded.targets)),
        (POLICY_ROLE.to_owned(), policy_signers),
    ]
}
