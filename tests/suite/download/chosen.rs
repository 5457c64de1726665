//! Which files are downloaded, and from where.

use super::*;

#[test]
fn what_is_approved_arrives_and_the_rest_stays_where_it_is() {
    let side = Side::new((0..6).map(|n| bytes(n, 100_000)).collect());
    for n in 6..9 {
        side.mirror.add_document(&document(n, 1, &[digests(&bytes(50, 50_000))]));
    }
    side.approve(6, ApprovalAction::Detect);
    side.approve(7, ApprovalAction::Install);
    side.fleet().decline(update(7), Origin::Local, now()).unwrap();
    let payloads = side.payloads.clone();
    let server = FileServer::start(move |asked, _| {
        let n: usize = asked.path[3..].trim_end_matches(".cab").parse().unwrap();
        good(&payloads[n], asked)
    });
    side.told(&server);

    let planned = forecast(&side.mirror.catalog(), &side.fleet(), &side.content(), &options());
    let planned = planned.unwrap().forecast;
    let total: u64 = side.payloads.iter().map(|p| p.len() as u64).sum();
    assert_eq!((planned.revisions, planned.files, planned.fetch), (6, 6, 6));
    assert_eq!((planned.bytes, planned.fetch_bytes, planned.here), (total, total, 0));
    assert!(planned.fits && planned.nowhere == 0 && planned.sha1_only == 0);

    let report = side.run();
    assert!(report.is_complete(), "{report:?}");
    assert_eq!((report.fetched, report.fetched_bytes, report.received_bytes), (6, total, total));
    side.assert_all_here();
    assert_eq!(server.asked().len(), 6, "each once");

    let again = side.run();
    assert_eq!((again.fetched, again.forecast.here, again.forecast.fetch), (0, 6, 0));
    assert_eq!(server.asked().len(), 6, "nothing is asked for twice");
}

#[test]
fn a_folder_with_the_layout_of_wsus_will_do() {
    let side = Side::new(vec![bytes(1, SIZE), bytes(2, 10), bytes(3, 10)]);
    let root = side.mirror.folder.path().join("WsusContent");
    for n in [0, 1] {
        let name = side.digests(n).sha1.to_string().to_ascii_uppercase();
        let folder = root.join(&name[38..]);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("{name}.cab")), &side.payloads[n]).unwrap();
    }
    let options = DownloadOptions {
        locations: vec![ContentBase::detect(root.to_str().unwrap()).unwrap()],
        ..options()
    };
    let report = side.run_with(&options).unwrap();
    assert_eq!((report.fetched, report.missing), (2, 1));
    assert!(report.problems[0].what.contains("no such file"), "{report:?}");
}

#[test]
fn a_file_of_no_known_place_says_how_to_name_one() {
    let side = Side::one();
    let report = side.run();
    assert_eq!((report.missing, report.forecast.nowhere), (1, 1));
    assert!(report.problems[0].what.contains("--location"), "{report:?}");
}

/// Of what was asked for by digest: SHA-256 or SHA-1, with or without a name behind it.
#[test]
fn a_list_of_what_is_missing_elsewhere() {
    let side = Side::new((0..3).map(|n| bytes(n, 1000)).collect());
    let payloads = Arc::new(side.payloads.clone());
    let server = FileServer::start(move |asked, _| {
        let n: usize = asked.path[3..].trim_end_matches(".cab").parse().unwrap();
        good(&payloads[n], asked)
    });
    side.told(&server);
    let list = side.mirror.folder.path().join("needs");
    let text = format!(
        "# from plant-7\n\n{}  a.cab\n{}\n{}\nnonsense\n",
        side.digests(0).sha256,
        side.digests(2).sha1.to_string().to_uppercase(),
        digests(b"unknown").sha256,
    );
    fs::write(&list, text).unwrap();
    let report = side.run_with(&DownloadOptions { which: FileSelection::Needs(list), ..options() });
    let report = report.unwrap();
    assert_eq!((report.fetched, report.missing, report.problems.len()), (2, 0, 2));
    assert!(report.problems[0].what.contains("no document"), "{report:?}");
    assert!(report.problems[1].at.ends_with("line 6"), "{report:?}");
    let mut paths: Vec<String> = server.asked().into_iter().map(|asked| asked.path).collect();
    paths.sort();
    assert_eq!(paths, ["/d/0.cab", "/d/2.cab"]);
}

/// What an approved update bundles comes with it, in exactly the revision that it names.
#[test]
fn members_come_along_in_the_revision_that_is_named() {
    let side = Side { mirror: Mirror::new(1), payloads: vec![bytes(1, 1000)] };
    let newer = bytes(2, 1000);
    side.mirror.add_document(&document(1, 1, &[side.digests(0)]));
    side.mirror.add_document(&document(1, 2, &[digests(&newer)]));
    let parent = document(2, 1, &[]).replace(
        "<Files>",
        &format!(
            "<Relationships><BundledUpdates><UpdateIdentity UpdateID=\"{}\" RevisionNumber=\"1\" /></BundledUpdates></Relationships><Files>",
            update(1)
        ),
    );
    side.mirror.add_document(&parent);
    side.approve(2, ApprovalAction::Uninstall);
    let server = serve(&side, |payload, asked, _| good(payload, asked));
    let report = side.run();
    assert!(report.is_complete(), "{report:?}");
    assert_eq!((report.fetched, report.forecast.revisions), (1, 2));
    assert_eq!(server.asked().len(), 1);
    side.assert_all_here();
}

