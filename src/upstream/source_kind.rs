//! What a file is that people give us as a source, and what to give instead of it.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
};

use quick_xml::{NsReader, events::Event, name::ResolveResult};

use super::encoding::begin_as_text;
use crate::cabinet::{self, Cabinet};

const UPDATE_NAMESPACE: &str = "http://schemas.microsoft.com/msus/2002/12/Update";

/// The root element of a document stands within so many bytes.
const SNIFF: u64 = 64 * 1024;

/// So many members of a cabinet are looked at.
const MEMBERS: usize = 1000;

/// Kinds of files that people have beside those that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SourceKind {
    /// What `wsusutil export NAME.cab` wrote.
    WsusutilPackage,
    /// `package.xml` of such a package, unpacked.
    PackageList,
    /// `wsusscn2.cab`.
    ScanCatalogue,
    /// A catalogue of a vendor.
    VendorCatalogue,
    /// A package of such a catalogue.
    VendorPackage,
    /// A cabinet of something else.
    OtherCabinet,
    /// Packed by gzip.
    Gzip,
}

impl SourceKind {
    /// Looks at a file; `None` if it is nothing that is known here.
    pub(super) fn of(path: &Path) -> io::Result<Option<Self>> {
        let start = begin(path, SNIFF)?;
        if start.starts_with(cabinet::MAGIC) {
            return Ok(kind_of_cabinet(path));
        }
        if start.starts_with(&[0x1f, 0x8b]) {
            return Ok(Some(Self::Gzip));
        }
        Ok(root_of(&start).and_then(|(_, name)| kind_of_root(&name)))
    }

    /// What it is, and what to do instead: the end of a sentence about the file.
    pub(super) fn advice(self) -> &'static str {
        match self {
            Self::WsusutilPackage => {
                "is a package of `wsusutil export`: give it by itself (`tidegate sync --from FILE`)"
            }
            Self::PackageList => {
                "is the list out of a package of `wsusutil export`: give the package itself, the .cab, as it was exported"
            }
            Self::ScanCatalogue => {
                "is Microsoft's catalogue for offline scans (wsusscn2.cab): it tells agents what they lack, and does not hold the update documents that a server needs. Synchronize from `microsoft-update` or a WSUS instead, or run `wsusutil export PACKAGE.cab LOGFILE` on a WSUS and give that package"
            }
            Self::VendorCatalogue => {
                "is a vendor's catalogue for Configuration Manager or System Center Updates Publisher, which a WSUS has to make into updates first: publish from it into a WSUS and synchronize from that one, or publish the vendor's installer here (`tidegate publish FILE`)"
            }
            Self::VendorPackage => {
                "is a package of a vendor's catalogue (.sdp), which a WSUS has to make into an update first: publish it into a WSUS and synchronize from that one, or publish the vendor's installer here (`tidegate publish FILE`)"
            }
            Self::OtherCabinet => {
                "is a cabinet, but no package of `wsusutil export`: it holds neither package.xml nor metadata.txt. Give that package, or put update documents and payloads into a folder and give the folder"
            }
            Self::Gzip => {
                "is compressed with gzip; of packages only the cabinet form is read: run `wsusutil export PACKAGE.cab LOGFILE` on the WSUS"
            }
        }
    }
}

/// Whether a file begins as XML whose root is an update document. It may still be malformed.
pub(super) fn is_document(path: &Path) -> io::Result<bool> {
    // Payloads are large and many: most of them show in a few bytes what they are not.
    let start = begin(path, 512)?;
    let Some(text) = begin_as_text(&start) else { return Ok(false) };
    if !text.trim_start().starts_with('<') {
        return Ok(false);
    }
    let root = root_of(&begin(path, SNIFF)?);
    Ok(root.is_some_and(|(namespace, name)| namespace == UPDATE_NAMESPACE && name == "Update"))
}

fn begin(path: &Path, bytes: u64) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    File::open(path)?.take(bytes).read_to_end(&mut start)?;
    Ok(start)
}

/// The namespace and the local name of the root element.
fn root_of(start: &[u8]) -> Option<(String, String)> {
    let text = begin_as_text(start)?;
    let mut reader = NsReader::from_str(&text);
    loop {
        match reader.read_resolved_event() {
            Ok((namespace, Event::Start(root) | Event::Empty(root))) => {
                let namespace = match namespace {
                    ResolveResult::Bound(namespace) => namespace.as_ref().to_owned(),
                    _ => String::new(),
                };
                return Some((namespace, root.local_name().as_ref().to_owned()));
            }
            Ok((_, Event::Eof)) | Err(_) => return None,
            Ok(_) => {}
        }
    }
}

fn kind_of_root(name: &str) -> Option<SourceKind> {
    match name {
        "SystemsManagementCatalog" => Some(SourceKind::VendorCatalogue),
        "SoftwareDistributionPackage" => Some(SourceKind::VendorPackage),
        "ExportPackage" => Some(SourceKind::PackageList),
        "OfflineSyncPackage" => Some(SourceKind::ScanCatalogue),
        _ => None,
    }
}

/// `None` if it is damaged: what it was meant to be is not known then.
fn kind_of_cabinet(path: &Path) -> Option<SourceKind> {
    let mut cabinet = Cabinet::open(BufReader::new(File::open(path).ok()?)).ok()?;
    let names: Vec<String> =
        cabinet.members().take(MEMBERS).map(|member| member.name.to_ascii_lowercase()).collect();
    let has = |name: &str| names.iter().any(|one| one == name);
    if has("package.xml") || has("metadata.txt") {
        let list = cabinet.member("package.xml").ok().and_then(root_of_member);
        return Some(match list.as_deref().and_then(kind_of_root) {
            Some(SourceKind::ScanCatalogue) => SourceKind::ScanCatalogue,
            _ => SourceKind::WsusutilPackage,
        });
    }
    if has("package.cab") {
        return Some(SourceKind::ScanCatalogue);
    }
    if names.iter().any(|name| name.ends_with(".sdp")) {
        return Some(SourceKind::VendorCatalogue);
    }
    for name in names.iter().filter(|name| name.ends_with(".xml")).take(3) {
        let root = cabinet.member(name).ok().and_then(root_of_member);
        if let Some(SourceKind::VendorCatalogue | SourceKind::VendorPackage) =
            root.as_deref().and_then(kind_of_root)
        {
            return Some(SourceKind::VendorCatalogue);
        }
    }
    Some(SourceKind::OtherCabinet)
}

fn root_of_member(member: impl Read) -> Option<String> {
    let mut start = Vec::new();
    // What cannot be unpacked to the end may still show its beginning.
    let _ = member.take(SNIFF).read_to_end(&mut start);
    root_of(&start).map(|(_, name)| name)
}
