//! How this side stands.

use serde::Serialize;

use super::{
    Result,
    age::{SnapshotAge, age_of},
    context::Context,
    hierarchy::{self, DownstreamEntry},
    waiting::{self, WaitingSummary},
};
use crate::{
    catalog::{Catalog, CatalogCounts, NamedFile, RevisionSummary, SnapshotRow},
    data_dir::{DataDir, Side},
    fleet::{Dropped, Fleet, MissingGroup, PolicyState, TurnedAway},
    server::view::ExistingPayloads,
    transfer::{self, AcknowledgedSnapshot},
};

/// More payloads that are gone are counted, but not named.
const LOST_NAMED: usize = 10;

/// How a side stands: catalogue, content, snapshots, fleet, and the servers below it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct StatusOutcome {
    /// Which side this is.
    pub side: Side,
    /// The sites that the mirror packs for.
    pub sites: Vec<String>,
    /// How much the catalogue and the content hold.
    pub catalogue: CatalogCounts,
    /// Revisions that the mirror leaves out of its snapshots, and why.
    pub left_out: Vec<RevisionSummary>,
    /// Files that documents name and that are not here.
    pub missing_files: u64,
    /// Their bytes.
    pub missing_bytes: u64,
    /// Payloads that the catalogue says are here, and whose bytes are gone.
    pub lost: GonePayloads,
    /// Snapshots that were sealed or taken in.
    pub snapshots: Vec<SnapshotRow>,
    /// How old the newest one is, when it expires, and when the next was to be expected.
    pub age: Option<SnapshotAge>,
    /// On a connected side: site by site, which snapshot was packed for it and which it has acknowledged.
    pub deliveries: Vec<SiteDelivery>,
    /// Computers that call here.
    pub computers: u64,
    /// Approvals.
    pub approvals: u64,
    /// What in one store contradicts another, for people: what `check` would find without hashing.
    pub problems: Vec<String>,
    /// Approved updates that are not offered, and why.
    pub waiting: WaitingSummary,
    /// The address of the server that decides, on a replica.
    pub replica_of: Option<String>,
    /// The snapshot in force, if its import ended before its policy was applied or held: it is not
    /// served until another import, or the start of the server, has finished it.
    pub unfinished_import: Option<u64>,
    /// The snapshot whose policy waits for a person.
    pub policy_held: Option<u64>,
    /// The servers below, top first.
    pub downstreams: Vec<DownstreamEntry>,
    /// Computers that call servers below.
    pub computers_of_downstreams: u64,
    /// Files that servers below asked for and that are not here.
    #[serde(rename = "wanted-files")]
    pub downstream_missing_files: u64,
    /// What computers and servers claimed and was not kept, because it was over a bound.
    pub dropped: Vec<Dropped>,
    /// Groups that computers ask for and that do not exist, most wanted first.
    pub missing_groups: Vec<MissingGroup>,
    /// Clients that the server turned away, the last one first.
    pub turned_away: Vec<TurnedAway>,
}

/// How far a site has come: what was sealed is carried to it, and then acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SiteDelivery {
    /// The site.
    pub site: String,
    /// The newest snapshot that was packed for it.
    pub exported: Option<u64>,
    /// The snapshot that it said to serve, in its newest receipt.
    pub acknowledged: Option<AcknowledgedSnapshot>,
}

/// Payloads whose bytes are gone from the disk.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct GonePayloads {
    /// How many.
    pub payloads: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What updates call the first few.
    pub examples: Vec<NamedFile>,
}

/// Looks how this side stands.
///
/// # Errors
/// When there is no data folder, or a store fails.
pub fn status(context: &Context<'_>) -> Result<StatusOutcome> {
    let data = context.data_dir()?;
    let catalog = Catalog::open_to_look(&data.catalog())?;
    let fleet = Fleet::open_to_look(&data.fleet())?;
    let mut catalogue = catalog.counts()?;
    let lost = lost(&data, &catalog, catalogue.present)?;
    // What is gone is not here.
    catalogue.present = catalogue.present.saturating_sub(lost.payloads);
    catalogue.present_bytes = catalogue.present_bytes.saturating_sub(lost.bytes);
    let (mut missing_files, mut missing_bytes) = (0_u64, 0_u64);
    catalog.missing_files(&mut |_, _, size, _| {
        missing_files += 1;
        missing_bytes = missing_bytes.saturating_add(size);
    })?;
    let snapshots = transfer::list_snapshots(&data, &catalog)?;
    Ok(StatusOutcome {
        side: data.side().clone(),
        sites: catalog.sites()?,
        catalogue,
        left_out: catalog.left_out_revisions()?,
        missing_files,
        missing_bytes,
        lost,
        age: age_of(&snapshots, context.now()),
        snapshots: snapshots.into_iter().map(|entry| entry.row).collect(),
        deliveries: deliveries(&data, &catalog)?,
        computers: fleet.computer_count()?,
        approvals: fleet.approvals()?.len() as u64,
        problems: transfer::store_problems(&data, &catalog, Some(&fleet), context.now())?,
        waiting: waiting::summary(context, &catalog, &fleet)?,
        replica_of: fleet.replica_of()?,
        unfinished_import: transfer::unfinished_import(&data)?,
        policy_held: fleet.policy(PolicyState::Held)?.map(|policy| policy.snapshot),
        downstreams: hierarchy::entries(&fleet, &catalog, context.now())?,
        computers_of_downstreams: fleet.downstream_computer_count()?,
        dropped: fleet.dropped()?,
        missing_groups: fleet.missing_groups()?,
        turned_away: fleet.turned_away()?,
        downstream_missing_files: count_missing_files(&catalog, &fleet)?,
    })
}

fn deliveries(data: &DataDir, catalog: &Catalog) -> Result<Vec<SiteDelivery>> {
    let sites = match data.side() {
        Side::Connected { .. } => catalog.sites()?,
        Side::Isolated { .. } => Vec::new(),
    };
    let delivery = |site: String| {
        let exported = catalog.exported(&site)?;
        let acknowledged = transfer::acknowledged(data, &site)?;
        Ok(SiteDelivery { site, exported, acknowledged })
    };
    sites.into_iter().map(delivery).collect()
}

/// Which payloads are gone. Names are compared, nothing is hashed.
fn lost(data: &DataDir, catalog: &Catalog, present: u64) -> Result<GonePayloads> {
    let existing = ExistingPayloads::list(&data.content(), present);
    let (mut gone, mut bytes) = (Vec::new(), 0);
    catalog.payloads(&mut |row| {
        if row.present && !existing.has(&row.sha256) {
            gone.push(row.sha256);
            bytes += row.size;
        }
    })?;
    let mut lost = GonePayloads { payloads: gone.len() as u64, bytes, examples: Vec::new() };
    for sha256 in gone.iter().take(LOST_NAMED) {
        lost.examples.extend(catalog.names_of_payload(sha256)?.into_iter().next());
    }
    Ok(lost)
}

/// How many of the files that servers below asked for are not here.
fn count_missing_files(catalog: &Catalog, fleet: &Fleet) -> Result<u64> {
    let mut wanted = 0;
    for file in fleet.missing_files()? {
        let here = catalog.payload_by_sha1(&file.sha1)?;
        wanted += u64::from(!here.is_some_and(|payload| payload.present));
    }
    Ok(wanted)
}
