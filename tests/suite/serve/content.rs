//! Payload files over HTTP.

use std::{fs, thread};

use bundle_format::digest::{Sha1, Sha256};

use super::{
    Running, Site,
    documents::{self, PAYLOAD},
    session::{Session, between},
};
use crate::support::http::{Connection, Reply, get};

fn path(payload: &[u8], extension: &str) -> String {
    let name = Sha1::hash(payload).to_string().to_uppercase();
    format!("/Content/{}/{name}{extension}", &name[38..])
}

fn served() -> (Site, Running) {
    let site = documents::site();
    let server = Running::new(&site);
    (site, server)
}

#[test]
fn a_file_comes_whole_and_by_range() {
    let (_site, server) = served();
    let path = path(PAYLOAD, ".exe");
    let size = PAYLOAD.len();
    let part = |range: &str| get(server.address, "GET", &path, &[&format!("Range: bytes={range}")]);

    let whole = get(server.address, "GET", &path, &[]);
    assert_eq!((whole.status, whole.body.as_slice()), (200, PAYLOAD));
    assert_eq!(whole.header("content-range"), None);
    for (range, from, to) in [
        ("0-0", 0, 1),
        ("5-9", 5, 10),
        ("5-", 5, size),
        ("-7", size - 7, size),
        ("0-999999", 0, size),
        ("-999999", 0, size),
    ] {
        let reply = part(range);
        assert_eq!((reply.status, reply.body.as_slice()), (206, &PAYLOAD[from..to]), "{range}");
        let expected = format!("bytes {from}-{}/{size}", to - 1);
        assert_eq!(reply.header("content-range"), Some(expected.as_str()));
        for same in ["etag", "last-modified", "accept-ranges", "content-type"] {
            assert_eq!(reply.header(same), whole.header(same), "{same}");
            assert!(reply.header(same).is_some(), "{same}");
        }
        assert_eq!(reply.header("content-encoding"), None);
    }
    for range in [format!("{size}-"), format!("{size}-{size}"), "-0".to_owned()] {
        let reply = part(&range);
        assert_eq!(reply.status, 416, "{range}");
        assert_eq!(reply.header("content-range"), Some(format!("bytes */{size}").as_str()));
    }
    // Nonsense: the whole file, as HTTP allows.
    for range in ["9-2", "x"] {
        assert_eq!((part(range).status, part(range).body.len()), (200, size), "{range}");
    }
}

#[test]
fn head_says_what_get_would() {
    let (_site, server) = served();
    let path = path(PAYLOAD, ".exe");
    let (head, whole) =
        (get(server.address, "HEAD", &path, &[]), get(server.address, "GET", &path, &[]));
    let mut without_date = [head.headers.clone(), whole.headers];
    without_date.iter_mut().for_each(|headers| headers.retain(|(name, _)| name != "date"));
    assert_eq!(without_date[0], without_date[1]);
    assert_eq!(head.header("content-length"), Some(PAYLOAD.len().to_string().as_str()));
    assert_eq!(get(server.address, "HEAD", &path, &["Range: bytes=0-1"]).status, 200);
}

#[test]
fn conditions_hold() {
    let (_site, server) = served();
    let path = path(PAYLOAD, ".exe");
    let whole = get(server.address, "GET", &path, &[]);
    let etag = whole.header("etag").unwrap().to_owned();
    assert_eq!(etag, format!("\"{}\"", Sha256::hash(PAYLOAD)), "strong, and of the content");
    let modified = whole.header("last-modified").unwrap().to_owned();
    let ask = |headers: &[&str]| get(server.address, "GET", &path, headers);

    let not_modified = ask(&[&format!("If-None-Match: {etag}")]);
    assert_eq!((not_modified.status, not_modified.header("etag")), (304, Some(etag.as_str())));
    assert_eq!(ask(&[&format!("If-Modified-Since: {modified}")]).status, 304);
    assert_eq!(ask(&["If-None-Match: \"other\""]).status, 200);
    // BITS asks so.
    assert_eq!(ask(&[&format!("If-Unmodified-Since: {modified}"), "Range: bytes=0-3"]).status, 206);
    assert_eq!(ask(&["If-Match: \"other\""]).status, 412);
    assert_eq!(ask(&["If-Unmodified-Since: Mon, 01 Jan 2001 00:00:00 GMT"]).status, 412);
    assert_eq!(ask(&[&format!("If-Range: {etag}"), "Range: bytes=0-3"]).status, 206);
    assert_eq!(ask(&["If-Range: \"other\"", "Range: bytes=0-3"]).status, 200);
}

