//! One client takes all that it can get; another beside it notices nothing.

use std::net::SocketAddr;

use tidegate::protocol::client;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};

use super::{
    Running, documents,
    session::{CLIENT, message},
};
use crate::support::http::{Connection, post};

/// A connection of another address than 127.0.0.1.
async fn connect(from: [u8; 4], to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((from, 0))).unwrap();
    socket.connect(to).await.unwrap()
}

fn config() -> String {
    message(client::NAMESPACE, "GetConfig", "<protocolVersion>1.8</protocolVersion>")
}

fn head(length: usize) -> String {
    format!("POST {CLIENT} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n")
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_of_one_address_hold_up_nobody() {
    let server = Running::with(&documents::site(), |options| {
        options.connections = 8;
        options.connections_per_address = 6;
    });
    let to = server.address;
    // An agent with a connection of its own, in the middle of a request.
    let honest = tokio::task::spawn_blocking(move || {
        let mut honest = Connection::open(to);
        let config = config();
        honest.send(head(config.len()).as_bytes());
        honest.send(&config.as_bytes()[..20]);
        (honest, config)
    });
    let (mut honest, config) = honest.await.unwrap();
    let mut flood = Vec::new();
    for at in 0..60_u8 {
        let mut idle = connect([127, 0, 0, 2 + at % 2], to).await;
        // Some begin a request and stop before its end.
        if at % 3 == 0 {
            let _ = idle.write_all(b"POST / HTTP/1.1\r\n").await;
        }
        flood.push(idle);
    }
    // Whoever comes now is answered, from whichever address.
    for from in [[127, 0, 0, 1], [127, 0, 0, 2], [127, 0, 0, 9]] {
        let mut agent = connect(from, to).await;
        agent.write_all(format!("{}{config}", head(config.len())).as_bytes()).await.unwrap();
        let mut answer = [0; 15];
        agent.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 OK");
    }
    // The request that had begun before the flood is answered too.
    let reply = tokio::task::spawn_blocking(move || {
        honest.send(&config.as_bytes()[20..]);
        honest.answer(false)
    });
    assert_eq!(reply.await.unwrap().status, 200);
    // The first of the flood were closed.
    assert!(matches!(flood[0].read(&mut [0]).await, Ok(0) | Err(_)));
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_stop_hold_no_place_of_others() {
    let server = Running::new(&documents::site());
    let to = server.address;
    let begun = format!("{}{}", head(4 << 20), " ".repeat(300 * 1024));
    let mut flood = Vec::new();
    for _ in 0..12 {
        let mut stopped = connect([127, 0, 0, 2], to).await;
        stopped.write_all(begun.as_bytes()).await.unwrap();
        flood.push(stopped);
    }
    let large = config()
        .replace("<protocolVersion>", &format!("{}<protocolVersion>", " ".repeat(400 * 1024)));
    let asked = move || post(to, CLIENT, large.as_bytes(), &[]).status;
    assert_eq!(tokio::task::spawn_blocking(asked).await.unwrap(), 200);
    // Those that stopped are given up, and told so.
    let mut answer = [0; 12];
    flood[0].read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408");
}
