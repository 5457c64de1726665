//! Volumes are made of volumes and parity files: what is lost is found by the digests of blocks, and
//! computed from the other volumes and as many parity files as are needed.

use std::{
    collections::BTreeMap,
    io::{Read, Seek, SeekFrom, Write},
};

use reed_solomon_simd::ReedSolomonDecoder;
use sha2::Digest as _;

use super::{
    BLOCK_BYTES, ParityError, blocks_of,
    preamble::{BlockDigest, ParityFile, ParityNote, digest_of},
};
use crate::digest::Sha256;

/// What is wrong with a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Which volume, from 0.
    pub volume: usize,
    /// It is not there at all.
    pub missing: bool,
    /// Blocks that cannot be read, or have other bytes.
    pub blocks: u64,
    /// Blocks that it has.
    pub of: u64,
}

/// A file with the digests of its blocks, and which of them are good.
struct Blocks<'a, R> {
    file: Option<&'a mut R>,
    digests: &'a [BlockDigest],
    starts_at: u64,
    size: u64,
    /// Bytes follow its end.
    is_longer: bool,
    good: Vec<bool>,
}

impl<R: Read + Seek> Blocks<'_, R> {
    /// Reads a block, filled with zeros; false if that fails or it is not what it was. Beyond the end of
    /// a volume everything is zero.
    fn read(&mut self, at: u64, block: &mut [u8]) -> bool {
        block.fill(0);
        if at >= blocks_of(self.size) {
            return true;
        }
        let offset = at * BLOCK_BYTES as u64;
        let length = usize::try_from((self.size - offset).min(BLOCK_BYTES as u64)).unwrap_or(0);
        let Some(bytes) = block.get_mut(..length) else { return false };
        let Some(file) = &mut self.file else { return false };
        let read = file
            .seek(SeekFrom::Start(self.starts_at + offset))
            .and_then(|_| file.read_exact(bytes));
        let expected = usize::try_from(at).ok().and_then(|at| self.digests.get(at));
        read.is_ok() && expected == Some(&digest_of(block))
    }

    /// Looks at all blocks.
    fn assess(&mut self, block: &mut [u8], each: &mut dyn FnMut(u64)) {
        self.good = (0..blocks_of(self.size))
            .map(|at| {
                each(BLOCK_BYTES as u64);
                self.file.is_some() && self.read(at, block)
            })
            .collect();
    }

    fn is_good(&self, at: u64) -> bool {
        let good = usize::try_from(at).ok().and_then(|at| self.good.get(at)).copied();
        good.unwrap_or(at >= blocks_of(self.size))
    }

    fn damage(&self, volume: usize) -> Option<Damage> {
        let blocks = self.good.iter().filter(|good| !**good).count() as u64;
        let damage =
            Damage { volume, missing: self.file.is_none(), blocks, of: blocks_of(self.size) };
        (damage.missing || self.is_longer || blocks > 0).then_some(damage)
    }
}

/// The files to write whole volumes to, by number from 0.
pub type Outputs<W> = BTreeMap<usize, W>;

/// Is told what is damaged, and makes the files for it.
pub type RepairOutputs<'a, W> = &'a mut dyn FnMut(&[Damage]) -> Result<Outputs<W>, ParityError>;

/// Restores the volumes that are damaged or missing. `volumes` are in the order of the note, `None` where
/// one is missing; a parity file is one as it was read, and the file. `damaged` gets what is wrong, and
/// makes the files to write whole volumes to, by number from 0; without a file a volume is not written.
/// `each` is told how many bytes were looked at. Gives the volumes that were written.
///
/// # Errors
/// [`ParityError::TooDamaged`] before anything is written; and when the disk fails, or what comes out is
/// not the volume that it was.
pub fn restore_volumes<R: Read + Seek, W: Write>(
    parity: &mut [(ParityFile, R)],
    volumes: &mut [Option<R>],
    damaged: RepairOutputs<'_, W>,
    each: &mut dyn FnMut(u64),
) -> Result<Outputs<W>, ParityError> {
    let (note, digests) = match parity.first() {
        Some((file, _)) if file.note.volumes.len() == volumes.len() => {
            (file.note.clone(), file.volume_blocks.clone())
        }
        _ => return Err(ParityError::refused("there is no parity file of these volumes")),
    };
    if let Some((file, _)) = parity.iter().find(|(file, _)| !file.note.is_beside(&note)) {
        return Err(ParityError::refused(format!(
            "parity file {} of {} is of other volumes",
            file.note.number, file.note.of
        )));
    }
    let mut set = Set::new(&note, &digests, parity, volumes)?;
    let damage = set.assess(each);
    let mut outs = if damage.is_empty() { BTreeMap::new() } else { damaged(&damage)? };
    if !outs.is_empty() {
        set.require_enough()?;
        set.write(&mut outs, each)?;
    }
    Ok(outs)
}

/// All files of a bundle.
struct Set<'a, R> {
    note: &'a ParityNote,
    volumes: Vec<Blocks<'a, R>>,
    /// By number from 0.
    parity: BTreeMap<usize, Blocks<'a, R>>,
    block: Vec<u8>,
}

