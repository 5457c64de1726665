//! Sample update documents and payloads that we wrote: what the demo synchronizes when it is not
//! given a source of its own.
//!
//! They are compiled in, so that the demo runs from anywhere. Identities of company, product family,
//! product and classifications are the field's well-known ones; their revisions are below those of
//! the real documents, so that real ones always win.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// (File name, bytes), documents first.
const FILES: &[(&str, &[u8])] = &[
    ("01-company-microsoft.xml", include_bytes!("01-company-microsoft.xml")),
    ("02-family-windows.xml", include_bytes!("02-family-windows.xml")),
    ("03-product-windows-11.xml", include_bytes!("03-product-windows-11.xml")),
    (
        "04-classification-security-updates.xml",
        include_bytes!("04-classification-security-updates.xml"),
    ),
    ("05-classification-updates.xml", include_bytes!("05-classification-updates.xml")),
    ("06-detectoid-x64.xml", include_bytes!("06-detectoid-x64.xml")),
    (
        "07-detectoid-windows-10-or-later.xml",
        include_bytes!("07-detectoid-windows-10-or-later.xml"),
    ),
    ("08-detectoid-windows-11.xml", include_bytes!("08-detectoid-windows-11.xml")),
    ("09-part-core.xml", include_bytes!("09-part-core.xml")),
    ("10-part-shell.xml", include_bytes!("10-part-shell.xml")),
    ("11-security-update.xml", include_bytes!("11-security-update.xml")),
    ("12-clock-update-revision-100.xml", include_bytes!("12-clock-update-revision-100.xml")),
    ("13-clock-update-revision-101.xml", include_bytes!("13-clock-update-revision-101.xml")),
    ("14-font-update.xml", include_bytes!("14-font-update.xml")),
    ("install-clock.cmd", include_bytes!("payloads/install-clock.cmd")),
    ("install-core.cmd", include_bytes!("payloads/install-core.cmd")),
    ("install-fonts.cmd", include_bytes!("payloads/install-fonts.cmd")),
    ("install-shell.cmd", include_bytes!("payloads/install-shell.cmd")),
];

/// Writes all samples into a new folder and returns it.
pub(super) fn write(folder: &Path) -> std::io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    for (name, bytes) in FILES {
        fs::write(folder.join(name), bytes)?;
    }
    Ok(folder.to_owned())
}
