//! Volumes that come through a pipe, one behind the other: from a data diode, from another program. The
//! end of each is known from its head, so that not a byte of the next one is taken.

use std::{
    cell::{Cell, RefCell},
    fs::{self, File},
    io::{self, BufRead, BufReader, Read, Write as _},
    path::{Path, PathBuf},
    rc::Rc,
};

use bundle_format::{
    container::{VolumeError, VolumeNote, VolumeReader},
    limits::BundleLimits,
    trust::{Expectation, Head, TrustState, check_head},
};

use crate::{
    data_dir::DataDir,
    file_error::Doing as _,
    transfer::{
        error::TransferError,
        kill,
        new_folder::{NewFolder, sweep},
        progress::Progress,
    },
};

type Result<T> = std::result::Result<T, TransferError>;

/// How the standard input is named among bundles.
pub(crate) const STANDARD_INPUT: &str = "-";
/// The beginning of the name of the folder in which volumes are kept until they are taken in.
const KEPT: &str = ".tidegate-pipe-";
/// Until the head was read, no more than to the end of the block that it needs is taken.
const BLOCK: u64 = 512;
/// Bytes that are copied at once.
const BUFFER: usize = 1 << 20;
/// Free space that is left alone.
const MARGIN: u64 = 16 * 1024 * 1024;
/// No pipe brings more volumes at once.
const MOST: u32 = 10_000;

/// A stream of volumes.
pub(crate) struct Pipe {
    stream: Rc<RefCell<Box<dyn BufRead>>>,
    volumes: u32,
}

/// A volume of a pipe whose head was read.
pub(crate) struct PipedVolume {
    /// What people know it by.
    pub(crate) name: PathBuf,
    pub(crate) opened: (VolumeReader<Box<dyn Read>>, VolumeNote, Head),
}

impl Pipe {
    pub(crate) fn standard_input() -> Self {
        Self::new(Box::new(BufReader::new(io::stdin())))
    }

    fn new(stream: Box<dyn BufRead>) -> Self {
        Self { stream: Rc::new(RefCell::new(stream)), volumes: 0 }
    }

    /// The next volume; `None` at the end of the pipe.
    pub(crate) fn next(&mut self, limits: &BundleLimits) -> Result<Option<PipedVolume>> {
        Ok(self.next_kept(limits, None)?.map(|(piped, _)| piped))
    }

    /// As [`Pipe::next`]; what is read of the volume is also written to `keep`.
    fn next_kept(
        &mut self,
        limits: &BundleLimits,
        keep: Option<File>,
    ) -> Result<Option<(PipedVolume, u64)>> {
        let name = name_of(self.volumes + 1);
        if self.stream.borrow_mut().fill_buf().doing("read the", &name)?.is_empty() {
            return Ok(None);
        }
        self.volumes += 1;
        if self.volumes > MOST {
            let what = format!("the pipe brings more than {MOST} volumes at once");
            return Err(TransferError::refused(what));
        }
        let end = Rc::new(Cell::new(None));
        let one = OneVolume { stream: Rc::clone(&self.stream), end: Rc::clone(&end), at: 0, keep };
        let opened = VolumeReader::open(Box::new(one) as Box<dyn Read>, limits)
            .map_err(|source| TransferError::Volume { path: name.clone(), source })?;
        let size = opened.0.volume_size(&opened.1, &opened.2);
        end.set(Some(size));
        Ok(Some((PipedVolume { name, opened }, size)))
    }
}

/// What people know a volume of a pipe by.
pub(crate) fn name_of(number: u32) -> PathBuf {
    format!("standard input, volume {number}").into()
}

/// The bytes of one volume of a stream.
struct OneVolume {
    stream: Rc<RefCell<Box<dyn BufRead>>>,
    /// Where it ends, once its head was read.
    end: Rc<Cell<Option<u64>>>,
    at: u64,
    keep: Option<File>,
}

impl Read for OneVolume {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let room = match self.end.get() {
            Some(end) => end.saturating_sub(self.at),
            None => BLOCK - self.at % BLOCK,
        };
        let room = usize::try_from(room).unwrap_or(usize::MAX).min(buf.len());
        let buf = buf.get_mut(..room).unwrap_or_default();
        let read = self.stream.borrow_mut().read(buf)?;
        self.at += read as u64;
        if let Some(keep) = &mut self.keep {
            keep.write_all(buf.get(..read).unwrap_or_default())?;
        }
        Ok(read)
    }
}

