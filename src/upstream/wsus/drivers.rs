//! Drivers by hardware: only Microsoft Update looks for them. [MS-WUSSS] 3.1.4.7, 3.1.4.8

use uuid::Uuid;

use super::{
    batches::Batches,
    engine::{Result, SyncRun},
    error::UpstreamError,
    hardware::Hardware,
    state::{DriverState, ResolvedSelection},
};
use crate::{
    protocol::{
        ErrorCode,
        server_sync::{
            ConfigData, DriverIdList, GetDriverIdList, GetDriverSetData, HardwareIdAndDelta,
            IdAndDelta,
        },
    },
    update::UpdateId,
};

/// Driver sets per request to a server that states no limit.
const SETS: usize = 50;

impl SyncRun<'_> {
    /// Brings drivers and driver sets for the hardware that is wanted, what is new since the last
    /// round. Gives what is to be remembered when everything else is in.
    pub(super) fn drivers(
        &mut self,
        config: &ConfigData,
        wanted: &ResolvedSelection,
    ) -> Result<DriverState> {
        let before = self.state.drivers.clone();
        let given = self.options.upstream.selection.hardware.clone();
        let hardware = given.unwrap_or_else(|| before.hardware.clone());
        if hardware.is_empty() {
            return Ok(DriverState::default());
        }
        let limits = (config.max_pnp_hardware_ids, config.max_computer_ids);
        if limits == (0, 0) {
            let note = "This server does not look for drivers by hardware ids (only Microsoft Update does); the ids were not used.";
            self.report.notes.push(note.to_owned());
            return Ok(DriverState { hardware, ..DriverState::default() });
        }
        // Several calls begin at the same anchor; that of the first is the next one.
        let mut first = None;
        let mut complete = true;
        for call in calls(&hardware, &before, &wanted.products, limits) {
            let found = match self.driver_list(&call) {
                Err(e) if call.anchor.is_some() && e.is_fault(ErrorCode::InvalidParameters) => {
                    self.driver_list(&whole(&call))?
                }
                found => found?,
            };
            first.get_or_insert(found.anchor);
            self.fetch(found.revisions)?;
            complete &= self.driver_sets(config, &found.new_sets)?;
            let mut writer = self.catalog.write()?;
            for id in found.removed_sets {
                self.report.driver_sets += u64::from(writer.store_driver_set(&id, None)?);
            }
            writer.commit()?;
        }
        // With an anchor the server would not name again what it has not given.
        let anchor = first.filter(|_| complete);
        Ok(DriverState { anchor, products: wanted.products.clone(), hardware })
    }

    fn driver_list(
        &self,
        call: &GetDriverIdList,
    ) -> std::result::Result<DriverIdList, UpstreamError> {
        self.session.ask(&|cookie| GetDriverIdList { cookie: Some(cookie), ..call.clone() })
    }

    /// Whether all were given.
    fn driver_sets(&mut self, config: &ConfigData, sets: &[Uuid]) -> Result<bool> {
        let mut complete = true;
        let most = match config.max_driver_sets {
            0 => SETS,
            limit => limit,
        };
        let mut batches = Batches::new(sets, most);
        while let Some(batch) = batches.next() {
            let ids = batch.ids;
            let ask = |cookie| GetDriverSetData { cookie: Some(cookie), sets: ids.clone() };
            match self.session.ask(&ask) {
                Ok(found) => {
                    let mut writer = self.catalog.write()?;
                    for set in found.iter().filter(|set| ids.contains(&set.id)) {
                        let is_new = writer.store_driver_set(&set.id, Some(&set.xml))?;
                        self.report.driver_sets += u64::from(is_new);
                    }
                    writer.commit()?;
                    let asked = ids.len();
                    let rest: Vec<Uuid> = ids
                        .into_iter()
                        .filter(|id| !found.iter().any(|set| set.id == *id))
                        .collect();
                    if rest.len() < asked {
                        batches.ask_for_rest(rest);
                        continue;
                    }
                    for id in rest {
                        complete = false;
                        self.report.problem(id, "a driver set that was listed, but not given");
                    }
                }
                Err(e) if is_too_much(&e) => match ids.as_slice() {
                    [id] => {
                        complete = false;
                        self.report.problem(id, format!("a driver set that was not given: {e}"));
                    }
                    several => batches.halve(several),
                },
                Err(e) => return Err(e.into()),
            }
        }
        Ok(complete)
    }
}

