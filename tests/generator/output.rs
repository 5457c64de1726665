//! Writes a catalogue to disk, as a folder or as a package.

use std::{
    collections::HashSet,
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

use super::{Plan, documents::document};

/// A folder that `sync --from` reads: `documents/<two digits>/<id>-r<revision>.xml`, and `files/`
/// with the payloads that can be made. Returns the bytes of all documents.
pub fn folder(plan: &Plan, out: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in plan.entries() {
        let folder = out.join("documents").join(&entry.id[..2]);
        fs::create_dir_all(&folder)?;
        let xml = document(plan, &entry);
        bytes += xml.len() as u64;
        fs::write(folder.join(format!("{}-r{}.xml", entry.id, entry.revision)), xml)?;
    }
    payloads(plan, &out.join("files"))?;
    Ok(bytes)
}

/// The payloads that can be made, by name.
pub fn payloads(plan: &Plan, out: &Path) -> io::Result<()> {
    let files = plan.entries().flat_map(|entry| entry.files);
    for file in files.take_while(|file| file.payload.is_some()) {
        fs::create_dir_all(out)?;
        fs::write(out.join(&file.name), file.bytes().unwrap_or_default())?;
    }
    Ok(())
}

/// `metadata.txt` of a package: records of id, revision, length in UTF-16 units, document.
pub fn metadata(plan: &Plan, out: &mut impl Write) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in plan.entries() {
        let xml = document(plan, &entry);
        let units = xml.encode_utf16().count();
        bytes += xml.len() as u64;
        write!(out, "{},{:08x},{units:08x},{xml}\r\n", entry.id, entry.revision)?;
    }
    Ok(bytes)
}

/// `package.xml` of a package.
pub fn package_xml(plan: &Plan, out: &mut impl Write) -> io::Result<()> {
    out.write_all(b"\xEF\xBB\xBF<?xml version=\"1.0\" encoding=\"utf-8\"?>")?;
    write!(
        out,
        "<ExportPackage ServerID=\"{:032x}\" CreationTime=\"2026-01-01T00:00:00Z\" \
         FormatVersion=\"1.0\" ProtocolVersion=\"1.20\"><Languages><Language Id=\"0\" \
         ShortName=\"all\" LongName=\"all\" Enabled=\"1\" /></Languages><Files>",
        plan.seed
    )?;
    let mut listed = HashSet::new();
    for entry in plan.entries() {
        for file in entry.files.iter().filter(|file| listed.insert(file.sha1)) {
            write!(
                out,
                "<File Digest=\"{}\" MUUrl=\"http://example.invalid/{name}\" Name=\"{name}\" />",
                file.sha1.to_base64(),
                name = file.name
            )?;
        }
    }
    out.write_all(b"</Files><Updates>")?;
    for entry in plan.entries() {
        write!(
            out,
            "<Update UpdateId=\"{}\" RevisionNumber=\"{}\"><Files>",
            entry.id, entry.revision
        )?;
        for file in &entry.files {
            write!(out, "<File Digest=\"{}\" />", file.sha1.to_base64())?;
        }
        out.write_all(b"</Files><Categories>")?;
        if let Some(id) = &entry.product {
            write!(out, "<Category Value=\"{id}\" />")?;
        }
        out.write_all(b"</Categories><Classifications>")?;
        if let Some(id) = &entry.classification {
            write!(out, "<Classification Value=\"{id}\" />")?;
        }
        out.write_all(b"</Classifications></Update>")?;
    }
    out.write_all(b"</Updates></ExportPackage>")
}

/// A package as one cabinet. Real ones are compressed with LZX, which nothing here can write.
#[cfg(feature = "upstream")]
pub fn package(plan: &Plan, out: &Path) -> io::Result<u64> {
    let mut builder = cab::CabinetBuilder::new();
    let folder = builder.add_folder(cab::CompressionType::MsZip);
    folder.add_file("package.xml");
    folder.add_file("metadata.txt");
    let mut cabinet = builder.build(File::create(out)?)?;
    let mut bytes = 0;
    while let Some(mut member) = cabinet.next_file()? {
        let mut buffered = io::BufWriter::with_capacity(1 << 16, &mut member);
        match buffered.get_ref().file_name() {
            "package.xml" => package_xml(plan, &mut buffered)?,
            _ => bytes = metadata(plan, &mut buffered)?,
        }
        buffered.flush()?;
    }
    cabinet.finish()?;
    Ok(bytes)
}
