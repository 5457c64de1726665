//! What follows from reported events: the state of each update on a computer. Pure.
//!
//! The rules follow recordings of a real agent; event ids that were never seen in one rest on the
//! texts of Microsoft's table of client events.
//!
//! | event | what it says |
//! |---|---|
//! | 156 | the whole inventory, see below; of several in a batch the last one counts |
//! | 162, 164 | downloaded: progress, only where nothing or *needed* is known |
//! | 182, 195, 198, 204 | failed |
//! | 183, 190, 197, 203 | installed |
//! | 184, 191, 199, 201 | installed, but the computer must restart |
//!
//! A negative result code turns any of the last two rows into *failed*; a positive one is no failure
//! (201 comes with 0x00240005). All others mean nothing here: 181 comes even when the download has
//! failed, 161 (download failed) leaves an update as needed as it was.
//!
//! The inventory replaces what was known. An update stands in one list: `V` is installed, `U` needed,
//! `g` failed (seen to leave `U` for it), by the specification also `W` restart pending and `h`
//! downloaded; in no list means not applicable, and it is forgotten. Two things outlive an inventory:
//! a failure or a download of an update that stands in `U`, and a pending restart of one that does
//! not stand in `V`, `W` or `g`, because what an agent lists until the restart was never recorded.
//! [MS-WUSP] 2.2.2.3.1
//!
//! Events count in the order in which they stand in a batch: their times are those of the post.

use std::collections::BTreeMap;

use super::compliance::{ComplianceState, Event};
use crate::{fleet::limits::UPDATES, update::UpdateId};

/// State of one update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UpdateState {
    pub(crate) state: ComplianceState,
    /// Of a failure, else 0.
    pub(crate) hresult: i32,
}

impl From<ComplianceState> for UpdateState {
    fn from(state: ComplianceState) -> Self {
        Self { state, hresult: 0 }
    }
}

/// States of all updates of one computer.
pub(crate) type UpdateStates = BTreeMap<UpdateId, UpdateState>;

/// Status of the client: the inventory.
const STATUS: i32 = 156;

/// Takes a batch in.
pub(crate) fn apply(outcomes: &mut UpdateStates, events: &[&Event]) {
    let is_status = |event: &Event| event.namespace_id == 1 && event.event_id == STATUS;
    let last_status = events.iter().rposition(|event| is_status(event));
    for (position, event) in events.iter().enumerate() {
        if is_status(event) {
            if Some(position) == last_status {
                inventory(outcomes, &event.misc);
            }
        } else if event.namespace_id == 1
            && let Some((update, _)) = event.update
        {
            step(outcomes, update, event);
        }
    }
}

fn step(outcomes: &mut UpdateStates, update: UpdateId, event: &Event) {
    let failed = UpdateState { state: ComplianceState::Failed, hresult: event.hresult };
    let unless_negative = |state: ComplianceState| {
        if event.hresult < 0 { failed } else { state.into() }
    };
    let old = outcomes.get(&update).map(|outcome| outcome.state);
    let outcome = match (event.event_id, old) {
        (162 | 164, None | Some(ComplianceState::Needed)) => ComplianceState::Downloaded.into(),
        (182 | 195 | 198 | 204, _) => failed,
        (183 | 190 | 197 | 203, _) => unless_negative(ComplianceState::Installed),
        (184 | 191 | 199 | 201, _) => unless_negative(ComplianceState::RestartPending),
        _ => return,
    };
    set_state(outcomes, update, outcome);
}

fn inventory(outcomes: &mut UpdateStates, misc: &[String]) {
    use ComplianceState::{Downloaded, Failed, Installed, Needed, RestartPending};
    let old = std::mem::take(outcomes);
    let list = |tag: &'static str| {
        misc.iter()
            .filter_map(move |text| text.strip_prefix(tag)?.strip_prefix('='))
            .flat_map(|ids| ids.split(';'))
            .filter_map(|id| id.trim().parse::<UpdateId>().ok())
    };
    for (update, outcome) in &old {
        if outcome.state == RestartPending {
            set_state(outcomes, *update, *outcome);
        }
    }
    for update in list("U") {
        let kept = old
            .get(&update)
            .filter(|outcome| matches!(outcome.state, Failed | Downloaded | RestartPending));
        set_state(outcomes, update, kept.copied().unwrap_or(Needed.into()));
    }
    for update in list("h") {
        set_state(outcomes, update, Downloaded.into());
    }
    for update in list("g") {
        let kept = old.get(&update).filter(|outcome| outcome.state == Failed);
        set_state(outcomes, update, kept.copied().unwrap_or(Failed.into()));
    }
    for update in list("W") {
        set_state(outcomes, update, RestartPending.into());
    }
    for update in list("V") {
        set_state(outcomes, update, Installed.into());
    }
}

/// Sets a state, unless the computer claims more updates than there can be.
fn set_state(outcomes: &mut UpdateStates, update: UpdateId, outcome: UpdateState) {
    if !update.0.is_nil() && (outcomes.len() < UPDATES || outcomes.contains_key(&update)) {
        outcomes.insert(update, outcome);
    }
}
