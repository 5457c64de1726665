//! Whether a file carries an Authenticode signature. Agents refuse content whose signer they do
//! not trust; whose signature it is and whether it holds is theirs to judge.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    panic::catch_unwind,
    path::Path,
};

use crate::cabinet::{self, Cabinet};

/// What a look for a signature found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signature {
    /// There is one.
    Present,
    /// There is none.
    Absent,
    /// The file is of no kind that can carry one, or is damaged.
    NoContainer,
}

/// The start of a compound file, which an MSI is.
pub(super) const COMPOUND: &[u8; 8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";

/// Looks for a signature in a program, cabinet (`.msu` too) or Windows Installer package, by what
/// the file is and not by its name.
///
/// # Errors
/// When the file cannot be read.
pub fn signature(path: &Path) -> io::Result<Signature> {
    let mut file = File::open(path)?;
    let mut start = [0; 8];
    let n = read_start(&mut file, &mut start)?;
    let start = start.get(..n).unwrap_or_default();
    if start.starts_with(b"MZ") {
        program(&mut file)
    } else if start.starts_with(cabinet::MAGIC) {
        Ok(match Cabinet::open(BufReader::new(file)) {
            Ok(cabinet) if cabinet.carries_signature() => Signature::Present,
            Ok(_) => Signature::Absent,
            Err(_) => Signature::NoContainer,
        })
    } else if start == COMPOUND {
        file.seek(SeekFrom::Start(0))?;
        Ok(catch_unwind(|| match msi::Package::open(file) {
            Ok(package) if package.has_digital_signature() => Signature::Present,
            Ok(_) => Signature::Absent,
            Err(_) => Signature::NoContainer,
        })
        .unwrap_or(Signature::NoContainer))
    } else {
        Ok(Signature::NoContainer)
    }
}

/// As many bytes as there are, up to the buffer's length.
pub(super) fn read_start(file: &mut File, start: &mut [u8]) -> io::Result<usize> {
    let mut bytes = Vec::new();
    file.take(start.len() as u64).read_to_end(&mut bytes)?;
    for (to, from) in start.iter_mut().zip(&bytes) {
        *to = *from;
    }
    Ok(bytes.len())
}

/// A portable executable: its optional header's fifth data directory is the certificate table,
/// which lies at a file offset. [PE format, "The Attribute Certificate Table"]
fn program(file: &mut File) -> io::Result<Signature> {
    let length = file.seek(SeekFrom::End(0))?;
    let mut at = |offset: u64, bytes: &mut [u8]| -> io::Result<bool> {
        if offset.saturating_add(bytes.len() as u64) > length {
            return Ok(false);
        }
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(bytes)?;
        Ok(true)
    };
    let (mut word, mut pair) = ([0; 4], [0; 8]);
    if !at(0x3c, &mut word)? {
        return Ok(Signature::NoContainer);
    }
    let header = u64::from(u32::from_le_bytes(word));
    if !at(header, &mut word)? || &word != b"PE\0\0" {
        return Ok(Signature::NoContainer);
    }
    let optional = header + 24;
    let mut magic = [0; 2];
    if !at(optional, &mut magic)? {
        return Ok(Signature::NoContainer);
    }
    // The number of data directories, then the directories: PE32 and PE32+.
    let count = match u16::from_le_bytes(magic) {
        0x10b => optional + 92,
        0x20b => optional + 108,
        _ => return Ok(Signature::NoContainer),
    };
    if !at(count, &mut word)? {
        return Ok(Signature::NoContainer);
    }
    if u32::from_le_bytes(word) < 5 || !at(count + 4 + 4 * 8, &mut pair)? {
        return Ok(Signature::Absent);
    }
    let [a, b, c, d, e, f, g, h] = pair;
    let (offset, size) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
    let end = u64::from(offset) + u64::from(size);
    if offset == 0 || size <= 8 || end > length || !at(u64::from(offset), &mut pair)? {
        return Ok(Signature::Absent);
    }
    // The first entry: its length, revision 2.0, PKCS #7 signed data.
    let [a, b, c, d, rest @ ..] = pair;
    let entry = u32::from_le_bytes([a, b, c, d]);
    let good = entry > 8 && entry <= size && rest == [0x00, 0x02, 0x02, 0x00];
    Ok(if good { Signature::Present } else { Signature::Absent })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn look(bytes: &[u8]) -> Signature {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        signature(file.path()).unwrap()
    }

    /// A minimal program; `wide` is PE32+. The certificate table stands at its end.
    fn pe(wide: bool, certificate: Option<&[u8]>) -> Vec<u8> {
        let (magic, count_at) = if wide { (0x20bu16, 108) } else { (0x10b, 92) };
        let mut bytes = vec![0; 0x80];
        bytes[..2].copy_from_slice(b"MZ");
        bytes[0x3c..0x40].copy_from_slice(&0x80u32.to_le_bytes());
        bytes.extend(b"PE\0\0");
        bytes.extend([0; 20]);
        let optional = bytes.len();
        bytes.resize(optional + count_at + 4 + 16 * 8, 0);
        bytes[optional..optional + 2].copy_from_slice(&magic.to_le_bytes());
        bytes[optional + count_at..][..4].copy_from_slice(&16u32.to_le_bytes());
        if let Some(certificate) = certificate {
            let directory = optional + count_at + 4 + 4 * 8;
            let offset = u32::try_from(bytes.len()).unwrap().to_le_bytes();
            let size = u32::try_from(certificate.len()).unwrap().to_le_bytes();
            bytes[directory..directory + 4].copy_from_slice(&offset);
            bytes[directory + 4..directory + 8].copy_from_slice(&size);
            bytes.extend(certificate);
        }
        bytes
    }

    const CERTIFICATE: &[u8] = b"\x18\0\0\0\x00\x02\x02\x00sixteen bytes...";

    #[test]
    fn programs() {
        for wide in [false, true] {
            let signed = pe(wide, Some(CERTIFICATE));
            assert_eq!(look(&signed), Signature::Present);
            assert_eq!(look(&pe(wide, None)), Signature::Absent);
            // Cut off, of another type, or longer than the table.
            assert_eq!(look(&signed[..signed.len() - 1]), Signature::Absent);
            assert_eq!(
                look(&pe(wide, Some(b"\x18\0\0\0\x00\x02\x01\x00sixteen bytes..."))),
                Signature::Absent
            );
            assert_eq!(
                look(&pe(wide, Some(b"\x19\0\0\0\x00\x02\x02\x00sixteen bytes..."))),
                Signature::Absent
            );
            for length in 0..signed.len() {
                assert_ne!(look(&signed[..length]), Signature::Present, "{length} bytes");
            }
        }
        let mut far = pe(false, None);
        far[0x3c..0x40].fill(0xff);
        assert_eq!(look(&far), Signature::NoContainer);
        assert_eq!(look(b"MZ"), Signature::NoContainer);
        assert_eq!(look(b"a script"), Signature::NoContainer);
        assert_eq!(look(b""), Signature::NoContainer);
    }

    #[test]
    fn cabinets() {
        let mut builder = cab::CabinetBuilder::new();
        builder.set_reserve_data(vec![0; 20]);
        builder.add_folder(cab::CompressionType::None).add_file("a");
        let mut writer = builder.build(io::Cursor::new(Vec::new())).unwrap();
        writer.next_file().unwrap().unwrap().write_all(b"a").unwrap();
        let plain = writer.finish().unwrap().into_inner();
        assert_eq!(look(&plain), Signature::Absent);
        // As signing tools do: the reserved area names where the signature stands.
        let mut signed = plain.clone();
        let end = u32::try_from(plain.len()).unwrap().to_le_bytes();
        signed[40..44].copy_from_slice(&[0, 0, 0x10, 0]);
        signed[44..48].copy_from_slice(&end);
        signed[48..52].copy_from_slice(&100u32.to_le_bytes());
        signed.extend([7; 100]);
        assert_eq!(look(&signed), Signature::Present);
        signed.pop();
        assert_eq!(look(&signed), Signature::NoContainer);
    }

    #[test]
    fn installer_packages() {
        let empty = io::Cursor::new(Vec::new());
        let package = msi::Package::create(msi::PackageType::Installer, empty).unwrap();
        let plain = package.into_inner().unwrap();
        assert_eq!(look(plain.get_ref()), Signature::Absent);
        let mut compound = cfb::CompoundFile::open(plain).unwrap();
        let mut stream = compound.create_stream("\u{5}DigitalSignature").unwrap();
        stream.write_all(b"pkcs7").unwrap();
        drop(stream);
        let mut signed = compound.into_inner().into_inner();
        assert_eq!(look(&signed), Signature::Present);
        signed.truncate(700);
        assert_eq!(look(&signed), Signature::NoContainer);
        assert_eq!(look(&COMPOUND[..]), Signature::NoContainer);
    }
}
