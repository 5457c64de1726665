//! Rules that say how an agent tells whether an update is installed.

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
}
