//! Fetching payload as Delivery Optimization does: closed ranges of 1 MiB in no order, over several
//! connections; then size, SHA-1 and SHA-256.

use std::{io::Read, path::Path};

use futures_util::{StreamExt, stream};
use reqwest::{Client, Response, Url};
use sha1::{Digest as _, Sha1};
use sha2::Sha256;
use tokio::io::{AsyncSeekExt, AsyncWriteExt};

use super::{
    error::ProbeError,
    fragments::File,
    http::content_headers,
    judge::{Judge, clip},
    report::{ProbeEvent, ProbeProgress},
    rulebook::{self as rules, Rule},
};
use crate::{connection_failure::ConnectionFailure, durable};

/// Bytes of a piece.
const PIECE: u64 = 1 << 20;

/// How often a piece is asked for when the connection breaks.
const TRIES: u32 = 3;

/// How to fetch.
#[derive(Debug)]
pub(crate) struct Fetch<'a> {
    pub(crate) client: &'a Client,
    pub(crate) connections: usize,
    pub(crate) seed: u64,
    /// Most bytes of a file.
    pub(crate) limit: u64,
    /// Where files are stored; `None` to delete them once checked.
    pub(crate) folder: Option<&'a Path>,
    /// Base of the correlation vector.
    pub(crate) vector: String,
}

/// Why a file is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// HRESULT, as an agent would report it.
    pub(crate) code: u32,
    pub(crate) reason: String,
    /// It arrived, but is not what it should be.
    pub(crate) digest: bool,
}

/// Content not found.
const NOT_FOUND: u32 = 0x8024_4019;
/// The transfer failed.
const TRANSFER: u32 = 0x8024_6008;
/// The digest is wrong.
const WRONG_HASH: u32 = 0x8024_6002;

/// A range of a file, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ByteRange {
    from: u64,
    to: u64,
}

impl ByteRange {
    fn length(self) -> u64 {
        self.to - self.from + 1
    }
}

/// The pieces of a file of `size` bytes, shuffled.
pub(crate) fn pieces(size: u64, seed: u64) -> Vec<ByteRange> {
    let mut pieces: Vec<ByteRange> = (0..size.div_ceil(PIECE))
        .map(|n| ByteRange { from: n * PIECE, to: ((n + 1) * PIECE).min(size) - 1 })
        .collect();
    let mut state = seed;
    for last in (1..pieces.len()).rev() {
        let bound = u64::try_from(last).unwrap_or(u64::MAX).saturating_add(1);
        let other = usize::try_from(next_random(&mut state) % bound).unwrap_or(0);
        pieces.swap(last, other);
    }
    pieces
}

/// SplitMix64: the order may be guessed.
fn next_random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// What the head of a piece says.
#[derive(Debug, Default)]
struct Head {
    broken: Vec<(&'static Rule, String)>,
    etag: Option<String>,
    modified: Option<String>,
}

impl Fetch<'_> {
    /// Fetches a file and checks it.
    ///
    /// The outer error is of this machine; the inner one is the file's.
    pub(crate) async fn file(
        &self,
        url: &Url,
        file: &File,
        judge: &mut Judge<'_>,
        progress: ProbeProgress<'_>,
    ) -> Result<Result<(), Failure>, ProbeError> {
        let shown = format!("{:?} ({})", clip(&file.name), url.path());
        if file.size > self.limit {
            let reason = format!("{} bytes are more than the limit of {}", file.size, self.limit);
            return Ok(Err(Failure { code: TRANSFER, reason, digest: false }));
        }
        let folder = self.folder.map_or_else(std::env::temp_dir, Path::to_path_buf);
        let disk = |source| ProbeError::Disk { path: folder.clone(), source };
        std::fs::create_dir_all(&folder).map_err(disk)?;
        let stored = tempfile::NamedTempFile::new_in(&folder).map_err(disk)?;
        let mut out = tokio::fs::File::from_std(stored.reopen().map_err(disk)?);
        let mut done = 0;
        let mut first: Option<Head> = None;
        let mut arriving = stream::iter(pieces(file.size, self.seed))
            .map(|piece| self.piece(url, piece, file.size))
            .buffer_unordered(self.connections.max(1));
        while let Some((piece, mut head, outcome)) = arriving.next().await {
            for (rule, what) in head.broken.drain(..) {
                judge.broken(rule, format!("{shown}, from {}: {what}", piece.from));
            }
            let bytes = match outcome {
                Ok(bytes) => bytes,
                Err(failure) => return Ok(Err(failure)),
            };
            match &first {
                Some(first) => compare(first, &head, &shown, judge),
                None => first = Some(head),
            }
            out.seek(std::io::SeekFrom::Start(piece.from)).await.map_err(disk)?;
            out.write_all(&bytes).await.map_err(disk)?;
            done += piece.length();
            progress(ProbeEvent::Downloading { file: file.name.clone(), done, size: file.size });
        }
        drop(arriving);
        out.flush().await.map_err(disk)?;
        drop(out);
        let reread = stored.reopen().map_err(disk)?;
        let hashed = tokio::task::spawn_blocking(move || digests(reread)).await;
        let (sha1, sha256) =
            hashed.unwrap_or_else(|error| Err(std::io::Error::other(error))).map_err(disk)?;
        let outcome = check(file, sha1, sha256, &shown, judge);
        if let (Some(folder), Ok(())) = (self.folder, &outcome) {
            let path = folder.join(stored_name(file));
            durable::persist(stored, &path).map_err(|source| ProbeError::Disk { path, source })?;
        }
        Ok(outcome)
    }

