//! The store of payloads, on a real disk.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    process::{Command, Stdio},
};

use bundle_format::digest::{CHUNK_SIZE, Sha1, Sha256};
use tempfile::TempDir;
use tidegate::content::{ContentError, ContentStore, hash_file};

use crate::support::stores;

fn listed(store: &ContentStore) -> Vec<(Sha256, u64)> {
    let mut all = Vec::new();
    store.list(&mut |sha256, size| all.push((sha256, size))).unwrap();
    all
}

/// What is in `content/tmp/` beside the lock.
fn temporary(folder: &TempDir) -> usize {
    fs::read_dir(folder.path().join("content/tmp"))
        .unwrap()
        .filter(|e| e.as_ref().unwrap().file_name() != ".lock")
        .count()
}

#[test]
fn a_file_is_kept_under_its_digest() {
    let (folder, store) = stores::content();
    let source = folder.path().join("source");
    let bytes: Vec<u8> = (0..CHUNK_SIZE + 5).map(|n| u8::try_from(n % 251).unwrap()).collect();
    fs::write(&source, &bytes).unwrap();
    for _ in 0..2 {
        let mut heard = 0;
        let digests = store.add_file(&source, &mut |n| heard += n).unwrap();
        assert_eq!(heard, bytes.len() as u64);
        assert_eq!(digests.sha256, Sha256::hash(&bytes));
        assert_eq!(digests.sha1, Sha1::hash(&bytes));
        assert_eq!(digests.size, bytes.len() as u64);
        let cut = usize::try_from(CHUNK_SIZE).unwrap();
        assert_eq!(digests.chunks, [Sha256::hash(&bytes[..cut]), Sha256::hash(&bytes[cut..])]);
        assert_eq!(hash_file(&source, &mut |_| {}).unwrap(), digests);
        assert_eq!(store.rehash(&digests.sha256, &mut |_| {}).unwrap(), Some(digests));
    }
    let sha256 = Sha256::hash(&bytes);
    let path = store.path(&sha256);
    let name = sha256.to_string();
    assert!(path.ends_with(Path::new("content").join(&name[..2]).join(&name)));
    assert!(fs::metadata(&path).unwrap().permissions().readonly());
    let mut kept = Vec::new();
    store.read(&sha256).unwrap().read_to_end(&mut kept).unwrap();
    assert_eq!(kept, bytes);
    assert!(store.contains(&sha256, bytes.len() as u64).unwrap());
    assert!(!store.contains(&sha256, 4).unwrap(), "another size is another payload");
    assert!(!store.contains(&Sha256::hash(b"other"), 4).unwrap());
    assert_eq!(store.rehash(&Sha256::hash(b"other"), &mut |_| {}).unwrap(), None);
    assert!(matches!(store.read(&Sha256::hash(b"other")), Err(ContentError::File(_))));
    assert_eq!(listed(&store), [(sha256, bytes.len() as u64)]);
    assert_eq!(temporary(&folder), 0);
}

#[test]
fn several_are_kept_at_once_and_a_damaged_one_is_replaced() {
    let (folder, store) = stores::content();
    let mut all = Vec::new();
    for n in 0..40_u8 {
        let mut incoming = store.begin().unwrap();
        incoming.write_all(&[n; 10]).unwrap();
        incoming.flush().unwrap();
        all.push((incoming, Sha256::hash(&[n; 10])));
    }
    assert_eq!(listed(&store), [], "nothing before it is whole");
    store.store(all).unwrap();
    let listed = listed(&store);
    assert_eq!(listed.len(), 40);
    assert!(listed.is_sorted(), "in the order of names");

    let sha256 = Sha256::hash(&[7; 10]);
    let path = store.path(&sha256);
    fs::remove_file(&path).unwrap();
    fs::write(&path, b"damaged").unwrap();
    let damaged = store.rehash(&sha256, &mut |_| {}).unwrap().unwrap();
    assert_eq!(damaged.sha256, Sha256::hash(b"damaged"));
    let source = folder.path().join("good");
    fs::write(&source, [7; 10]).unwrap();
    store.add_file(&source, &mut |_| {}).unwrap();
    assert_eq!(store.rehash(&sha256, &mut |_| {}).unwrap().unwrap().sha256, sha256);
}

#[test]
fn what_is_not_kept_leaves_nothing() {
    let (folder, store) = stores::content();
    let mut incoming = store.begin().unwrap();
    incoming.write_all(b"half").unwrap();
    assert_eq!(temporary(&folder), 1);
    drop(incoming);
    assert_eq!(temporary(&folder), 0);
    let missing = folder.path().join("not there");
    assert!(store.add_file(&missing, &mut |_| {}).is_err());
    assert_eq!(temporary(&folder), 0);
    assert_eq!(listed(&store), []);
}

#[test]
fn strangers_in_the_folder_are_not_payloads() {
    let (folder, store) = stores::content();
    let content = folder.path().join("content");
    let name = Sha256::hash(b"x").to_string();
    fs::create_dir_all(content.join("ab")).unwrap();
    fs::write(content.join("ab").join(&name), b"in the wrong folder").unwrap();
    fs::write(content.join("ab/readme"), b"").unwrap();
    fs::write(content.join("zz"), b"").unwrap();
    fs::create_dir_all(content.join(&name[..2]).join(&name)).unwrap();
    assert_eq!(listed(&store), []);
    assert!(!store.contains(&Sha256::hash(b"x"), 4096).unwrap(), "a folder is no payload");
}

/// A process that is killed leaves its temporary file; it goes, those of the living stay.
#[test]
fn only_what_nobody_holds_is_swept() {
    if let Ok(root) = std::env::var("TIDEGATE_TEST_WRITER") {
        let store = ContentStore::open(Path::new(&root)).unwrap();
        let mut incoming = store.begin().unwrap();
        incoming.write_all(b"by another process").unwrap();
        println!("WRITING");
        std::io::stdin().read_line(&mut String::new()).unwrap();
        unreachable!("this process is killed");
    }
    let (folder, store) = stores::content();
    assert_eq!(store.sweep().unwrap(), 0);
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "content::only_what_nobody_holds_is_swept", "--nocapture"])
        .env("TIDEGATE_TEST_WRITER", folder.path().join("content"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("WRITING")));
    let mut mine = store.begin().unwrap();
    mine.write_all(b"by this process").unwrap();

    assert_eq!(temporary(&folder), 2);
    assert_eq!(store.sweep().unwrap(), 0, "both are being written");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(store.sweep().unwrap(), 1);
    assert_eq!(temporary(&folder), 1);
    store.store(vec![(mine, Sha256::hash(b"by this process"))]).unwrap();
    assert_eq!(listed(&store).len(), 1);
}

#[test]
fn the_file_system_says_how_much_is_free() {
    let (_folder, store) = stores::content();
    assert!(store.free_space().unwrap() > 0);
}
