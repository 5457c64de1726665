//! `tidegate status`

use jiff::Timestamp;
use serde_json::json;
use tidegate::{
    catalog::Catalog,
    data_dir::Side,
    fleet::{Fleet, PolicyState},
};

use super::{
    Context, Outcome, hierarchy,
    output::{count, human_bytes},
};

/// How this side stands: catalogue, content, snapshots, fleet, and the servers below it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

impl Args {
    pub(super) fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let data = context.data_dir()?;
        let catalog = Catalog::open(&data.catalog())?;
        let fleet = Fleet::open(&data.fleet())?;
        let counts = catalog.counts()?;
        let (mut missing, mut missing_bytes) = (0_u64, 0_u64);
        catalog.missing_files(&mut |_, _, size, _| {
            missing += 1;
            missing_bytes = missing_bytes.saturating_add(size);
        })?;
        let snapshots = catalog.snapshots()?;
        let computers = fleet.computers()?.len() as u64;
        let approvals = fleet.approvals()?.len() as u64;
        let replica_of = fleet.replica_of()?;
        let sites = catalog.sites()?;
        let rolled = fleet.downstream_computer_count()?;
        let downstreams = hierarchy::entries(&fleet, &catalog, Timestamp::now())?;
        let mut wanted = 0;
        for file in fleet.missing_files_asked_for()? {
            let here = catalog.payload_by_sha1(&file.sha1)?;
            wanted += u64::from(!here.is_some_and(|payload| payload.present));
        }

        let mut text = match data.side() {
            Side::Connected { mirror_id } => {
                format!("Connected side, mirror {mirror_id}, sites: {}\n", sites.join(", "))
            }
            Side::Isolated { site } => format!("Isolated side, site {site}\n"),
        };
        text.push_str(&format!(
            "Catalogue: {} of {}, {} withdrawn\n",
            count(counts.revisions, "revision"),
            count(counts.updates, "update"),
            counts.withdrawn
        ));
        text.push_str(&format!(
            "Content: {} here ({}), {} that documents name missing ({})\n",
            count(counts.present, "payload"),
            human_bytes(counts.present_bytes),
            count(missing, "file"),
            human_bytes(missing_bytes)
        ));
        for snapshot in &snapshots {
            let age = Timestamp::now().duration_since(snapshot.created).as_secs() / 86_400;
            let state = json!(snapshot.state);
            text.push_str(&format!(
                "Snapshot {}: {}, sealed {:.0} ({} ago)\n",
                snapshot.number,
                state.as_str().unwrap_or_default(),
                snapshot.created,
                count(u64::try_from(age).unwrap_or(0), "day")
            ));
        }
        text.push_str(&format!(
            "Fleet: {}, {}\n",
            count(computers, "computer"),
            count(approvals, "approval")
        ));
        if let Some(upstream) = &replica_of {
            text.push_str(&format!(
                "Replica of {upstream}, which decides on groups and approvals\n"
            ));
        }
        let held = fleet.policy(PolicyState::Held)?.map(|policy| policy.snapshot);
        if let Some(snapshot) = held {
            text.push_str(&format!(
                "Policy: that of snapshot {snapshot} is held; look at it with `tidegate policy diff`\n"
            ));
        }
        text.push_str(&hierarchy::text(&downstreams));
        if rolled > 0 {
            let rolled = count(rolled, "computer");
            text.push_str(&format!("  {rolled} below downstream servers\n"));
        }
        if wanted > 0 {
            let wanted = count(wanted, "file");
            text.push_str(&format!("  {wanted} that downstream servers asked for missing here\n"));
        }
        context.out.data(
            &json!({
                "side": data.side(),
                "sites": sites,
                "catalogue": counts,
                "missing-files": missing,
                "missing-bytes": missing_bytes,
                "snapshots": snapshots,
                "computers": computers,
                "approvals": approvals,
                "replica-of": replica_of,
                "policy-held": held,
                "downstreams": downstreams,
                "computers-of-downstreams": rolled,
                "wanted-files": wanted,
            }),
            || text,
        )?;
        Ok(Outcome::Done)
    }
}
