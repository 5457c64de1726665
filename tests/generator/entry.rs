//! What a document will say, before it is written: cheap to make, and enough for a package list.

use bundle_format::digest::{Sha1, Sha256};

use super::random::Random;

/// What kind of update it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Company,
    ProductFamily,
    Product,
    Classification,
    Detectoid,
    /// Hidden, with a file; found only through its bundle.
    Leaf,
    /// As a leaf, with a component manifest.
    Manifest,
    /// Hidden, bundles leaves.
    InnerBundle,
    /// What administrators see and approve.
    Bundle,
    /// Seen and approved, with a file of its own.
    Standalone,
    /// Published by a site.
    Msi,
    Driver,
}

impl Kind {
    pub fn is_category(self) -> bool {
        matches!(self, Self::Company | Self::ProductFamily | Self::Product | Self::Classification)
    }

    /// An administrator approves it.
    pub fn is_deployable(self) -> bool {
        matches!(self, Self::Bundle | Self::Standalone | Self::Msi | Self::Driver)
    }

    pub fn has_files(self) -> bool {
        matches!(self, Self::Leaf | Self::Manifest | Self::Standalone | Self::Msi | Self::Driver)
    }
}

/// Any of these satisfies it.
#[derive(Debug, Clone)]
pub struct Clause {
    pub is_category: bool,
    pub any_of: Vec<String>,
}

/// A payload file.
#[derive(Debug, Clone)]
pub struct File {
    pub name: String,
    pub size: usize,
    pub sha1: Sha1,
    pub sha256: Sha256,
    /// Its bytes can be made, from this.
    pub payload: Option<Random>,
}

impl File {
    /// The bytes, if it is one that can be made.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        self.payload.clone().map(|mut random| {
            let mut bytes = vec![0; self.size];
            random.fill(&mut bytes);
            bytes
        })
    }

    /// A small file that can be made.
    pub fn real(name: String, random: &mut Random) -> Self {
        let size = 1_000 + random.below(60_000);
        let payload = Random::new(random.next(), 0, 0);
        let mut bytes = vec![0; size];
        payload.clone().fill(&mut bytes);
        let (sha1, sha256) = (Sha1::hash(&bytes), Sha256::hash(&bytes));
        Self { name, size, sha1, sha256, payload: Some(payload) }
    }

    /// A file of which there are only size and digests.
    pub fn imagined(name: String, size: usize, random: &mut Random) -> Self {
        let mut bytes = [0; 32];
        random.fill(&mut bytes);
        let (sha1, sha256) = (Sha1::hash(&bytes), Sha256::hash(&bytes));
        Self { name, size, sha1, sha256, payload: None }
    }
}

/// One revision.
#[derive(Debug, Clone)]
pub struct Entry {
    pub index: usize,
    pub kind: Kind,
    pub id: String,
    pub revision: u32,
    /// Bytes that the document should have, as far as what it must say allows.
    pub target: usize,
    pub expired: bool,
    pub kb: Option<u32>,
    pub prerequisites: Vec<Clause>,
    /// Clauses of exact revisions.
    pub bundled: Vec<Vec<(String, u32)>>,
    pub superseded: Vec<String>,
    pub files: Vec<File>,
    pub product: Option<String>,
    pub classification: Option<String>,
}
