//! What is said when a server is not trusted, is not there, or speaks something else: in our words, with
//! what to do.

use std::{net::TcpListener, process::Output};

use rcgen::{ExtendedKeyUsagePurpose, IsCa};
use serde_json::Value;

use super::channel::{Secure, in_our_words, listening, saying, says};
use crate::support::{
    pki::{Authority, Pair as Files, Wish, self_signed, self_signed_but},
    program::{Program, messages, utf8},
    upstream_fake::{Pair, Uss},
};

/// As `-addext basicConstraints=CA:FALSE` makes it.
fn of_a_server() -> Files {
    self_signed_but(&Wish::default(), |params| params.is_ca = IsCa::ExplicitNoCa)
}

#[test]
fn one_that_signs_itself_is_taken_when_it_is_given_and_else_said_to_be_given() {
    let files = of_a_server();
    let other = Authority::new("Other");
    let mut secure = Secure::new(&files).trusting(&other.root());
    let url = secure.url();
    let message = secure.refuses(&url, 1);
    says(&message, &["--roots FILE (of a certificate that signs itself: this certificate)"]);
    let mut secure = Secure::new(&files).trusting(&files.certificate);
    let url = secure.url();
    secure.pair.sync_from(&url).unwrap();
}

#[test]
fn one_without_subject_alt_name_is_for_no_name_and_that_is_said() {
    let nameless = |ca: IsCa| {
        self_signed_but(&Wish::default(), |params| {
            params.subject_alt_names.clear();
            params.is_ca = ca;
        })
    };
    let of_authority = self_signed_but(&Wish::default(), |params| params.subject_alt_names.clear());
    for files in [nameless(IsCa::ExplicitNoCa), nameless(IsCa::NoCa), of_authority] {
        let mut secure = Secure::new(&files).trusting(&files.certificate);
        let url = secure.url();
        says(
            &secure.refuses(&url, 1),
            &["has no subjectAltName", "-addext subjectAltName=DNS:NAME"],
        );
    }
}

#[test]
fn names_are_told_as_people_write_them() {
    let files = self_signed_but(&Wish { name: "wsus.example", ..Wish::default() }, |params| {
        params.subject_alt_names.push(rcgen::SanType::IpAddress([10, 0, 0, 1].into()));
        params.subject_alt_names.push(rcgen::SanType::Rfc822Name("a@b".try_into().unwrap()));
    });
    let mut secure = Secure::new(&files).trusting(&files.certificate);
    let url = secure.url();
    says(&secure.refuses(&url, 1), &["is for wsus.example, 10.0.0.1: use a name that it has"]);
}

#[test]
fn one_that_is_not_for_servers_is_refused_with_the_reason() {
    let files = self_signed_but(&Wish::default(), |params| {
        params.is_ca = IsCa::ExplicitNoCa;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    });
    let other = Authority::new("Other");
    let mut secure = Secure::new(&files).trusting(&other.root());
    let url = secure.url();
    says(&secure.refuses(&url, 1), &["not made for servers", "lacks serverAuth"]);
}

#[test]
fn the_wrong_port_is_said_in_both_directions() {
    // TLS that is spoken to with plain HTTP, as ours and as Windows do it: an alert, or nothing.
    const ALERT: &[u8] = &[0x15, 3, 3, 0, 2, 2, 50];
    let silent = listening(|stream| async move { drop(stream) });
    // An alert is no HTTP and will be none; silence may pass.
    for ((address, _, _runtime), attempt) in [(saying(ALERT), 1), (silent, 3)] {
        let error = Pair::new(Uss::default()).sync_from(&format!("http://{address}")).unwrap_err();
        let attempt = format!("attempt {attempt}");
        says(&in_our_words(&error), &[&attempt, "If this port is one for TLS, write https://"]);
    }
    const REFUSED: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    let (address, _, _runtime) = saying(REFUSED);
    let error = Pair::new(Uss::default()).sync_from(&format!("http://{address}")).unwrap_err();
    says(&in_our_words(&error), &["HTTP 400: if this port is one for TLS, write https://"]);
    // Plain HTTP that is spoken to with TLS: words (see the channel's tests), or nothing.
    let (address, _, _runtime) = listening(|stream| async move { drop(stream) });
    let error = Pair::new(Uss::default()).sync_from(&format!("https://{address}")).unwrap_err();
    says(&in_our_words(&error), &["If this port is one for plain HTTP, write http://"]);
}

/// A port where nothing listens.
fn closed_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

#[test]
fn a_closed_port_is_said_in_few_words_and_what_to_look_at_at_the_end() {
    let mut pair = Pair::new(Uss::default());
    let address = closed_port();
    let error = pair.sync_from(&format!("http://{address}")).unwrap_err();
    let message = in_our_words(&error);
    let begin = format!(
        "no answer from http://{address} to GetAuthConfig in attempt 3: the connection is refused: nothing listens there. Check the address and the port (a WSUS has 8530"
    );
    assert!(message.starts_with(&begin), "{message}");
}