#[test]
fn paths_are_found_in_any_case_and_nothing_else_is() {
    let (site, server) = served();
    let status = |path: &str| get(server.address, "GET", path, &[]).status;
    let exe = path(PAYLOAD, ".exe");
    for good in [&exe, &exe.to_lowercase(), &exe.to_uppercase(), &path(PAYLOAD, ".psf")] {
        assert_eq!(status(good), 200, "{good}");
    }
    assert_eq!(status("/Content/anonymousCheckFile.txt"), 200);
    let other_folder = exe.replacen("/Content/", "/Content/x", 1);
    for bad in [
        &path(b"unknown", ".exe"),
        &other_folder,
        &exe.replace(".exe", ".e/e"),
        "/Content/",
        "/Content/../tidegate.json",
        "/Content/..%2f..%2ftidegate.json",
        "/SelfUpdate/wuident.cab?2601010000",
        "/",
    ] {
        assert_eq!(status(bad), 404, "{bad}");
    }
    assert_eq!(get(server.address, "POST", &exe, &["Content-Length: 0"]).status, 405);

    // What is gone or has another size is not served as if it were the file.
    let stored = site.payload_path(&Sha256::hash(PAYLOAD));
    fs::write(&stored, b"short").unwrap();
    assert_eq!(status(&exe), 404);
    fs::remove_file(&stored).unwrap();
    assert_eq!(status(&exe), 404);
}

/// As Delivery Optimization does: pieces in any order, over several connections that are kept.
#[test]
fn pieces_in_any_order_make_the_file() {
    let site = documents::site();
    // Longer than one read of the disk, and no multiple of anything.
    let payload: Vec<u8> =
        (0..1_500_007_u32).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
    site.add(200, documents::child(200, &payload, "large.cab", "").as_bytes());
    site.add_payload(&payload);
    let server = Running::new(&site);
    let path = path(&payload, ".cab");
    const PIECE: usize = 64 * 1024;
    let pieces = payload.len().div_ceil(PIECE);
    let mut fetched: Vec<(usize, Vec<u8>)> = Vec::new();
    thread::scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|worker| {
                let (path, address, size) = (&path, server.address, payload.len());
                scope.spawn(move || {
                    let mut connection = Connection::open(address);
                    // 7 has no common factor with the number of pieces: all of them, shuffled.
                    let mine = (0..pieces).map(|n| n * 7 % pieces).filter(|n| n % 4 == worker);
                    mine.map(|piece| {
                        let (from, to) = (piece * PIECE, ((piece + 1) * PIECE).min(size) - 1);
                        connection.send(
                            format!("GET {path} HTTP/1.1\r\nHost: x\r\nRange: bytes={from}-{to}\r\nContent-Length: 0\r\n\r\n")
                                .as_bytes(),
                        );
                        let reply = connection.answer(false);
                        assert_eq!(reply.status, 206);
                        (piece, reply.body)
                    })
                    .collect::<Vec<_>>()
                })
            })
            .collect();
        for worker in workers {
            fetched.extend(worker.join().unwrap());
        }
    });
    fetched.sort();
    assert_eq!(fetched.len(), pieces);
    let all: Vec<u8> = fetched.into_iter().flat_map(|(_, bytes)| bytes).collect();
    assert_eq!(Sha256::hash(&all), Sha256::hash(&payload));
}

/// The URL that an answer names is where the file is, at whatever address the client asked.
#[test]
fn urls_follow_the_host_or_the_administrator() {
    let (site, server) = served();
    let digest = Sha1::hash(PAYLOAD).to_base64();
    let asked = format!(
        "<fileDigests><base64Binary>{digest}</base64Binary><base64Binary>AAAAAAAAAAAAAAAAAAAAAAAAAAA=</base64Binary></fileDigests>"
    );
    let session = Session::new(server.address, "pc-1", "2.90");
    let answer = session.with_cookie("GetFileLocations", &asked);
    assert_eq!(
        between(&answer, "Url"),
        format!("http://{}{}", server.address, path(PAYLOAD, ".exe"))
    );
    assert_eq!(answer.matches("<FileLocation>").count(), 1, "unknown files are left out");
    drop(server);

    let server = Running::with(&site, |options| {
        options.public_url = Some("https://updates.example:8531/".to_owned());
    });
    let session = Session::new(server.address, "pc-1", "2.90");
    let url = between(&session.with_cookie("GetFileLocations", &asked), "Url");
    assert_eq!(url, format!("https://updates.example:8531{}", path(PAYLOAD, ".exe")));
}

