//! A mirror and isolated sites in temporary folders, for the tests of what crosses between them.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use bundle_format::digest::{PayloadDigests, Sha256};
use rusqlite::{Connection, types::Value};
use tempfile::TempDir;
use tidegate::{
    catalog::{Catalog, Numbering, PayloadRow},
    content::ContentStore,
    data_dir::{DataDir, Side},
    transfer::{
        ExportOptions, ExportReport, ExportSelection, ImportOptions, ImportReport, KeysOptions,
        SealOptions, SealOutcome, TransferError, export, import, keys_init, trust_add,
    },
    update::{DocumentLimits, UpdateDocument, UpdateId, UpdateIdentity},
};
use uuid::Uuid;

use super::{clock::now, documents};

/// Bytes that do not repeat and do not compress, the same for the same seed.
pub(crate) fn bytes(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut out = Vec::with_capacity(len + 8);
    while out.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend_from_slice(&state.to_le_bytes());
    }
    out.truncate(len);
    out
}

/// The update of this number.
pub(crate) fn update(n: u128) -> UpdateId {
    UpdateId(Uuid::from_u128(0x1000_0000_0000_4000_8000_0000_0000_0000 + n))
}

/// An update document that names these payloads.
pub(crate) fn document(n: u128, revision: u32, payloads: &[PayloadDigests]) -> String {
    let files: String = payloads
        .iter()
        .map(|payload| {
            let name = format!("{}.cab", payload.sha1);
            documents::file_of(&name, &payload.sha1, &payload.sha256, payload.size)
        })
        .collect();
    format!(
        r#"<Update xmlns="http://schemas.microsoft.com/msus/2002/12/Update"><UpdateIdentity UpdateID="{}" RevisionNumber="{revision}" /><Properties DefaultPropertiesLanguage="en" UpdateType="Software" ExplicitlyDeployable="true" CreationDate="2026-01-01T00:00:00Z" /><LocalizedPropertiesCollection><LocalizedProperties><Language>en</Language><Title>Update {n}</Title></LocalizedProperties></LocalizedPropertiesCollection><Files>{files}</Files></Update>"#,
        update(n)
    )
}

/// The connected side.
pub(crate) struct Mirror {
    pub(crate) folder: TempDir,
    pub(crate) data: DataDir,
    pub(crate) root: PathBuf,
}

impl Mirror {
    /// A mirror with keys without a passphrase.
    pub(crate) fn new(mirror: u128) -> Self {
        Self::with_keys(mirror, &KeysOptions::new(now()))
    }

    /// A mirror with these keys.
    pub(crate) fn with_keys(mirror: u128, keys: &KeysOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let side = Side::Connected { mirror_id: Uuid::from_u128(mirror) };
        let data = DataDir::init(&folder.path().join("data"), side).unwrap();
        let root = keys_init(&data, keys).unwrap().root;
        Self { folder, data, root }
    }

    /// Adds a revision and the payloads that it names.
    pub(crate) fn add(&self, n: u128, revision: u32, payloads: &[Vec<u8>]) {
        let content = ContentStore::open(&self.data.content()).unwrap();
        let source = self.folder.path().join("source");
        let digests: Vec<PayloadDigests> = payloads
            .iter()
            .map(|payload| {
                fs::write(&source, payload).unwrap();
                content.add_file(&source, &mut |_| {}).unwrap()
            })
            .collect();
        self.add_document(&document(n, revision, &digests));
        let mut catalog = self.catalog();
        let mut writer = catalog.write().unwrap();
        for digests in digests {
            writer.store_payload(&row(digests)).unwrap();
        }
        writer.commit().unwrap();
    }

    /// Adds a revision by its document.
    pub(crate) fn add_document(&self, xml: &str) {
        let parsed = UpdateDocument::parse(xml.as_bytes(), &DocumentLimits::default()).unwrap();
        let mut catalog = self.catalog();
        let mut writer = catalog.write().unwrap();
        writer.add_revision(&parsed, xml.as_bytes(), Numbering::Assign, now()).unwrap();
        writer.commit().unwrap();
    }

    /// Withdraws a revision.
    pub(crate) fn withdraw(&self, n: u128, revision: u32) {
        let mut catalog = self.catalog();
        let mut writer = catalog.write().unwrap();
        assert!(writer.withdraw(&UpdateIdentity { id: update(n), revision }).unwrap());
        writer.commit().unwrap();
    }

    /// Its catalogue.
    pub(crate) fn catalog(&self) -> Catalog {
        Catalog::open(&self.data.catalog()).unwrap()
    }

    /// Where its volumes go.
    pub(crate) fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    /// Exports what the site lacks.
    pub(crate) fn export(&self, site: &str) -> ExportReport {
        self.export_with(site, &ExportOptions::default()).unwrap()
    }

    /// Exports everything.
    pub(crate) fn export_full(&self, site: &str) -> ExportReport {
        self.export_with(
            site,
            &ExportOptions { selection: ExportSelection::Full, ..ExportOptions::default() },
        )
        .unwrap()
    }

    /// Exports with these options.
    pub(crate) fn export_with(
        &self,
        site: &str,
        options: &ExportOptions,
    ) -> Result<ExportReport, TransferError> {
        export(&self.data, site, &self.out(), now(), options, &())
    }

    /// Exports with segments and lists so short that compaction sets in.
    pub(crate) fn export_compacting(&self, site: &str, most_segments: usize) -> ExportReport {
        let seal = SealOptions { most_segments, ..SealOptions::default() };
        self.export_with(site, &ExportOptions { seal, ..ExportOptions::default() }).unwrap()
    }
}