impl<'a, R: Read + Seek> Set<'a, R> {
    fn new(
        note: &'a ParityNote,
        digests: &'a [Vec<BlockDigest>],
        parity: &'a mut [(ParityFile, R)],
        volumes: &'a mut [Option<R>],
    ) -> Result<Self, ParityError> {
        let described = note.volumes.iter().zip(digests);
        let volumes = volumes
            .iter_mut()
            .zip(described)
            .map(|(file, (volume, digests))| {
                let end = file.as_mut().and_then(|file| file.seek(SeekFrom::End(0)).ok());
                Blocks {
                    file: file.as_mut(),
                    digests,
                    starts_at: 0,
                    size: volume.size,
                    is_longer: end.is_some_and(|end| end > volume.size),
                    good: Vec::new(),
                }
            })
            .collect();
        let size = note.stripes() * BLOCK_BYTES as u64;
        let mut by_number = BTreeMap::new();
        for (file, reader) in parity.iter_mut() {
            let starts_at = file.blocks_at()?;
            let number = usize::try_from(file.note.number).unwrap_or_default().saturating_sub(1);
            let blocks = Blocks {
                file: Some(reader),
                digests: &file.own_blocks,
                starts_at,
                size,
                is_longer: false,
                good: Vec::new(),
            };
            by_number.insert(number, blocks);
        }
        Ok(Self { note, volumes, parity: by_number, block: vec![0; BLOCK_BYTES] })
    }

    fn assess(&mut self, each: &mut dyn FnMut(u64)) -> Vec<Damage> {
        let mut damage = Vec::new();
        for (number, volume) in self.volumes.iter_mut().enumerate() {
            volume.assess(&mut self.block, each);
            damage.extend(volume.damage(number));
        }
        if !damage.is_empty() {
            for file in self.parity.values_mut() {
                file.assess(&mut self.block, each);
            }
        }
        damage
    }

    fn require_enough(&self) -> Result<(), ParityError> {
        let (mut places, mut worst) = (0, (0, 0));
        for stripe in 0..self.note.stripes() {
            let missing = self.volumes.iter().filter(|volume| !volume.is_good(stripe)).count();
            let parity = self.parity.values().filter(|file| file.is_good(stripe)).count();
            if missing > parity {
                places += 1;
                worst = worst.max((missing, parity));
            }
        }
        if places == 0 {
            return Ok(());
        }
        let (missing, parity) = worst;
        Err(ParityError::TooDamaged { places, missing, volumes: self.volumes.len(), parity })
    }

    fn write<W: Write>(
        &mut self,
        outs: &mut Outputs<W>,
        each: &mut dyn FnMut(u64),
    ) -> Result<(), ParityError> {
        let mut hashers: BTreeMap<usize, sha2::Sha256> =
            outs.keys().map(|volume| (*volume, sha2::Sha256::new())).collect();
        for stripe in 0..self.note.stripes() {
            let restored = match self.volumes.iter().all(|volume| volume.is_good(stripe)) {
                true => BTreeMap::new(),
                false => self.decode(stripe)?,
            };
            for (number, out) in outs.iter_mut() {
                let Some(volume) = self.volumes.get_mut(*number) else { continue };
                if stripe >= blocks_of(volume.size) {
                    continue;
                }
                let block = match restored.get(number) {
                    Some(block) => block.as_slice(),
                    None if volume.read(stripe, &mut self.block) => self.block.as_slice(),
                    None => {
                        return Err(ParityError::refused(
                            "a block that was good is so no more: the medium fails; copy it and try again",
                        ));
                    }
                };
                let left = (volume.size - stripe * BLOCK_BYTES as u64).min(BLOCK_BYTES as u64);
                let bytes =
                    block.get(..usize::try_from(left).unwrap_or_default()).unwrap_or_default();
                if let Some(hasher) = hashers.get_mut(number) {
                    hasher.update(bytes);
                }
                out.write_all(bytes)?;
                each(left);
            }
        }
        for (number, hasher) in hashers {
            let volume = self.note.volumes.get(number);
            let digest = Sha256::from_bytes(hasher.finalize().into());
            if volume.is_none_or(|volume| volume.sha256 != digest) {
                return Err(ParityError::refused(
                    "what comes out is not the volume that it was: the parity files do not belong to these volumes",
                ));
            }
            if let Some(out) = outs.get_mut(&number) {
                out.flush()?;
            }
        }
        Ok(())
    }

    /// The blocks of one stripe that are not good.
    fn decode(&mut self, stripe: u64) -> Result<BTreeMap<usize, Vec<u8>>, ParityError> {
        let (volumes, files) = (self.volumes.len(), usize::try_from(self.note.of).unwrap_or(1));
        let mut decoder =
            ReedSolomonDecoder::new(volumes, files, BLOCK_BYTES).map_err(ParityError::coding)?;
        let mut missing = 0;
        for (number, volume) in self.volumes.iter_mut().enumerate() {
            if volume.is_good(stripe) && volume.read(stripe, &mut self.block) {
                decoder.add_original_shard(number, &self.block).map_err(ParityError::coding)?;
            } else {
                missing += 1;
            }
        }
        for (number, file) in &mut self.parity {
            if missing > 0 && file.is_good(stripe) && file.read(stripe, &mut self.block) {
                decoder.add_recovery_shard(*number, &self.block).map_err(ParityError::coding)?;
                missing -= 1;
            }
        }
        let decoded = decoder.decode().map_err(ParityError::coding)?;
        Ok(decoded
            .restored_original_iter()
            .map(|(number, block)| (number, block.to_vec()))
            .collect())
    }
}