    /// Fetches a piece.
    async fn piece(
        &self,
        url: &Url,
        piece: ByteRange,
        size: u64,
    ) -> (ByteRange, Head, Result<Vec<u8>, Failure>) {
        let mut tries = 0;
        loop {
            tries += 1;
            let vector = format!("{}.{}", self.vector, piece.from / PIECE + 1);
            let headers = content_headers(url, piece.from, piece.to, &vector);
            let error = match self.client.get(url.clone()).headers(headers).send().await {
                Ok(response) => {
                    let mut head = Head::default();
                    let outcome = read_piece(response, piece, size, &mut head).await;
                    return (piece, head, outcome);
                }
                Err(error) => error,
            };
            if tries == TRIES {
                let failure = Failure {
                    code: TRANSFER,
                    reason: format!("{url}: {}", ConnectionFailure::of(&error)),
                    digest: false,
                };
                return (piece, Head::default(), Err(failure));
            }
        }
    }
}

/// Judges the head of an answer; the error when its body is of no use.
fn judge_piece(
    response: &Response,
    piece: ByteRange,
    size: u64,
    head: &mut Head,
) -> Result<(), Failure> {
    let status = response.status().as_u16();
    let text = |name: &str| {
        let value = response.headers().get(name)?;
        Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    if status != 206 {
        head.broken.push((&rules::CONTENT_STATUS, format!("HTTP {status}")));
        let code = if status == 404 { NOT_FOUND } else { TRANSFER };
        return Err(failure(code, format!("HTTP {status} from {}", response.url())));
    }
    let mut broken = Vec::new();
    if let Some(encoding) = text("content-encoding") {
        broken.push((&rules::CONTENT_ENCODED, format!("Content-Encoding: {}", clip(&encoding))));
    }
    if text("transfer-encoding").is_some() {
        broken.push((&rules::CHUNKED, "a Transfer-Encoding".to_owned()));
    } else if text("content-length") != Some(piece.length().to_string()) {
        let what = format!("Content-Length {:?}", text("content-length"));
        broken.push((&rules::CONTENT_LENGTH, what));
    }
    if text("accept-ranges").as_deref() != Some("bytes") {
        broken.push((&rules::ACCEPT_RANGES, "no Accept-Ranges: bytes".to_owned()));
    }
    if text("content-type").as_deref() != Some("application/octet-stream") {
        broken.push((&rules::CONTENT_TYPE_FILE, format!("{:?}", text("content-type"))));
    }
    match text("etag") {
        None => broken.push((&rules::ETAG_MISSING, "no ETag".to_owned())),
        Some(etag) if etag.starts_with("W/") => broken.push((&rules::ETAG_WEAK, clip(&etag))),
        Some(_) => {}
    }
    head.etag = text("etag");
    head.modified = text("last-modified");
    head.broken.append(&mut broken);
    let range = text("content-range").unwrap_or_default();
    let wanted = format!("bytes {}-{}/{size}", piece.from, piece.to);
    if range != wanted {
        let what = format!("Content-Range {:?}, not {wanted:?}", clip(&range));
        let other_size = range.starts_with(&format!("bytes {}-{}/", piece.from, piece.to));
        let rule = if other_size { &rules::SIZE_WRONG } else { &rules::CONTENT_RANGE };
        head.broken.push((rule, what.clone()));
        return Err(failure(TRANSFER, what));
    }
    Ok(())
}

/// Judges the head of an answer and reads its body.
async fn read_piece(
    mut response: Response,
    piece: ByteRange,
    size: u64,
    head: &mut Head,
) -> Result<Vec<u8>, Failure> {
    judge_piece(&response, piece, size, head)?;
    let length = usize::try_from(piece.length()).unwrap_or(usize::MAX);
    let mut body = Vec::with_capacity(length);
    loop {
        let what = match response.chunk().await {
            Ok(Some(bytes)) if body.len() + bytes.len() <= length => {
                body.extend_from_slice(&bytes);
                continue;
            }
            Ok(None) if body.len() == length => return Ok(body),
            Ok(Some(_)) => format!("more than {length} bytes"),
            Ok(None) => format!("{} of {length} bytes", body.len()),
            Err(error) => {
                format!("{} of {length} bytes: {}", body.len(), ConnectionFailure::of(&error))
            }
        };
        head.broken.push((&rules::CONTENT_SHORT, what.clone()));
        return Err(failure(TRANSFER, what));
    }
}

fn failure(code: u32, reason: String) -> Failure {
    Failure { code, reason, digest: false }
}

/// All pieces of a file must look like pieces of the same file.
fn compare(first: &Head, head: &Head, shown: &str, judge: &mut Judge<'_>) {
    if first.etag != head.etag {
        let what = format!("{shown}: {:?} and {:?}", first.etag, head.etag);
        judge.broken(&rules::ETAG_CHANGES, what);
    }
    if first.modified != head.modified {
        let what = format!("{shown}: {:?} and {:?}", first.modified, head.modified);
        judge.broken(&rules::MODIFIED_CHANGES, what);
    }
}

fn check(
    file: &File,
    sha1: [u8; 20],
    sha256: [u8; 32],
    shown: &str,
    judge: &mut Judge<'_>,
) -> Result<(), Failure> {
    let mut outcome = Ok(());
    if sha1 != file.sha1 {
        judge.broken(&rules::SHA1_WRONG, format!("{shown}: {}", hex::encode_upper(sha1)));
        outcome = Err("SHA-1");
    }
    if file.sha256.is_some_and(|wanted| wanted != sha256) {
        judge.broken(&rules::SHA256_WRONG, format!("{shown}: {}", hex::encode(sha256)));
        outcome = outcome.and(Err("SHA-256"));
    }
    outcome.map_err(|which| Failure {
        code: WRONG_HASH,
        reason: format!("the {which} of {shown} is wrong"),
        digest: true,
    })
}

fn digests(mut file: std::fs::File) -> std::io::Result<([u8; 20], [u8; 32])> {
    let mut sha1 = Sha1::new();
    let mut sha256 = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((sha1.finalize().into(), sha256.finalize().into()));
        }
        let part = buffer.get(..read).unwrap_or_default();
        sha1.update(part);
        sha256.update(part);
    }
}

