//! Who is where in the catalogue, and who refers to whom. Prerequisites and bundled updates stand
//! before what names them, as in real packages.

use super::{
    entry::{Clause, Entry, File, Kind},
    random::Random,
    sizes,
};

/// What the catalogue imitates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Everything a mixed site has: products, detectoids, software, drivers.
    General,
    /// What one Windows version brings: few updates with very large component manifests.
    Windows11,
}

/// Classifications have the same ids everywhere.
const CLASSIFICATIONS: [(&str, &str); 8] = [
    ("cd5ffd1e-e932-4e3a-bf74-18bf0b1bbd83", "Updates"),
    ("e6cf1350-c01b-414d-a61f-263d14d133b4", "Critical Updates"),
    ("0fa1201d-4330-4fa8-8ae9-b877473b6441", "Security Updates"),
    ("b54e7d24-7add-428f-8b75-90a396fa584f", "Feature Packs"),
    ("28bc880e-0592-4cbf-8f95-c79b17911d5f", "Update Rollups"),
    ("68c5b0a3-d1a6-4553-ae49-01d3a7827828", "Service Packs"),
    ("b4832bd8-e735-4761-8daf-37f882276dab", "Tools"),
    ("ebfc1fc5-71a4-4f7b-9aca-3b9a503104a0", "Drivers"),
];

/// The updates come in blocks: leaves, then what bundles them.
const BLOCK: usize = 20;
const GENERAL_BLOCK: [Kind; BLOCK] = {
    use Kind::*;
    [
        Leaf,
        Leaf,
        Leaf,
        Leaf,
        Leaf,
        Leaf,
        Leaf,
        Leaf,
        Leaf,
        InnerBundle,
        Bundle,
        Standalone,
        Driver,
        Driver,
        Driver,
        Driver,
        Standalone,
        Msi,
        Standalone,
        Standalone,
    ]
};
const WINDOWS_BLOCK: [Kind; BLOCK] = {
    use Kind::*;
    [
        Leaf,
        Manifest,
        Manifest,
        Leaf,
        Manifest,
        Manifest,
        Leaf,
        Manifest,
        Manifest,
        InnerBundle,
        Bundle,
        Manifest,
        Leaf,
        Manifest,
        Leaf,
        Manifest,
        Leaf,
        Manifest,
        InnerBundle,
        Standalone,
    ]
};
/// The place whose update is also there in a newer revision, and the place of that.
const REVISED: (usize, usize) = (11, 18);
/// In a general block, the place of an update that was withdrawn by its publisher.
const EXPIRED: usize = 19;
/// Blocks whose bundles form one line, each replacing those before it.
const LINES: usize = 12;

const ID: u64 = 1;
const SIZE: u64 = 2;
const RELATION: u64 = 3;
const FILES: u64 = 4;

/// A catalogue of `count` revisions.
#[derive(Debug, Clone)]
pub struct Plan {
    pub profile: Profile,
    pub seed: u64,
    pub count: usize,
    /// So many of the updates with files have files whose bytes can be made.
    pub payloads: usize,
    families: usize,
    products: usize,
    detectoids: usize,
}

impl Plan {
    pub fn new(profile: Profile, seed: u64, count: usize, payloads: usize) -> Self {
        let (families, products, detectoids) = match profile {
            Profile::General => ((count / 2000).max(2), (count / 100).max(4), count * 58 / 100),
            Profile::Windows11 => (2, 8, count * 8 / 100),
        };
        Self { profile, seed, count, payloads, families, products, detectoids }
    }

