//! A web server for payloads over real connections, which does what tests tell it: cuts, stalls,
//! lies, sends without end.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) path: String,
    /// Header names in lower case.
    headers: Vec<(String, String)>,
}

impl Asked {
    /// The value of a header, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The first byte that is wanted, if a part is.
    pub(crate) fn from(&self) -> Option<usize> {
        self.header("range")?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
    }
}

/// What comes after the headers.
pub(crate) enum Body {
    /// These bytes, as announced.
    Whole(Vec<u8>),
    /// So many bytes are announced, only these come; then the connection breaks.
    Cut(Vec<u8>, usize),
    /// So many bytes are announced, only these come; then nothing, until the client goes.
    Stall(Vec<u8>, usize),
    /// No length is announced; the end of the connection is the end.
    Unannounced(Vec<u8>),
    /// Zeros without end and without a length.
    Endless,
}

/// An answer.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Body,
}

impl Reply {
    /// A status without a body.
    pub(crate) fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Body::Whole(Vec::new()) }
    }

    /// 200 with a body.
    pub(crate) fn ok(body: Body) -> Self {
        Self { status: 200, headers: Vec::new(), body }
    }

    /// With one more header.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// As a good server does: whole or from where it is asked, if the tag still fits.
    pub(crate) fn file(bytes: &[u8], etag: &str, asked: &Asked) -> Self {
        Self::cut_file(bytes, etag, asked, usize::MAX)
    }

    /// The same, but the connection breaks after `limit` bytes of the body.
    pub(crate) fn cut_file(bytes: &[u8], etag: &str, asked: &Asked, limit: usize) -> Self {
        let fits = asked.header("if-range").is_none_or(|tag| tag == etag);
        let from = asked.from().filter(|_| fits);
        let rest = &bytes[from.unwrap_or(0)..];
        let body = if limit < rest.len() {
            Body::Cut(rest[..limit].to_vec(), rest.len())
        } else {
            Body::Whole(rest.to_vec())
        };
        let reply = Self { status: 200, headers: Vec::new(), body }.with("ETag", etag);
        match from {
            None => reply,
            Some(from) => {
                let range = format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len());
                Self { status: 206, ..reply }.with("Content-Range", &range)
            }
        }
    }
}

type Handler = dyn Fn(&Asked, usize) -> Reply + Send + Sync;

/// The server, until it is dropped.
pub(crate) struct FileServer {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    ended: Arc<AtomicBool>,
}

impl FileServer {
    /// The handler hears each request, and how many there were before.
    pub(crate) fn start(handler: impl Fn(&Asked, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let ended = Arc::new(AtomicBool::new(false));
        let handler: Arc<Handler> = Arc::new(handler);
        let (log, end) = (Arc::clone(&asked), Arc::clone(&ended));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if end.load(Ordering::SeqCst) {
                    return;
                }
                let (log, end, handler) = (Arc::clone(&log), Arc::clone(&end), handler.clone());
                thread::spawn(move || {
                    let Ok(stream) = stream else { return };
                    let _ = answer(stream, &log, &end, &*handler);
                });
            }
        });
        Self { address, asked, ended }
    }

    /// The address of a path here.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for FileServer {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

fn answer(
    stream: TcpStream,
    log: &Mutex<Vec<Asked>>,
    end: &AtomicBool,
    handler: &Handler,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let Some(path) = line.split(' ').nth(1).map(str::to_owned) else { return Ok(()) };
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let asked = Asked { path, headers };
    let before = {
        let mut log = log.lock().unwrap();
        log.push(asked.clone());
        log.len() - 1
    };
    let reply = handler(&asked, before);
    let mut out = stream;
    let mut head = format!("HTTP/1.1 {} X\r\nConnection: close\r\n", reply.status);
    for (name, value) in &reply.headers {
        head += &format!("{name}: {value}\r\n");
    }
    let announced = match &reply.body {
        Body::Whole(bytes) => Some(bytes.len()),
        Body::Cut(_, length) | Body::Stall(_, length) => Some(*length),
        Body::Unannounced(_) | Body::Endless => None,
    };
    if let Some(length) = announced {
        head += &format!("Content-Length: {length}\r\n");
    }
    out.write_all(format!("{head}\r\n").as_bytes())?;
    match reply.body {
        Body::Whole(bytes) | Body::Cut(bytes, _) | Body::Unannounced(bytes) => {
            out.write_all(&bytes)?;
        }
        Body::Stall(bytes, _) => {
            out.write_all(&bytes)?;
            out.set_read_timeout(Some(Duration::from_millis(50)))?;
            let mut rest = [0; 1];
            while !end.load(Ordering::SeqCst) {
                match std::io::Read::read(&mut reader, &mut rest) {
                    Ok(0) => break,
                    Ok(_) => {}
                    Err(e)
                        if matches!(
                            e.kind(),
                            std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                        ) => {}
                    Err(_) => break,
                }
            }
        }
        Body::Endless => {
            let zeros = vec![0; 64 * 1024];
            while !end.load(Ordering::SeqCst) && out.write_all(&zeros).is_ok() {}
        }
    }
    out.flush()?;
    out.shutdown(Shutdown::Both)
}
