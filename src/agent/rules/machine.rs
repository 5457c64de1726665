//! The simulated machine, made ready for look-ups that ignore case.

use std::collections::HashMap;

use crate::agent::{
    profile::{Profile, RegistryValue, SimulatedFile},
    tree::Element,
};

/// A profile with its registry and files indexed by lower-case path.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) profile: Profile,
    /// Every key, parents of listed ones included, with its values.
    keys: HashMap<String, HashMap<String, RegistryValue>>,
    files: HashMap<String, SimulatedFile>,
}

impl Machine {
    /// The machine of a profile.
    pub(crate) fn new(profile: Profile) -> Self {
        let mut keys: HashMap<String, HashMap<String, RegistryValue>> = HashMap::new();
        for (path, values) in &profile.registry {
            let path = normal(path);
            for (end, _) in path.match_indices('\\') {
                keys.entry(path.get(..end).unwrap_or_default().to_owned()).or_default();
            }
            keys.entry(path)
                .or_default()
                .extend(values.iter().map(|(name, value)| (name.to_lowercase(), value.clone())));
        }
        let files = profile.files.iter().map(|(path, file)| (normal(path), file.clone())).collect();
        Self { profile, keys, files }
    }

    /// `Key` and `Subkey` of a rule name a key that is there.
    pub(crate) fn key_exists(&self, rule: &Element) -> bool {
        self.keys.contains_key(&key_path(rule))
    }

    /// The value that `Key`, `Subkey` and `Value` of a rule name.
    pub(crate) fn value(&self, rule: &Element) -> Option<&RegistryValue> {
        let name = rule.attribute("Value").unwrap_or_default().to_lowercase();
        self.keys.get(&key_path(rule))?.get(&name)
    }

    /// The file at a path.
    pub(crate) fn file(&self, path: &str) -> Option<&SimulatedFile> {
        self.files.get(&normal(path))
    }

    /// `Path` of a rule, below the folder that its `Csidl` names. `None` for a folder that this
    /// program does not know.
    pub(crate) fn path(&self, rule: &Element) -> Option<String> {
        let path = rule.attribute("Path")?;
        let Some(csidl) = rule.attribute("Csidl") else { return Some(path.to_owned()) };
        let folder = match csidl.parse::<u32>().ok()? {
            0x23 => r"C:\ProgramData",
            0x24 => r"C:\Windows",
            0x25 => r"C:\Windows\System32",
            0x26 => r"C:\Program Files",
            0x29 => r"C:\Windows\SysWOW64",
            0x2a => r"C:\Program Files (x86)",
            0x2b => r"C:\Program Files\Common Files",
            0x2c => r"C:\Program Files (x86)\Common Files",
            _ => return None,
        };
        Some(format!("{folder}\\{path}"))
    }
}

impl RegistryValue {
    /// The value is of a registry type, as rules name it.
    pub(crate) fn has_type(&self, kind: &str) -> bool {
        match self {
            Self::Dword(_) => kind == "REG_DWORD",
            Self::Text(_) => matches!(kind, "REG_SZ" | "REG_EXPAND_SZ"),
            Self::List(_) => kind == "REG_MULTI_SZ",
        }
    }

    pub(crate) fn number(&self) -> Option<u32> {
        match self {
            Self::Dword(value) => Some(*value),
            _ => None,
        }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(value) => Some(value),
            _ => None,
        }
    }
}

/// Lower case, one kind of separator, none doubled or at the end.
fn normal(path: &str) -> String {
    let parts: Vec<&str> = path.split(['\\', '/']).filter(|part| !part.is_empty()).collect();
    parts.join("\\").to_lowercase()
}

/// Hive and key of a rule, in the 32-bit view when the rule asks for that.
fn key_path(rule: &Element) -> String {
    let hive = rule.attribute("Key").unwrap_or_default();
    let key = normal(rule.attribute("Subkey").unwrap_or_default());
    let narrow = rule.attribute("RegType32").is_some_and(|flag| flag == "true" || flag == "1");
    match key.strip_prefix("software\\") {
        Some(rest) if narrow => normal(&format!("{hive}\\software\\wow6432node\\{rest}")),
        _ => normal(&format!("{hive}\\{key}")),
    }
}
