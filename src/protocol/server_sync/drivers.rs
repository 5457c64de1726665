//! Drivers by hardware, between a server and Microsoft Update only. [MS-WSUSSS] 3.1.4.7, 3.1.4.8

use std::convert::Infallible;

use uuid::Uuid;

use super::{
    auth::SyncCookie,
    operation::{Operation, write_result},
    revisions::{IdAndDelta, write_identity, write_pairs},
};
use crate::{
    protocol::{fault::ProtocolFault, fields::Fields},
    soap::{Element, Writer},
    update::UpdateIdentity,
};

/// More than one request may hold.
const MAX_IDS: usize = 100_000;

/// Which drivers are there for this hardware?
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GetDriverIdList {
    /// The downstream's cookie.
    pub cookie: Option<SyncCookie>,
    /// Of the first call of the round before.
    pub anchor: Option<String>,
    /// Products; none: all.
    pub categories: Vec<IdAndDelta>,
    /// Computer hardware ids; none: no driver sets.
    pub computers: Vec<IdAndDelta>,
    /// Hardware ids; none: no drivers.
    pub hardware: Vec<HardwareIdAndDelta>,
}

/// A hardware id; `delta` as in [`IdAndDelta`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HardwareIdAndDelta {
    /// Such as `pci\ven_8086&dev_1502`.
    pub id: String,
    /// Only changes.
    pub delta: bool,
}

/// The answer to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DriverIdList {
    /// A downstream server stores the one of the first call of a round.
    pub anchor: String,
    /// Drivers, those of new sets too.
    pub revisions: Vec<UpdateIdentity>,
    /// Sets that are new.
    pub new_sets: Vec<Uuid>,
    /// Sets that are gone; their drivers are not.
    pub removed_sets: Vec<Uuid>,
}

impl Operation for GetDriverIdList {
    type Answer = DriverIdList;
    const NAME: &'static str = "GetDriverIdList";

    fn read(operation: &Element) -> Result<Self, ProtocolFault> {
        let fields = Fields::new(operation);
        let cookie = SyncCookie::read(&fields, "cookie")?;
        let filter = fields.within("filter")?;
        let pairs = |list| {
            filter
                .each_within(list, "IdAndDelta", MAX_IDS)?
                .iter()
                .map(|pair| Ok(IdAndDelta { id: pair.get("Id")?, delta: pair.flag("Delta")? }))
                .collect::<Result<Vec<_>, ProtocolFault>>()
        };
        let hardware = filter.each_within("PnpHardwareIds", "HardwareIdAndDelta", MAX_IDS)?;
        Ok(Self {
            cookie,
            anchor: filter.maybe_text("Anchor").map(str::to_owned),
            categories: pairs("Categories")?,
            computers: pairs("ComputerIds")?,
            hardware: hardware
                .iter()
                .map(|pair| {
                    Ok(HardwareIdAndDelta {
                        id: pair.text("Id")?.to_owned(),
                        delta: pair.flag("Delta")?,
                    })
                })
                .collect::<Result<_, ProtocolFault>>()?,
        })
    }

    fn write_fields(&self, w: &mut Writer<Infallible>) {
        if let Some(cookie) = &self.cookie {
            cookie.write("cookie", w);
        }
        w.element("filter", |w| {
            w.element("DssProtocolVersion", |_| {});
            w.optional("Anchor", self.anchor.as_ref());
            write_pairs(w, "Categories", &self.categories);
            write_pairs(w, "ComputerIds", &self.computers);
            w.element("PnpHardwareIds", |w| {
                for pair in &self.hardware {
                    w.element("HardwareIdAndDelta", |w| {
                        w.value("Id", &pair.id);
                        w.value("Delta", pair.delta);
                    });
                }
            });
        });
    }

    fn read_answer(answer: &Element) -> Result<DriverIdList, ProtocolFault> {
        let result = Fields::new(answer).within("GetDriverIdListResult")?;
        let revisions = result.each_within("NewRevisions", "UpdateIdentity", usize::MAX - 1)?;
        Ok(DriverIdList {
            anchor: result.text("Anchor")?.to_owned(),
            revisions: revisions.iter().map(Fields::identity).collect::<Result<_, _>>()?,
            new_sets: result.list("NewDriverSets", "guid", usize::MAX)?,
            removed_sets: result.list("RemovedDriverSets", "guid", usize::MAX)?,
        })
    }
}

impl DriverIdList {
    /// Writes the answer.
    pub fn write<F>(&self, w: &mut Writer<F>) {
        let ids = |w: &mut Writer<F>, name, ids: &[Uuid]| {
            w.element(name, |w| ids.iter().for_each(|id| w.value("guid", id.hyphenated())));
        };
        write_result::<GetDriverIdList, F>(w, |w| {
            w.value("Anchor", &self.anchor);
            w.element("NewRevisions", |w| {
                for identity in &self.revisions {
                    write_identity(w, "UpdateIdentity", identity);
                }
            });
            ids(w, "NewDriverSets", &self.new_sets);
            ids(w, "RemovedDriverSets", &self.removed_sets);
        });
    }
}

/// What do these driver sets hold?
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GetDriverSetData {
    /// The downstream's cookie.
    pub cookie: Option<SyncCookie>,
    /// Sets.
    pub sets: Vec<Uuid>,
}

/// A driver set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriverSet {
    /// Its id.
    pub id: Uuid,
    /// For which computers, and which drivers.
    pub xml: String,
}

impl Operation for GetDriverSetData {
    type Answer = Vec<DriverSet>;
    const NAME: &'static str = "GetDriverSetData";

    fn read(operation: &Element) -> Result<Self, ProtocolFault> {
        let fields = Fields::new(operation);
        Ok(Self {
            cookie: SyncCookie::read(&fields, "cookie")?,
            sets: fields.list("driverSets", "guid", MAX_IDS)?,
        })
    }

    fn write_fields(&self, w: &mut Writer<Infallible>) {
        if let Some(cookie) = &self.cookie {
            cookie.write("cookie", w);
        }
        w.element("driverSets", |w| {
            self.sets.iter().for_each(|id| w.value("guid", id.hyphenated()));
        });
    }

    fn read_answer(answer: &Element) -> Result<Self::Answer, ProtocolFault> {
        let result = Fields::new(answer).within("GetDriverSetDataResult")?;
        result
            .each_within("DriverSets", "ServerSyncDriverSetData", MAX_IDS)?
            .iter()
            .map(|set| {
                Ok(DriverSet {
                    id: set.get("DriverSetId")?,
                    xml: set.raw_text("DriverSetXml")?.to_owned(),
                })
            })
            .collect()
    }
}
