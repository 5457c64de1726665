//! Rules that say how an agent tells whether an update is installed.

use std::str::FromStr;

use uuid::Uuid;

use super::xml::Xml;

/// How an agent tells whether an update is installed.
///
/// The condition describes the computer *after* the installation:
///
/// | rule | installed when | may be installed when not yet, and |
/// |---|---|---|
/// | `always` | never: it is offered at every scan | always |
/// | `registry:HKLM\KEY` | the key exists | always |
/// | `registry:HKLM\KEY!VALUE` | the value exists | always |
/// | `registry:HKLM\KEY!VALUE OP DATA` | the value compares so | always |
/// | `file:PATH` | the file exists | always |
/// | `file:PATH >= VERSION` | the file has that version or a newer one | the file exists, older |
/// | `msi:{GUID}` | the product is installed | always |
/// | `msi:{GUID} >= VERSION` | it is, in that version or a newer one | the product is installed |
///
/// `OP` is one of `=`, `<`, `<=`, `>`, `>=`, with spaces around it. `DATA` is a number (`5`, `0x1f`:
/// a REG_DWORD), a version (`1.2.3`: a REG_SZ compared as a version), or a text in double quotes (a
/// REG_SZ, only with `=`). `registry32:` looks into the registry of 32-bit programs. A `PATH` may
/// begin with a drive or with `%ProgramFiles%`, `%ProgramFiles(x86)%`, `%CommonProgramFiles%`,
/// `%ProgramData%`, `%SystemRoot%` or `%windir%`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AppliesIf {
    /// It cannot tell.
    Always,
    /// By the registry.
    Registry {
        /// Below `HKEY_LOCAL_MACHINE`.
        subkey: String,
        /// The registry of 32-bit programs.
        wow: bool,
        /// The value and what it must be.
        value: Option<(String, Option<(Comparison, RegistryData)>)>,
    },
    /// By a file.
    File {
        /// The known folder that the path begins in.
        folder: Option<KnownFolder>,
        /// The path, below the folder if there is one.
        path: String,
        /// Its least version, four numbers.
        version: Option<String>,
    },
    /// By an installed product of Windows Installer.
    Msi {
        /// Product code.
        product: Uuid,
        /// Its least version.
        version: Option<String>,
    },
}

/// How a value compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Comparison {
    EqualTo,
    LessThan,
    LessThanOrEqualTo,
    GreaterThan,
    GreaterThanOrEqualTo,
}

/// What a registry value is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegistryData {
    /// A REG_DWORD.
    Number(u32),
    /// A REG_SZ.
    Text(String),
    /// A REG_SZ that holds a version.
    Version(String),
}

/// Folders that have a number of their own (CSIDL).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
#[repr(u8)]
pub enum KnownFolder {
    ProgramData = 35,
    Windows = 36,
    System = 37,
    ProgramFiles = 38,
    ProgramFilesX86 = 42,
    CommonProgramFiles = 43,
}

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

impl Comparison {
    fn name(self) -> &'static str {
        match self {
            Self::EqualTo => "EqualTo",
            Self::LessThan => "LessThan",
            Self::LessThanOrEqualTo => "LessThanOrEqualTo",
            Self::GreaterThan => "GreaterThan",
            Self::GreaterThanOrEqualTo => "GreaterThanOrEqualTo",
        }
    }
}

impl AppliesIf {
    /// Writes the content of `IsInstalled`.
    pub(super) fn installed(&self, xml: &mut Xml) {
        match self {
            Self::Always => {
                xml.empty("lar:False", &[]);
            }
            Self::Registry { subkey, wow, value } => {
                registry_rule(xml, subkey, *wow, value.as_ref())
            }
            Self::File { folder, path, version: None } => {
                file_rule(xml, "bar:FileExists", *folder, path, None);
            }
            Self::File { folder, path, version: Some(version) } => {
                let least = Some((Comparison::GreaterThanOrEqualTo, version.as_str()));
                file_rule(xml, "bar:FileVersion", *folder, path, least);
            }
            Self::Msi { product, version } => msi_rule(xml, *product, version.as_deref()),
        }
    }

    /// Writes the content of `IsInstallable`, which matters only where it is not installed.
    pub(super) fn installable(&self, xml: &mut Xml) {
        match self {
            Self::File { folder, path, version: Some(version) } => {
                let older = Some((Comparison::LessThan, version.as_str()));
                file_rule(xml, "bar:FileVersion", *folder, path, older);
            }
            Self::Msi { product, version: Some(_) } => msi_rule(xml, *product, None),
            _ => {
                xml.empty("lar:True", &[]);
            }
        }
    }
}

type Value = (String, Option<(Comparison, RegistryData)>);

