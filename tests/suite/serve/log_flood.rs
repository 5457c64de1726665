//! A client whose requests are all refused fills no log.

use std::fs;

use super::session::CLIENT;
use crate::support::{
    http::{Connection, get},
    program::Program,
};

const REQUESTS: u64 = 300;

#[test]
fn refused_requests_of_one_address_write_a_bounded_log_and_the_rest_is_counted() {
    let root = tempfile::tempdir().unwrap();
    let program = Program::init(root.path(), "data", &["--site", "plant-7"], "");
    let log = root.path().join("log");
    let server = program.serve_with(&[], |command| {
        command.stderr(fs::File::create(&log).unwrap());
    });
    let address: std::net::SocketAddr = server.said("/address").parse().unwrap();
    for _ in 0..REQUESTS {
        let mut connection = Connection::open(address);
        connection.send(
            format!("POST {CLIENT} HTTP/1.1\r\nHost: x\r\nSOAPAction: \"urn:x\"\r\nContent-Length: 4\r\n\r\n<a/>")
                .as_bytes(),
        );
        assert_eq!(connection.answer(false).status, 500);
        assert_eq!(get(address, "GET", "/selfupdate/wuident.cab", &[]).status, 404);
    }
    server.end();
    let log = fs::read_to_string(&log).unwrap();
    let count = |what: &str| log.lines().filter(|line| line.contains(what)).count() as u64;
    // A minute may have ended in the middle.
    let refused = count("a request was refused");
    assert!((20..=120).contains(&refused), "{refused} lines:\n{log}");
    assert!(count("further log lines about this client are left out") >= 1, "{log}");
    assert_eq!(count("Windows 8.1 or older"), 1, "{log}");
    // No further request came: the end says it.
    let left_out: u64 = log
        .lines()
        .filter(|line| line.contains("were left out: too many"))
        .map(|line| {
            let (_, after) = line.split_once("left_out=").unwrap();
            after
                .chars()
                .take_while(char::is_ascii_digit)
                .collect::<String>()
                .parse::<u64>()
                .unwrap()
        })
        .sum();
    assert_eq!(refused + left_out, REQUESTS, "{log}");
    assert!(count("action=\"urn:x\"") == refused && !log.contains("\\\""), "{log}");
    // Neither names of our files nor forms of a library.
    assert!(log.lines().all(|line| !line.contains("::") && !line.contains("Error(")), "{log}");
}
