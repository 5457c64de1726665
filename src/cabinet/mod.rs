//! Microsoft cabinets (MSCF), read strictly. [MS-CAB]
//!
//! Every length in a cabinet is compared with the others and with the length of the file before
//! anything is unpacked: what was cut short, lost a byte or grew one is refused as a whole. The
//! unpacking itself is the `cab` crate's, whose panics on hostile blocks become errors here.
//!
//! Pure: reads from whatever the caller hands in.

mod error;
mod layout;
#[cfg(test)]
mod tests;

pub use error::CabinetError;
pub use layout::MAGIC;

use std::{
    io::{self, Read, Seek, SeekFrom},
    panic::{AssertUnwindSafe, catch_unwind},
};

/// A member as the cabinet lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberInfo {
    /// Its name, as written.
    pub name: String,
    /// Its size when unpacked, in bytes. Never more than 4 GiB, by the format.
    pub size: u64,
}

/// A cabinet whose structure has been checked.
pub struct Cabinet<R> {
    inner: cab::Cabinet<R>,
    signed: bool,
}

impl<R: Read + Seek> Cabinet<R> {
    /// Checks the structure of the cabinet that `reader` holds from its start to its end.
    ///
    /// # Errors
    /// When it cannot be read, is no cabinet, or its lengths contradict each other.
    pub fn open(mut reader: R) -> Result<Self, CabinetError> {
        let layout = layout::check(&mut reader)?;
        reader.seek(SeekFrom::Start(0)).map_err(CabinetError::Io)?;
        let inner = guarded(|| cab::Cabinet::new(reader)).map_err(CabinetError::from_read)?;
        Ok(Self { inner, signed: layout.signature_bytes > 0 })
    }

    /// Whether a signature block is attached. Says nothing about whose, or whether it is valid.
    pub fn carries_signature(&self) -> bool {
        self.signed
    }

    /// All members, in the order of the cabinet.
    pub fn members(&self) -> impl Iterator<Item = MemberInfo> + '_ {
        self.inner.folder_entries().flat_map(|folder| {
            folder.file_entries().map(|file| MemberInfo {
                name: file.name().to_owned(),
                size: u64::from(file.uncompressed_size()),
            })
        })
    }

    /// A reader of one member's bytes, found by its name in any letter case. It ends early only
    /// with an error.
    ///
    /// # Errors
    /// When there is no such member, or its beginning cannot be unpacked.
    pub fn member(&mut self, name: &str) -> Result<Member<'_, R>, CabinetError> {
        let Some(info) = self.members().find(|info| info.name.eq_ignore_ascii_case(name)) else {
            return Err(CabinetError::NoMember(name.to_owned()));
        };
        let inner = &mut self.inner;
        let reader =
            guarded(move || inner.read_file(&info.name)).map_err(CabinetError::from_read)?;
        Ok(Member { reader, left: info.size, broken: false })
    }
}

/// Unpacks one member as a stream.
pub struct Member<'a, R: 'a> {
    reader: cab::FileReader<'a, R>,
    left: u64,
    broken: bool,
}

impl<R: Read + Seek> Read for Member<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 || buf.is_empty() {
            return Ok(0);
        }
        if self.broken {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a block is damaged"));
        }
        let reader = &mut self.reader;
        match guarded(|| reader.read(buf)) {
            Ok(0) => {
                self.broken = true;
                Err(io::Error::new(io::ErrorKind::UnexpectedEof, "a member ends early"))
            }
            Ok(n) => {
                self.left = self.left.saturating_sub(n as u64);
                Ok(n)
            }
            Err(e) => {
                self.broken = e.kind() != io::ErrorKind::Interrupted;
                Err(e)
            }
        }
    }
}

/// Runs the unpacker. It indexes and asserts on what a block says; a hostile block must not end
/// the program. What it leaves behind is not used again.
fn guarded<T>(work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(io::Error::new(io::ErrorKind::InvalidData, "a block makes no sense to the unpacker"))
    })
}