/// Volumes of a pipe, kept in the data folder for as long as this is.
pub(crate) struct KeptVolumes {
    /// The volumes.
    pub(crate) paths: Vec<PathBuf>,
    _folder: NewFolder,
}

/// Keeps the volumes of a pipe in the data folder, whole: who sends them may take long, and nobody else has
/// to wait. Of each the head is checked and the free space proven before the rest is read.
pub(crate) fn keep(
    data: &DataDir,
    mut pipe: Pipe,
    state: &TrustState,
    expect: &Expectation<'_>,
    limits: &BundleLimits,
    progress: &dyn Progress,
) -> Result<KeptVolumes> {
    let folder = NewFolder::within(data.root(), KEPT)?;
    let mut paths = Vec::new();
    progress.phase("waiting for volumes on the standard input", None);
    loop {
        let path = folder.path().join(format!("standard-input-{}.tar", paths.len() + 1));
        let file = File::create_new(&path).doing("write", &path)?;
        let copy = file.try_clone().doing("write", &path)?;
        let Some((piped, size)) = pipe.next_kept(limits, Some(copy))? else {
            fs::remove_file(&path).doing("remove", &path)?;
            break;
        };
        check(&piped, state, expect, limits)?;
        prove_space(data, size)?;
        progress.phase("receiving", Some(size));
        receive(&pipe, &piped, size, file, &path, progress)?;
        kill::step("volume received");
        paths.push(path);
    }
    if paths.is_empty() {
        let what = "nothing came on the standard input: send volumes to it".to_owned();
        return Err(TransferError::Unfit { what });
    }
    Ok(KeptVolumes { paths, _folder: folder })
}

/// Removes what killed runs have kept.
pub(crate) fn clear(data: &DataDir) -> Result<()> {
    Ok(sweep(data.root(), KEPT).doing("clear", data.root())?)
}

/// Refuses what an import would refuse, before gigabytes of it come.
fn check(
    piped: &PipedVolume,
    state: &TrustState,
    expect: &Expectation<'_>,
    limits: &BundleLimits,
) -> Result<()> {
    let (_, note, head) = &piped.opened;
    let before = state.before_newest_root();
    let verified = check_head(state, head, expect, limits).or_else(|refusal| {
        let of_before = before.and_then(|state| check_head(&state, head, expect, limits).ok());
        of_before.ok_or(refusal)
    });
    let verified =
        verified.map_err(|source| TransferError::Trust { path: piped.name.clone(), source })?;
    note.check_against(&verified.index)
        .map_err(|source| TransferError::Volume { path: piped.name.clone(), source })
}

fn prove_space(data: &DataDir, size: u64) -> Result<()> {
    let free = fs4::available_space(data.root()).doing("ask for the free space of", data.root())?;
    let needed = size.saturating_add(MARGIN);
    if free < needed {
        let path = data.root().to_owned();
        return Err(TransferError::NoSpace { path, needed, free, what: "what the pipe brings" });
    }
    Ok(())
}

/// Writes the rest of a volume behind its head.
fn receive(
    pipe: &Pipe,
    piped: &PipedVolume,
    size: u64,
    mut file: File,
    path: &Path,
    progress: &dyn Progress,
) -> Result<()> {
    let mut at = piped.opened.0.position();
    progress.advance(at);
    let mut stream = pipe.stream.borrow_mut();
    let mut buffer = vec![0; BUFFER];
    while at < size {
        let room = usize::try_from(size - at).unwrap_or(BUFFER).min(BUFFER);
        let read = match stream.read(buffer.get_mut(..room).unwrap_or_default()) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            read => read.doing("read the", &piped.name)?,
        };
        if read == 0 {
            let what = format!("the pipe ended after {at} of its {size} bytes: send it again");
            let source = VolumeError::Refused { at, what };
            return Err(TransferError::Volume { path: piped.name.clone(), source });
        }
        file.write_all(buffer.get(..read).unwrap_or_default()).doing("write", path)?;
        at += read as u64;
        progress.advance(read as u64);
    }
    Ok(())
}
