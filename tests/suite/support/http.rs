//! Just enough of HTTP to see exactly what is on the wire.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Names in lower case, in order.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// The value of a header, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The body, which must be UTF-8.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// A connection that is kept.
pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    /// Connects.
    pub(crate) fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        // A server that hangs fails the test instead of hanging it.
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Self { stream: BufReader::new(stream) }
    }

    /// Connects from this address of the machine.
    pub(crate) fn open_from(from: [u8; 4], to: SocketAddr) -> Self {
        let connect = async {
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.bind(SocketAddr::from((from, 0))).unwrap();
            socket.connect(to).await.unwrap().into_std().unwrap()
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        let stream = runtime.block_on(connect);
        stream.set_nonblocking(false).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Self { stream: BufReader::new(stream) }
    }

    /// Sends bytes as they are.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).unwrap();
    }

    /// Sends although the server may have hung up.
    pub(crate) fn try_send(&mut self, bytes: &[u8]) {
        let _ = self.stream.get_mut().write_all(bytes);
    }

    /// Reads the head of an answer; the body is left.
    pub(crate) fn head(&mut self) -> Reply {
        self.try_head().expect("the connection broke")
    }

    /// The same; `None` when the connection broke.
    pub(crate) fn try_head(&mut self) -> Option<Reply> {
        let mut line = String::new();
        self.stream.read_line(&mut line).ok()?;
        let status = line.split(' ').nth(1)?.parse().unwrap();
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        Some(Reply { status, headers, body: Vec::new() })
    }

    /// Reads a body of this length.
    pub(crate) fn body(&mut self, length: usize) -> Vec<u8> {
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).unwrap();
        body
    }

    /// Reads a whole answer; one to HEAD, 204 and 304 has no body whatever its length says.
    pub(crate) fn answer(&mut self, to_head: bool) -> Reply {
        let mut reply = self.head();
        assert_eq!(reply.header("transfer-encoding"), None, "answers are never chunked");
        if !to_head && reply.status != 304 {
            let length = reply.header("content-length").expect("answers state their length");
            let length = length.parse().unwrap();
            reply.body = self.body(length);
        }
        reply
    }

    /// Whether the server closed it.
    pub(crate) fn is_closed(&mut self) -> bool {
        matches!(self.stream.read(&mut [0]), Ok(0) | Err(_))
    }
}

/// One request on a connection of its own. `head` holds the request line and headers without the
/// empty line at the end.
pub(crate) fn request(address: SocketAddr, head: &str, body: &[u8]) -> Reply {
    let mut connection = Connection::open(address);
    connection.send(head.as_bytes());
    connection.send(b"\r\n\r\n");
    connection.try_send(body);
    connection.answer(head.starts_with("HEAD"))
}

/// A GET or HEAD with further headers.
pub(crate) fn get(address: SocketAddr, method: &str, path: &str, headers: &[&str]) -> Reply {
    let headers: String = headers.iter().map(|header| format!("\r\n{header}")).collect();
    request(address, &format!("{method} {path} HTTP/1.1\r\nHost: {address}{headers}"), b"")
}

/// A SOAP message to a path.
pub(crate) fn post(address: SocketAddr, path: &str, body: &[u8], headers: &[&str]) -> Reply {
    let headers: String = headers.iter().map(|header| format!("\r\n{header}")).collect();
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: text/xml; charset=utf-8\r\n\
         Content-Length: {length}{headers}"
    );
    request(address, &head, body)
}
