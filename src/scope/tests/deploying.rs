//! What is deployed, and as what.

use super::*;
use Action::*;

#[test]
fn members_are_bundle_and_prerequisites_evaluate_at_any_depth() {
    let graph = Graph::new(vec![
        software(1).category(),
        software(2).category().belongs_to(&[1]),
        software(3).detectoid().needs(&[8]),
        software(4).detectoid(),
        software(5).bundles(&[(6, 1)]).belongs_to(&[2]),
        software(6).bundles(&[(7, 1)]),
        software(7).needs(&[3, 4]),
        software(8).detectoid(),
        software(9).needs(&[2]),
    ]);
    assert_eq!(
        actions(&graph, &install(5)),
        [
            (1, Evaluate),
            (2, Evaluate),
            (3, Evaluate),
            (4, Evaluate),
            (5, Install),
            (6, Bundle),
            (7, Bundle),
            (8, Evaluate)
        ]
    );
    assert_eq!(actions(&graph, &decisions([])), []);
}

#[test]
fn software_that_is_required_is_never_installed_and_its_members_come_too() {
    let graph =
        Graph::new(vec![software(1).bundles(&[(2, 1)]), software(2), software(3).needs(&[1])]);
    assert_eq!(actions(&graph, &install(3)), [(1, Evaluate), (2, Bundle), (3, Install)]);
}

#[test]
fn member_and_prerequisite_in_one_is_bundle() {
    let graph =
        Graph::new(vec![software(1), software(2).needs(&[1]).bundles(&[(1, 1)]), software(3)]);
    assert_eq!(actions(&graph, &install(2)), [(1, Bundle), (2, Install)]);
    // Also if it is approved for detection; approved for installation it is installed.
    let detect =
        decisions([approval(2, ALL, Decision::Install), approval(1, ALL, Decision::Detect)]);
    assert_eq!(actions(&graph, &detect), [(1, Bundle), (2, Install)]);
    let both = decisions([1, 2].map(|n| approval(n, ALL, Decision::Install)));
    assert_eq!(actions(&graph, &both), [(1, Install), (2, Install)]);
}

#[test]
fn actions_are_those_of_the_approvals() {
    let graph = Graph::new(vec![software(1), software(2), software(3), software(4), software(5)]);
    let all = decisions([
        approval(1, ALL, Decision::Install),
        approval(2, ALL, Decision::OptionalInstall),
        approval(3, ALL, Decision::Uninstall),
        approval(4, ALL, Decision::Detect),
        approval(5, ALL, Decision::Block),
    ]);
    assert_eq!(
        actions(&graph, &all),
        [(1, Install), (2, OptionalInstall), (3, Uninstall), (4, PreDeploymentCheck)]
    );
}

#[test]
fn the_newest_revision_is_offered_and_an_approval_of_a_category_offers_nothing() {
    let graph =
        Graph::new(vec![software(1).of(1, 1), software(2).of(1, 2), software(3).category()]);
    assert_eq!(actions(&graph, &install(1)), [(2, Install)]);
    assert_eq!(actions(&graph, &install(3)), []);
    assert_eq!(actions(&graph, &install(77)), []);
}

#[test]
fn the_bundled_revision_stands_against_a_newer_one_that_is_only_required() {
    let graph = Graph::new(vec![
        software(1).of(1, 1),
        software(2).of(1, 2),
        software(3).bundles(&[(1, 1)]).needs(&[1]),
    ]);
    assert_eq!(actions(&graph, &install(3)), [(1, Bundle), (3, Install)]);
    let both = decisions([1, 3].map(|n| approval(n, ALL, Decision::Install)));
    assert_eq!(actions(&graph, &both), [(2, Install), (3, Install)]);
}

#[test]
fn of_two_bundled_revisions_the_newer_stands() {
    let graph = Graph::new(vec![
        software(1).of(1, 1),
        software(2).of(1, 2),
        software(3).bundles(&[(1, 1)]),
        software(4).bundles(&[(1, 2)]),
    ]);
    let both = decisions([3, 4].map(|n| approval(n, ALL, Decision::Install)));
    assert_eq!(actions(&graph, &both), [(2, Bundle), (3, Install), (4, Install)]);
}