/// [MS-WSUSSS] 3.2.4.4: what a server below us asked for is fetched as if it was approved.
#[test]
fn what_servers_below_asked_for_comes_too_and_is_waited_for_no_longer() {
    let side = Side { mirror: Mirror::new(1), payloads: vec![bytes(1, 1000)] };
    side.mirror.add_document(&document(0, 1, &[side.digests(0)]));
    let sha1 = side.digests(0).sha1;
    side.fleet().note_missing_files(&[sha1, Sha1::hash(b"gone")], now()).unwrap();
    let _server = serve(&side, |payload, asked, _| good(payload, asked));
    let report = side.run();
    assert!(report.is_complete() && report.fetched == 1, "{report:?}");
    side.assert_all_here();
    let left: Vec<Sha1> = side.fleet().missing_files().unwrap().iter().map(|f| f.sha1).collect();
    assert_eq!(left, [Sha1::hash(b"gone")]);
}

/// Anybody below may ask for anything: that must not keep what is approved from coming.
#[test]
fn what_servers_below_asked_for_is_left_out_when_it_does_not_fit() {
    let side = Side::one();
    let huge = PayloadDigests { size: 1 << 60, ..digests(&bytes(2, 1000)) };
    side.mirror.add_document(&document(7, 1, std::slice::from_ref(&huge)));
    side.fleet().note_missing_files(&[huge.sha1], now()).unwrap();
    let _server = serve(&side, |payload, asked, _| good(payload, asked));
    let report = side.run();
    assert!(report.forecast.fits && report.fetched == 1, "{report:?}");
    assert!(report.warnings[0].what.contains("do not fit"), "{:?}", report.warnings);
    side.assert_all_here();
    assert_eq!(side.fleet().missing_files().unwrap().len(), 1, "it is waited for");
}

/// A server that keeps only the catalogue is not asked for files; another is, before the Internet.
#[test]
fn the_content_of_upstream_servers_is_asked_if_they_keep_some() {
    for catalog_only in [true, false] {
        let side = Side::one();
        let payload = side.payloads[0].clone();
        let upstream = FileServer::start(move |asked, _| good(&payload, asked));
        let internet = serve(&side, |payload, asked, _| good(payload, asked));
        let mut catalog = side.mirror.catalog();
        let mut writer = catalog.write().unwrap();
        let note = format!("{{\"facts\": {{\"catalog-only\": {catalog_only}}}}}");
        writer.set_note(&format!("upstream/{}", upstream.url("/")), &note).unwrap();
        writer.commit().unwrap();
        let report = side.run();
        assert!(report.is_complete(), "{report:?}");
        let asked = (upstream.asked().len(), internet.asked().len());
        assert_eq!(asked, if catalog_only { (0, 1) } else { (1, 0) });
        if !catalog_only {
            let name = side.digests(0).sha1.to_string().to_ascii_uppercase();
            let path = format!("/Content/{}/{name}.cab", &name[38..]);
            assert_eq!(upstream.asked()[0].path, path);
        }
    }
}

/// Express files come where a server that was synchronized from keeps them (`ServerHostsPsfFiles`).
#[test]
fn express_files_come_if_a_server_keeps_them() {
    for kept in [false, true] {
        let side = Side { mirror: Mirror::new(1), payloads: vec![bytes(1, 1000), bytes(2, 1000)] };
        let whole = document(1, 1, &[side.digests(0), side.digests(1)]);
        let (start, express) = whole.rsplit_once("<File ").unwrap();
        side.mirror.add_document(&format!("{start}<File PatchingType=\"Express\" {express}"));
        side.approve(1, ApprovalAction::Install);
        let mut catalog = side.mirror.catalog();
        let mut writer = catalog.write().unwrap();
        let note =
            format!("{{\"facts\": {{\"hosts-psf-files\": {kept}, \"catalog-only\": true}}}}");
        writer.set_note("upstream/http://127.0.0.1:1/", &note).unwrap();
        writer.commit().unwrap();
        let payloads = side.payloads.clone();
        let server = FileServer::start(move |asked, _| {
            let n: usize = asked.path[3..].trim_end_matches(".cab").parse().unwrap();
            good(&payloads[n], asked)
        });
        side.told(&server);
        let report = side.run();
        assert!(report.is_complete(), "{report:?}");
        let expected = if kept { (2, 0) } else { (1, 1) };
        assert_eq!((report.fetched, report.forecast.express), expected, "kept: {kept}");
    }
}

#[test]
fn updates_by_id_and_by_article() {
    let side = Side { mirror: Mirror::new(1), payloads: vec![bytes(1, 1000)] };
    let xml = document(0, 1, &[side.digests(0)]).replace(
        "CreationDate=\"2026-01-01T00:00:00Z\" />",
        "CreationDate=\"2026-01-01T00:00:00Z\"><KBArticleID>5030219</KBArticleID></Properties>",
    );
    side.mirror.add_document(&xml);
    let plan = |which| {
        let options = DownloadOptions { which, ..options() };
        forecast(&side.mirror.catalog(), &side.fleet(), &side.content(), &options).unwrap()
    };
    assert_eq!(plan(FileSelection::Approved).forecast.fetch, 0);
    assert_eq!(plan(FileSelection::All).forecast.fetch, 1);
    assert_eq!(plan(FileSelection::Kb("KB5030219".to_owned())).forecast.fetch, 1);
    assert_eq!(plan(FileSelection::Updates(vec![update(0)])).forecast.fetch, 1);
    for which in [FileSelection::Kb("4".to_owned()), FileSelection::Updates(vec![update(9)])] {
        let none = plan(which);
        assert_eq!((none.forecast.fetch, none.problems.len()), (0, 1), "{none:?}");
    }
}
