//! The groups of the upstream: made fit, then made ours.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use rusqlite::{Connection, params};
use uuid::Uuid;

use super::decisions::{ChangeMark, GROUPS, ReplicaReport, UpstreamGroup};
use crate::fleet::{
    decisions::groups::{ALL_COMPUTERS, Group, UNASSIGNED_COMPUTERS, all},
    error::WriteError,
};

/// Levels of groups in groups.
const DEPTH: usize = 64;
/// Characters of a name, with room for what makes it unique.
const NAME: usize = 80;

/// Groups without the well-known ones, parents first.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct OrderedGroups {
    pub(super) groups: Vec<Group>,
    pub(super) notes: Vec<String>,
}

/// Orders the groups of the upstream. A hierarchy that makes no sense is refused: a guess where a
/// group belongs could install what is blocked. Names are made fit and unique, as they are for people.
pub(super) fn arrange(list: &[UpstreamGroup]) -> Result<OrderedGroups, WriteError> {
    let wrong =
        |what: String| WriteError::Invalid(format!("the groups of the upstream server {what}"));
    if list.len() > GROUPS {
        return Err(wrong(format!("are {}; at most {GROUPS} are taken over", list.len())));
    }
    let mut groups: BTreeMap<Uuid, &UpstreamGroup> = BTreeMap::new();
    for group in list {
        if groups.insert(group.id, group).is_some_and(|other| other != group) {
            return Err(wrong(format!("name {} twice, differently", group.id)));
        }
    }
    // A list without it is no list of all groups, and all others would be deleted.
    if groups.remove(&ALL_COMPUTERS).is_none() {
        return Err(wrong("do not include All Computers".to_owned()));
    }
    groups.remove(&UNASSIGNED_COMPUTERS);

    let mut children: BTreeMap<Uuid, Vec<&UpstreamGroup>> = BTreeMap::new();
    for group in groups.values() {
        let parent = if group.parent.is_nil() { ALL_COMPUTERS } else { group.parent };
        if group.id.is_nil() {
            return Err(wrong(format!("have {:?} without an id", cut(&group.name))));
        }
        if parent != ALL_COMPUTERS && !groups.contains_key(&parent) {
            let whose = cut(&group.name);
            return Err(wrong(format!("have {whose:?} in {parent}, which cannot be around it")));
        }
        children.entry(parent).or_default().push(group);
    }

    let mut arranged = OrderedGroups::default();
    let mut names = Names::new();
    let mut level = vec![ALL_COMPUTERS];
    for _ in 0..DEPTH {
        let mut next = Vec::new();
        for parent in &level {
            for group in children.remove(parent).unwrap_or_default() {
                let name = names.fit(group);
                if name != group.name.trim() {
                    let theirs = cut(&group.name);
                    arranged.notes.push(format!(
                        "the group {theirs:?} of the upstream server is called {name:?} here"
                    ));
                }
                arranged.groups.push(Group { id: group.id, name, parent: Some(*parent) });
                next.push(group.id);
            }
        }
        level = next;
    }
    match children.values().flatten().next() {
        None => Ok(arranged),
        Some(group) => {
            let whose = cut(&group.name);
            Err(wrong(format!("have {whose:?} within itself, or deeper than {DEPTH} levels")))
        }
    }
}

fn cut(name: &str) -> String {
    name.chars().take(NAME).collect()
}

/// Names that are taken.
struct Names(HashSet<String>);

impl Names {
    fn new() -> Self {
        Self(["all computers", "unassigned computers"].map(str::to_owned).into())
    }

    /// The name of a group as we can hold it: what computers ask for by name must be one group.
    fn fit(&mut self, group: &UpstreamGroup) -> String {
        let plain: String =
            group.name.trim().chars().map(|c| if c == ';' { ',' } else { c }).collect();
        let mut name = cut(&plain.replace(char::is_control, " "));
        if name.is_empty() || Uuid::try_parse(&name).is_ok() {
            name = format!("Group {}", group.id);
        }
        if !self.0.insert(name.to_lowercase()) {
            name = format!("{name} ({})", group.id);
            self.0.insert(name.to_lowercase());
        }
        name
    }
}

