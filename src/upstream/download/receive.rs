//! One request for one file: bytes go into the partial while they are hashed, on a thread of their own.

use std::{
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use reqwest::{
    Client, Response, StatusCode, Url,
    header::{
        CONTENT_ENCODING, CONTENT_RANGE, ETAG, HeaderMap, IF_RANGE, LAST_MODIFIED, LOCATION, RANGE,
    },
};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};

use super::{
    fetcher::Fetcher,
    outcome::{FetchStop, ReceiveOutcome},
};
use crate::{
    connection_failure::ConnectionFailure,
    content::{ContentError, Partial},
    error_chain::chain,
    upstream::{permanent::permanent_failure, retry::retry_after},
};

/// Pieces between the network and the disk: with those of the HTTP client a few megabytes for each
/// connection, however large the file is.
const PIECES: usize = 16;
/// Bytes that are copied from a folder at a time.
const BLOCK: usize = 1024 * 1024;

/// Which version of the file the first bytes are of.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Version {
    url: String,
    /// A strong entity tag, or the date of the last change.
    validator: String,
}

impl Fetcher {
    /// Gets what is missing of a file at an address.
    pub(super) async fn request(
        &self,
        client: &Client,
        url: &Url,
        size: u64,
        slot: &mut Option<Partial>,
    ) -> Result<ReceiveOutcome, FetchStop> {
        let partial = slot.as_mut().ok_or(FetchStop::Lost)?;
        let noted: Option<Version> = partial.note().and_then(|n| serde_json::from_str(&n).ok());
        let noted = noted.filter(|noted| noted.url == url.as_str());
        let from = partial.len();
        let mut request = client.get(url.clone());
        if from > 0 {
            request = request.header(RANGE, format!("bytes={from}-"));
            if let Some(noted) = &noted {
                request = request.header(IF_RANGE, &noted.validator);
            }
        }
        let response = match self.within(request.send()).await? {
            Some(Ok(response)) => response,
            Some(Err(error)) => return Ok(self.broken(&error, url)),
            None => return Ok(self.idle(true)),
        };
        if let Some(refused) = refused(&response, from) {
            if matches!(refused, ReceiveOutcome::Again) {
                self.throw_away(partial)?;
            }
            return Ok(refused);
        }
        if let Some(outcome) = self.judge_head(&response, url, noted, size, partial)? {
            return Ok(outcome);
        }
        self.body(response, size, slot).await
    }

    /// Compares the head of an answer with what is here. `None` if the body continues it, or is the
    /// whole file; what is here is thrown away when the body does not continue it.
    fn judge_head(
        &self,
        response: &Response,
        url: &Url,
        noted: Option<Version>,
        size: u64,
        partial: &mut Partial,
    ) -> Result<Option<ReceiveOutcome>, FetchStop> {
        let from = partial.len();
        let validator = validator(response.headers());
        if response.status() == StatusCode::PARTIAL_CONTENT {
            let changed = matches!((&noted, &validator), (Some(a), Some(b)) if a.validator != *b);
            match content_range(response.headers()) {
                Some((_, Some(total))) if total != size => {
                    return Ok(Some(ReceiveOutcome::OtherSize(total.to_string())));
                }
                Some((start, _)) if start == from && from > 0 && !changed => {}
                // Another part than was asked for, or the rest of another version.
                _ if from > 0 => {
                    self.throw_away(partial)?;
                    return Ok(Some(ReceiveOutcome::Again));
                }
                _ => {
                    let why = "it answers with a part that nobody asked for";
                    return Ok(Some(ReceiveOutcome::gone(why, false)));
                }
            }
        } else {
            if let Some(length) = response.content_length().filter(|length| *length != size) {
                return Ok(Some(ReceiveOutcome::OtherSize(length.to_string())));
            }
            // The whole: ranges are ignored, or it has changed.
            if from > 0 {
                self.throw_away(partial)?;
            }
            let version = validator.map(|validator| Version { url: url.to_string(), validator });
            let note = version.and_then(|version| serde_json::to_string(&version).ok());
            partial.set_note(note.as_deref())?;
        }
        Ok(None)
    }

