//! The stand-in against our own server, over TCP: the sample catalogue from a folder to the reports
//! of a computer, and a generated one of some size. What the judge says of our server is said here.

use std::{fs, net::SocketAddr, path::Path, time::Duration};

use jiff::Timestamp;
use tempfile::TempDir;
use tidegate::{
    agent::{Probe, ProbeEvent, ProbeOptions, ProbeReport, Severity},
    catalog::{Catalog, RevisionFilter},
    content::ContentStore,
    data_dir::{DataDir, Side},
    fleet::{ALL_COMPUTERS, ApprovalAction, Compliance, ComplianceState, Fleet, Origin},
    server::{ServeOptions, TlsOptions},
    update::UpdateId,
    upstream::{Source, SyncOptions, sync},
};
use uuid::Uuid;

use crate::{
    support::pki::{Authority, Wish, self_signed},
    support::real_data::real_data,
    update_generator::generator,
};

use crate::support::{documents, server::Running};

/// A data folder that is synchronized from `source`, with everything that can be approved.
struct Site {
    _folder: TempDir,
    data: DataDir,
}

impl Site {
    fn from(source: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let side = Side::Connected { mirror_id: Uuid::from_u128(7) };
        let data = DataDir::init(folder.path(), side).unwrap();
        let mut catalog = Catalog::open(&data.catalog()).unwrap();
        let content = ContentStore::open(&data.content()).unwrap();
        let source = Source::detect(source.to_str().unwrap()).unwrap();
        let options = SyncOptions::new(Timestamp::now());
        let report = sync(&source, &mut catalog, &content, &options, &mut |_| {}).unwrap();
        assert!(report.problems.is_empty(), "{report:?}");
        Self { _folder: folder, data }
    }

    fn deployable(&self) -> Vec<UpdateId> {
        let catalog = Catalog::open(&self.data.catalog()).unwrap();
        let filter = RevisionFilter { deployable: true, newest: true, ..RevisionFilter::default() };
        let mut found = Vec::new();
        catalog.find(&filter, &mut |revision| found.push(revision.identity.id)).unwrap();
        found
    }

    fn approve(&self, updates: &[UpdateId]) {
        let mut fleet = Fleet::open(&self.data.fleet()).unwrap();
        for &update in updates {
            fleet
                .approve(
                    update,
                    ALL_COMPUTERS,
                    ApprovalAction::Install,
                    None,
                    Origin::Local,
                    Timestamp::now(),
                )
                .unwrap();
        }
    }

    fn compliance(&self, computer: &str) -> Vec<Compliance> {
        Fleet::open(&self.data.fleet()).unwrap().compliance(Some(computer)).unwrap()
    }

    fn serve(&self) -> Running {
        self.serve_with(|_| ())
    }

    fn serve_with(&self, change: impl FnOnce(&mut ServeOptions)) -> Running {
        Running::on(&self.data, |options| {
            options.poll = Duration::from_millis(50);
            options.grace = Duration::from_secs(1);
            change(options);
        })
    }
}

/// Our samples, and one more update whose file takes several pieces.
fn samples() -> TempDir {
    let folder = documents::samples();
    let payload: Vec<u8> = (0..5_500_001_u32).map(|n| n.to_le_bytes()[(n % 3) as usize]).collect();
    fs::write(folder.path().join("large.exe"), &payload).unwrap();
    let file = documents::file("large.exe", &payload);
    let document = format!(
        r#"<Update xmlns="http://schemas.microsoft.com/msus/2002/12/Update"><UpdateIdentity UpdateID="{LARGE}" RevisionNumber="1" /><Properties DefaultPropertiesLanguage="en" UpdateType="Software" ExplicitlyDeployable="true" PublicationState="Published" CreationDate="2026-01-01T00:00:00Z" Handler="http://schemas.microsoft.com/msus/2002/12/UpdateHandlers/CommandLineInstallation"><KBArticleID>9900009</KBArticleID></Properties><LocalizedPropertiesCollection><LocalizedProperties><Language>en</Language><Title>A large &amp; fine update</Title></LocalizedProperties></LocalizedPropertiesCollection><Relationships><Prerequisites><UpdateIdentity UpdateID="c8e3f4b5-2da0-4a7f-9b3c-5d8b7f2a3c03" /></Prerequisites></Relationships><ApplicabilityRules><IsInstalled><b:RegKeyExists xmlns:b="http://schemas.microsoft.com/msus/2002/12/BaseApplicabilityRules" Key="HKEY_LOCAL_MACHINE" Subkey="SOFTWARE\Large" /></IsInstalled><IsInstallable><lar:True xmlns:lar="http://schemas.microsoft.com/msus/2002/12/LogicalApplicabilityRules" /></IsInstallable></ApplicabilityRules><Files>{file}</Files></Update>"#
    );
    fs::write(folder.path().join("large.xml"), document).unwrap();
    folder
}