/// Makes our groups these. The well-known ones stay as they are, whatever they are called upstream.
pub(super) fn apply(
    db: &Connection,
    wanted: &[Group],
    whole: bool,
    mark: &mut ChangeMark<'_>,
    done: &mut ReplicaReport,
) -> Result<(), WriteError> {
    let well_known = |group: &Group| [ALL_COMPUTERS, UNASSIGNED_COMPUTERS].contains(&group.id);
    let ours: BTreeMap<Uuid, Group> =
        all(db)?.into_iter().filter(|g| !well_known(g)).map(|g| (g.id, g)).collect();
    let listed: BTreeSet<Uuid> = wanted.iter().map(|group| group.id).collect();
    let gone: Vec<&Group> = ours.values().filter(|group| !listed.contains(&group.id)).collect();
    let different: Vec<&Group> =
        wanted.iter().filter(|group| ours.get(&group.id) != Some(group)).collect();
    if gone.is_empty() && different.is_empty() {
        return Ok(());
    }
    mark.get()?;
    // Names may change hands: first nobody has one.
    let mut rename = db.prepare_cached("UPDATE target_group SET name = ?2 WHERE group_id = ?1")?;
    for group in gone.iter().copied().chain(different.iter().copied()) {
        rename.execute(params![group.id.as_bytes(), group.id.to_string()])?;
    }
    let mut insert = db.prepare_cached(
        "INSERT INTO target_group (group_id, name, parent) VALUES (?1, ?2, ?3)
         ON CONFLICT (group_id) DO UPDATE SET name = ?2, parent = ?3",
    )?;
    let namesakes: HashMap<String, Uuid> =
        gone.iter().rev().map(|old| (old.name.to_lowercase(), old.id)).collect();
    for group in &different {
        let parent = group.parent.unwrap_or(ALL_COMPUTERS);
        insert.execute(params![group.id.as_bytes(), group.name, parent.as_bytes()])?;
        if let Some(old) = namesakes.get(&group.name.to_lowercase()).filter(|_| whole) {
            db.prepare_cached("UPDATE OR IGNORE membership SET group_id = ?2 WHERE group_id = ?1")?
                .execute(params![old.as_bytes(), group.id.as_bytes()])?;
        }
    }
    for group in &gone {
        db.prepare_cached("UPDATE target_group SET parent = ?2 WHERE group_id = ?1")?
            .execute(params![group.id.as_bytes(), ALL_COMPUTERS.as_bytes()])?;
    }
    for group in &gone {
        let id = group.id.as_bytes();
        db.prepare_cached("DELETE FROM replica_deployment WHERE group_id = ?1")?.execute([id])?;
        db.prepare_cached("DELETE FROM target_group WHERE group_id = ?1")?.execute([id])?;
    }
    // Nobody has chosen for a computer that is in no group any more.
    db.execute(
        "UPDATE computer SET placed = 'nobody' WHERE placed <> 'nobody'
         AND computer_id NOT IN (SELECT computer_id FROM membership)",
        [],
    )?;
    done.groups_changed = different.len() as u64;
    done.groups_removed = gone.len() as u64;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u128) -> Uuid {
        Uuid::from_u128(n)
    }

    fn group(n: u128, parent: Uuid, name: &str) -> UpstreamGroup {
        UpstreamGroup { id: id(n), parent, name: name.to_owned() }
    }

    fn arranged(groups: &[UpstreamGroup]) -> Result<Vec<(u128, String, u128)>, String> {
        let mut list = groups.to_vec();
        list.push(UpstreamGroup {
            id: ALL_COMPUTERS,
            parent: Uuid::nil(),
            name: "Alle Computer".to_owned(),
        });
        let flat = |group: Group| (group.id.as_u128(), group.name, group.parent.unwrap().as_u128());
        match arrange(&list) {
            Ok(arranged) => Ok(arranged.groups.into_iter().map(flat).collect()),
            Err(WriteError::Invalid(what)) => Err(what),
            Err(e) => panic!("{e:?}"),
        }
    }

    #[test]
    fn parents_come_first_and_the_top_is_all_computers() {
        let list = [group(3, id(2), "c"), group(2, id(1), "b"), group(1, Uuid::nil(), " a ")];
        let top = ALL_COMPUTERS.as_u128();
        let expected = [(1, "a", top), (2, "b", 1), (3, "c", 2)];
        let expected: Vec<_> = expected.map(|(n, name, p)| (n, name.to_owned(), p)).into();
        assert_eq!(arranged(&list), Ok(expected));
    }

    #[test]
    fn a_hierarchy_without_sense_is_refused() {
        let all = ALL_COMPUTERS;
        let chain: Vec<_> = (2..80).map(|n| group(n, id(n - 1), "x")).collect();
        let deep = [vec![group(1, all, "x")], chain].concat();
        let many: Vec<_> = (1..=10_000).map(|n| group(n, all, "x")).collect();
        for (list, says) in [
            (vec![group(1, id(1), "self")], "within itself"),
            (vec![group(1, id(2), "a"), group(2, id(1), "b")], "within itself"),
            (vec![group(1, id(9), "orphan")], "cannot be around"),
            (vec![group(1, UNASSIGNED_COMPUTERS, "low")], "cannot be around"),
            (vec![group(1, all, "a"), group(1, all, "b")], "twice"),
            (vec![group(0, all, "nil")], "without an id"),
            (deep, "deeper"),
            (many, "at most"),
        ] {
            let why = arranged(&list).unwrap_err();
            assert!(why.contains(says), "{why}");
        }
        assert!(arrange(&[group(1, all, "a")]).is_err(), "without All Computers");
        assert!(arrange(&[]).is_err());
    }

    #[test]
    fn names_are_made_fit_and_unique() {
        let all = ALL_COMPUTERS;
        let list = [
            group(1, all, "Pilot"),
            group(2, all, "PILOT"),
            group(3, all, "All Computers"),
            group(4, all, "a;b\u{7}"),
            group(5, all, ""),
            group(6, all, "00000000-0000-0000-0000-000000000001"),
            group(7, all, &"x".repeat(1000)),
        ];
        let names: Vec<_> = arranged(&list).unwrap().into_iter().map(|(_, name, _)| name).collect();
        assert_eq!(names[0], "Pilot");
        assert_eq!(names[1], format!("PILOT ({})", id(2)));
        assert_eq!(names[2], format!("All Computers ({})", id(3)));
        assert_eq!(names[3], "a,b ");
        assert_eq!(
            (names[4].as_str(), names[5].as_str()),
            (format!("Group {}", id(5)).as_str(), format!("Group {}", id(6)).as_str())
        );
        assert_eq!(names[6].len(), NAME);
    }
}
