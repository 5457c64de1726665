//! A tiny server for the tests of the stand-in: it records what arrives, byte for byte, and answers
//! whatever the test wants, wrong HTTP included.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::Runtime,
};

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// Request line.
    pub(crate) line: String,
    /// Headers in order, names as written.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Asked {
    /// The value of a header, by its name in any letter case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The operation, from the action; `Content` for a GET.
    pub(crate) fn operation(&self) -> String {
        match self.header("soapaction") {
            Some(action) => action.trim_matches('"').rsplit('/').next().unwrap().to_owned(),
            None => "Content".into(),
        }
    }

    /// The closed range asked for.
    pub(crate) fn range(&self) -> (u64, u64) {
        let range = self.header("range").unwrap().strip_prefix("bytes=").unwrap();
        let (from, to) = range.split_once('-').unwrap();
        (from.parse().unwrap(), to.parse().unwrap())
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Send the body in one chunk instead of with a length.
    pub(crate) chunked: bool,
    /// Say nothing of the length and end with the connection.
    pub(crate) unframed: bool,
    /// Claim this length instead of the real one.
    pub(crate) length: Option<usize>,
    /// Send the body again and again, with this pause, until nobody reads any more.
    pub(crate) endless: Option<Duration>,
}

impl Reply {
    /// 200 with a SOAP message.
    pub(crate) fn soap(body: impl Into<String>) -> Self {
        Self {
            status: 200,
            headers: vec![("Content-Type".into(), "text/xml; charset=utf-8".into())],
            body: body.into().into_bytes(),
            chunked: false,
            unframed: false,
            length: None,
            endless: None,
        }
    }

    /// A fault as a WSUS sends it.
    pub(crate) fn fault(code: &str) -> Self {
        let mut reply = Self::soap(format!(
            "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><s:Fault><faultcode>s:Client</faultcode><faultstring>Fault occurred</faultstring><detail><ErrorCode>{code}</ErrorCode><Message/><ID>f0000000-0000-4000-8000-000000000001</ID></detail></s:Fault></s:Body></s:Envelope>"
        ));
        reply.status = 500;
        reply
    }

    /// With this header, instead of others of its name.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(key, _)| !key.eq_ignore_ascii_case(name));
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Without the headers of this name.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(key, _)| !key.eq_ignore_ascii_case(name));
        self
    }
}

/// What a server of a test runs on while the test itself waits.
pub(crate) fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().unwrap()
}

type Answer = Box<dyn FnMut(&Asked) -> Reply + Send>;

/// The server, and what it was asked.
pub(crate) struct Mock {
    pub(crate) url: String,
    log: Arc<Mutex<Vec<Asked>>>,
}

impl Mock {
    /// Serves on a free port; `answer` gets the host first.
    pub(crate) async fn serve(answer: impl FnOnce(&str) -> Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let log = Arc::new(Mutex::new(Vec::new()));
        let answer = Arc::new(Mutex::new(answer(&host)));
        let kept = Arc::clone(&log);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(talk(stream, Arc::clone(&answer), Arc::clone(&kept)));
            }
        });
        Self { url: format!("http://{host}"), log }
    }

    /// All requests so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.log.lock().unwrap().clone()
    }

    /// Operations in the order in which they were called, content left out.
    pub(crate) fn operations(&self) -> Vec<String> {
        self.asked().iter().map(Asked::operation).filter(|name| name != "Content").collect()
    }

    /// The requests for an operation.
    pub(crate) fn requests(&self, operation: &str) -> Vec<Asked> {
        self.asked().into_iter().filter(|asked| asked.operation() == operation).collect()
    }
}

async fn talk(mut stream: TcpStream, answer: Arc<Mutex<Answer>>, log: Arc<Mutex<Vec<Asked>>>) {
    let mut held = Vec::new();
    while let Some(asked) = read_request(&mut stream, &mut held).await {
        log.lock().unwrap().push(asked.clone());
        let reply = (answer.lock().unwrap())(&asked);
        let mut out = format!("HTTP/1.1 {} Answer\r\n", reply.status);
        for (name, value) in &reply.headers {
            out.push_str(&format!("{name}: {value}\r\n"));
        }
        let mut out = out.into_bytes();
        if let Some(pause) = reply.endless {
            out.extend(b"Connection: close\r\n\r\n");
            while stream.write_all(&out).await.is_ok() {
                out.clone_from(&reply.body);
                tokio::time::sleep(pause).await;
            }
            return;
        }
        if reply.chunked {
            out.extend(b"Transfer-Encoding: chunked\r\n\r\n");
            out.extend(format!("{:x}\r\n", reply.body.len()).as_bytes());
            out.extend(&reply.body);
            out.extend(b"\r\n0\r\n\r\n");
        } else if reply.unframed {
            out.extend(b"Connection: close\r\n\r\n");
            out.extend(&reply.body);
        } else {
            let length = reply.length.unwrap_or(reply.body.len());
            out.extend(format!("Content-Length: {length}\r\n\r\n").as_bytes());
            out.extend(&reply.body);
        }
        if stream.write_all(&out).await.is_err() || reply.length.is_some() || reply.unframed {
            return;
        }
    }
}

async fn read_request(stream: &mut TcpStream, held: &mut Vec<u8>) -> Option<Asked> {
    loop {
        if let Some(end) = held.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(held[..end].to_vec()).unwrap();
            let mut lines = head.split("\r\n");
            let line = lines.next().unwrap().to_owned();
            let headers: Vec<(String, String)> = lines
                .map(|line| line.split_once(": ").unwrap())
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect();
            let mut asked = Asked { line, headers, body: String::new() };
            let length: usize = asked.header("content-length").unwrap_or("0").parse().unwrap();
            if held.len() >= end + 4 + length {
                let rest = held.split_off(end + 4 + length);
                let request = std::mem::replace(held, rest);
                asked.body = String::from_utf8(request[end + 4..].to_vec()).unwrap();
                return Some(asked);
            }
        }
        if stream.read_buf(held).await.ok()? == 0 {
            return None;
        }
    }
}