const LARGE: &str = "a0000000-0000-4000-8000-00000000000a";

fn listed(report: &ProbeReport) -> Vec<String> {
    report.findings.iter().map(ToString::to_string).collect()
}

fn full(state: &Path) -> ProbeOptions {
    ProbeOptions {
        download: true,
        install: true,
        state_file: Some(state.to_path_buf()),
        ..ProbeOptions::default()
    }
}

async fn probe(server: &Running, options: ProbeOptions) -> ProbeReport {
    Probe::new(&server.url, options).unwrap().run(&mut |_| {}).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_computer_is_brought_up_to_date() {
    let source = samples();
    let site = Site::from(source.path());
    let state = source.path().join("agent.json");
    let server = site.serve();

    // Nothing is approved: nothing is offered, and nothing is wrong.
    let report = probe(&server, ProbeOptions::default()).await;
    assert_eq!(listed(&report), Vec::<String>::new());
    assert!(report.offered.is_empty());
    server.wait();

    // Everything is approved: what applies is downloaded, checked, installed and reported.
    site.approve(&site.deployable());
    let server = site.serve();
    let mut pieces = 0;
    let mut agent = Probe::new(&server.url, full(&state)).unwrap();
    let report = agent
        .run(&mut |event| pieces += usize::from(matches!(event, ProbeEvent::Downloading { .. })))
        .await
        .unwrap();
    assert_eq!(listed(&report), Vec::<String>::new());
    assert!(report.is_clean() && report.digests_ok);
    assert!(report.offered.len() >= 3, "{:#?}", report.offered);
    assert!(report.offered.iter().all(|offer| !offer.title.is_empty()));
    let large = report.offered.iter().find(|offer| offer.id.to_string() == LARGE).unwrap();
    assert_eq!(
        (large.title.as_str(), large.kb.as_deref(), large.bytes),
        ("A large & fine update", Some("9900009"), 5_500_001)
    );
    assert!(pieces >= 6 + report.downloaded_files - 1);
    assert_eq!(report.installed.len(), report.offered.len());
    let installed = site.compliance(&report.computer_id);
    for offer in &report.offered {
        let known = installed.iter().find(|known| known.update.0 == offer.id);
        assert_eq!(known.map(|known| known.state), Some(ComplianceState::Installed), "{offer:?}");
    }

    // The next scan has nothing to do, and says so.
    let again = probe(&server, full(&state)).await;
    assert_eq!(listed(&again), Vec::<String>::new());
    assert_eq!(again.offered, []);
    assert_eq!((again.needed.as_slice(), again.updates_received), (&[][..], 0));
    let still = site.compliance(&report.computer_id);
    assert!(still.iter().all(|known| known.state == ComplianceState::Installed), "{still:?}");
    server.wait();

    // The site loses what it knows of its computers: cookies are refused, the agent recovers.
    fs::remove_file(site.data.fleet()).unwrap();
    for end in ["-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{end}", site.data.fleet().display()));
    }
    site.approve(&site.deployable());
    let server = site.serve();
    let recovered = probe(&server, full(&state)).await;
    assert!(recovered.is_clean(), "{:#?}", recovered.findings);
    assert!(recovered.offered.is_empty());
    assert_eq!(recovered.updates_seen, again.updates_seen);
    server.wait();
}

