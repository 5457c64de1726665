//! The server with TLS, by clients that speak nothing else.

use std::{
    fs,
    net::{SocketAddr, TcpStream as Blocking},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use tidegate::server::{ServeOptions, Server, TlsOptions};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore, SupportedProtocolVersion,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, ServerName},
        version::{TLS12, TLS13},
    },
};

use super::{Running, Site};
use crate::support::pki::{Authority, Pair, Wish};

fn options(files: &Pair) -> TlsOptions {
    TlsOptions {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        certificate: files.certificate.clone(),
        key: files.key.clone(),
    }
}

/// Asks for a page over TLS; gives version, certificate and answer.
async fn ask(
    address: SocketAddr,
    authority: &Authority,
    versions: &[&'static SupportedProtocolVersion],
) -> std::io::Result<(String, Vec<u8>, String)> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(authority.root_der())).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    let version = format!("{:?}", stream.get_ref().1.protocol_version().unwrap());
    let certificate = stream.get_ref().1.peer_certificates().unwrap()[0].to_vec();
    let request =
        "GET /Content/anonymousCheckFile.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok((version, certificate, answer))
}

#[tokio::test]
async fn both_ports_answer_and_both_versions_of_tls() {
    let authority = Authority::new("Plant");
    let files = authority.sign(&Wish::default());
    let site = Site::new();
    let running = Running::with(&site, |options| options.tls = Some(self::options(&files)));
    let tls = running.tls.unwrap();
    for (version, name) in [(&TLS12, "TLSv1_2"), (&TLS13, "TLSv1_3")] {
        let (spoken, _, answer) = ask(tls, &authority, &[version]).await.unwrap();
        assert_eq!(spoken, name);
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("Tidegate"), "{answer}");
    }
    let mut plain = TcpStream::connect(running.address).await.unwrap();
    plain.write_all(b"GET /content/anonymouscheckfile.txt HTTP/1.0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    plain.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains("Tidegate"), "{answer}");
    // A client that does not trust us says nothing at all.
    let error = ask(tls, &Authority::new("Other"), &[&TLS13]).await.unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");
}

#[tokio::test]
async fn old_tls_and_plain_text_are_turned_away() {
    let authority = Authority::new("Plant");
    let files = authority.sign(&Wish::default());
    let site = Site::new();
    let running = Running::with(&site, |options| options.tls = Some(self::options(&files)));
    let tls = running.tls.unwrap();

    // ClientHello of TLS 1.1, random of zeros, TLS_RSA_WITH_AES_128_CBC_SHA, no compression.
    let mut hello = vec![0x16, 3, 1, 0, 55, 1, 0, 0, 51, 3, 2];
    hello.extend([0; 33]);
    hello.extend([0, 2, 0, 0x2f, 1, 0]);
    // One extension: signature_algorithms, with RSA and SHA-256.
    hello.extend([0, 8, 0, 13, 0, 4, 0, 2, 4, 1]);
    assert_eq!(hello.len(), 5 + 55);
    let mut stream = TcpStream::connect(tls).await.unwrap();
    stream.write_all(&hello).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    // A fatal alert: protocol_version.
    assert_eq!(answer.first(), Some(&0x15), "{answer:?}");
    assert_eq!(answer[answer.len() - 2..], [2, 70], "{answer:?}");

    let mut stream = TcpStream::connect(tls).await.unwrap();
    stream.write_all(b"GET /content/anonymouscheckfile.txt HTTP/1.0\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    ask(tls, &authority, &[&TLS13]).await.unwrap();
}

#[tokio::test]
async fn those_who_do_not_finish_their_handshake_hold_up_nobody_for_long() {
    let authority = Authority::new("Plant");
    let files = authority.sign(&Wish::default());
    let site = Site::new();
    let running = Running::with(&site, |options| {
        options.tls = Some(self::options(&files));
        options.connections = 4;
    });
    // Room is left: at once.
    let tls = running.tls.unwrap();
    let silent: Vec<_> = (0..3).map(|_| Blocking::connect(tls).unwrap()).collect();
    ask(tls, &authority, &[&TLS13]).await.unwrap();
    drop((silent, running));

    // No room is left: when they have had their time.
    let running = Running::with(&site, |options| {
        options.tls = Some(self::options(&files));
        options.connections = 2;
        options.handshake = Duration::from_millis(50);
    });
    let tls = running.tls.unwrap();
    let silent: Vec<_> = (0..2).map(|_| Blocking::connect(tls).unwrap()).collect();
    ask(tls, &authority, &[&TLS13]).await.unwrap();
    drop(silent);
}

#[tokio::test]
async fn a_renewed_certificate_is_taken_and_a_broken_one_is_not() {
    let authority = Authority::new("Plant");
    let files = authority.sign(&Wish::default());
    let site = Site::new();
    let running = Running::with(&site, |options| options.tls = Some(self::options(&files)));
    let tls = running.tls.unwrap();
    let (_, first, _) = ask(tls, &authority, &[&TLS13]).await.unwrap();

    fs::write(&files.key, "rubbish").unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let (_, still, _) = ask(tls, &authority, &[&TLS13]).await.unwrap();
    assert_eq!(still, first);

    authority.sign_into(&Wish::default(), &files.certificate, &files.key);
    let mut now = first.clone();
    for _ in 0..500 {
        (_, now, _) = ask(tls, &authority, &[&TLS13]).await.unwrap();
        if now != first {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_ne!(now, first, "the renewed certificate is not used");
}

#[tokio::test]
async fn certificates_of_no_use_are_refused_at_the_start() {
    let authority = Authority::new("Plant");
    let (files, others) = (authority.sign(&Wish::default()), authority.sign(&Wish::default()));
    let site = Site::new();
    let refused = async |certificate: &PathBuf, key: &PathBuf| {
        let (certificate, key) = (certificate.clone(), key.clone());
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut options = ServeOptions::new(listen);
        options.tls = Some(TlsOptions { listen, certificate, key });
        let error = Server::bind(site.data.clone(), options).await.err().unwrap();
        format!("{error}: {}", std::error::Error::source(&error).unwrap())
    };
    let error = refused(&files.certificate, &others.key).await;
    assert!(error.contains("cannot use the certificate"), "{error}");
    let error = refused(&files.key, &files.key).await;
    assert!(error.contains("no certificate in PEM"), "{error}");
    let error = refused(&files.certificate, &files.certificate).await;
    assert!(error.contains("no private key"), "{error}");
    let error = refused(&files.certificate.with_extension("gone"), &files.key).await;
    assert!(error.contains("cannot read") && error.contains("server.gone"), "{error}");
}
