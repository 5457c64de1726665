//! Evaluating applicability rules against a simulated machine.
//!
//! What is simple is evaluated really; a rule that this program does not know is false, unless the
//! profile says otherwise, and is counted, so that a report can tell how much of it to believe.

pub(super) mod machine;
mod values;

use std::collections::BTreeMap;

pub(crate) use machine::Machine;
use values::{Comparison, compare_text, version};

use super::tree::Element;

/// Deepest nesting of rules.
const MAX_DEPTH: u32 = 64;

/// What the three rule sets of an update say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// `IsInstalled`; `None` when the update has none.
    pub(crate) installed: Option<bool>,
    /// `IsInstallable`; `None` when the update has none.
    pub(crate) installable: Option<bool>,
    /// `IsSuperseded`.
    pub(crate) superseded: bool,
}

/// Evaluates rules and counts those it does not know.
#[derive(Debug)]
pub(crate) struct Evaluator<'a> {
    machine: &'a Machine,
    /// Names of rules that could not be evaluated, and how often.
    pub(crate) unknown: BTreeMap<String, u64>,
}

impl<'a> Evaluator<'a> {
    /// Evaluates on `machine`.
    pub(crate) fn new(machine: &'a Machine) -> Self {
        Self { machine, unknown: BTreeMap::new() }
    }

    /// Evaluates `ApplicabilityRules`.
    pub(crate) fn verdict(&mut self, rules: &Element) -> Verdict {
        let metadata = rules.child("Metadata");
        let mut evaluate = |name| {
            let set = rules.child(name)?;
            Some(set.children.iter().all(|rule| self.holds(rule, metadata, 0)))
        };
        Verdict {
            installed: evaluate("IsInstalled"),
            installable: evaluate("IsInstallable"),
            superseded: evaluate("IsSuperseded").unwrap_or(false),
        }
    }

    fn holds(&mut self, rule: &Element, metadata: Option<&Element>, depth: u32) -> bool {
        if depth > MAX_DEPTH {
            return false;
        }
        let mut inner = rule.children.iter();
        match rule.name.as_str() {
            "True" => true,
            "False" => false,
            "And" => inner.all(|rule| self.holds(rule, metadata, depth + 1)),
            "Or" => inner.any(|rule| self.holds(rule, metadata, depth + 1)),
            "Not" => !inner.all(|rule| self.holds(rule, metadata, depth + 1)),
            name => match self.evaluate(rule, metadata) {
                Some(holds) => holds,
                None => {
                    *self.unknown.entry(name.to_owned()).or_default() += 1;
                    false
                }
            },
        }
    }

    /// Evaluates a rule that is not a connective; `None` when this program cannot.
    fn evaluate(&self, rule: &Element, metadata: Option<&Element>) -> Option<bool> {
        let profile = &self.machine.profile;
        if let Some(&answer) = profile.rules.get(&rule.name) {
            return Some(answer);
        }
        let name = rule.name.strip_prefix("b.").or_else(|| rule.name.strip_prefix("m."));
        match name.unwrap_or(&rule.name) {
            "WindowsVersion" => self.windows_version(rule),
            "Processor" => self.processor(rule),
            // 2 is Windows NT.
            "Platform" => Some(rule.attribute("PlatformID")? == "2"),
            "NumberOfProcessors" => number(rule, "Number", i128::from(profile.processors)),
            "Memory" => {
                let least: u64 = rule.attribute("MinSizeInMB")?.parse().ok()?;
                Some(profile.memory_mib >= least)
            }
            "SystemMetric" => {
                let index = rule.attribute("Index")?.parse().ok()?;
                let value = profile.system_metrics.get(&index).copied().unwrap_or(0);
                number(rule, "Value", i128::from(value))
            }
            "WindowsLanguage" | "MuiLanguageInstalled" => {
                let language = rule.attribute("Language")?.to_ascii_lowercase();
                let own = profile.locale.to_ascii_lowercase();
                Some(language == own || language == profile.language().to_ascii_lowercase())
            }
            "MuiInstalled" | "ClusteredOS" => Some(false),
            registry if registry.starts_with("Reg") => self.registry(registry, rule),
            file if file.starts_with("File") => self.file(file, rule),
            "MsiProductInstalled" => self.msi_product(rule),
            msi if msi.starts_with("MsiApplication") || msi.starts_with("MsiPatch") => {
                self.msi_metadata(msi, metadata?)
            }
            "CbsPackageInstalledByIdentity" => {
                let wanted = rule.attribute("PackageIdentity")?;
                Some(profile.packages.iter().any(|held| held.eq_ignore_ascii_case(wanted)))
            }
            _ => None,
        }
    }