fn registry_rule(xml: &mut Xml, subkey: &str, wow: bool, value: Option<&Value>) {
    let mut attributes = vec![("Key", "HKEY_LOCAL_MACHINE"), ("Subkey", subkey)];
    let number;
    let rule = match value {
        None => "bar:RegKeyExists",
        Some((name, None)) => {
            attributes.push(("Value", name));
            "bar:RegValueExists"
        }
        Some((name, Some((comparison, data)))) => {
            attributes.extend([("Value", name.as_str()), ("Comparison", comparison.name())]);
            let (rule, data) = match data {
                RegistryData::Number(n) => {
                    number = n.to_string();
                    ("bar:RegDword", &number)
                }
                RegistryData::Text(text) => ("bar:RegSz", text),
                RegistryData::Version(version) => ("bar:RegSzToVersion", version),
            };
            attributes.push(("Data", data));
            rule
        }
    };
    if wow {
        attributes.push(("RegType32", "true"));
    }
    xml.empty(rule, &attributes);
}

fn file_rule(
    xml: &mut Xml,
    rule: &str,
    folder: Option<KnownFolder>,
    path: &str,
    version: Option<(Comparison, &str)>,
) {
    let mut attributes = vec![("Path", path)];
    if let Some((comparison, version)) = version {
        attributes.extend([("Comparison", comparison.name()), ("Version", version)]);
    }
    let csidl = folder.map(|folder| (folder as u8).to_string());
    if let Some(csidl) = &csidl {
        attributes.push(("Csidl", csidl));
    }
    xml.empty(rule, &attributes);
}

fn msi_rule(xml: &mut Xml, product: Uuid, version: Option<&str>) {
    let code = product_code(product);
    let mut attributes = vec![("ProductCode", code.as_str())];
    if let Some(version) = version {
        attributes.push(("VersionMin", version));
    }
    xml.empty("mar:MsiProductInstalled", &attributes);
}

/// As Windows Installer writes it.
pub(super) fn product_code(product: Uuid) -> String {
    product.braced().encode_upper(&mut Uuid::encode_buffer()).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(rule: &str) -> [String; 2] {
        let rule: AppliesIf = rule.parse().unwrap();
        let (mut installed, mut installable) = (Xml::default(), Xml::default());
        rule.installed(&mut installed);
        rule.installable(&mut installable);
        [installed.finish(), installable.finish()]
    }

    #[test]
    fn rules_become_what_agents_evaluate() {
        let key = "Key=\"HKEY_LOCAL_MACHINE\" Subkey=\"SOFTWARE\\Contoso &amp; Co\"";
        let cases: &[(&str, String, &str)] = &[
            ("always", "<lar:False />".into(), "<lar:True />"),
            (r"registry:HKLM\SOFTWARE\Contoso & Co", format!("<bar:RegKeyExists {key} />"), "<lar:True />"),
            (
                r"Registry32:hkey_local_machine\SOFTWARE\Contoso & Co\!A b",
                format!("<bar:RegValueExists {key} Value=\"A b\" RegType32=\"true\" />"),
                "<lar:True />",
            ),
            (
                r"registry:HKLM\SOFTWARE\Contoso & Co!Build >= 0x10",
                format!("<bar:RegDword {key} Value=\"Build\" Comparison=\"GreaterThanOrEqualTo\" Data=\"16\" />"),
                "<lar:True />",
            ),
            (
                r#"registry:HKLM\SOFTWARE\Contoso & Co!Name = "a < b""#,
                format!("<bar:RegSz {key} Value=\"Name\" Comparison=\"EqualTo\" Data=\"a &lt; b\" />"),
                "<lar:True />",
            ),
            (
                r"registry:HKLM\SOFTWARE\Contoso & Co!Version >= 2.1",
                format!("<bar:RegSzToVersion {key} Value=\"Version\" Comparison=\"GreaterThanOrEqualTo\" Data=\"2.1.0.0\" />"),
                "<lar:True />",
            ),
            (
                r"file:D:\Tools\a.exe",
                r#"<bar:FileExists Path="D:\Tools\a.exe" />"#.into(),
                "<lar:True />",
            ),
            (
                r"file:C:\program files\Contoso\a.exe >= 1.2",
                r#"<bar:FileVersion Path="Contoso\a.exe" Comparison="GreaterThanOrEqualTo" Version="1.2.0.0" Csidl="38" />"#.into(),
                r#"<bar:FileVersion Path="Contoso\a.exe" Comparison="LessThan" Version="1.2.0.0" Csidl="38" />"#,
            ),
            (
                "msi:{0a1b2c3d-0000-4000-8000-0123456789ab}",
                r#"<mar:MsiProductInstalled ProductCode="{0A1B2C3D-0000-4000-8000-0123456789AB}" />"#.into(),
                "<lar:True />",
            ),
            (
                "msi:0a1b2c3d-0000-4000-8000-0123456789ab >= 3.0.1",
                r#"<mar:MsiProductInstalled ProductCode="{0A1B2C3D-0000-4000-8000-0123456789AB}" VersionMin="3.0.1.0" />"#.into(),
                r#"<mar:MsiProductInstalled ProductCode="{0A1B2C3D-0000-4000-8000-0123456789AB}" />"#,
            ),
        ];
        for (rule, installed, installable) in cases {
            assert_eq!(&rules(rule), &[installed.clone(), (*installable).to_owned()], "{rule}");
        }
    }

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