#[test]
fn declined_expired_and_unlicensed_updates_are_not_offered() {
    let mut licensed = software(3);
    licensed.eula_id = Some("licence".into());
    let mut expired = software(2);
    expired.expired = true;
    let graph = Graph::new(vec![software(1), expired, licensed, software(4).needs(&[1, 2])]);
    let approvals = |decision| (1..=4).map(move |n| approval(n, ALL, decision));
    let of = |decision, accepted: &[&str]| {
        let accepted = accepted.iter().map(|s| (*s).to_owned());
        let decisions = Decisions::new(groups(), approvals(decision), [update(1)], accepted);
        actions(&graph, &decisions)
    };
    // 1 and 2 come along because 4 waits for them, but nobody is offered them.
    assert_eq!(of(Decision::Install, &[]), [(1, Evaluate), (2, Evaluate), (4, Install)]);
    assert_eq!(
        of(Decision::Install, &["licence"]),
        [(1, Evaluate), (2, Evaluate), (3, Install), (4, Install)]
    );
    assert_eq!(
        of(Decision::Detect, &[]),
        [(1, Evaluate), (2, Evaluate), (3, PreDeploymentCheck), (4, PreDeploymentCheck)]
    );
    // What its publisher withdrew may be removed.
    assert_eq!(
        of(Decision::Uninstall, &[]),
        [(1, Evaluate), (2, Uninstall), (3, Uninstall), (4, Uninstall)]
    );
}

#[test]
fn an_update_whose_files_are_not_here_is_only_evaluated_and_reported() {
    use FileState::*;
    let action = |own, clauses: &[&[FileState]]| {
        let mut revisions = Vec::new();
        let mut parent = software(1000).files(own);
        for (c, clause) in clauses.iter().enumerate() {
            let mut any_of = Vec::new();
            for (a, state) in clause.iter().enumerate() {
                let n = u32::try_from(1 + c * 10 + a).unwrap();
                revisions.push(software(n.cast_signed()).files(*state));
                any_of.push((n, 1));
            }
            any_of.push((999, 1));
            parent = parent.bundles(&any_of);
        }
        revisions.push(parent);
        // One level more: what holds for members holds for members of members.
        revisions.push(software(1001).bundles(&[(1000, 1)]));
        let graph = Graph::new(revisions);
        let deadline = decisions([due(1001, ALL, Decision::Install, 5)]);
        let deployed = deploy(&graph, &deadline, &[ALL]);
        let parent = deployed.iter().find(|d| d.id.0 == 1001).unwrap();
        assert_eq!(parent.action == Install, parent.deadline.is_some());
        parent.action
    };
    assert_eq!(action(Complete, &[]), Install);
    assert_eq!(action(Missing, &[]), PreDeploymentCheck);
    assert_eq!(action(NotCarried, &[]), PreDeploymentCheck);
    assert_eq!(action(Complete, &[&[Complete, NotCarried]]), Install);
    assert_eq!(action(Complete, &[&[NotCarried, NotCarried]]), PreDeploymentCheck);
    assert_eq!(action(Complete, &[&[Complete, Missing]]), PreDeploymentCheck);
    assert_eq!(action(Complete, &[&[Complete], &[NotCarried]]), PreDeploymentCheck);
    // Members that the catalogue does not know have no files that could be missing.
    assert_eq!(action(Complete, &[&[]]), Install);
    let graph = Graph::new(vec![software(1).files(Missing)]);
    let remove = decisions([approval(1, ALL, Decision::Uninstall)]);
    assert_eq!(actions(&graph, &remove), [(1, Uninstall)]);
}

#[test]
fn circles_do_not_loop() {
    let graph = Graph::new(vec![
        software(1).needs(&[2]).bundles(&[(3, 1)]),
        software(2).needs(&[1]),
        software(3).bundles(&[(1, 1), (3, 1)]),
    ]);
    assert_eq!(actions(&graph, &install(1)), [(1, Install), (2, Evaluate), (3, Bundle)]);
    assert_eq!(graph.files(RevisionId(3)), Some(FileState::Complete));
}

#[test]
fn categories_come_with_what_they_require() {
    let graph = Graph::new(vec![
        software(1).category(),
        software(2).category().belongs_to(&[1]).needs(&[3]),
        software(3).detectoid(),
        software(4).belongs_to(&[2]),
    ]);
    assert_eq!(ids(&category_closure(&graph)), [1, 2, 3]);
}
