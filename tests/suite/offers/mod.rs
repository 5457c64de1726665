//! What is approved is offered to an agent, or says why not: express files, languages, and every
//! other reason, from the source over the air gap to the stand-in for an agent.

mod reasons;
mod unneeded;

use std::{collections::BTreeSet, path::Path};

use serde_json::Value;

use crate::support::{
    documents::{file, numbered},
    program::{Program, text},
    two_sides::TwoSides,
};

/// An update document of our own.
struct Document {
    n: u128,
    member: bool,
    properties: String,
    prerequisites: String,
    bundled: String,
    superseded: String,
    files: String,
    eula: &'static str,
}

impl Document {
    /// Update `n`, which every computer lacks.
    fn new(n: u128) -> Self {
        Self {
            n,
            member: false,
            properties: String::new(),
            prerequisites: String::new(),
            bundled: String::new(),
            superseded: String::new(),
            files: String::new(),
            eula: "",
        }
    }

    /// Part of another update, for one language.
    fn member(n: u128, language: &str) -> Self {
        let properties = format!("<Language>{language}</Language>");
        Self { member: true, properties, ..Self::new(n) }
    }

    /// Has a file with these bytes.
    fn file(mut self, name: &str, bytes: &str) -> Self {
        self.files += &file(name, bytes.as_bytes());
        self
    }