    /// The catalogue, in order.
    pub fn entries(&self) -> impl Iterator<Item = Entry> + '_ {
        (0..self.count).map(|index| self.entry(index))
    }

    /// The revision at `index`.
    pub fn entry(&self, index: usize) -> Entry {
        let kind = self.kind(index);
        let mut random = Random::new(self.seed, RELATION, index);
        let place = self.place(index);
        let newer = self.is_newer_revision(index);
        let mut entry = Entry {
            index,
            kind,
            id: self.id(index),
            revision: self.revision(index),
            target: self.target(index),
            expired: self.profile == Profile::General
                && place.is_some_and(|(_, place)| place == EXPIRED),
            kb: (kind.is_deployable() && kind != Kind::Driver).then(|| {
                5_000_000 + if newer { index - REVISED.1 + REVISED.0 } else { index } as u32
            }),
            prerequisites: Vec::new(),
            bundled: Vec::new(),
            superseded: Vec::new(),
            files: if kind.has_files() { self.files(index) } else { Vec::new() },
            product: None,
            classification: None,
        };
        match kind {
            Kind::Company | Kind::Classification => {}
            Kind::ProductFamily => entry.prerequisites.push(category(self.id(0))),
            Kind::Product => {
                let family = 1 + index % self.families;
                entry.prerequisites.push(category(self.id(family)));
            }
            Kind::Detectoid => self.detectoid_prerequisites(&mut entry, &mut random),
            _ => self.relate(&mut entry, place, &mut random),
        }
        entry
    }

    /// The title that a category has, whatever the language.
    pub fn name(&self, index: usize) -> Option<&'static str> {
        let first = 1 + self.families;
        let at = index.checked_sub(first)?;
        CLASSIFICATIONS.get(at).map(|(_, name)| *name)
    }

    fn first_product(&self) -> usize {
        1 + self.families + CLASSIFICATIONS.len()
    }

    fn first_detectoid(&self) -> usize {
        self.first_product() + self.products
    }

    fn first_block(&self) -> usize {
        self.first_detectoid() + self.detectoids
    }

    /// Block and place in it.
    fn place(&self, index: usize) -> Option<(usize, usize)> {
        let at = index.checked_sub(self.first_block())?;
        Some((at / BLOCK, at % BLOCK))
    }

    fn at(&self, block: usize, place: usize) -> usize {
        self.first_block() + block * BLOCK + place
    }

    fn kind(&self, index: usize) -> Kind {
        match self.place(index) {
            Some((_, place)) => match self.profile {
                Profile::General => GENERAL_BLOCK[place],
                Profile::Windows11 => WINDOWS_BLOCK[place],
            },
            None if index == 0 => Kind::Company,
            None if index <= self.families => Kind::ProductFamily,
            None if index < self.first_product() => Kind::Classification,
            None if index < self.first_detectoid() => Kind::Product,
            None => Kind::Detectoid,
        }
    }

    fn is_newer_revision(&self, index: usize) -> bool {
        self.profile == Profile::General
            && self.place(index).is_some_and(|(_, place)| place == REVISED.1)
    }

    fn id(&self, index: usize) -> String {
        if self.kind(index) == Kind::Classification {
            return CLASSIFICATIONS[index - 1 - self.families].0.to_owned();
        }
        let owner = match self.place(index) {
            Some((block, _)) if self.is_newer_revision(index) => self.at(block, REVISED.0),
            _ => index,
        };
        Random::new(self.seed, ID, owner).id()
    }

    fn revision(&self, index: usize) -> u32 {
        let first = [100, 101, 200, 1][index % 4];
        match self.place(index) {
            Some((block, _)) if self.is_newer_revision(index) => {
                self.revision(self.at(block, REVISED.0)) + 1
            }
            _ => first,
        }
    }

    /// How large the document at `index` should be.
    pub fn target(&self, index: usize) -> usize {
        let mut random = Random::new(self.seed, SIZE, index);
        if self.kind(index) != Kind::Manifest {
            return match self.profile {
                // Updates with files cannot be as small as half of all documents are.
                Profile::General if self.kind(index) == Kind::Detectoid && random.chance(75) => {
                    850 + random.below(600)
                }
                Profile::General => sizes::draw(sizes::DOCUMENT, &mut random),
                // Here the large ones are the manifests.
                Profile::Windows11 => sizes::draw(sizes::DOCUMENT, &mut random).min(40_000),
            };
        }
        let Some((block, place)) = self.place(index) else { return 0 };
        let per_block = WINDOWS_BLOCK.iter().filter(|kind| **kind == Kind::Manifest).count();
        let before = WINDOWS_BLOCK[..place].iter().filter(|kind| **kind == Kind::Manifest).count();
        let all = self.count.saturating_sub(self.first_block()) / BLOCK * per_block;
        // Smaller catalogues have their share of the very large ones, and the largest always.
        let share = |of: usize| (of * self.count + 5252 / 2) / 5252;
        let giants = share(sizes::GIANTS.len()).clamp(1, sizes::GIANTS.len());
        let large = share(sizes::LARGE.0).min(sizes::LARGE.0);
        let stride = (all / (giants + large)).max(1);
        let ordinal = block * per_block + before;
        match ordinal / stride {
            n if !ordinal.is_multiple_of(stride) || n >= giants + large => {
                sizes::draw(sizes::MANIFEST, &mut random)
            }
            n if n < giants => sizes::GIANTS[n],
            n => sizes::large((n - giants) * sizes::LARGE.0 / large.max(1)),
        }
    }

    /// Detectoids stand on each other: most on one of a few that everything needs, some in chains.
    fn detectoid_prerequisites(&self, entry: &mut Entry, random: &mut Random) {
        let first = self.first_detectoid();
        let own = entry.index - first;
        if own < 4 {
            return;
        }
        let hubs = own.min(16);
        if (own / 16) % 8 == 3 && random.chance(92) {
            entry.prerequisites.push(one(self.id(entry.index - 1)));
            return;
        }
        let count = *random.pick(&[1, 1, 1, 1, 1, 1, 2, 2, 3, 6]);
        for _ in 0..count {
            let from = if random.chance(75) { hubs } else { own };
            entry.prerequisites.push(one(self.id(first + random.below(from))));
        }
        if random.chance(10) {
            let any_of =
                (0..2 + random.below(10)).map(|_| self.id(first + random.below(own))).collect();
            entry.prerequisites.push(Clause { is_category: false, any_of });
        }
    }

    fn relate(&self, entry: &mut Entry, place: Option<(usize, usize)>, random: &mut Random) {
        let Some((block, place)) = place else { return };
        let product = self.id(self.first_product() + block % self.products);
        let classification = match entry.kind {
            Kind::Driver => CLASSIFICATIONS[7].0,
            _ => CLASSIFICATIONS[block % 7].0,
        };
        for _ in 0..1 + random.below(3) {
            if self.detectoids > 0 {
                let detectoid = self.first_detectoid() + random.below(self.detectoids);
                entry.prerequisites.push(one(self.id(detectoid)));
            }
        }
        if random.chance(3) {
            // What the mirror does not hold is normal.
            let any_of = vec![random.id(), random.id()];
            entry.prerequisites.push(Clause { is_category: false, any_of });
        }
        if entry.kind.is_deployable() {
            entry.prerequisites.push(category(product.clone()));
            entry.prerequisites.push(category(classification.to_owned()));
            entry.product = Some(product);
            entry.classification = Some(classification.to_owned());
        }
        match entry.kind {
            Kind::InnerBundle => {
                entry
                    .bundled
                    .push(vec![self.exact(block, place - 1), self.exact(block, place - 2)]);
            }
            Kind::Bundle => {
                let clauses = 1 + random.below(3);
                for clause in 0..clauses {
                    let members = (0..7)
                        .filter(|place| place % clauses == clause)
                        .map(|place| self.exact(block, place));
                    entry.bundled.push(members.collect());
                }
                entry.bundled.push(vec![self.exact(block, 9)]);
                // A line of bundles, each replacing up to ten before it; where the line begins, it
                // replaces updates that were never here.
                for back in 1..=1 + random.below(10) {
                    entry.superseded.push(match block.checked_sub(back * LINES) {
                        Some(older) => self.id(self.at(older, place)),
                        None => random.id(),
                    });
                }
            }
            Kind::Driver | Kind::Standalone if block >= LINES && random.chance(30) => {
                entry.superseded.push(self.id(self.at(block - LINES, place)));
            }
            _ => {}
        }
    }

    fn exact(&self, block: usize, place: usize) -> (String, u32) {
        let index = self.at(block, place);
        (self.id(index), self.revision(index))
    }

    fn files(&self, index: usize) -> Vec<File> {
        let mut random = Random::new(self.seed, FILES, index);
        let count = match self.kind(index) {
            Kind::Msi | Kind::Driver => 1,
            _ => sizes::draw(sizes::FILES, &mut random),
        };
        let real = self.with_files_before(index) < self.payloads;
        (0..count)
            .map(|n| {
                let extension = random.pick(&["cab", "cab", "esd", "msu", "exe", "psf"]);
                let name = format!("generated-{index:06}-{n}.{extension}");
                if real {
                    return File::real(name, &mut random);
                }
                let size = sizes::draw(sizes::FILE, &mut random);
                // The same file is often declared by several updates.
                match random.chance(5) {
                    true => File::imagined(name, 7_000_000, &mut Random::new(self.seed, FILES, 0)),
                    false => File::imagined(name, size, &mut random),
                }
            })
            .collect()
    }

    /// How many updates before this one have files.
    fn with_files_before(&self, index: usize) -> usize {
        let Some((block, place)) = self.place(index) else { return 0 };
        let kinds = match self.profile {
            Profile::General => &GENERAL_BLOCK,
            Profile::Windows11 => &WINDOWS_BLOCK,
        };
        let count = |kinds: &[Kind]| kinds.iter().filter(|kind| kind.has_files()).count();
        block * count(kinds) + count(&kinds[..place])
    }
}

fn one(id: String) -> Clause {
    Clause { is_category: false, any_of: vec![id] }
}

fn category(id: String) -> Clause {
    Clause { is_category: true, any_of: vec![id] }
}
