//! Bundled revisions: whether the files of all that are needed are here, and which members are
//! deployed with a bundle.
//!
//! A member in a language that is not carried holds up no bundle: it counts only where another member
//! of the same bundle whose files are here is for one of its languages, or where no member for a
//! language is here at all.

use std::collections::HashSet;

use super::{
    revision::{FileState, Index, Revision},
    table::index,
};

/// The members of one bundle.
pub(super) struct Members<'a> {
    revisions: &'a [Revision],
    states: &'a [FileState],
    /// The languages of those members for some language whose files are here.
    carried: HashSet<&'a str>,
}

impl<'a> Members<'a> {
    /// The members in `clauses`, with the states of their files as far as they are known.
    pub(super) fn new(
        revisions: &'a [Revision],
        states: &'a [FileState],
        clauses: &[Vec<Index>],
    ) -> Self {
        let mut members = Self { revisions, states, carried: HashSet::new() };
        for member in clauses.iter().flatten() {
            if members.state(*member) == FileState::Complete {
                let languages = members.languages(*member);
                members.carried.extend(languages.iter().map(String::as_str));
            }
        }
        members
    }

    /// Those that are deployed with the bundle. An alternative in a language that is not carried is
    /// left out where another one is complete: a computer that found it applicable could not install it.
    pub(super) fn deployed(&self, clauses: &[Vec<Index>]) -> Vec<Index> {
        let here = |clause: &&Vec<Index>| {
            clause.iter().any(|member| self.state(*member) == FileState::Complete)
        };
        let whole = clauses.iter().filter(|clause| !here(clause)).flatten();
        let carried = clauses.iter().filter(here).flatten();
        whole
            .chain(carried.filter(|member| !self.is_in_other_language(**member)))
            .copied()
            .collect()
    }

    /// The files of one clause. Of what is needed, one alternative may be not carried if another one is
    /// complete; none may be missing.
    fn clause(&self, clause: &[Index]) -> FileState {
        let states = || {
            let needed = clause.iter().filter(|member| !self.is_in_other_language(**member));
            needed.map(|member| self.state(*member))
        };
        if states().any(|state| state == FileState::Missing) {
            FileState::Missing
        } else if states().next().is_none() || states().any(|s| s == FileState::Complete) {
            FileState::Complete
        } else {
            FileState::NotCarried
        }
    }

    fn is_in_other_language(&self, member: Index) -> bool {
        let languages = self.languages(member);
        !self.carried.is_empty()
            && !languages.is_empty()
            && self.state(member) != FileState::Complete
            && !languages.iter().any(|language| self.carried.contains(language.as_str()))
    }

    fn languages(&self, member: Index) -> &'a [String] {
        self.revisions.get(member as usize).map_or(&[], |revision| &revision.languages)
    }

    fn state(&self, member: Index) -> FileState {
        self.states.get(member as usize).copied().unwrap_or(FileState::Complete)
    }
}

/// File states with those of the bundled updates counted in. What bundles itself, directly or not,
/// counts once.
pub(super) fn file_states(revisions: &[Revision], clauses: &[Vec<Vec<Index>>]) -> Vec<FileState> {
    let mut states: Vec<FileState> = revisions.iter().map(|revision| revision.files).collect();
    let (mut open, mut done) = (vec![false; revisions.len()], vec![false; revisions.len()]);
    let mut stack: Vec<(Index, bool)> = (0..index(revisions.len())).map(|i| (i, false)).collect();
    while let Some((i, children_done)) = stack.pop() {
        let at = i as usize;
        let (Some(own), Some(is_open), Some(is_done)) =
            (clauses.get(at), open.get_mut(at), done.get_mut(at))
        else {
            continue;
        };
        if children_done {
            *is_done = true;
            // A member that is not done yet is this bundle itself: left out here.
            let own: Vec<Vec<Index>> = own.iter().map(|clause| only(clause, &done, i)).collect();
            let members = Members::new(revisions, &states, &own);
            let worst = own.iter().map(|clause| members.clause(clause)).max();
            if let (Some(state), Some(worst)) = (states.get_mut(at), worst) {
                *state = worst.max(*state);
            }
        } else if !std::mem::replace(is_open, true) {
            stack.push((i, true));
            stack.extend(own.iter().flatten().map(|child| (*child, false)));
        }
    }
    states
}

/// The members of a clause that are done, but `own`.
fn only(clause: &[Index], done: &[bool], own: Index) -> Vec<Index> {
    let is_done = |member: &Index| done.get(*member as usize).copied().unwrap_or(false);
    clause.iter().copied().filter(|member| *member != own && is_done(member)).collect()
}
