//! Downloading payloads over real connections, with everything that may go wrong on the way.

mod chosen;
mod program;
mod refused;
mod resume;

use std::{fs, sync::Arc, time::Duration};

use bundle_format::digest::{PayloadDigests, Sha1};
use tidegate::{
    content::ContentStore,
    fleet::{ALL_COMPUTERS, ApprovalAction, Fleet, Origin},
    upstream::{
        ConnectionOptions, ContentBase, DownloadError, DownloadOptions, DownloadReport,
        FileSelection, download, forecast,
    },
};

use crate::support::{
    clock::now,
    file_server::{Asked, Body, FileServer, Reply},
    sides::{Mirror, bytes, document, update},
    stores::digests,
};

/// Bytes of a payload: more than a cut has to bring for the same place to be asked again.
const SIZE: usize = 3 * 1024 * 1024;

/// A mirror with one approved update for each payload, and no payloads.
pub(crate) struct Side {
    pub(crate) mirror: Mirror,
    pub(crate) payloads: Vec<Vec<u8>>,
}

impl Side {
    pub(crate) fn new(payloads: Vec<Vec<u8>>) -> Self {
        let mirror = Mirror::new(1);
        let side = Self { mirror, payloads };
        for (n, payload) in side.payloads.iter().enumerate() {
            side.mirror.add_document(&document(n as u128, 1, &[digests(payload)]));
            side.approve(n as u128, ApprovalAction::Install);
        }
        side
    }

    /// One payload.
    fn one() -> Self {
        Self::new(vec![bytes(1, SIZE)])
    }

    fn approve(&self, n: u128, action: ApprovalAction) {
        let local = Origin::Local;
        self.fleet().approve(update(n), ALL_COMPUTERS, action, None, local, now()).unwrap();
    }

    fn fleet(&self) -> Fleet {
        Fleet::open(&self.mirror.data.fleet()).unwrap()
    }

    pub(crate) fn content(&self) -> ContentStore {
        ContentStore::open(&self.mirror.data.content()).unwrap()
    }

    pub(crate) fn digests(&self, n: usize) -> PayloadDigests {
        digests(&self.payloads[n])
    }

    /// Tells where each payload is on a server.
    pub(crate) fn told(&self, server: &FileServer) {
        self.told_at(&server.url(""));
    }

    fn told_at(&self, server: &str) {
        let mut catalog = self.mirror.catalog();
        let mut writer = catalog.write().unwrap();
        for (n, payload) in self.payloads.iter().enumerate() {
            let url = format!("{server}/d/{n}.cab");
            writer.store_file_url(&Sha1::hash(payload), &url).unwrap();
        }
        writer.commit().unwrap();
    }

    fn run(&self) -> DownloadReport {
        self.run_with(&options()).unwrap()
    }

    fn run_with(&self, options: &DownloadOptions) -> Result<DownloadReport, DownloadError> {
        let mut catalog = self.mirror.catalog();
        download(&mut catalog, &mut self.fleet(), &self.content(), options, &mut |_| {})
    }

    /// All payloads are in the store, whole, and the catalogue knows; no partial is left.
    #[track_caller]
    pub(crate) fn assert_all_here(&self) {
        self.assert_here();
        assert_eq!(self.partials(), Vec::<String>::new());
    }

    #[track_caller]
    fn assert_here(&self) {
        let catalog = self.mirror.catalog();
        for (n, payload) in self.payloads.iter().enumerate() {
            let digests = self.digests(n);
            let row = catalog.payload(&digests.sha256).unwrap().expect("a row");
            assert!(row.present);
            assert_eq!(row.chunks, digests.chunks);
            let stored = fs::read(self.content().path(&digests.sha256)).unwrap();
            assert!(stored == *payload, "payload {n} has other bytes");
        }
    }

    /// Names of what is in the folder of partials.
    pub(crate) fn partials(&self) -> Vec<String> {
        let folder = self.mirror.data.content().join("partial");
        let mut names: Vec<String> = fs::read_dir(folder)
            .map(|entries| entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect())
            .unwrap_or_default();
        names.retain(|name| name != ".lock");
        names.sort();
        names
    }
}

/// Without pauses that a test would have to wait for.
pub(crate) fn options() -> DownloadOptions {
    DownloadOptions {
        first_pause: Duration::from_millis(1),
        attempts: 3,
        reserve: 0,
        connection: ConnectionOptions {
            proxy: Some("none".to_owned()),
            allow_http: true,
            ..ConnectionOptions::default()
        },
        ..DownloadOptions::new(FileSelection::Approved)
    }
}

/// A server that gives one payload, bent by a test.
fn serve(
    side: &Side,
    bend: impl Fn(&[u8], &Asked, usize) -> Reply + Send + Sync + 'static,
) -> FileServer {
    let payload = side.payloads[0].clone();
    let server = FileServer::start(move |asked, before| bend(&payload, asked, before));
    side.told(&server);
    server
}

fn good(payload: &[u8], asked: &Asked) -> Reply {
    Reply::file(payload, "\"1\"", asked)
}
