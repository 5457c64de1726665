//! Clients that are turned away: counted in memory, written into the fleet a moment later, so that
//! `tidegate status` says why a machine is missing. No request waits for that, or fails by it.

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use jiff::Timestamp;

use super::stores::Stores;
use crate::{
    error_chain::chain,
    fleet::{TURNED_AWAY_KEPT, TurnedAway},
    server::call::ClientAddress,
};

/// Why a client is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum TurnedAwayReason {
    /// It asks for `/selfupdate/`.
    OldAgent,
    /// A server of another major version.
    ProtocolVersion,
    /// SOAP 1.2 where agents speak 1.1.
    SoapVersion,
    /// A body in an encoding that is not read.
    Encoding,
    /// Its authorization cookie is not one of ours.
    Authorization,
    /// A server that is not in the list of those that may come.
    NotListed,
    /// Reports of a computer that did not introduce itself from there.
    UnknownComputer,
    /// A new computer for which there is no room.
    NoRoom,
    /// Its address has all the connections that it may have.
    Connections,
    /// The handshake of TLS failed.
    Tls,
}

impl TurnedAwayReason {
    /// The word in the fleet and in JSON.
    fn as_str(self) -> &'static str {
        match self {
            Self::OldAgent => "old-agent",
            Self::ProtocolVersion => "protocol-version",
            Self::SoapVersion => "soap-version",
            Self::Encoding => "encoding",
            Self::Authorization => "authorization",
            Self::NotListed => "not-listed",
            Self::UnknownComputer => "unknown-computer",
            Self::NoRoom => "no-room",
            Self::Connections => "connections",
            Self::Tls => "tls",
        }
    }
}

/// How often, first and last.
type WaitingTurnedAway = HashMap<(ClientAddress, TurnedAwayReason), (u64, Timestamp, Timestamp)>;

/// What is not written yet.
#[derive(Default)]
pub(crate) struct TurnedAwayNotes {
    waiting: Mutex<WaitingTurnedAway>,
    /// Whether the log says already that they cannot be written.
    failing: AtomicBool,
}

impl TurnedAwayNotes {
    /// Notes that a client was turned away. Beyond as many as the fleet keeps, new ones are not
    /// noted before the others are written.
    pub(crate) fn note(
        &self,
        client: Option<ClientAddress>,
        reason: TurnedAwayReason,
        now: Timestamp,
    ) {
        let Some(client) = client else { return };
        let mut waiting = self.lock();
        let key = (client, reason);
        if waiting.len() as u64 >= TURNED_AWAY_KEPT && !waiting.contains_key(&key) {
            return;
        }
        let (times, _, last) = waiting.entry(key).or_insert((0, now, now));
        *times += 1;
        *last = now;
    }

    /// Writes what waits, if it can be written. Blocking.
    pub(crate) fn flush(&self, stores: &Stores) {
        let notes = std::mem::take(&mut *self.lock());
        if notes.is_empty() {
            return;
        }
        let entries: Vec<_> = notes
            .iter()
            .map(|((client, reason), (times, first, last))| TurnedAway {
                address: client.to_string(),
                reason: reason.as_str().to_owned(),
                times: *times,
                first: *first,
                last: *last,
            })
            .collect();
        let written = stores.try_write(|fleet| fleet.note_turned_away(&entries));
        let error = match written {
            Ok(Some(())) => {
                self.failing.store(false, Ordering::Relaxed);
                return;
            }
            Ok(None) => None,
            Err(error) => Some(error),
        };
        if let Some(error) = error
            && !self.failing.swap(true, Ordering::Relaxed)
        {
            let error = chain(&error);
            tracing::error!(error, "clients turned away cannot be noted; it is tried again");
        }
        let mut waiting = self.lock();
        for (key, (times, first, last)) in notes {
            if waiting.len() as u64 >= TURNED_AWAY_KEPT && !waiting.contains_key(&key) {
                continue;
            }
            let later = waiting.entry(key).or_insert((0, first, last));
            *later = (later.0 + times, first, later.2);
        }
    }

    fn lock(&self) -> MutexGuard<'_, WaitingTurnedAway> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;
    use crate::{
        data_dir::{DataDir, Side},
        fleet::FleetBounds,
    };

    #[test]
    fn strangers_fill_no_memory_while_nothing_can_be_written() {
        let notes = TurnedAwayNotes::default();
        for number in 0..5000 {
            let client = ClientAddress::from(IpAddr::from(Ipv4Addr::from(number)));
            notes.note(Some(client), TurnedAwayReason::OldAgent, Timestamp::UNIX_EPOCH);
        }
        assert_eq!(notes.lock().len() as u64, TURNED_AWAY_KEPT);
    }

    #[test]
    fn what_cannot_be_written_waits_on() {
        let folder = tempfile::tempdir().unwrap();
        let side = Side::Isolated { site: "plant-7".to_owned() };
        let data = DataDir::init(folder.path(), side).unwrap();
        let stores = Stores::open(data, FleetBounds::default()).unwrap();
        let notes = TurnedAwayNotes::default();
        let client = ClientAddress::from(IpAddr::from(Ipv4Addr::LOCALHOST));
        notes.note(Some(client), TurnedAwayReason::OldAgent, Timestamp::UNIX_EPOCH);
        let tamper = |sql| stores.write(|fleet| fleet.tamper(sql)).unwrap();
        tamper(
            "CREATE TRIGGER test BEFORE INSERT ON turned_away
             BEGIN SELECT RAISE(ABORT, 'test'); END",
        );
        notes.flush(&stores);
        assert_eq!(notes.lock().len(), 1);
        tamper("DROP TRIGGER test");
        notes.flush(&stores);
        assert_eq!(stores.read(crate::fleet::Fleet::turned_away).unwrap()[0].times, 1);
        assert!(notes.lock().is_empty());
    }
}