    /// Writes the body of an answer to the partial.
    async fn body(
        &self,
        mut response: Response,
        size: u64,
        slot: &mut Option<Partial>,
    ) -> Result<ReceiveOutcome, FetchStop> {
        let partial = slot.take().ok_or(FetchStop::Lost)?;
        let mut missing = size - partial.len().min(size);
        let (pieces, waiting) = mpsc::channel::<Bytes>(PIECES);
        let writer = tokio::task::spawn_blocking(move || write_pieces(partial, waiting));
        let attempt = loop {
            let piece = match self.within(response.chunk()).await {
                Ok(Some(Ok(Some(piece)))) => piece,
                // However the connection ends now.
                Ok(None | Some(Ok(None) | Err(_))) if missing == 0 => {
                    break Ok(ReceiveOutcome::Complete);
                }
                Ok(Some(Ok(None))) => {
                    break Ok(ReceiveOutcome::passing(format!(
                        "it ended {missing} bytes before its end"
                    )));
                }
                Ok(Some(Err(error))) => break Ok(self.broken(&error, response.url())),
                Ok(None) => break Ok(self.idle(false)),
                Err(stop) => break Err(stop),
            };
            if piece.len() as u64 > missing {
                break Ok(ReceiveOutcome::OtherSize(format!("more than {size}")));
            }
            missing -= piece.len() as u64;
            self.count(piece.len());
            let length = piece.len();
            // The writer has gone: the disk failed, and it says so.
            if pieces.send(piece).await.is_err() {
                break Ok(ReceiveOutcome::passing(String::new()));
            }
            if let Err(stop) = self.unless_stopped(self.pace.throttle(length)).await {
                break Err(stop);
            }
        };
        drop(pieces);
        let (mut partial, written) = writer.await.map_err(|_| FetchStop::Lost)?;
        // These bytes may be of another file.
        let thrown_away = match attempt {
            Ok(ReceiveOutcome::OtherSize(_)) => self.throw_away(&mut partial),
            _ => Ok(()),
        };
        *slot = Some(partial);
        written?;
        thrown_away?;
        attempt
    }

    /// Copies what is missing of a file from a folder.
    pub(super) async fn copy(
        &self,
        path: &Path,
        size: u64,
        slot: &mut Option<Partial>,
    ) -> Result<ReceiveOutcome, FetchStop> {
        let mut partial = slot.take().ok_or(FetchStop::Lost)?;
        let path = path.to_owned();
        let (stopped, received) = (self.stopped(), self.received.clone());
        let copied = tokio::task::spawn_blocking(move || {
            let copied = copy_rest(&path, size, &mut partial, &stopped, &received);
            (partial, copied)
        });
        let (partial, copied) = copied.await.map_err(|_| FetchStop::Lost)?;
        *slot = Some(partial);
        self.unless_stopped(std::future::ready(())).await?;
        Ok(copied?)
    }

    fn broken(&self, error: &reqwest::Error, url: &Url) -> ReceiveOutcome {
        // A certificate that does not hold, a proxy that refuses: no better the next time.
        if let Some(failure) = permanent_failure(error, url, &self.connection) {
            return ReceiveOutcome::gone(chain(&failure), false);
        }
        let why = ConnectionFailure::of(error);
        if why == ConnectionFailure::NotHttp {
            let advice = why.advice(url.scheme() == "https");
            return ReceiveOutcome::gone(format!("{why}. {advice}"), false);
        }
        ReceiveOutcome::Passing {
            why: why.to_string(),
            after: None,
            unreachable: error.is_connect() || error.is_request(),
        }
    }

    fn idle(&self, unreachable: bool) -> ReceiveOutcome {
        let why = format!("nothing came for {} seconds", self.idle_limit.as_secs());
        ReceiveOutcome::Passing { why, after: None, unreachable }
    }
}

/// Writes what arrives, until there is no more or the disk fails.
fn write_pieces(
    mut partial: Partial,
    mut pieces: mpsc::Receiver<Bytes>,
) -> (Partial, Result<(), ContentError>) {
    let mut written = Ok(());
    while let Some(piece) = pieces.blocking_recv() {
        written = partial.add(&piece);
        if written.is_err() {
            break;
        }
    }
    (partial, written)
}

