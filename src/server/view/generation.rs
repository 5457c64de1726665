//! What comes from the catalogue and stays the same until it changes.

use std::{collections::HashMap, path::Path};

use bundle_format::digest::{Sha1, Sha256};

use super::{error::ViewError, missing_payloads::ExistingPayloads};
use crate::{
    catalog::{Catalog, FileRow, GraphNode, PayloadState, RevisionFilter},
    data_dir::DataDir,
    scope::{FileState, Graph, Revision},
    server::pack::packs::Packs,
    update::{DocumentLimits, RevisionId, UpdateId, UpdateType},
};

/// A payload file as a document names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewFile {
    /// How agents name it.
    pub sha1: Sha1,
    /// How the content store names it, if anybody knows.
    pub sha256: Option<Sha256>,
    /// In bytes.
    pub size: u64,
    /// File name in the document.
    pub name: String,
    /// Its bytes are here.
    pub present: bool,
}

/// One state of the catalogue.
#[derive(Debug)]
pub(super) struct Generation {
    /// The change counter of the catalogue.
    pub(super) change: u64,
    pub(super) graph: Graph,
    pub(super) packs: Packs,
    files: HashMap<RevisionId, Box<[ViewFile]>>,
    /// Revision and position of the file that stands for a SHA-1.
    by_sha1: HashMap<Sha1, (RevisionId, usize)>,
    /// Licence texts that are here: few files that many documents name.
    eulas: HashMap<Sha1, ViewFile>,
    categories: HashMap<UpdateId, String>,
    /// What was there, where payloads are gone that the catalogue says are here.
    existing: Option<ExistingPayloads>,
}

impl Generation {
    /// Reads the catalogue. What cannot be packed is left out, with a warning: it could not be
    /// delivered. A payload whose bytes are gone counts as missing.
    pub(super) fn load(
        catalog: &Catalog,
        change: u64,
        data: &DataDir,
        limits: &DocumentLimits,
    ) -> Result<Self, ViewError> {
        let mut revisions = Vec::new();
        let mut files: HashMap<RevisionId, Box<[ViewFile]>> = HashMap::new();
        let mut eulas = HashMap::new();
        let existing = ExistingPayloads::list(&data.content(), catalog.counts()?.present);
        let mut lacking = Vec::new();
        catalog.nodes(&mut |mut node| {
            if existing.note_missing(&mut node) {
                lacking.push(node.identity);
            }
            let texts = std::mem::take(&mut node.eulas).into_iter().map(view_file);
            eulas.extend(texts.filter(|text| text.present).map(|text| (text.sha1, text)));
            let (revision, own) = split(node);
            if !own.is_empty() {
                files.insert(revision.id, own);
            }
            revisions.push(revision);
        })?;
        if let Some(update) = lacking.first() {
            let updates = lacking.len();
            tracing::error!(updates, %update, "files of updates are gone, this one's among them: run `tidegate check`");
        }
        let existing = (!lacking.is_empty()).then_some(existing);
        let wanted: Vec<_> = revisions.iter().map(|r| (r.id, r.identity)).collect();
        let (packs, refused) =
            Packs::load(&data.packs(), &wanted, limits, &mut |id| catalog.document(id))?;
        for refused in refused {
            let reason = refused.reason.map_or_else(
                || "the catalogue has no document".to_owned(),
                |error| error.to_string(),
            );
            tracing::warn!(update = %refused.identity, reason, "an update cannot be offered");
        }
        revisions.retain(|revision| packs.contains(&revision.identity));
        let graph = Graph::new(revisions);

        let mut categories = HashMap::new();
        let filter =
            RevisionFilter { update_type: Some(UpdateType::Category), ..RevisionFilter::default() };
        catalog.find(&filter, &mut |category| {
            if graph.lookup(&category.identity).is_some() {
                categories.insert(category.identity.id, category.category_type.unwrap_or_default());
            }
        })?;
        let by_sha1 = by_sha1(&files);
        Ok(Self { change, packs, by_sha1, eulas, files, graph, categories, existing })
    }

    /// Whether it is still what the catalogue and the folder of payloads say.
    pub(super) fn is_current(&self, change: u64, content: &Path) -> bool {
        let is_same = |existing: &ExistingPayloads| *existing == ExistingPayloads::list(content, 0);
        self.change == change && self.existing.as_ref().is_none_or(is_same)
    }

    pub(super) fn files(&self, id: RevisionId) -> &[ViewFile] {
        self.files.get(&id).map_or(&[], |files| files)
    }

    pub(super) fn file(&self, sha1: &Sha1) -> Option<&ViewFile> {
        match self.by_sha1.get(sha1) {
            Some((id, position)) => self.files(*id).get(*position),
            None => self.eulas.get(sha1),
        }
    }

    pub(super) fn category_type(&self, id: UpdateId) -> Option<&str> {
        self.categories.get(&id).map(String::as_str)
    }
}

/// A revision as it goes into the graph by which agents are answered. Express files are none that it
/// needs.
pub fn scope_revision(node: &GraphNode) -> Revision {
    let needed = node.files.iter().filter(|file| !file.express);
    let worst = needed.map(|file| match file.state {
        PayloadState::Present => FileState::Complete,
        PayloadState::Missing => FileState::Missing,
        PayloadState::NotCarried => FileState::NotCarried,
    });
    Revision {
        id: node.revision_id,
        identity: node.identity,
        update_type: node.update_type,
        expired: node.expired,
        eula_id: node.eula_id.clone(),
        files: worst.max().unwrap_or(FileState::Complete),
        languages: node.languages.clone(),
        prerequisites: node.prerequisites.clone(),
        bundled: node.bundled.clone(),
    }
}

fn split(node: GraphNode) -> (Revision, Box<[ViewFile]>) {
    let revision = scope_revision(&node);
    (revision, node.files.into_iter().map(view_file).collect())
}

fn view_file(file: FileRow) -> ViewFile {
    ViewFile {
        sha1: file.sha1,
        sha256: file.sha256,
        size: file.size,
        name: file.name,
        present: file.state == PayloadState::Present,
    }
}

/// For each SHA-1 a file that is here, else the one of the smallest revision ID.
fn by_sha1(files: &HashMap<RevisionId, Box<[ViewFile]>>) -> HashMap<Sha1, (RevisionId, usize)> {
    let mut all: Vec<_> = files
        .iter()
        .flat_map(|(id, files)| files.iter().enumerate().map(move |(at, file)| (*id, at, file)))
        .map(|(id, at, file)| (!file.present, id, at, file.sha1))
        .collect();
    all.sort_unstable();
    let mut best = HashMap::with_capacity(all.len());
    for (_, id, at, sha1) in all {
        best.entry(sha1).or_insert((id, at));
    }
    best
}