/// A download that runs when the end is asked for comes to its own end.
#[test]
fn running_downloads_finish() {
    let site = documents::site();
    let payload = vec![0x5a; 40 * 1024 * 1024];
    site.add(200, documents::child(200, &payload, "large.cab", "").as_bytes());
    site.add_payload(&payload);
    let mut server = Running::new(&site);
    let mut connection = Connection::open(server.address);
    connection
        .send(format!("GET {} HTTP/1.1\r\nHost: x\r\n\r\n", path(&payload, ".cab")).as_bytes());
    let head: Reply = connection.head();
    assert_eq!(head.status, 200);
    let mut idle = Connection::open(server.address);
    server.ask_to_end();
    // Nobody new comes in, the idle one is closed, and the bytes go on coming.
    assert!(idle.is_closed());
    let body = connection.body(payload.len());
    assert!(body == payload);
    assert!(connection.is_closed());
    server.wait();
}

/// A licence text is content like any other, and agents may ask where it is; but no update waits
/// for it, and no agent is told of it unasked.
#[test]
fn a_licence_text_is_served_when_it_is_here() {
    let site = documents::site();
    site.add(super::messages::LICENSED, super::messages::licensed().as_bytes());
    let server = Running::new(&site);
    let (text, other) = (b"licence in en", b"licence in de");
    let path_of = |text: &[u8]| path(text, ".txt");
    assert_eq!(get(server.address, "GET", &path_of(text), &[]).status, 404);
    drop(server);
    site.add_payload(text);
    let server = Running::new(&site);
    let reply = get(server.address, "GET", &path_of(text), &[]);
    assert_eq!((reply.status, reply.body.as_slice()), (200, &text[..]));
    assert_eq!(get(server.address, "GET", &path_of(other), &[]).status, 404);
}

/// BITS asks for several ranges in one request.
#[test]
fn several_ranges_come_as_parts_of_one_answer() {
    let site = documents::site();
    let bytes: Vec<u8> = (0..700_000_u32).map(|at| (at % 251) as u8).collect();
    site.add_payload(&bytes);
    let server = Running::new(&site);
    let path = path(&bytes, ".exe");
    let ask = |headers: &[&str]| get(server.address, "GET", &path, headers);
    let reply = ask(&["Range: bytes=600000-, 0-99,200-299"]);
    assert_eq!(reply.status, 206);
    assert_eq!(reply.header("content-range"), None);
    let kind = reply.header("content-type").unwrap();
    let boundary = kind.strip_prefix("multipart/byteranges; boundary=").unwrap();
    let mut expected = Vec::new();
    for (first, last) in [(600_000, 699_999), (0, 99), (200, 299)] {
        expected.extend_from_slice(
            format!(
                "\r\n--{boundary}\r\nContent-Type: application/octet-stream\r\n\
                 Content-Range: bytes {first}-{last}/700000\r\n\r\n"
            )
            .as_bytes(),
        );
        expected.extend_from_slice(&bytes[first..=last]);
    }
    expected.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    assert!(reply.body == expected);
    // Another version, too many, and all of it many times: the whole file, once.
    let many: Vec<String> = (0..300).map(|at| format!("{0}-{0}", at * 2)).collect();
    let many = format!("Range: bytes={}", many.join(","));
    for headers in [&["If-Range: \"other\"", "Range: bytes=0-9,20-29"][..], &[&many]] {
        let reply = ask(headers);
        assert_eq!((reply.status, reply.body.len()), (200, bytes.len()));
    }
    let reply = ask(&["Range: bytes=0-,0-,1-,2-"]);
    assert_eq!(reply.header("content-range"), Some("bytes 0-699999/700000"));
    assert_eq!(ask(&["Range: bytes=900000-,-0"]).status, 416);
}
