//! Rings: updates that supersede each other, directly or through others. Each update and each name is
//! looked at once.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    rc::Rc,
};

use crate::update::UpdateId;

/// The rings of a graph: for each update that is in one, all that are in it. `superseded` says which
/// updates each supersedes.
pub(super) fn rings(
    superseded: &BTreeMap<UpdateId, Vec<UpdateId>>,
) -> BTreeMap<UpdateId, Rc<BTreeSet<UpdateId>>> {
    let mut search = Search {
        superseded,
        marks: HashMap::new(),
        open: Vec::new(),
        is_open: BTreeSet::new(),
        found: BTreeMap::new(),
    };
    for update in superseded.keys() {
        search.visit(*update);
    }
    search.found
}

/// Strongly connected components, after Tarjan; with a stack of its own, because chains may be long.
struct Search<'a> {
    superseded: &'a BTreeMap<UpdateId, Vec<UpdateId>>,
    /// When an update was first seen, and the earliest that it leads back to.
    marks: HashMap<UpdateId, (usize, usize)>,
    /// Seen, and not yet in a component.
    open: Vec<UpdateId>,
    is_open: BTreeSet<UpdateId>,
    found: BTreeMap<UpdateId, Rc<BTreeSet<UpdateId>>>,
}

impl Search<'_> {
    fn visit(&mut self, root: UpdateId) {
        let mut path = self.enter(root).into_iter().collect::<Vec<_>>();
        while let Some((update, next)) = path.last_mut() {
            let update = *update;
            let names = self.superseded.get(&update).map_or(&[][..], Vec::as_slice);
            if let Some(name) = names.get(*next).copied() {
                *next += 1;
                match self.enter(name) {
                    Some(below) => path.push(below),
                    None => self.lead_back(update, name),
                }
            } else {
                path.pop();
                self.leave(update);
                if let Some((above, _)) = path.last() {
                    self.lead_back(*above, update);
                }
            }
        }
    }

    /// Marks an update that is seen for the first time; with it, the first of its names to look at.
    fn enter(&mut self, update: UpdateId) -> Option<(UpdateId, usize)> {
        if self.marks.contains_key(&update) || !self.superseded.contains_key(&update) {
            return None;
        }
        let now = self.marks.len();
        self.marks.insert(update, (now, now));
        self.open.push(update);
        self.is_open.insert(update);
        Some((update, 0))
    }

    /// `from` leads to `to`, and so back to what that leads back to.
    fn lead_back(&mut self, from: UpdateId, to: UpdateId) {
        let earliest =
            self.marks.get(&to).filter(|_| self.is_open.contains(&to)).map(|mark| mark.1);
        if let (Some(earliest), Some(mark)) = (earliest, self.marks.get_mut(&from)) {
            mark.1 = mark.1.min(earliest);
        }
    }

    /// All that an update leads to is done: if it leads back to nothing earlier, a component is complete.
    fn leave(&mut self, update: UpdateId) {
        if self.marks.get(&update).is_none_or(|(first, earliest)| first != earliest) {
            return;
        }
        let mut ring = BTreeSet::new();
        while let Some(member) = self.open.pop() {
            self.is_open.remove(&member);
            ring.insert(member);
            if member == update {
                break;
            }
        }
        let supersedes_itself =
            self.superseded.get(&update).is_some_and(|names| names.contains(&update));
        if ring.len() > 1 || supersedes_itself {
            let ring = Rc::new(ring);
            self.found.extend(ring.iter().map(|member| (*member, Rc::clone(&ring))));
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn found(pairs: &[(u128, &[u128])]) -> Vec<(u128, Vec<u128>)> {
        let id = |n: u128| UpdateId(Uuid::from_u128(n));
        let graph = pairs
            .iter()
            .map(|(from, to)| (id(*from), to.iter().map(|to| id(*to)).collect()))
            .collect();
        let number = |update: &UpdateId| update.0.as_u128();
        rings(&graph)
            .iter()
            .map(|(update, ring)| (number(update), ring.iter().map(number).collect()))
            .collect()
    }

    #[test]
    fn rings_are_found_whatever_hangs_on_them() {
        assert_eq!(found(&[(1, &[2]), (2, &[3]), (3, &[])]), []);
        assert_eq!(found(&[(1, &[1]), (2, &[9])]), [(1, vec![1])]);
        let ring = vec![2, 3, 4];
        assert_eq!(
            found(&[
                (1, &[2]),
                (2, &[3, 5]),
                (3, &[4]),
                (4, &[2, 6]),
                (5, &[]),
                (6, &[7]),
                (7, &[6])
            ]),
            [(2, ring.clone()), (3, ring.clone()), (4, ring), (6, vec![6, 7]), (7, vec![6, 7]),]
        );
    }

    /// Two thousand in one ring, and twenty thousand in a chain: no recursion, nothing twice.
    #[test]
    fn long_chains_take_no_stack() {
        let chain: Vec<(u128, Vec<u128>)> = (0..20_000).map(|n| (n, vec![n + 1])).collect();
        let chain: Vec<(u128, &[u128])> = chain.iter().map(|(n, to)| (*n, &to[..])).collect();
        assert_eq!(found(&chain), []);
    }
}