fn is_too_much(error: &UpstreamError) -> bool {
    matches!(error, UpstreamError::TooLarge { .. })
        || matches!(
            error.code(),
            Some(
                ErrorCode::TooManyIds
                    | ErrorCode::InvalidParameters
                    | ErrorCode::InternalServerError
            )
        )
}

/// The calls of a round, each within the server's limits; a limit of 0 means that it does not take
/// such ids.
fn calls(
    hardware: &Hardware,
    before: &DriverState,
    products: &[UpdateId],
    (devices, computers): (usize, usize),
) -> Vec<GetDriverIdList> {
    let is_round = before.anchor.is_some();
    // A product that is new makes every device whole: what it had under the others is known only
    // for those.
    let same_products = products.iter().all(|id| before.products.contains(id))
        && (before.products.is_empty() == products.is_empty());
    let requested = &before.hardware;
    let only_changes = |was_requested: bool| is_round && same_products && was_requested;
    let devices: Vec<Vec<_>> = match devices {
        0 => Vec::new(),
        most => hardware
            .devices
            .chunks(most)
            .map(|ids| {
                ids.iter()
                    .map(|id| HardwareIdAndDelta {
                        id: id.clone(),
                        delta: only_changes(requested.devices.binary_search(id).is_ok()),
                    })
                    .collect()
            })
            .collect(),
    };
    let computers: Vec<Vec<_>> = match computers {
        0 => Vec::new(),
        most => hardware
            .computers
            .chunks(most)
            .map(|ids| {
                ids.iter()
                    .map(|id| IdAndDelta {
                        id: UpdateId(*id),
                        delta: only_changes(requested.computers.binary_search(id).is_ok()),
                    })
                    .collect()
            })
            .collect(),
    };
    let categories: Vec<_> = products
        .iter()
        .map(|id| IdAndDelta { id: *id, delta: is_round && before.products.contains(id) })
        .collect();
    let number = devices.len().max(computers.len());
    let (mut devices, mut computers) = (devices.into_iter(), computers.into_iter());
    (0..number)
        .map(|_| GetDriverIdList {
            cookie: None,
            anchor: before.anchor.clone(),
            categories: categories.clone(),
            computers: computers.next().unwrap_or_default(),
            hardware: devices.next().unwrap_or_default(),
        })
        .collect()
}

/// The same without an anchor.
fn whole(call: &GetDriverIdList) -> GetDriverIdList {
    let mut call = GetDriverIdList { anchor: None, ..call.clone() };
    call.categories.iter_mut().chain(&mut call.computers).for_each(|id| id.delta = false);
    call.hardware.iter_mut().for_each(|id| id.delta = false);
    call
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hardware(devices: &[&str], computers: &[u128]) -> Hardware {
        Hardware {
            devices: devices.iter().map(|&id| id.to_owned()).collect(),
            computers: computers.iter().copied().map(Uuid::from_u128).collect(),
        }
    }

    #[test]
    fn calls_keep_the_limits_and_ask_for_changes_of_what_was_asked_before() {
        let product = UpdateId(Uuid::from_u128(9));
        let want = hardware(&["a\\1", "a\\2", "a\\3"], &[1]);
        let first = calls(&want, &DriverState::default(), &[product], (2, 5));
        let sizes: Vec<_> = first.iter().map(|c| (c.hardware.len(), c.computers.len())).collect();
        assert_eq!(sizes, [(2, 1), (1, 0)]);
        assert!(first.iter().all(|c| c.anchor.is_none() && c.hardware.iter().all(|id| !id.delta)));

        let before = DriverState {
            anchor: Some("7,x".to_owned()),
            products: vec![product],
            hardware: hardware(&["a\\1", "a\\3"], &[1]),
        };
        let next = calls(&want, &before, &[product], (450, 200));
        assert_eq!(next.len(), 1);
        assert_eq!(next[0].anchor.as_deref(), Some("7,x"));
        let deltas: Vec<_> = next[0].hardware.iter().map(|id| id.delta).collect();
        assert_eq!((deltas, next[0].computers[0].delta), (vec![true, false, true], true));
        assert!(next[0].categories[0].delta);

        let other = UpdateId(Uuid::from_u128(8));
        let wider = calls(&want, &before, &[other, product], (450, 200));
        assert!(wider[0].hardware.iter().all(|id| !id.delta), "new product: everything again");
        assert!(calls(&want, &before, &[product], (0, 200))[0].hardware.is_empty());
    }
}