/// With files over plain HTTP, as from a WSUS, and with everything over TLS.
#[tokio::test(flavor = "multi_thread")]
async fn a_computer_is_brought_up_to_date_over_tls() {
    let source = samples();
    let site = Site::from(source.path());
    site.approve(&site.deployable());
    let authority = Authority::new("Plant");
    let files = authority.sign(&Wish::default());
    for plain in [true, false] {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = site.serve_with(|options| {
            options.listen = plain.then_some(any);
            options.tls = Some(TlsOptions {
                listen: any,
                certificate: files.certificate.clone(),
                key: files.key.clone(),
            });
        });
        let state = source.path().join(format!("agent-{plain}.json"));
        let options = ProbeOptions { roots: Some(authority.root()), ..full(&state) };
        let report = probe(&server, options).await;
        assert_eq!(listed(&report), Vec::<String>::new());
        assert!(report.is_clean() && report.digests_ok && report.downloaded_files > 0);
        assert_eq!(report.installed.len(), report.offered.len());

        let others = Authority::new("Others");
        let options = ProbeOptions { roots: Some(others.root()), ..ProbeOptions::default() };
        let mut stranger = Probe::new(&server.url, options).unwrap();
        let error = stranger.run(&mut |_| {}).await.unwrap_err().to_string();
        assert!(error.contains("an agent would not connect"), "{error}");
        assert!(error.contains("signed by nobody whom") && error.contains("Computers"), "{error}");
        server.wait();
    }
}

