//! An autonomous downstream: it synchronizes over HTTP and serves agents from its own mirror,
//! without any bundle.

use tidegate::{agent::ProbeOptions, fleet::ALL_COMPUTERS};

use super::{Tidegate, offered, probe};

use crate::support::documents::samples_apart;

#[test]
fn a_synchronized_mirror_serves_agents_and_further_downstreams() {
    let (documents, payloads) = samples_apart();
    let upstream = Tidegate::new(1);
    upstream.sync(documents.path().to_str().unwrap());
    upstream.sync(payloads.path().to_str().unwrap());
    let server = upstream.serve();

    // A third one behind the second: each numbers for itself.
    let (second, third) = (Tidegate::new(2), Tidegate::new(3));
    let report = second.sync(&server.url);
    assert!(report.new_revisions > 10, "{report:?}");
    let second_server = second.serve();
    assert_eq!(third.sync(&second_server.url).new_revisions, report.new_revisions);
    let again = second.sync(&server.url);
    assert!(!again.changed && again.documents == 0, "{again:?}");

    // Nothing is offered of which the files are not here.
    for update in upstream.deployable() {
        upstream.install(update, ALL_COMPUTERS);
        second.install(update, ALL_COMPUTERS);
    }
    assert_eq!(second.deployable(), upstream.deployable());
    let full = || ProbeOptions { download: true, ..ProbeOptions::default() };
    let expected = {
        drop(server);
        offered(&probe(&upstream.serve(), full()))
    };
    assert!(expected.len() >= 2, "{expected:?}");
    drop(second_server);
    let without_files: Vec<_> = offered(&probe(&second.serve(), full()));
    assert!(without_files.len() < expected.len(), "{without_files:?}");

    // The files arrive while it serves.
    let running = second.serve();
    let report = second.sync(payloads.path().to_str().unwrap());
    assert!(report.payloads_added > 0, "{report:?}");
    drop(running);
    let running = second.serve();
    let report = probe(&running, full());
    assert_eq!(offered(&report), expected);
    assert!(report.downloaded_files > 0 && report.digests_ok);
}
