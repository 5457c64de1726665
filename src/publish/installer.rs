//! What kind of installer a file is, and what it says about itself.

use std::{
    fs::{self, File},
    io::{BufReader, Read},
    panic::catch_unwind,
};

use quick_xml::{NsReader, events::Event, name::ResolveResult};
use uuid::Uuid;

use super::{
    applies_if::AppliesIf,
    authenticode::{COMPOUND, Signature, read_start, signature},
    error::PublishError,
    request::PublishRequest,
};
use crate::{
    cabinet::{self, Cabinet, CabinetError},
    file_error::{Doing as _, FileError},
};

/// Bytes of a servicing package's manifest (decompression bomb).
const MANIFEST_BYTES: u64 = 64 * 1024 * 1024;

/// How agents install it, and how they tell that it is installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Installer {
    /// A program and its arguments.
    CommandLine { program: String, arguments: String, rule: AppliesIf },
    /// A package of Windows Installer; without a rule its own product code decides.
    Msi { product: Uuid, rule: Option<AppliesIf> },
    /// A servicing package with its manifest, the root element as it stands there.
    Servicing { manifest: String },
}

/// Looks into the file. The second part warns of what agents may stumble over.
pub(super) fn inspect(request: &PublishRequest) -> Result<(Installer, Vec<String>), PublishError> {
    let path = &request.file;
    let mut start = [0; 8];
    // Before it is opened: opening a pipe waits for its writer.
    if !fs::metadata(path).doing("read", path)?.is_file() {
        return Err(PublishError::invalid(format!("{} is not a file", request.file.display())));
    }
    let mut file = File::open(path).doing("read", path)?;
    let read = read_start(&mut file, &mut start).doing("read", path)?;
    let start = start.get(..read).unwrap_or_default();
    let name = request.file_name()?.to_owned();
    let extension =
        name.rsplit_once('.').map_or("", |(_, extension)| extension).to_ascii_lowercase();
    let mut warnings = Vec::new();
    let installer = match extension.as_str() {
        "exe" => program(request, &name, start, &mut warnings),
        "msu" => update_package(request, &name, start, &mut warnings),
        "cab" => archive(request, &mut warnings)?,
        "msi" => windows_installer(request, &name, start)?,
        "msp" => {
            return Err(PublishError::invalid(
                "patches (.msp) cannot be published yet: publish the full .msi, or a program that applies the patch",
            ));
        }
        _ => {
            return Err(PublishError::invalid(format!(
                "{name} cannot be published: only .exe, .msi, .cab and .msu can"
            )));
        }
    };
    match signature(path).doing("read", path)? {
        Signature::Present => {}
        Signature::Absent | Signature::NoContainer => warnings.push(format!(
            "{name} carries no Authenticode signature: agents install only what is signed by a publisher they trust"
        )),
    }
    Ok((installer, warnings))
}

/// A program that installs.
fn program(
    request: &PublishRequest,
    name: &str,
    start: &[u8],
    warnings: &mut Vec<String>,
) -> Installer {
    if !start.starts_with(b"MZ") {
        warnings.push(format!("{name} is no Windows program: agents will fail to start it"));
    }
    let arguments = request.command_line.clone().unwrap_or_else(|| {
        warnings.push(
            "no command line is given: an installer that asks questions will hang, give its switch for a silent installation".to_owned(),
        );
        String::new()
    });
    Installer::CommandLine { program: name.to_owned(), arguments, rule: rule(request, warnings) }
}

/// A Windows update package, which `wusa.exe` installs.
fn update_package(
    request: &PublishRequest,
    name: &str,
    start: &[u8],
    warnings: &mut Vec<String>,
) -> Installer {
    if start.get(..4) != Some(cabinet::MAGIC) {
        warnings
            .push(format!("{name} is no Windows update package: agents will fail to install it"));
    }
    let switches = request.command_line.as_deref().unwrap_or("/quiet /norestart");
    let arguments = format!("\"{name}\" {switches}");
    let program = "wusa.exe".to_owned();
    Installer::CommandLine { program, arguments, rule: rule(request, warnings) }
}

/// A package of Windows Installer.
fn windows_installer(
    request: &PublishRequest,
    name: &str,
    start: &[u8],
) -> Result<Installer, PublishError> {
    let product = match (&request.applies_if, start == COMPOUND) {
        (Some(AppliesIf::Msi { product, .. }), _) => *product,
        (_, true) => product_code(request).ok_or_else(|| {
            PublishError::invalid(format!(
                "{name} does not say its product code: give it with --applies-if msi:{{PRODUCT-CODE}}"
            ))
        })?,
        (_, false) => {
            return Err(PublishError::invalid(format!("{name} is no Windows Installer package")));
        }
    };
    Ok(Installer::Msi { product, rule: request.applies_if.clone() })
}