/// The row of a payload that is here.
pub(crate) fn row(digests: PayloadDigests) -> PayloadRow {
    PayloadRow {
        sha256: digests.sha256,
        sha1: digests.sha1,
        size: digests.size,
        chunks: digests.chunks,
        present: true,
        not_carried: None,
    }
}

/// An isolated side.
pub(crate) struct Site {
    pub(crate) folder: TempDir,
    pub(crate) data: DataDir,
}

impl Site {
    /// A site that trusts the root.
    pub(crate) fn new(name: &str, root: &Path) -> Self {
        let site = Self::without_trust(name);
        trust_add(&site.data, root, None).unwrap();
        site
    }

    /// A site that trusts nothing yet.
    pub(crate) fn without_trust(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let side = Side::Isolated { site: name.to_owned() };
        let data = DataDir::init(&folder.path().join("data"), side).unwrap();
        Self { folder, data }
    }

    /// Imports volumes.
    pub(crate) fn import(&self, bundles: &[PathBuf]) -> Result<ImportReport, TransferError> {
        import(&self.data, bundles, &ImportOptions::new(now()), &())
    }

    /// Tries to import volumes.
    pub(crate) fn dry_run(&self, bundles: &[PathBuf]) -> Result<ImportReport, TransferError> {
        let options = ImportOptions { dry_run: true, ..ImportOptions::new(now()) };
        import(&self.data, bundles, &options, &())
    }

    /// Publishes an update of the site's own that names this payload.
    pub(crate) fn publish(&self, n: u128, payload: &[u8]) -> PayloadDigests {
        let path = self.folder.path().join("ours");
        fs::write(&path, payload).unwrap();
        let content = ContentStore::open(&self.data.content()).unwrap();
        let digests = content.add_file(&path, &mut |_| {}).unwrap();
        let xml = document(n, 1, std::slice::from_ref(&digests));
        let parsed = UpdateDocument::parse(xml.as_bytes(), &DocumentLimits::default()).unwrap();
        let mut catalog = Catalog::open(&self.data.catalog()).unwrap();
        let mut writer = catalog.write().unwrap();
        writer.add_revision(&parsed, xml.as_bytes(), Numbering::Local, now()).unwrap();
        writer.store_payload(&row(digests.clone())).unwrap();
        writer.commit().unwrap();
        digests
    }

    /// A copy of the whole data folder.
    pub(crate) fn copy(&self) -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy_folder(self.data.root(), &folder.path().join("data"));
        let data = DataDir::open(&folder.path().join("data")).unwrap();
        Self { folder, data }
    }

    /// See [`served`].
    pub(crate) fn served(&self) -> String {
        served(self.data.root())
    }

    /// See [`tree`].
    pub(crate) fn tree(&self) -> BTreeMap<String, Sha256> {
        tree(self.data.root())
    }
}

/// Copies a folder with all that is in it.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Every file below a folder with the digest of its bytes.
pub(crate) fn tree(root: &Path) -> BTreeMap<String, Sha256> {
    fn walk(root: &Path, folder: &Path, found: &mut BTreeMap<String, Sha256>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(root, &path, found);
            } else {
                let name = path.strip_prefix(root).unwrap().display().to_string();
                found.insert(name, Sha256::hash(&fs::read(&path).unwrap()));
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(root, root, &mut found);
    found
}

/// Everything that is served, as text: catalogue, payload bytes, decisions; without dates and
/// change counters, which differ between two runs that did the same.
pub(crate) fn served(root: &Path) -> String {
    let mut out = String::new();
    let tables = [
        ("catalog.sqlite", "revision", "revision_id"),
        ("catalog.sqlite", "document", "revision_id"),
        ("catalog.sqlite", "prerequisite", "revision_id, clause, position"),
        ("catalog.sqlite", "bundled", "revision_id, clause, position"),
        ("catalog.sqlite", "superseded", "revision_id, position"),
        ("catalog.sqlite", "kb", "revision_id, kb"),
        ("catalog.sqlite", "file", "revision_id, position"),
        ("catalog.sqlite", "payload", "sha256"),
        ("catalog.sqlite", "snapshot", "number"),
        ("catalog.sqlite", "snapshot_segment", "number, position"),
        ("fleet.sqlite", "target_group", "name"),
        ("fleet.sqlite", "declined", "update_id"),
    ];
    for (file, table, order) in tables {
        if root.join(file).exists() {
            let connection = Connection::open(root.join(file)).unwrap();
            dump(&connection, &format!("SELECT * FROM {table} ORDER BY {order}"), &mut out);
        }
    }
    if root.join("fleet.sqlite").exists() {
        let connection = Connection::open(root.join("fleet.sqlite")).unwrap();
        // Ids of groups that a policy makes are random; their names count.
        let sql = "SELECT update_id, name, action, deadline, origin FROM approval
                   JOIN target_group USING (group_id) ORDER BY update_id, name";
        dump(&connection, sql, &mut out);
    }
    for (name, digest) in tree(&root.join("content")) {
        if !name.starts_with("tmp") {
            out += &format!("{name} {digest}\n");
        }
    }
    out
}

fn dump(connection: &Connection, sql: &str, out: &mut String) {
    const VARIES: [&str; 7] =
        ["arrived", "change", "switched", "changed", "bundle_set", "group_id", "parent"];
    let mut statement = connection.prepare(sql).unwrap();
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut rows = statement.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        for (column, name) in names.iter().enumerate() {
            let value: Value = row.get(column).unwrap();
            if !VARIES.contains(&name.as_str()) {
                *out += &format!("{name}={value:?} ");
            }
        }
        *out += "\n";
    }
    *out += "--\n";
}

/// What was sealed for an export.
pub(crate) fn sealed(report: &ExportReport) -> &SealOutcome {
    report.sealed.as_ref().unwrap()
}