/// A name that is safe whatever the server calls the file, and unique.
fn stored_name(file: &File) -> String {
    let base = file.name.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = base
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
        .take(100)
        .collect();
    format!("{}-{clean}", hex::encode_upper(file.sha1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Every byte once, no piece over 1 MiB, each at a multiple of 1 MiB.
        #[test]
        fn pieces_cover_a_file_exactly(size in 0_u64..300 << 20, seed: u64) {
            let mut pieces = pieces(size, seed);
            pieces.sort_by_key(|piece| piece.from);
            let mut next = 0;
            for piece in &pieces {
                prop_assert_eq!(piece.from, next);
                prop_assert_eq!(piece.from % PIECE, 0);
                prop_assert!(piece.length() <= PIECE);
                next = piece.to + 1;
            }
            prop_assert_eq!(next, size);
        }
    }

    #[test]
    fn pieces_are_shuffled_as_the_seed_says() {
        let size = 204_745_168;
        assert_eq!(pieces(size, 1), pieces(size, 1));
        assert_ne!(pieces(size, 1), pieces(size, 2));
        assert!(!pieces(size, 1).is_sorted_by_key(|piece| piece.from));
        let last = pieces(size, 1).into_iter().max_by_key(|piece| piece.from).unwrap();
        assert_eq!((last.from, last.to), (204_472_320, 204_745_167));
    }

    #[test]
    fn stored_names_stay_in_their_folder() {
        let file = |name: &str| File {
            sha1: [0xab; 20],
            sha256: None,
            name: name.into(),
            size: 0,
            express: false,
        };
        let prefix = "AB".repeat(20);
        for (name, kept) in [
            ("a b.exe", "ab.exe"),
            (r"..\..\Windows\evil.dll", "evil.dll"),
            ("/etc/passwd", "passwd"),
            ("..", ".."),
        ] {
            assert_eq!(stored_name(&file(name)), format!("{prefix}-{kept}"));
        }
    }
}