    /// Has an express file with these bytes.
    fn express(mut self, name: &str, bytes: &str) -> Self {
        let element = file(name, bytes.as_bytes());
        self.files += &element.replacen("<File ", r#"<File PatchingType="Express" "#, 1);
        self
    }

    /// Consists of one of these.
    fn bundles(mut self, any_of: &[u128]) -> Self {
        let members: String = any_of
            .iter()
            .map(|n| {
                format!(r#"<UpdateIdentity UpdateID="{}" RevisionNumber="1" />"#, numbered(*n))
            })
            .collect();
        self.bundled += &format!("<AtLeastOne>{members}</AtLeastOne>");
        self
    }

    /// Requires one of these.
    fn needs(mut self, any_of: &[u128]) -> Self {
        let names: String = any_of
            .iter()
            .map(|n| format!(r#"<UpdateIdentity UpdateID="{}" />"#, numbered(*n)))
            .collect();
        self.prerequisites += &format!("<AtLeastOne>{names}</AtLeastOne>");
        self
    }

    fn supersedes(mut self, n: u128) -> Self {
        self.superseded += &format!(r#"<UpdateIdentity UpdateID="{}" />"#, numbered(n));
        self
    }

    fn xml(&self) -> String {
        let Self { n, properties, prerequisites, bundled, superseded, files, eula, .. } = self;
        let deployable = if self.member { "" } else { r#" ExplicitlyDeployable="true""# };
        let part = |name: &str, inner: &str| {
            if inner.is_empty() { String::new() } else { format!("<{name}>{inner}</{name}>") }
        };
        let relationships = part("Prerequisites", prerequisites)
            + &part("BundledUpdates", bundled)
            + &part("SupersededUpdates", superseded);
        let relationships = part("Relationships", &relationships);
        let files = part("Files", files);
        format!(
            r#"<Update xmlns="http://schemas.microsoft.com/msus/2002/12/Update" xmlns:lar="http://schemas.microsoft.com/msus/2002/12/LogicalApplicabilityRules"><UpdateIdentity UpdateID="{}" RevisionNumber="1" /><Properties DefaultPropertiesLanguage="en" UpdateType="Software"{deployable}{eula}>{properties}</Properties><LocalizedPropertiesCollection><LocalizedProperties><Language>en</Language><Title>Update {n}</Title></LocalizedProperties></LocalizedPropertiesCollection>{relationships}<ApplicabilityRules><IsInstalled><lar:False /></IsInstalled><IsInstallable><lar:True /></IsInstallable></ApplicabilityRules>{files}</Update>"#,
            numbered(*n)
        )
    }
}

/// Puts documents and payloads into the source.
fn put(sides: &TwoSides, documents: &[Document], payloads: &[&str]) {
    for document in documents {
        sides.put(&format!("{}.xml", document.n), document.xml());
    }
    for (at, payload) in payloads.iter().enumerate() {
        sides.put(&format!("payload-{at}"), payload);
    }
}

/// Exports everything and imports it; gives what the import said.
fn carry(sides: &TwoSides) -> Value {
    sides.import(&sides.export(&[], 0))
}

/// What a fresh computer is offered by a side.
fn offered(side: &Program, root: &Path) -> BTreeSet<String> {
    let server = side.serve(&[]);
    let agent = Program::at(root, "agent");
    let probed = agent.run(&["probe", server.said("/url"), "--install"]);
    let offered = probed["offered"].as_array().unwrap();
    offered.iter().map(|update| text(update, "/id").to_owned()).collect()
}

fn ids(numbers: &[u128]) -> BTreeSet<String> {
    numbers.iter().map(|n| numbered(*n).to_string()).collect()
}

#[test]
fn express_files_are_optional() {
    let sides = TwoSides::new();
    let both = Document::new(1)
        .file("kb1.cab", "self-contained")
        .express("kb1-express.cab", "express cabinet")
        .express("kb1.psf", "patch storage");
    // Nothing but express files: these are what agents need.
    let only = Document::new(2).express("kb2.psf", "nothing else");
    put(&sides, &[both, only], &["self-contained"]);
    sides.sync(&[], 0);
    sides.connected.run(&["approve", "--all", "--group", "All Computers"]);
    assert_eq!(sides.connected.run(&["status"])["missing-files"], 1, "kb2.psf alone");
    let plan = sides.connected.run(&["download", "--plan"]);
    assert_eq!((&plan["express"], &plan["fetch"]), (&2.into(), &1.into()), "{plan:#}");
    carry(&sides);
    assert_eq!(offered(&sides.connected, sides.root()), ids(&[1]));
    assert_eq!(offered(&sides.isolated, sides.root()), ids(&[1]));
    let waiting = &sides.isolated.run(&["status"])["waiting"];
    assert_eq!(waiting["updates"], 1, "{waiting:#}");
    assert_eq!(waiting["reasons"][0]["reason"], "missing-file", "{waiting:#}");
}

#[test]
fn a_bundle_is_offered_where_the_members_of_some_language_are_here() {
    let sides = TwoSides::new();
    let documents = [
        Document::new(10).bundles(&[11, 12, 13]),
        Document::member(11, "en").file("en.cab", "english"),
        Document::member(12, "de").file("de.cab", "deutsch"),
        Document::member(13, "fr").file("fr.cab", "francais"),
        // Nothing of it is here: it waits.
        Document::new(20).bundles(&[21, 22]),
        Document::member(21, "de").file("de2.cab", "deutsch zwei"),
        Document::member(22, "fr").file("fr2.cab", "francais deux"),
        // A neutral member is missing beside an English one that is here.
        Document::new(30).bundles(&[31]).bundles(&[32]),
        Document::member(31, "en").file("en3.cab", "english three"),
        Document { member: true, ..Document::new(32).file("neutral.cab", "neutral") },
    ];
    put(&sides, &documents, &["english", "english three"]);
    sides.sync(&[], 0);
    sides.connected.run(&["approve", "--all", "--group", "All Computers"]);
    assert_eq!(sides.connected.run(&["status"])["missing-files"], 5);
    sides.sync(&["--languages", "en"], 0);
    assert_eq!(sides.connected.run(&["status"])["missing-files"], 1, "neutral.cab alone");
    let plan = sides.connected.run(&["download", "--plan"]);
    assert_eq!((&plan["not-carried"], &plan["fetch"]), (&4.into(), &1.into()), "{plan:#}");
    carry(&sides);
    for side in [&sides.connected, &sides.isolated] {
        assert_eq!(offered(side, sides.root()), ids(&[10]));
        let waiting = side.run(&["updates", &numbered(20).to_string()])["waiting"].clone();
        assert_eq!(waiting[0]["reason"], "language", "{waiting:#}");
        assert_eq!(waiting[0]["languages"], serde_json::json!(["de", "fr"]));
        let waiting = side.run(&["updates", &numbered(30).to_string()])["waiting"].clone();
        assert_eq!(waiting[0]["files"], serde_json::json!(["neutral.cab"]));
    }
    // All languages again, and the German files come: the member is offered with the others.
    sides.put("more", "deutsch zwei");
    sides.sync(&["--languages", "all"], 0);
    carry(&sides);
    assert_eq!(offered(&sides.isolated, sides.root()), ids(&[10, 20]));
}
