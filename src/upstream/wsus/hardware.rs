//! For which hardware drivers are wanted: a list that an administrator gathers.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    file_error::{Doing as _, FileError},
    upstream::encoding::as_text,
};

/// Bytes of a list.
const MOST: u64 = 16 * 1024 * 1024;
/// Bytes of a hardware id, as the specification bounds them. [MS-WUSP] 3.1.1.1
const LONGEST: usize = 200;

/// Hardware ids of devices and of computers, sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hardware {
    /// Such as `pci\ven_8086&dev_1502`, in lower case.
    pub devices: Vec<String>,
    /// Computer hardware ids: GUIDs made from what the BIOS says.
    pub computers: Vec<Uuid>,
}

/// Why a list of hardware cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HardwareError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A line is no hardware id.
    #[error(
        "line {line} of {path} is no hardware id: {what}. Write one id in each line: PCI\\VEN_8086&DEV_1502 for a device, a GUID for a computer"
    )]
    Line {
        /// The file.
        path: std::path::PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What is wrong.
        what: &'static str,
    },
}

impl Hardware {
    /// Reads a file with one id in each line: hardware ids of devices, and GUIDs of computers, in
    /// braces or not. Empty lines, and those that begin with `#`, say nothing.
    ///
    /// # Errors
    /// When the file cannot be read, or a line is no id.
    pub fn read(path: &Path) -> Result<Self, HardwareError> {
        let mut bytes = Vec::new();
        let doing = "read the hardware ids in";
        File::open(path)
            .and_then(|file| file.take(MOST).read_to_end(&mut bytes))
            .doing(doing, path)?;
        let text = as_text(&bytes)
            .map_err(|what| io::Error::new(io::ErrorKind::InvalidData, what))
            .doing(doing, path)?;
        Self::parse(&text).map_err(|(line, what)| HardwareError::Line {
            path: path.to_owned(),
            line,
            what,
        })
    }

    fn parse(text: &str) -> Result<Self, (usize, &'static str)> {
        let mut found = Self::default();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Ok(computer) = Uuid::try_parse(line) {
                found.computers.push(computer);
                continue;
            }
            if line.len() > LONGEST {
                return Err((number, "it has more than 200 characters"));
            }
            // Every bus writes BUS\ID; `*PNP0A03` is the old form.
            if !line.contains('\\') && !line.starts_with('*') {
                return Err((number, "it has neither a backslash nor a star"));
            }
            if line.chars().any(|c| c.is_control() || c.is_whitespace() && c != ' ') {
                return Err((number, "there are control characters in it"));
            }
            found.devices.push(line.to_lowercase());
        }
        found.devices.sort_unstable();
        found.devices.dedup();
        found.computers.sort_unstable();
        found.computers.dedup();
        Ok(found)
    }

    /// Nothing is wanted.
    pub fn is_empty(&self) -> bool {
        self.devices.is_empty() && self.computers.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_holds_devices_and_computers_in_any_form() {
        let text = "# from the fleet\r\n\r\nPCI\\VEN_8086&DEV_1502\r\n*PNP0A03\n\
                    {A5D2E1F0-0000-4000-8000-000000000001}\n pci\\ven_8086&dev_1502 \n";
        let found = Hardware::parse(text).unwrap();
        assert_eq!(found.devices, ["*pnp0a03", "pci\\ven_8086&dev_1502"]);
        assert_eq!(found.computers.len(), 1);
        assert!(Hardware::parse("\n# nothing\n").unwrap().is_empty());
    }

    #[test]
    fn what_is_no_id_is_named_by_its_line() {
        assert_eq!(Hardware::parse("PCI\\A\nLaptop").unwrap_err().0, 2);
        assert_eq!(Hardware::parse(&format!("PCI\\{}", "A".repeat(200))).unwrap_err().0, 1);
        assert!(Hardware::parse("PCI\\A\tB").is_err());
    }
}
