//! What sites have acknowledged: for each site its key, which the first receipt pins, and its receipts as
//! they came.
//!
//! `receipts/<site>/key` holds the fingerprint of the key that counts; `receipts/<site>/<fingerprint>/<n>.json`
//! the receipt with entry `n` as the last one of the site's journal.

use std::{
    fs,
    io::{ErrorKind, Read as _},
    path::{Path, PathBuf},
};

use bundle_format::receipt::{RECEIPT_BYTES, Receipt};
use jiff::Timestamp;
use serde::Serialize;

use crate::{
    catalog::Catalog,
    data_dir::DataDir,
    durable,
    file_error::Doing as _,
    transfer::{
        error::TransferError,
        store::{side::require_connected, trust},
    },
};

type Result<T> = std::result::Result<T, TransferError>;

/// The beginning of the names of temporary files.
const TEMPORARY: &str = ".tmp";

/// A snapshot that a site has said to serve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct AcknowledgedSnapshot {
    /// Its number.
    pub snapshot: u64,
    /// When the site said so, by its clock.
    pub created: Timestamp,
}

/// How the key of a site was compared.
#[derive(Debug, Clone, Default)]
pub struct KeyCheck {
    /// The fingerprint that the site has told, as words or hexadecimal.
    pub fingerprint: Option<String>,
    /// A person has compared the fingerprint of [`inspect_receipt`] with what the site tells.
    pub compared: bool,
    /// The key takes the place of the one that was pinned: the site was set up anew. Only with its
    /// fingerprint.
    pub replaces: bool,
}

/// What became of a receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ReceiptAdded {
    /// Whether it was not here before.
    pub new: bool,
    /// Whether its key was pinned with it.
    pub key_pinned: bool,
    /// What the site has acknowledged now.
    pub acknowledged: AcknowledgedSnapshot,
    /// What a person should know.
    pub warnings: Vec<String>,
}

/// Reads a receipt, and whether its key is the one of the site; records nothing.
///
/// # Errors
/// When it cannot be read or its signature does not hold.
pub fn inspect_receipt(data: &DataDir, path: &Path) -> Result<(Receipt, bool)> {
    require_connected(data)?;
    let (receipt, _) = read(path)?;
    let is_pinned = pinned_key(data, &receipt.site)? == Some(key_name(&receipt));
    Ok((receipt, is_pinned))
}

/// Records a receipt. The first one of a site pins its key, when it was compared.
///
/// # Errors
/// When it is of another mirror, of a site or a snapshot that is not known here, names another snapshot
/// than was sealed, is signed with another key than the pinned one, or contradicts earlier ones; or when
/// the disk fails.
pub fn add_receipt(data: &DataDir, path: &Path, check: &KeyCheck) -> Result<ReceiptAdded> {
    let mirror = require_connected(data)?;
    let (receipt, bytes) = read(path)?;
    let _lock = trust::lock(data)?;
    let catalog = Catalog::open_to_look(&data.catalog())?;
    if receipt.mirror_id != mirror {
        return Err(unfit(format!(
            "this receipt is of a site that follows another mirror ({}) than this one ({mirror})",
            receipt.mirror_id
        )));
    }
    let sites = catalog.sites()?;
    if !sites.contains(&receipt.site) {
        return Err(unfit(format!(
            "this receipt is of the site {}, for which nothing was ever packed here (sites: {})",
            receipt.site,
            sites.join(", ")
        )));
    }
    check_snapshot(&catalog, &receipt)?;
    let key_pinned = check_key(data, &receipt, check)?;
    let folder = data.receipts().join(&receipt.site).join(key_name(&receipt));
    for folder in [&folder, &data.receipts().join(&receipt.site)] {
        if folder.exists() {
            durable::sweep(folder, TEMPORARY).doing("clear", folder)?;
        }
    }
    let before = newest_in(&folder)?;
    let file = folder.join(format!("{}.json", receipt.journal_number));
    let new = match fs::read(&file) {
        Ok(earlier) if earlier == bytes => false,
        Ok(_) => check_same_journal(&file, &receipt)?,
        Err(e) if e.kind() == ErrorKind::NotFound => true,
        Err(e) => Err(e).doing("read the receipt", &file)?,
    };
    if new {
        durable::write(&file, &bytes).doing("keep the receipt as", &file)?;
    }
    if key_pinned {
        let pin = data.receipts().join(&receipt.site).join("key");
        durable::write(&pin, key_name(&receipt).as_bytes()).doing("pin the key in", &pin)?;
    }
    let newest = newest_in(&folder)?.unwrap_or_else(|| receipt.clone());
    let warnings = before.iter().flat_map(|before| oddities(before, &receipt)).collect();
    Ok(ReceiptAdded { new, key_pinned, acknowledged: acknowledged_by(&newest), warnings })
}

/// The snapshot that a site has acknowledged last.
///
/// # Errors
/// When the receipts of the site cannot be read.
pub fn acknowledged(data: &DataDir, site: &str) -> Result<Option<AcknowledgedSnapshot>> {
    let Some(key) = pinned_key(data, site)? else { return Ok(None) };
    let newest = newest_in(&data.receipts().join(site).join(key))?;
    Ok(newest.as_ref().map(acknowledged_by))
}

