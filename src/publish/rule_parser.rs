//! Reading the rules that say how an agent tells whether an update is installed.

use std::str::FromStr;

use uuid::Uuid;

use super::applies_if::{AppliesIf, Comparison, KnownFolder, RegistryData};

/// Ways to write them; the longer beginnings first.
const FOLDERS: &[(&str, KnownFolder)] = &[
    ("%ProgramFiles(x86)%\\", KnownFolder::ProgramFilesX86),
    ("C:\\Program Files (x86)\\", KnownFolder::ProgramFilesX86),
    ("%CommonProgramFiles%\\", KnownFolder::CommonProgramFiles),
    ("%ProgramFiles%\\", KnownFolder::ProgramFiles),
    ("C:\\Program Files\\", KnownFolder::ProgramFiles),
    ("%ProgramData%\\", KnownFolder::ProgramData),
    ("C:\\ProgramData\\", KnownFolder::ProgramData),
    ("%SystemRoot%\\System32\\", KnownFolder::System),
    ("%windir%\\System32\\", KnownFolder::System),
    ("C:\\Windows\\System32\\", KnownFolder::System),
    ("%SystemRoot%\\", KnownFolder::Windows),
    ("%windir%\\", KnownFolder::Windows),
    ("C:\\Windows\\", KnownFolder::Windows),
];

/// A rule that is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the rule {rule:?} is not understood: {what}. Rules are: always; registry:HKLM\\KEY; registry:HKLM\\KEY!VALUE; registry:HKLM\\KEY!VALUE >= DATA; file:PATH; file:PATH >= VERSION; msi:{{GUID}}; msi:{{GUID}} >= VERSION"
)]
pub struct BadRule {
    rule: String,
    what: String,
}

impl FromStr for AppliesIf {
    type Err = BadRule;

    fn from_str(rule: &str) -> Result<Self, BadRule> {
        parse(rule.trim()).map_err(|what| BadRule { rule: rule.to_owned(), what })
    }
}

fn parse(rule: &str) -> Result<AppliesIf, String> {
    if rule.chars().any(|c| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}')) {
        return Err("it holds a control character".to_owned());
    }
    if rule.eq_ignore_ascii_case("always") {
        return Ok(AppliesIf::Always);
    }
    let (kind, rest) = rule.split_once(':').ok_or("it does not say what to look at")?;
    let (subject, comparison) = split_comparison(rest.trim())?;
    match kind.to_ascii_lowercase().as_str() {
        "registry" => registry(subject, comparison, false),
        "registry32" => registry(subject, comparison, true),
        "file" => file(subject, comparison),
        "msi" => {
            let product =
                Uuid::try_parse(subject).map_err(|_| format!("{subject:?} is no product code"))?;
            let version = least_version(comparison)?;
            Ok(AppliesIf::Msi { product, version })
        }
        other => Err(format!("{other:?} is nothing that can be looked at")),
    }
}

/// An operator and what stands after it.
type ComparedValue<'a> = Option<(Comparison, &'a str)>;

/// Splits at the first operator that has spaces around it.
fn split_comparison(text: &str) -> Result<(&str, ComparedValue<'_>), String> {
    const OPERATORS: [(&str, Comparison); 5] = [
        (" >= ", Comparison::GreaterThanOrEqualTo),
        (" <= ", Comparison::LessThanOrEqualTo),
        (" = ", Comparison::EqualTo),
        (" > ", Comparison::GreaterThan),
        (" < ", Comparison::LessThan),
    ];
    let first = OPERATORS
        .iter()
        .filter_map(|(operator, comparison)| Some((text.find(operator)?, operator, *comparison)))
        .min_by_key(|(at, ..)| *at);
    let Some((at, operator, comparison)) = first else {
        if text.contains(['<', '>']) {
            return Err("an operator needs spaces around it".to_owned());
        }
        return Ok((text, None));
    };
    let (subject, data) = text.split_at(at);
    let data = data.strip_prefix(operator).unwrap_or_default().trim();
    Ok((subject.trim(), Some((comparison, data))))
}

