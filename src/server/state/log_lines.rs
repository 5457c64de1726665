//! How many log lines one client may cause: a refused request costs it nothing, and must not fill
//! our disk.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::server::call::ClientAddress;

/// Lines of one address in a minute.
const PER_ADDRESS: u32 = 20;
/// Lines of all addresses in a minute.
const IN_ALL: u32 = 600;
/// Addresses of old agents that are remembered.
const OLD_AGENTS: usize = 1000;
const MINUTE: Duration = Duration::from_secs(60);

/// Counts the lines of this minute.
#[derive(Default)]
pub(crate) struct LogLines {
    minute: Mutex<Option<LogMinute>>,
    old_agents: Mutex<HashSet<ClientAddress>>,
}

struct LogMinute {
    since: Instant,
    written: u32,
    left_out: u64,
    by_address: HashMap<ClientAddress, u32>,
}

#[derive(Debug, PartialEq, Eq)]
enum Line {
    Written,
    /// The first of an address that is left out: it says so.
    LastOne,
    LeftOut,
}

impl LogLines {
    /// Whether a line about this client may be written now. Says by itself when lines are left out,
    /// and afterwards how many were.
    pub(crate) fn allows(&self, client: Option<ClientAddress>) -> bool {
        let Some(client) = client else { return true };
        let (line, left_out) = self.count(client, Instant::now());
        say(left_out);
        if line == Line::LastOne {
            tracing::warn!(%client, "further log lines about this client are left out for a minute");
        }
        line == Line::Written
    }

    /// Says how many lines of a minute that has passed were left out, if any: no further client may
    /// come who would cause it.
    pub(crate) fn say_what_was_left_out(&self) {
        say(self.end_minute(Instant::now()));
    }

    /// The same of the minute that runs, at the end of the server.
    pub(crate) fn finish(&self) {
        say(self.end_minute(Instant::now() + MINUTE));
    }

    fn end_minute(&self, now: Instant) -> Option<u64> {
        ended(&mut self.minute.lock().unwrap_or_else(PoisonError::into_inner), now)
    }

    /// Whether an agent that is too old for this server shows itself from here for the first time. So
    /// many addresses are remembered; of further ones nothing is said.
    pub(crate) fn is_first_old_agent(&self, client: ClientAddress) -> bool {
        let mut seen = self.old_agents.lock().unwrap_or_else(PoisonError::into_inner);
        seen.len() < OLD_AGENTS && seen.insert(client)
    }

    fn count(&self, client: ClientAddress, now: Instant) -> (Line, Option<u64>) {
        let mut minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        let left_out = ended(&mut minute, now);
        let minute = minute.get_or_insert_with(|| LogMinute {
            since: now,
            written: 0,
            left_out: 0,
            by_address: HashMap::new(),
        });
        if minute.written >= IN_ALL {
            minute.left_out += 1;
            return (Line::LeftOut, left_out);
        }
        let of_address = minute.by_address.entry(client).or_default();
        *of_address = of_address.saturating_add(1);
        let line = match *of_address {
            ..=PER_ADDRESS => Line::Written,
            count if count == PER_ADDRESS + 1 => Line::LastOne,
            _ => Line::LeftOut,
        };
        match line {
            Line::LeftOut => minute.left_out += 1,
            Line::LastOne => {
                minute.left_out += 1;
                minute.written += 1;
            }
            Line::Written => minute.written += 1,
        }
        (line, left_out)
    }
}

/// Takes the minute away if it has passed; returns how many of its lines were left out, if any were.
fn ended(minute: &mut Option<LogMinute>, now: Instant) -> Option<u64> {
    let has_passed = |minute: &mut LogMinute| now.duration_since(minute.since) >= MINUTE;
    minute.take_if(has_passed).map(|minute| minute.left_out).filter(|left_out| *left_out > 0)
}

fn say(left_out: Option<u64>) {
    if let Some(left_out) = left_out {
        tracing::warn!(left_out, "log lines of the minutes before were left out: too many");
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    #[test]
    fn lines_are_bounded_by_address_and_in_all_and_the_rest_is_counted() {
        let lines = LogLines::default();
        let start = Instant::now();
        let client = |number: u32| ClientAddress::from(IpAddr::from(Ipv4Addr::from(number)));
        for _ in 0..PER_ADDRESS {
            assert_eq!(lines.count(client(1), start), (Line::Written, None));
        }
        assert_eq!(lines.count(client(1), start), (Line::LastOne, None));
        for _ in 0..99 {
            assert_eq!(lines.count(client(1), start), (Line::LeftOut, None));
        }
        assert_eq!(lines.count(client(2), start), (Line::Written, None), "others keep theirs");
        assert_eq!(lines.count(client(2), start + MINUTE), (Line::Written, Some(100)));
        let written = (0..10_000)
            .filter(|number| lines.count(client(*number), start + MINUTE).0 != Line::LeftOut);
        assert_eq!(written.count(), IN_ALL as usize - 1);
        let minute = lines.minute.lock().unwrap();
        assert!(minute.as_ref().unwrap().by_address.len() <= IN_ALL as usize);
    }

    #[test]
    fn what_was_left_out_is_said_without_a_further_request() {
        let lines = LogLines::default();
        let start = Instant::now();
        let client = ClientAddress::from(IpAddr::from(Ipv4Addr::from(1)));
        for _ in 0..PER_ADDRESS + 5 {
            lines.count(client, start);
        }
        assert_eq!(lines.end_minute(start + MINUTE / 2), None);
        assert_eq!(lines.end_minute(start + MINUTE), Some(5));
        assert_eq!(lines.end_minute(start + MINUTE * 2), None, "said once");
    }

    #[test]
    fn an_old_agent_is_named_once_and_strangers_fill_nothing() {
        let lines = LogLines::default();
        let client = |number: u32| ClientAddress::from(IpAddr::from(Ipv4Addr::from(number)));
        assert!(lines.is_first_old_agent(client(1)));
        assert!(!lines.is_first_old_agent(client(1)));
        assert_eq!((2..9_000).filter(|at| lines.is_first_old_agent(client(*at))).count(), 999);
        assert_eq!(lines.old_agents.lock().unwrap().len(), OLD_AGENTS);
    }
}