/// The same words as a synchronization has, first thing.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_certificate_is_said_as_elsewhere() {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let good = Wish::default();
    for (wish, trusted, said) in [
        (Wish { name: "wsus.example", ..Wish::default() }, true, Some("is for wsus.example")),
        (Wish { years: (2020, 2021), ..Wish::default() }, true, Some("expired 2021-01-01")),
        (Wish { name: good.name, years: good.years }, false, Some("CA:TRUE")),
        (good, true, None),
    ] {
        let source = samples();
        let site = Site::from(source.path());
        let files = self_signed(&wish);
        let server = site.serve_with(|options| {
            options.tls = Some(TlsOptions {
                listen: any,
                certificate: files.certificate.clone(),
                key: files.key.clone(),
            });
        });
        let other = self_signed(&wish);
        let roots = if trusted { &files.certificate } else { &other.certificate };
        let options = ProbeOptions { roots: Some(roots.clone()), ..ProbeOptions::default() };
        let mut probe = Probe::new(&server.url, options).unwrap();
        let ended = probe.run(&mut |_| {}).await;
        match said {
            None => drop(ended.unwrap()),
            Some(said) => {
                let error = ended.unwrap_err().to_string();
                assert!(error.contains(said), "{said}: {error}");
            }
        }
        server.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_category_scan_sees_its_category() {
    let source = samples();
    let site = Site::from(source.path());
    site.approve(&site.deployable());
    let server = site.serve();
    let windows_11 = "72e7624a-5b00-45d2-b92f-e561c0a6a160".parse().unwrap();
    let options = ProbeOptions { categories: vec![windows_11], ..ProbeOptions::default() };
    let report = probe(&server, options).await;
    assert_eq!(listed(&report), Vec::<String>::new());
    assert!(!report.offered.is_empty());
    assert!(report.offered.iter().all(|offer| offer.id.to_string() != LARGE));
    server.wait();
}

/// Two thousand generated revisions, all seen: paging, batches and bookkeeping hold.
#[tokio::test(flavor = "multi_thread")]
async fn a_generated_catalogue_is_seen_whole() {
    let source = tempfile::tempdir().unwrap();
    let plan = generator::Plan::new(generator::Profile::General, 11, 2_000, 40);
    generator::output::folder(&plan, source.path()).unwrap();
    let site = Site::from(source.path());
    let deployable = site.deployable();
    site.approve(&deployable);
    let server = site.serve();
    let options = ProbeOptions { assume_all: true, download: true, ..ProbeOptions::default() };
    let report = probe(&server, options).await;
    let said: Vec<_> = report
        .findings
        .iter()
        .filter(|finding| finding.severity > Severity::Note)
        .map(ToString::to_string)
        .collect();
    assert_eq!(said, Vec::<String>::new());
    assert!(report.updates_seen > 500, "{}", report.updates_seen);
    assert!(!report.offered.is_empty() && report.downloaded_files > 0);
    assert!(report.digests_ok && report.is_clean());
    server.wait();
}

/// Every category and detectoid of a real catalogue, 4,125 documents, as prerequisites of one update
/// of ours: all of them pass through server, judge and rules.
#[tokio::test(flavor = "multi_thread")]
async fn a_real_catalogue_is_walked() {
    let Some(data) = real_data() else { return };
    let site = Site::from(&data.join("data/wsusutil-export/WSUS-2024-06-19.cab"));
    let mut required = Vec::new();
    let mut catalog = Catalog::open(&site.data.catalog()).unwrap();
    catalog
        .find(&RevisionFilter { newest: true, ..RevisionFilter::default() }, &mut |revision| {
            required.push(revision.identity.id);
        })
        .unwrap();
    assert!(required.len() > 4_000, "{}", required.len());
    let source = tempfile::tempdir().unwrap();
    let prerequisites: String =
        required.iter().map(|id| format!(r#"<UpdateIdentity UpdateID="{id}" />"#)).collect();
    fs::write(
        source.path().join("all.xml"),
        format!(
            r#"<Update xmlns="http://schemas.microsoft.com/msus/2002/12/Update"><UpdateIdentity UpdateID="{LARGE}" RevisionNumber="1" /><Properties DefaultPropertiesLanguage="en" UpdateType="Software" ExplicitlyDeployable="true" PublicationState="Published" CreationDate="2026-01-01T00:00:00Z" /><LocalizedPropertiesCollection><LocalizedProperties><Language>en</Language><Title>Needs everything</Title></LocalizedProperties></LocalizedPropertiesCollection><Relationships><Prerequisites>{prerequisites}</Prerequisites></Relationships></Update>"#
        ),
    )
    .unwrap();
    let content = ContentStore::open(&site.data.content()).unwrap();
    let from = Source::detect(source.path().to_str().unwrap()).unwrap();
    let options = SyncOptions::new(Timestamp::now());
    let report = sync(&from, &mut catalog, &content, &options, &mut |_| {}).unwrap();
    assert_eq!(report.new_revisions, 1, "{report:?}");
    drop(catalog);
    site.approve(&[LARGE.parse::<Uuid>().map(UpdateId).unwrap()]);
    let server = site.serve();

    // As a Windows 11: what its rules leave out is not asked for again and again.
    let report = probe(&server, ProbeOptions::default()).await;
    println!(
        "{} seen in {} rounds; unknown: {:?}",
        report.updates_seen, report.rounds, report.unknown_rules
    );
    let worse: Vec<_> = listed(&report).into_iter().filter(|f| !f.starts_with("note")).collect();
    assert_eq!(worse, Vec::<String>::new());
    assert!(report.updates_seen > 1_000 && report.rounds < 40, "{report:?}");

    // As a machine where everything is installed that can be.
    let all = probe(&server, ProbeOptions { assume_all: true, ..ProbeOptions::default() }).await;
    println!("{} seen in {} rounds", all.updates_seen, all.rounds);
    let worse: Vec<_> = listed(&all).into_iter().filter(|f| !f.starts_with("note")).collect();
    assert_eq!(worse, Vec::<String>::new());
    assert_eq!(all.updates_seen, required.len() + 1);
    server.wait();
}
