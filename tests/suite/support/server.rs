//! A data folder that is filled by hand, and the server on it, in a thread of its own.

use std::{net::SocketAddr, thread, time::Duration};

use bundle_format::digest::Sha256;
use jiff::Timestamp;
use tempfile::TempDir;
use tidegate::{
    catalog::{Catalog, Numbering, PayloadRow},
    content::ContentStore,
    data_dir::{DataDir, Side},
    fleet::{ALL_COMPUTERS, ApprovalAction, Fleet, Origin},
    server::{ServeOptions, Server},
    update::{DocumentLimits, RevisionId, UpdateDocument, UpdateId},
};
use tokio::sync::oneshot;

/// A data folder of an isolated side.
pub(crate) struct Site {
    pub(crate) data: DataDir,
    folder: TempDir,
}

impl Site {
    /// An empty one, called `plant-7`.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let side = Side::Isolated { site: "plant-7".to_owned() };
        let data = DataDir::init(&folder.path().join("data"), side).unwrap();
        Self { data, folder }
    }

    /// Who may have what.
    pub(crate) fn fleet(&self) -> Fleet {
        Fleet::open(&self.data.fleet()).unwrap()
    }

    /// Adds a document with the number that its mirror gave it.
    pub(crate) fn add(&self, id: i32, xml: &[u8]) -> UpdateDocument {
        let document = UpdateDocument::parse(xml, &DocumentLimits::default()).unwrap();
        let mut catalog = Catalog::open(&self.data.catalog()).unwrap();
        let mut writer = catalog.write().unwrap();
        let numbering = Numbering::Given(RevisionId(id));
        writer.add_revision(&document, xml, numbering, Timestamp::now()).unwrap();
        writer.commit().unwrap();
        document
    }

    /// States that the bytes of a document's files are here, as far as answers need to know.
    pub(crate) fn pretend_files(&self, document: &UpdateDocument) {
        let mut catalog = Catalog::open(&self.data.catalog()).unwrap();
        let mut writer = catalog.write().unwrap();
        for file in &document.files {
            let row = PayloadRow {
                sha256: file.sha256.unwrap(),
                sha1: file.sha1,
                size: file.size,
                chunks: Vec::new(),
                present: true,
                not_carried: None,
            };
            writer.store_payload(&row).unwrap();
        }
        writer.commit().unwrap();
    }

    /// Puts a payload into the store and the catalogue.
    pub(crate) fn add_payload(&self, bytes: &[u8]) -> Sha256 {
        let file = self.folder.path().join("payload");
        std::fs::write(&file, bytes).unwrap();
        let store = ContentStore::open(&self.data.content()).unwrap();
        let digests = store.add_file(&file, &mut |_| ()).unwrap();
        let mut catalog = Catalog::open(&self.data.catalog()).unwrap();
        let mut writer = catalog.write().unwrap();
        let row = PayloadRow {
            sha256: digests.sha256,
            sha1: digests.sha1,
            size: digests.size,
            chunks: digests.chunks.clone(),
            present: true,
            not_carried: None,
        };
        writer.store_payload(&row).unwrap();
        writer.commit().unwrap();
        digests.sha256
    }

    /// Where the bytes of a payload are.
    pub(crate) fn payload_path(&self, sha256: &Sha256) -> std::path::PathBuf {
        ContentStore::open(&self.data.content()).unwrap().path(sha256)
    }

    /// Approves an update for all computers.
    pub(crate) fn approve(&self, update: UpdateId) {
        let install = ApprovalAction::Install;
        let (group, now) = (ALL_COMPUTERS, Timestamp::now());
        self.fleet().approve(update, group, install, None, Origin::Local, now).unwrap();
    }
}

/// A server in a thread of its own; ends when dropped.
pub(crate) struct Running {
    /// How it is reached: with TLS if it has a certificate.
    pub(crate) url: String,
    pub(crate) address: SocketAddr,
    pub(crate) tls: Option<SocketAddr>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Running {
    /// On a site, without TLS.
    pub(crate) fn new(site: &Site) -> Self {
        Self::with(site, |_| ())
    }

    /// On a site, with changed options.
    pub(crate) fn with(site: &Site, change: impl FnOnce(&mut ServeOptions)) -> Self {
        Self::on(&site.data, change)
    }

    /// On any data folder.
    pub(crate) fn on(data: &DataDir, change: impl FnOnce(&mut ServeOptions)) -> Self {
        let mut options = ServeOptions::new(SocketAddr::from(([127, 0, 0, 1], 0)));
        options.poll = Duration::from_millis(10);
        change(&mut options);
        let data = data.clone();
        let (stop, stopped) = oneshot::channel();
        let (started, starts) = std::sync::mpsc::channel();
        let thread = thread::spawn(move || {
            let mut runtime = tokio::runtime::Builder::new_multi_thread();
            runtime.worker_threads(2).enable_all().build().unwrap().block_on(async {
                let server = Server::bind(data, options).await.unwrap();
                started.send((server.local_addr(), server.addresses().tls)).unwrap();
                server
                    .run(async {
                        let _ = stopped.await;
                    })
                    .await;
            });
        });
        let (address, tls) = starts.recv().expect("the server did not start");
        let url = match tls {
            Some(address) => format!("https://{address}"),
            None => format!("http://{address}"),
        };
        Self { url, address, tls, stop: Some(stop), thread: Some(thread) }
    }

    /// Asks it to end, without waiting.
    pub(crate) fn ask_to_end(&mut self) {
        drop(self.stop.take());
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) {
        self.ask_to_end();
        self.thread.take().unwrap().join().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.ask_to_end();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !thread::panicking()
        {
            panic!("the server panicked");
        }
    }
}
