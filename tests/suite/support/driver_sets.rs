//! Driver sets as an upstream server gives them, and who asks for some.

use tidegate::upstream::Hardware;
use uuid::Uuid;

use super::{
    mock::Reply,
    upstream_fake::{Pair, SYNC, answer},
};

/// The answer to GetDriverIdList: the sets that are new.
pub(crate) fn driver_set_list(name: &str, new: &[Uuid]) -> Reply {
    assert_eq!(name, "GetDriverIdList");
    let new: String = new.iter().map(|id| format!("<guid>{id}</guid>")).collect();
    let inside = format!(
        "<Anchor>d1</Anchor><NewRevisions /><NewDriverSets>{new}</NewDriverSets><RemovedDriverSets />"
    );
    answer(name, SYNC, &inside)
}

/// The answer to GetDriverSetData: these sets.
pub(crate) fn driver_sets<'a>(ids: impl Iterator<Item = &'a str>) -> Reply {
    let set = |id| {
        format!(
            "<ServerSyncDriverSetData><DriverSetId>{id}</DriverSetId><DriverSetXml>&lt;set/&gt;</DriverSetXml></ServerSyncDriverSetData>"
        )
    };
    let sets: String = ids.map(set).collect();
    answer("GetDriverSetData", SYNC, &format!("<DriverSets>{sets}</DriverSets>"))
}

/// The same pair, whose one side looks for drivers of a device.
pub(crate) fn with_hardware(mut pair: Pair) -> Pair {
    let devices = vec!["pci\\a".to_owned()];
    pair.options.upstream.selection.hardware = Some(Hardware { devices, computers: Vec::new() });
    pair
}