/// The rule for what says nothing about itself.
fn rule(request: &PublishRequest, warnings: &mut Vec<String>) -> AppliesIf {
    let rule = request.applies_if.clone().unwrap_or(AppliesIf::Always);
    if rule == AppliesIf::Always {
        warnings.push(
            "agents cannot tell whether it is installed and will install it again at every scan: give a rule with --applies-if".to_owned(),
        );
    }
    rule
}

/// A cabinet: a servicing package, or a box with a program in it.
fn archive(
    request: &PublishRequest,
    warnings: &mut Vec<String>,
) -> Result<Installer, PublishError> {
    let name = request.file_name()?;
    let path = &request.file;
    let failed = |e| match e {
        CabinetError::Io(source) => FileError { doing: "read", path: path.clone(), source }.into(),
        other => PublishError::invalid(format!("{name} is no usable cabinet: {other}")),
    };
    let file = BufReader::new(File::open(path).doing("read", path)?);
    let mut cabinet = Cabinet::open(file).map_err(failed)?;
    if let Some(command_line) = &request.command_line {
        let (program, arguments) = split_program(command_line)?;
        if !cabinet.members().any(|member| member.name.eq_ignore_ascii_case(&program)) {
            let all: Vec<_> = cabinet.members().map(|member| member.name).take(10).collect();
            return Err(PublishError::invalid(format!(
                "{name} holds no {program:?}: the command line must begin with a program in it ({})",
                all.join(", ")
            )));
        }
        return Ok(Installer::CommandLine { program, arguments, rule: rule(request, warnings) });
    }
    let manifest = match cabinet.member("update.mum") {
        Ok(member) => member,
        Err(CabinetError::NoMember(_)) => {
            return Err(PublishError::invalid(format!(
                "{name} is no servicing package (it holds no update.mum): say with --command-line \"PROGRAM ARGUMENTS\" which program in it installs it"
            )));
        }
        Err(e) => return Err(failed(e)),
    };
    if request.applies_if.is_some() {
        return Err(PublishError::invalid(
            "a servicing package brings its own rules: leave --applies-if away",
        ));
    }
    let mut text = String::new();
    manifest
        .take(MANIFEST_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(|e| failed(CabinetError::from_read(e)))?;
    if text.len() as u64 > MANIFEST_BYTES {
        return Err(PublishError::invalid(format!("update.mum in {name} is too large")));
    }
    let manifest = assembly(text.trim_start_matches('\u{feff}')).ok_or_else(|| {
        PublishError::invalid(format!("update.mum in {name} is no well-formed package manifest"))
    })?;
    Ok(Installer::Servicing { manifest })
}

/// The root element of a package manifest as it stands there, if it is well-formed. It must carry
/// its namespace itself, because it is put into another document.
fn assembly(text: &str) -> Option<String> {
    let mut reader = NsReader::from_str(text);
    let (mut start, mut depth) = (None, 0u32);
    loop {
        let before = usize::try_from(reader.buffer_position()).ok()?;
        let empty = match reader.read_resolved_event().ok()? {
            (_, Event::Eof | Event::DocType(_)) => return None,
            (namespace, ref event @ (Event::Start(ref tag) | Event::Empty(ref tag))) => {
                if start.is_none() {
                    let known = matches!(namespace,
                        ResolveResult::Bound(ns) if ns.as_ref().starts_with("urn:schemas-microsoft-com:asm."));
                    if !known || tag.local_name().as_ref() != "assembly" {
                        return None;
                    }
                    start = Some(before);
                }
                let empty = matches!(event, Event::Empty(_));
                depth += u32::from(!empty);
                empty
            }
            (_, Event::End(_)) => {
                depth = depth.checked_sub(1)?;
                true
            }
            _ => false,
        };
        if empty && depth == 0 {
            let end = usize::try_from(reader.buffer_position()).ok()?;
            return text.get(start?..end).map(str::to_owned);
        }
    }
}

/// `"a program" rest` or `program rest`.
fn split_program(command_line: &str) -> Result<(String, String), PublishError> {
    let (program, rest) = match command_line.strip_prefix('"') {
        Some(quoted) => quoted
            .split_once('"')
            .ok_or_else(|| PublishError::invalid("a quote in the command line is not closed"))?,
        None => command_line.split_once(' ').unwrap_or((command_line, "")),
    };
    Ok((program.to_owned(), rest.trim().to_owned()))
}

/// `ProductCode` of the package's property table. The reader may stumble over a hostile package;
/// then there is none.
fn product_code(request: &PublishRequest) -> Option<Uuid> {
    catch_unwind(|| {
        let mut package = msi::Package::open(File::open(&request.file).ok()?).ok()?;
        let rows = package.select_rows(msi::Select::table("Property")).ok()?;
        rows.into_iter().find_map(|row| {
            let is_code = row.len() == 2 && row[0].as_str() == Some("ProductCode");
            is_code.then(|| Uuid::try_parse(row[1].as_str()?).ok()).flatten()
        })
    })
    .ok()
    .flatten()
}