/// The number of the snapshot that a site has acknowledged last.
pub(super) fn require_acknowledged(data: &DataDir, site: &str) -> Result<u64> {
    let found = acknowledged(data, site)?.map(|found| found.snapshot);
    found.ok_or_else(|| {
        unfit(format!(
            "the site {site} has acknowledged no snapshot yet: run `tidegate receipt --out FILE` there and `tidegate receipt add FILE` here; or leave --since out"
        ))
    })
}

fn acknowledged_by(receipt: &Receipt) -> AcknowledgedSnapshot {
    AcknowledgedSnapshot { snapshot: receipt.snapshot, created: receipt.created }
}

fn read(path: &Path) -> Result<(Receipt, Vec<u8>)> {
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(RECEIPT_BYTES + 1).read_to_end(&mut bytes))
        .doing("read the receipt", path)?;
    let receipt = Receipt::read(&bytes)
        .map_err(|source| TransferError::refused_by(path.display().to_string(), source))?;
    Ok((receipt, bytes))
}

/// The snapshot must be one that was sealed here, with the same content.
fn check_snapshot(catalog: &Catalog, receipt: &Receipt) -> Result<()> {
    let number = receipt.snapshot;
    match catalog.snapshots()?.iter().find(|row| row.number == number) {
        None => Err(unfit(format!(
            "the site {} says to serve snapshot {number}, which was not sealed here: was this side brought back from a backup?",
            receipt.site
        ))),
        Some(row) if row.index_sha256 != receipt.index_sha256 => {
            Err(TransferError::refused(format!(
                "the site {} says to serve another snapshot {number} than was sealed here: two mirrors seal under one id, or one was brought back from a backup. Find out which before anything else is carried",
                receipt.site
            )))
        }
        Some(_) => Ok(()),
    }
}

/// Whether the key is to be pinned. Nobody's key is taken for that of a site unless somebody compared it.
fn check_key(data: &DataDir, receipt: &Receipt, check: &KeyCheck) -> Result<bool> {
    let found = receipt.fingerprint();
    let matches = check.fingerprint.as_ref().map(|expected| found.matches(expected));
    if matches == Some(false) {
        return Err(TransferError::refused(format!(
            "the fingerprint does not match: that of the receipt's key is {found}. Ask the site again, over another way than the receipt came"
        )));
    }
    match pinned_key(data, &receipt.site)? {
        Some(pinned) if pinned == key_name(receipt) => Ok(false),
        Some(_) if check.replaces && matches == Some(true) => Ok(true),
        Some(pinned) => Err(TransferError::refused(format!(
            "this receipt is signed with another key ({found}) than those of the site {} before (SHA-256 {pinned}): somebody else has made it, or the site was set up anew. If it was, ask it by voice, and add this receipt with --replaces-key --fingerprint WORDS",
            receipt.site
        ))),
        None if check.compared || matches == Some(true) => Ok(true),
        None => Err(unfit(format!(
            "this is the first receipt of the site {}: compare the fingerprint of its key with what the site tells, {found}",
            receipt.site
        ))),
    }
}

/// A second receipt with the same last entry of the journal: fine, if the entry is the same.
fn check_same_journal(file: &Path, receipt: &Receipt) -> Result<bool> {
    let (earlier, _) = read(file)?;
    if earlier.journal_sha256 == receipt.journal_sha256 {
        return Ok(earlier.created < receipt.created);
    }
    Err(TransferError::refused(format!(
        "the journal of the site {} was changed: its entry {} is another one than in the receipt of {}",
        receipt.site, receipt.journal_number, earlier.created
    )))
}

/// What does not fit the newest receipt before.
fn oddities(before: &Receipt, receipt: &Receipt) -> Option<String> {
    if receipt.journal_number < before.journal_number {
        return (receipt.created >= before.created).then(|| {
            format!(
                "the journal of the site {} has fewer entries ({}) than in the receipt of {} ({}): the site was brought back from a backup, or entries were taken out",
                receipt.site, receipt.journal_number, before.created, before.journal_number
            )
        });
    }
    (receipt.snapshot < before.snapshot).then(|| {
        format!(
            "the site {} serves snapshot {} now, after snapshot {}: that is only so after a site or its keys were replaced",
            receipt.site, receipt.snapshot, before.snapshot
        )
    })
}

fn key_name(receipt: &Receipt) -> String {
    receipt.fingerprint().0.to_string()
}

/// The name of the key that was pinned for a site.
fn pinned_key(data: &DataDir, site: &str) -> Result<Option<String>> {
    let path = data.receipts().join(site).join("key");
    match fs::read_to_string(&path) {
        Ok(name) => Ok(Some(name.trim().to_owned())),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e).doing("read the pinned key", &path)?,
    }
}

/// The receipt with the most entries of the site's journal, if there is one.
fn newest_in(folder: &Path) -> Result<Option<Receipt>> {
    let entries = match fs::read_dir(folder) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        entries => entries.doing("list", folder)?,
    };
    let mut newest: Option<(u64, PathBuf)> = None;
    for entry in entries {
        let path = entry.doing("list", folder)?.path();
        let number = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".json"));
        let number = number.and_then(|number| number.parse().ok());
        if let Some(number) = number.filter(|n| newest.as_ref().is_none_or(|(most, _)| n > most)) {
            newest = Some((number, path));
        }
    }
    newest.map(|(_, path)| Ok(read(&path)?.0)).transpose()
}

fn unfit(what: String) -> TransferError {
    TransferError::Unfit { what }
}