/// Copies what is missing of a file, until all is to stop.
fn copy_rest(
    path: &Path,
    size: u64,
    partial: &mut Partial,
    stopped: &watch::Receiver<bool>,
    received: &AtomicU64,
) -> Result<ReceiveOutcome, ContentError> {
    let unread = |e: std::io::Error| ReceiveOutcome::gone(format!("it cannot be read: {e}"), false);
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return Ok(ReceiveOutcome::gone("there is no such file", true));
        }
        Err(e) => return Ok(unread(e)),
    };
    match file.metadata() {
        Ok(metadata) if !metadata.is_file() => {
            return Ok(ReceiveOutcome::gone("it is no file", true));
        }
        Ok(metadata) if metadata.len() != size => {
            return Ok(ReceiveOutcome::OtherSize(metadata.len().to_string()));
        }
        Ok(_) => {}
        Err(e) => return Ok(unread(e)),
    }
    if let Err(e) = file.seek(SeekFrom::Start(partial.len())) {
        return Ok(unread(e));
    }
    let mut buffer = vec![0; BLOCK];
    while partial.len() < size {
        if *stopped.borrow() {
            return Ok(ReceiveOutcome::passing(String::new()));
        }
        let room = usize::try_from(size - partial.len()).unwrap_or(BLOCK).min(BLOCK);
        match file.read(buffer.get_mut(..room).unwrap_or_default()) {
            Ok(0) => {
                return Ok(ReceiveOutcome::passing("it became shorter while it was read"));
            }
            Ok(n) => {
                partial.add(buffer.get(..n).unwrap_or_default())?;
                received.fetch_add(n as u64, Ordering::Relaxed);
            }
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Ok(unread(e)),
        }
    }
    Ok(ReceiveOutcome::Complete)
}

/// What an answer without the file says; `None` if the file follows.
fn refused(response: &Response, from: u64) -> Option<ReceiveOutcome> {
    let status = response.status();
    let code = status.as_u16();
    let headers = response.headers();
    Some(match code {
        200 | 206 if headers.get(CONTENT_ENCODING).is_some_and(|e| e != "identity") => {
            ReceiveOutcome::gone("it is sent in another encoding, which nobody asked for", false)
        }
        200 | 206 => return None,
        416 if from > 0 => ReceiveOutcome::Again,
        300..=399 => {
            // A server may redirect anywhere, also into a network that trusts this computer. The
            // locations that are allowed are known beforehand.
            let to = headers.get(LOCATION).map(|to| String::from_utf8_lossy(to.as_bytes()));
            let to: String = to.unwrap_or_default().chars().take(300).collect();
            ReceiveOutcome::gone(
                format!("it is redirected to {to:?}, and redirects are not followed"),
                false,
            )
        }
        408 | 425 | 429 | 500..=599 => ReceiveOutcome::Passing {
            why: format!("it was answered with HTTP {code}"),
            after: retry_after(headers),
            unreachable: false,
        },
        404 | 410 => ReceiveOutcome::gone(format!("it was answered with HTTP {code}"), true),
        _ => ReceiveOutcome::gone(format!("it was answered with HTTP {code}"), false),
    })
}

/// What names a version beyond doubt. Weak tags do not.
fn validator(headers: &HeaderMap) -> Option<String> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let tag = text(ETAG).filter(|tag| tag.starts_with('"'));
    tag.or_else(|| text(LAST_MODIFIED)).map(str::to_owned)
}

/// Where a part begins, and the size of the whole if the server says it.
fn content_range(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    let text = headers.get(CONTENT_RANGE)?.to_str().ok()?.trim();
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (start, _) = range.split_once('-')?;
    let total = match total.trim() {
        "*" => None,
        total => Some(total.parse().ok()?),
    };
    Some((start.trim().parse().ok()?, total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges() {
        let read = |value: &'static str| {
            content_range(&HeaderMap::from_iter([(CONTENT_RANGE, value.parse().unwrap())]))
        };
        assert_eq!(read("bytes 5-9/10"), Some((5, Some(10))));
        assert_eq!(read("bytes 5-9/*"), Some((5, None)));
        assert_eq!(read("bytes */10"), None);
        assert_eq!(read("items 5-9/10"), None);
        assert_eq!(read("bytes 5-9/ten"), None);
        assert_eq!(content_range(&HeaderMap::new()), None);
    }

    #[test]
    fn weak_tags_name_no_version() {
        let of = |pairs: &[(reqwest::header::HeaderName, &'static str)]| {
            let pairs = pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap()));
            validator(&HeaderMap::from_iter(pairs))
        };
        assert_eq!(of(&[(ETAG, "\"a\"")]).as_deref(), Some("\"a\""));
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        assert_eq!(of(&[(ETAG, "W/\"a\""), (LAST_MODIFIED, date)]).as_deref(), Some(date));
        assert_eq!(of(&[(ETAG, "W/\"a\"")]), None);
    }
}
