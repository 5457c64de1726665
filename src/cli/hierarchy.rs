//! The servers below this one for people, as `status` and `servers` show them.

use tidegate::ops::hierarchy::DownstreamEntry;

use super::output::{count, printable};

/// The entries for people.
pub(super) fn text(entries: &[DownstreamEntry]) -> String {
    if entries.is_empty() {
        return String::new();
    }
    let late = entries.iter().filter(|entry| entry.late).count() as u64;
    let all = count(entries.len() as u64, "downstream server");
    let late = if late == 0 { String::new() } else { format!(", {late} late") };
    let is_doubled = |one: &DownstreamEntry| {
        let (name, id) = (&one.server.name, one.server.id);
        entries.iter().any(|other| other.server.name == *name && other.server.id != id)
    };
    let lines = entries.iter().map(|entry| line(entry, is_doubled(entry)));
    format!("Hierarchy: {all}{late}\n{}", lines.collect::<String>())
}

/// `is_doubled`: another one has the same name, so that only the id tells them apart.
fn line(entry: &DownstreamEntry, is_doubled: bool) -> String {
    let server = &entry.server;
    let mut about = vec![match server.replica {
        Some(true) => "replica".to_owned(),
        Some(false) => "autonomous".to_owned(),
        None => "has not reported".to_owned(),
    }];
    about.extend(server.version.as_ref().map(|version| format!("version {version}")));
    about.extend(server.protocol.as_ref().map(|protocol| format!("protocol {protocol}")));
    let synchronized = match (server.last_sync, server.listed) {
        (Some(at), _) => format!("synchronized {at:.0}"),
        (None, Some(at)) => format!("was given a list {at:.0}"),
        (None, None) => "never synchronized".to_owned(),
    };
    let state = match (entry.current, entry.late) {
        (Some(true), false) => "has what is here",
        (Some(false), false) => "does not have all yet",
        (None, false) => "what it has is up to its parent",
        (Some(false), true) => "LATE: does not have all",
        (_, true) => "LATE: was not heard of for a week",
    };
    let mut name = printable(&server.name);
    if is_doubled {
        name.push_str(&format!(" {}", server.id));
    }
    let indent = "  ".repeat(entry.depth + 1);
    format!("{indent}{name} ({}): {synchronized}, {state}\n", about.join(", "))
}

#[cfg(test)]
mod tests {
    use tidegate::fleet::Downstream;
    use uuid::Uuid;

    use super::*;

    fn entry(depth: usize, late: bool) -> DownstreamEntry {
        let now = "2026-11-20T12:00:00Z".parse().unwrap();
        let server = Downstream {
            id: Uuid::from_u128(4),
            name: "dss-4\u{1b}[2J".to_owned(),
            parent: None,
            protocol: None,
            version: Some("10.0.26100.1".to_owned()),
            replica: Some(true),
            first_seen: now,
            last_contact: now,
            last_sync: Some(now),
            last_rollup: None,
            categories: None,
            updates: None,
            listed: None,
            deployments: None,
            deployed: None,
            summary: None,
            clients: None,
        };
        DownstreamEntry { depth, current: Some(!late), late, server }
    }

    #[test]
    fn servers_are_indented_and_names_do_not_move_the_cursor() {
        assert_eq!(text(&[]), "");
        let text = text(&[entry(0, false), entry(2, true)]);
        let expected = "Hierarchy: 2 downstream servers, 1 late
  dss-4\u{fffd}[2J (replica, version 10.0.26100.1): synchronized 2026-11-20T12:00:00Z, has what is here
      dss-4\u{fffd}[2J (replica, version 10.0.26100.1): synchronized 2026-11-20T12:00:00Z, LATE: does not have all
";
        assert_eq!(text, expected);
    }
}
