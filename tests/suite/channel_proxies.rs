//! Proxies on the way to an upstream: they get their credentials, and nobody else sees these. The
//! upstream's name exists at the proxies only, so that nothing can pass them by.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    runtime::Runtime,
};

use super::{
    channel::{Secure, listening},
    support::pki::{Authority, Wish},
};

const NAME: &str = "wsus.invalid";
const URL: &str = "https://wsus.invalid:8531";

struct Way {
    secure: Secure,
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    /// What proxies were told that is worth to be looked at.
    told: Arc<Mutex<Vec<String>>>,
    _runtime: Runtime,
    _authority: Authority,
}

type Told = Arc<Mutex<Vec<String>>>;

impl Way {
    fn through<F>(talk: impl Fn(TcpStream, SocketAddr, Told) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let authority = Authority::new("Ours");
        let mut secure = Secure::new(&authority.sign(&Wish { name: NAME, ..Wish::default() }));
        secure.pair.options.upstream.connection.roots = Some(authority.root());
        let told: Told = Arc::default();
        let (behind, tell) = (secure.address, Arc::clone(&told));
        let (address, connections, runtime) =
            listening(move |stream| talk(stream, behind, Arc::clone(&tell)));
        Self { secure, address, connections, told, _runtime: runtime, _authority: authority }
    }

    fn sync(&mut self, scheme: &str, credentials: &str) -> Result<(), String> {
        let proxy = format!("{scheme}://{credentials}{}", self.address);
        self.secure.pair.options.upstream.connection.proxy = Some(proxy);
        self.told.lock().unwrap().clear();
        let options = format!("{:?}", self.secure.pair.options);
        assert!(!options.contains("ge:heim") && !options.contains("ge%3Aheim"), "{options}");
        self.secure.pair.sync_from(URL).map(|_| ()).map_err(|error| {
            let all = format!("{error:?} {}", chain(&error));
            assert!(!all.contains("heim") && !all.contains("falsch"), "{all}");
            chain(&error)
        })
    }

    fn asked(&self) -> usize {
        self.secure.pair.mock.asked().len()
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

/// `CONNECT`, for anna only. [RFC 9110] 9.3.6
async fn connect_proxy(mut stream: TcpStream, behind: SocketAddr, told: Told) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).await.unwrap_or(0) == 0 {
            return;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let expected = format!("Basic {}", STANDARD.encode("anna:ge:heim"));
    let allowed = head.lines().any(|line| {
        line.split_once(": ").is_some_and(|(name, value)| {
            name.eq_ignore_ascii_case("proxy-authorization") && value == expected
        })
    });
    told.lock().unwrap().push(head.lines().next().unwrap().to_owned());
    if !allowed {
        let answer = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n";
        let _ = stream.write_all(answer.as_bytes()).await;
        return;
    }
    stream.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").await.unwrap();
    let mut to = TcpStream::connect(behind).await.unwrap();
    let _ = tokio::io::copy_bidirectional(&mut stream, &mut to).await;
}

/// SOCKS5 with user and password, for anna only. [RFC 1928], [RFC 1929]
async fn socks_proxy(mut stream: TcpStream, behind: SocketAddr, told: Told) {
    let Ok(talked) = socks(&mut stream, &told).await else { return };
    if talked {
        let mut to = TcpStream::connect(behind).await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut stream, &mut to).await;
    }
}

async fn socks(stream: &mut TcpStream, told: &Told) -> std::io::Result<bool> {
    assert_eq!(stream.read_u8().await?, 5);
    let methods = counted(stream).await?;
    if !methods.contains(&2) {
        stream.write_all(&[5, 0xff]).await?;
        return Ok(false);
    }
    stream.write_all(&[5, 2]).await?;
    assert_eq!(stream.read_u8().await?, 1);
    let (user, password) = (counted(stream).await?, counted(stream).await?);
    let allowed = user == b"anna" && password == b"ge:heim";
    if !allowed {
        // Told first: whoever reads the answer may look at once.
        told.lock().unwrap().push("refused".to_owned());
    }
    stream.write_all(&[1, u8::from(!allowed)]).await?;
    if !allowed {
        return Ok(false);
    }
    let mut request = [0; 4];
    stream.read_exact(&mut request).await?;
    assert_eq!(request, [5, 1, 0, 3], "a name is to be connected");
    let name = String::from_utf8(counted(stream).await?).unwrap();
    let port = stream.read_u16().await?;
    told.lock().unwrap().push(format!("{name}:{port}"));
    stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    Ok(true)
}

async fn counted(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let length = stream.read_u8().await?;
    let mut bytes = vec![0; usize::from(length)];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}

#[test]
fn an_http_proxy_gets_its_credentials() {
    let mut way = Way::through(connect_proxy);
    way.sync("http", "anna:ge%3Aheim@").unwrap();
    assert_eq!(way.told.lock().unwrap()[0], "CONNECT wsus.invalid:8531 HTTP/1.1");
    assert!(way.asked() > 0);

    let (before, connections) = (way.asked(), way.connections.load(Ordering::SeqCst));
    for credentials in ["", "anna:falsch@"] {
        let error = way.sync("http", credentials).unwrap_err();
        assert!(error.contains("the proxy refuses us"), "{error}");
        assert!(error.contains("TIDEGATE_PROXY"), "{error}");
    }
    assert_eq!(way.asked(), before, "something came through");
    assert_eq!(way.connections.load(Ordering::SeqCst) - connections, 2, "it was tried again");
}

#[test]
fn a_socks_proxy_gets_its_credentials_and_resolves_the_name() {
    let mut way = Way::through(socks_proxy);
    way.sync("socks5h", "anna:ge%3Aheim@").unwrap();
    assert_eq!(way.told.lock().unwrap()[0], "wsus.invalid:8531");
    assert!(way.asked() > 0);

    let (before, connections) = (way.asked(), way.connections.load(Ordering::SeqCst));
    let error = way.sync("socks5h", "anna:falsch@").unwrap_err();
    assert!(error.contains("the proxy refuses us"), "{error}");
    assert_eq!(*way.told.lock().unwrap(), ["refused"]);
    assert_eq!(way.asked(), before, "something came through");
    assert_eq!(way.connections.load(Ordering::SeqCst) - connections, 1, "it was tried again");
}

/// A proxy that opens the channel itself gets no further than its certificate.
#[test]
fn behind_a_proxy_the_certificate_still_has_to_be_right() {
    let mut way = Way::through(connect_proxy);
    let other = Authority::new("Inspection");
    way.secure.pair.options.upstream.connection.roots = Some(other.root());
    let error = way.sync("http", "anna:ge%3Aheim@").unwrap_err();
    assert!(error.contains("signed by nobody whom this machine trusts"), "{error}");
    assert_eq!(way.asked(), 0);
}