    /// The `Reg…` rules.
    fn registry(&self, name: &str, rule: &Element) -> Option<bool> {
        match name {
            "RegKeyExists" => Some(self.machine.key_exists(rule)),
            "RegValueExists" => Some(self.machine.value(rule).is_some_and(|value| {
                rule.attribute("Type").is_none_or(|kind| value.has_type(kind))
            })),
            "RegDword" => match self.machine.value(rule).and_then(|value| value.number()) {
                Some(value) => number(rule, "Data", i128::from(value)),
                None => Some(false),
            },
            "RegSz" | "RegExpandSz" => {
                let data = rule.attribute("Data")?;
                let comparison = rule.attribute("Comparison")?;
                match self.machine.value(rule).and_then(|value| value.text()) {
                    Some(value) => compare_text(comparison, value, data),
                    None => Some(false),
                }
            }
            "RegSzToVersion" => {
                let wanted = version(rule.attribute("Data")?)?;
                let comparison = Comparison::from_rule(rule)?;
                let value = self.machine.value(rule).and_then(|value| value.text());
                Some(value.and_then(version).is_some_and(|v| comparison.fits(v.cmp(&wanted))))
            }
            _ => None,
        }
    }

    /// Like `VerifyVersionInfo`: the parts that are given, compared from the first to the last.
    fn windows_version(&self, rule: &Element) -> Option<bool> {
        let profile = &self.machine.profile;
        let os = profile.os;
        let parts = [
            ("MajorVersion", os.major),
            ("MinorVersion", os.minor),
            ("BuildNumber", os.build),
            ("ServicePackMajor", os.service_pack_major),
            ("ServicePackMinor", os.service_pack_minor),
        ];
        let mut order = std::cmp::Ordering::Equal;
        let mut given = false;
        for (name, own) in parts {
            if let Some(wanted) = rule.attribute(name) {
                given = true;
                order = order.then(own.cmp(&wanted.parse().ok()?));
            }
        }
        let version_fits = !given || Comparison::from_rule(rule)?.fits(order);
        let type_fits = match rule.attribute("ProductType") {
            Some(wanted) => wanted.parse::<u8>().ok()? == profile.product_type,
            None => true,
        };
        let suites_fit = match rule.attribute("SuiteMask") {
            Some(mask) => {
                let mask: u16 = mask.parse().ok()?;
                if rule.attribute("AllSuitesMustBePresent") == Some("true") {
                    profile.suite_mask & mask == mask
                } else {
                    profile.suite_mask & mask != 0
                }
            }
            None => true,
        };
        Some(version_fits && type_fits && suites_fit)
    }

    fn processor(&self, rule: &Element) -> Option<bool> {
        let own = match self.machine.profile.architecture.to_ascii_lowercase().as_str() {
            "x86" => 0,
            "arm" => 5,
            "arm64" => 12,
            _ => 9,
        };
        Some(rule.attribute("Architecture")?.parse::<u32>().ok()? == own)
    }