fn registry(subject: &str, comparison: ComparedValue<'_>, wow: bool) -> Result<AppliesIf, String> {
    let (key, value) = match subject.rsplit_once('!') {
        Some((key, value)) => (key, Some(value)),
        None => (subject, None),
    };
    let (root, subkey) = key.split_once('\\').ok_or("the key has no path")?;
    if !["HKLM", "HKEY_LOCAL_MACHINE"].iter().any(|known| root.eq_ignore_ascii_case(known)) {
        return Err(format!("agents look only into HKLM, not into {root:?}"));
    }
    let subkey = subkey.trim_matches('\\').to_owned();
    if subkey.is_empty() {
        return Err("the key has no path".to_owned());
    }
    let value = match (value, comparison) {
        (None, Some(_)) => return Err("only a value can be compared: KEY!VALUE".to_owned()),
        (None, None) => None,
        (Some(""), _) => return Err("the value has no name".to_owned()),
        (Some(name), None) => Some((name.to_owned(), None)),
        (Some(name), Some((comparison, text))) => {
            let data = data(text)?;
            if matches!(data, RegistryData::Text(_)) && comparison != Comparison::EqualTo {
                return Err("a text can only be compared with =".to_owned());
            }
            Some((name.to_owned(), Some((comparison, data))))
        }
    };
    Ok(AppliesIf::Registry { subkey, wow, value })
}

fn data(text: &str) -> Result<RegistryData, String> {
    if let Some(text) = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        return Ok(RegistryData::Text(text.to_owned()));
    }
    let number = match text.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok(),
        None => None,
    };
    if let Some(number) = number {
        return Ok(RegistryData::Number(number));
    }
    if text.contains('.') {
        return version(text).map(RegistryData::Version);
    }
    Err(format!("{text:?} is no number, no version, and no text in double quotes"))
}

fn file(subject: &str, comparison: ComparedValue<'_>) -> Result<AppliesIf, String> {
    let version = least_version(comparison)?;
    let known = FOLDERS.iter().find_map(|(start, folder)| {
        let head = subject.get(..start.len())?;
        head.eq_ignore_ascii_case(start).then_some((*folder, subject.get(start.len()..)?))
    });
    let (folder, path) = match known {
        Some((folder, path)) => (Some(folder), path),
        None => (None, subject),
    };
    let absolute = path.get(1..3) == Some(":\\")
        && path.bytes().next().is_some_and(|b| b.is_ascii_alphabetic());
    if folder.is_none() && !absolute {
        return Err(
            "the path must begin with a drive or a known folder such as %ProgramFiles%".into()
        );
    }
    let rest = if folder.is_some() { path } else { path.get(3..).unwrap_or_default() };
    if rest.is_empty() || rest.ends_with('\\') || rest.contains(['/', ':', '*', '?', '"', '|', '%'])
    {
        return Err(format!("{subject:?} is no path of a file"));
    }
    Ok(AppliesIf::File { folder, path: path.to_owned(), version })
}

fn least_version(comparison: ComparedValue<'_>) -> Result<Option<String>, String> {
    match comparison {
        None => Ok(None),
        Some((Comparison::GreaterThanOrEqualTo, text)) => version(text).map(Some),
        Some(_) => Err("a version can only be compared with >= here".to_owned()),
    }
}

/// Up to four numbers, filled up to four.
fn version(text: &str) -> Result<String, String> {
    let bad = || format!("{text:?} is no version such as 1.2.3.4");
    let mut parts: Vec<u32> = Vec::new();
    for part in text.split('.') {
        let plain = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        parts.push(part.parse().ok().filter(|_| plain).ok_or_else(bad)?);
    }
    if parts.len() > 4 {
        return Err(bad());
    }
    parts.resize(4, 0);
    Ok(parts.iter().map(u32::to_string).collect::<Vec<_>>().join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_understood_is_said() {
        for (rule, what) in [
            ("", "what to look at"),
            ("never", "what to look at"),
            ("service:spooler", "nothing that can be looked at"),
            (r"registry:HKCU\Software\A", "only into HKLM"),
            ("registry:HKLM", "no path"),
            (r"registry:HKLM\A = 5", "only a value"),
            (r"registry:HKLM\A!", "no name"),
            (r"registry:HKLM\A!B = five", "no number"),
            (r#"registry:HKLM\A!B > "five""#, "only be compared with ="),
            (r"registry:HKLM\A!B>=5", "spaces around"),
            ("file:a.exe", "begin with a drive"),
            (r"file:%Temp%\a.exe", "begin with a drive"),
            (r"file:C:\Windows\", "no path of a file"),
            (r"file:C:\a?.exe", "no path of a file"),
            (r"file:C:\a.exe = 1.0", "only be compared with >="),
            (r"file:C:\a.exe >= 1.x", "no version"),
            (r"file:C:\a.exe >= 1.2.3.4.5", "no version"),
            ("msi:{123}", "no product code"),
            ("file:C:\\a\u{0}.exe", "control character"),
        ] {
            let error = rule.parse::<AppliesIf>().unwrap_err().to_string();
            assert!(error.contains(what), "{rule}: {error}");
            assert!(error.contains("file:PATH >= VERSION"), "{error}");
        }
    }
}