#[test]
fn a_server_that_stops_answering_is_not_said_to_be_at_another_port() {
    let mut pair = Pair::new(Uss { anchor: "1,2026".into(), limit: 4, ..Uss::default() });
    pair.options.upstream.selection.categories_only = true;
    pair.bend(|asked, _, mut reply| {
        if asked.operation() == "GetCookie" {
            reply.length = Some(reply.body.len() + 1);
        }
        reply
    });
    let error = pair.sync().unwrap_err();
    let expected =
        ["to GetCookie", "ended before the answer was complete. What came before is kept"];
    says(&in_our_words(&error), &expected);
}

fn connected() -> (tempfile::TempDir, Program) {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::init(folder.path(), "connected", &[], "");
    (folder, program)
}

fn checks(output: &Output) -> Vec<(String, String)> {
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let all = value["checks"].as_array().unwrap();
    all.iter().map(|one| (text(&one["check"]), text(&one["what"]))).collect()
}

#[test]
fn a_check_says_each_cause_once_and_no_line_is_of_a_library() {
    let (_folder, program) = connected();
    let files = self_signed(&Wish::default());
    let other = Authority::new("Other");
    let other = other.root();
    let secure = Secure::new(&files);
    let (address, url) = (closed_port(), secure.url());
    let closed = format!("http://{address}");
    let ask = ["check", "--can-sync", "--proxy", "none", "--from"];
    for (more, cause) in [
        (&[&url[..], "--roots", utf8(&other)][..], "CA:TRUE"),
        (&[&closed, "--allow-http"], "refused"),
        (&[&closed], "--allow-http"),
    ] {
        let output = program.command(&[&ask[..], more].concat()).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let found = checks(&output);
        let times = found.iter().filter(|(_, what)| what.contains(cause)).count();
        assert_eq!(times, 1, "{cause}: {found:?}");
        let said = format!("{found:?} {}", messages(&output));
        for theirs in ["client error", "os error", "tidegate::", "CaUsed"] {
            assert!(!said.contains(theirs), "{said}");
        }
    }
    // The line before the second attempt.
    let output =
        program.command(&[&ask[..], &[&closed, "--allow-http"]].concat()).output().unwrap();
    let said = messages(&output);
    let line = format!("no answer from {closed}: the connection is refused: nothing listens there");
    assert!(said.contains(&format!("{line}; attempt 2 of 2 follows in 1 s")), "{said}");
}

#[test]
fn a_server_without_a_scheme_is_told_how_to_write_it() {
    let (_folder, program) = connected();
    for (text, expected) in [
        ("localhost:8530", "http://localhost:8530"),
        ("wsus.example:8531", "https://wsus.example:8531"),
        ("wsus.example/", "https://wsus.example"),
    ] {
        let output = program.command(&["sync", "--from", text]).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let said = messages(&output);
        let hint = format!("begins with https:// or http://: {expected}\n");
        assert!(said.contains(&hint), "{said}");
    }
    for path in ["updates", "./updates.cab", "folder/updates.cab"] {
        let said = messages(&program.command(&["sync", "--from", path]).output().unwrap());
        assert!(said.ends_with(&format!("there is no file or folder {path}\n")), "{said}");
    }
}

/// As in a container without the package of roots.
#[test]
#[cfg(target_os = "linux")]
fn a_machine_without_roots_speaks_plain_http_and_says_what_tls_needs() {
    let (_folder, program) = connected();
    let (address, url) = (closed_port(), "https://wsus.invalid");
    let plain = format!("http://{address}");
    let ask = ["check", "--can-sync", "--proxy", "none", "--allow-http", "--from"];
    let refused = "the connection is refused";
    for (args, expected) in [
        ([&ask[..], &[&plain]].concat(), refused),
        (vec!["probe", &plain], refused),
        ([&ask[..], &[url]].concat(), "give a file of roots with --roots FILE, or install"),
        (vec!["probe", url], "give a file of roots with --roots FILE, or install"),
    ] {
        let mut command = program.command(&args);
        command.env("SSL_CERT_FILE", "/dev/null").env("SSL_CERT_DIR", "/nonexistent");
        let output = command.output().unwrap();
        let said = format!("{} {}", String::from_utf8_lossy(&output.stdout), messages(&output));
        assert!(said.contains(expected), "{args:?}: {said}");
    }
}

#[test]
fn a_key_of_another_certificate_is_said_so() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::init(folder.path(), "isolated", &["--site", "plant"], "");
    let (files, other) = (self_signed(&Wish::default()), self_signed(&Wish::default()));
    let (certificate, key) = (utf8(&files.certificate), utf8(&other.key));
    let args = ["serve", "--listen", "none", "--tls-cert", certificate, "--tls-key", key];
    let output = program.command(&args).output().unwrap();
    let said = messages(&output);
    assert!(said.contains("the key belongs to another certificate"), "{said}");
    assert!(!said.contains("KeyMismatch"), "{said}");
}

#[test]
fn a_probe_says_the_same() {
    let (folder, program) = connected();
    let closed = format!("http://{}", closed_port());
    let output = program.command(&["probe", &closed]).output().unwrap();
    let said = messages(&output);
    says(&said, &["the connection is refused: nothing listens there. Check the address"]);
    assert!(!said.contains("client error") && !said.contains("os error"), "{said}");
    drop(folder);
}