    /// The `File…` rules, with the path in the rule or after a folder from the registry.
    fn file(&self, name: &str, rule: &Element) -> Option<bool> {
        let (name, path) = match name.strip_suffix("PrependRegSz") {
            Some(name) => {
                let Some(folder) = self.machine.value(rule).and_then(|value| value.text()) else {
                    return Some(false);
                };
                (name, format!("{folder}\\{}", rule.attribute("Path")?))
            }
            None => (name, self.machine.path(rule)?),
        };
        let Some(file) = self.machine.file(&path) else { return Some(false) };
        let time = |own: Option<jiff::Timestamp>, wanted: &str| {
            let wanted = super::judge::parse_instant(rule.attribute(wanted)?)?;
            let comparison = Comparison::from_rule(rule)?;
            Some(own.is_some_and(|own| comparison.fits(own.cmp(&wanted))))
        };
        match name {
            "FileExists" => Some(match (rule.attribute("Version"), rule.attribute("Size")) {
                (Some(wanted), _) if version(&file.version) != version(wanted) => false,
                (_, Some(wanted)) if wanted.parse() != Ok(file.size) => false,
                _ => true,
            }),
            "FileVersion" => {
                let wanted = version(rule.attribute("Version")?)?;
                let comparison = Comparison::from_rule(rule)?;
                Some(version(&file.version).is_some_and(|own| comparison.fits(own.cmp(&wanted))))
            }
            "FileSize" => number(rule, "Size", i128::from(file.size)),
            "FileModified" => time(file.modified, "Modified"),
            "FileCreated" => time(file.created, "Created"),
            _ => None,
        }
    }

    fn msi_product(&self, rule: &Element) -> Option<bool> {
        let code = values::guid(rule.attribute("ProductCode")?)?;
        let Some(own) = self.machine.profile.msi_products.get(&code) else { return Some(false) };
        let own = version(own)?;
        let excluded = |name| rule.attribute(name) == Some("true");
        let least = match rule.attribute("VersionMin").map(version) {
            Some(least) if excluded("ExcludeVersionMin") => own > least?,
            Some(least) => own >= least?,
            None => true,
        };
        let most = match rule.attribute("VersionMax").map(version) {
            Some(most) if excluded("ExcludeVersionMax") => own < most?,
            Some(most) => own <= most?,
            None => true,
        };
        Some(least && most)
    }

    /// Rules that Windows Installer answers from the metadata of the update.
    fn msi_metadata(&self, name: &str, metadata: &Element) -> Option<bool> {
        let profile = &self.machine.profile;
        let mut codes = Vec::new();
        match name {
            "MsiApplicationInstalled" | "MsiApplicationInstallable" => {
                let code = metadata
                    .descendant("ProductCode")
                    .or_else(|| metadata.descendant("m.ProductCode"));
                let installed = profile.msi_products.contains_key(&values::guid(&code?.text)?);
                Some(installed == (name == "MsiApplicationInstalled"))
            }
            "MsiPatchInstalled" | "MsiPatchInstallable" => {
                let patch = metadata.descendant("MsiPatch")?;
                let code = values::guid(patch.attribute("PatchGUID")?)?;
                let installed = profile.msi_patches.contains(&code);
                if name == "MsiPatchInstalled" {
                    return Some(installed);
                }
                patch.descendants("TargetProductCode", &mut codes);
                let target = codes
                    .iter()
                    .filter_map(|code| values::guid(&code.text))
                    .any(|code| profile.msi_products.contains_key(&code));
                Some(target && !installed)
            }
            "MsiApplicationSuperseded" | "MsiPatchSuperseded" => Some(false),
            _ => None,
        }
    }
}

/// Compares a number of the machine with the one in attribute `name`.
fn number(rule: &Element, name: &str, own: i128) -> Option<bool> {
    let wanted: i128 = rule.attribute(name)?.parse().ok()?;
    Some(Comparison::from_rule(rule)?.fits(own.cmp(&wanted)))
}

#[cfg(test)]
mod tests;
