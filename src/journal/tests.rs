use std::{fs, path::Path};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{writer::FULL, *};

fn entry(what: &str) -> NewEntry {
    let (kind, verdict) = (EntryKind::Seal, Verdict::Done);
    NewEntry { kind, verdict, what: what.to_owned(), why: None, details: Value::Null }
}

fn journal(entries: u32) -> (tempfile::TempDir, Journal) {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::new(folder.path().join("journal"));
    for n in 1..=entries {
        journal.append(entry(&format!("entry {n}")), Timestamp::UNIX_EPOCH).unwrap();
    }
    (folder, journal)
}

fn first(journal: &Journal) -> PathBuf {
    journal.folder.join("1.jsonl")
}

/// The lines of a file, each with its end.
fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap().split_inclusive('\n').map(str::to_owned).collect()
}

fn refused(journal: &Journal) -> (u64, String) {
    match journal.verify().unwrap_err() {
        JournalError::Broken { line, what, .. } => (line, what),
        other => panic!("{other}"),
    }
}

#[test]
fn entries_follow_on_each_other() {
    let (_folder, journal) = journal(3);
    let mut found = Vec::new();
    let report = journal.entries(&mut |entry| found.push(entry)).unwrap();
    assert_eq!((report.entries, report.first, report.head.number), (3, 1, 3));
    assert_eq!(found.iter().map(|entry| entry.number).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(found[0].before.to_string(), "0".repeat(64));
    assert!(!found[0].user.is_empty() && !found[0].host.is_empty());
    assert_eq!(verify_file(&first(&journal)).unwrap(), report);
    assert_eq!(journal.head().unwrap(), report.head);
}

#[test]
fn a_journal_without_entries_is_in_order() {
    let (_folder, journal) = journal(0);
    assert_eq!(journal.verify().unwrap().head, JournalHead::START);
}

#[test]
fn whatever_is_changed_shows_at_its_place() {
    let (_folder, journal) = journal(5);
    let good = lines(&first(&journal));
    let check = |changed: Vec<String>| {
        fs::write(first(&journal), changed.concat()).unwrap();
        assert!(verify_file(&first(&journal)).unwrap_err().is_broken());
        refused(&journal)
    };
    let mut changed = good.clone();
    changed[1] = changed[1].replace("entry 2", "entry X");
    assert_eq!(check(changed).0, 3, "the line behind it does not fit any more");
    let mut gone = good.clone();
    gone.remove(2);
    assert_eq!(check(gone), (3, "entry 3 should be there, and entry 4 is".to_owned()));
    let mut doubled = good.clone();
    doubled.insert(2, good[1].clone());
    assert_eq!(check(doubled).0, 3);
    let mut garbage = good.clone();
    garbage[3] = "garbage\n".to_owned();
    assert_eq!(check(garbage), (4, "it is no entry".to_owned()));
    let mut long = good.clone();
    long[3] = format!("{}\n", "x".repeat(100_000));
    assert_eq!(check(long), (4, "it is longer than an entry can be".to_owned()));
    let mut beginning = good;
    beginning.remove(0);
    fs::write(first(&journal), beginning.concat()).unwrap();
    assert_eq!(refused(&journal).0, 1);
    assert_eq!(verify_file(&first(&journal)).unwrap().first, 2, "a file may begin anywhere");
}

/// Cut off at every byte of the last line, as a crash may do it.
#[test]
fn a_line_that_a_crash_cut_off_is_repaired_and_nothing_before_is_lost() {
    let (_folder, journal) = journal(3);
    let good = lines(&first(&journal));
    for kept in 1..good[2].len() {
        let torn = &good[2][..kept];
        fs::write(first(&journal), format!("{}{}{torn}", good[0], good[1])).unwrap();
        let report = journal.verify().unwrap();
        assert!(report.cut_off && report.entries == 2);
        assert!(
            verify_file(&first(&journal)).unwrap_err().is_broken(),
            "a file that is handed over"
        );
        journal.append(entry("later"), Timestamp::UNIX_EPOCH).unwrap();
        let report = journal.verify().unwrap();
        let is_whole = kept == good[2].len() - 1;
        assert_eq!((report.cut_off, report.entries), (false, if is_whole { 5 } else { 4 }));
        let after = lines(&first(&journal));
        assert_eq!(after[..2], good[..2]);
        assert_eq!(is_whole, after[2] == good[2], "what only lacks its end is kept");
        let said: Value = serde_json::from_str(&after[after.len() - 2]).unwrap();
        assert_eq!((&said["kind"], &said["details"]["bytes"]), (&json!("journal"), &json!(kept)));
    }
}

#[test]
fn a_line_that_was_changed_does_not_stop_the_journal() {
    let (_folder, journal) = journal(3);
    let mut changed = lines(&first(&journal));
    changed[2] = "garbage\n".to_owned();
    fs::write(first(&journal), changed.concat()).unwrap();
    let added = journal.append(entry("later"), Timestamp::UNIX_EPOCH).unwrap();
    assert_eq!(added.number, 4);
    assert_eq!(refused(&journal), (3, "it is no entry".to_owned()));
}

#[test]
fn a_full_file_is_followed_by_another_and_none_may_be_missing() {
    let (folder, journal) = journal(0);
    let long = NewEntry { details: json!("x".repeat(60_000)), ..entry("long") };
    let most = FULL / 60_000 + 3;
    for _ in 0..most {
        journal.append(long.clone(), Timestamp::UNIX_EPOCH).unwrap();
    }
    let second = journal.folder.join("2.jsonl");
    let report = journal.verify().unwrap();
    assert_eq!((report.entries, report.head.number), (most, most));
    assert!(verify_file(&second).unwrap().first > 1);
    // Only just begun, and cut off: the entry before it is in the other file.
    let whole = fs::read(&second).unwrap();
    fs::write(&second, &whole[..20]).unwrap();
    journal.append(entry("later"), Timestamp::UNIX_EPOCH).unwrap();
    journal.verify().unwrap();
    let out = folder.path().join("exported");
    let exported = journal.export(&out).unwrap();
    assert_eq!(verify_file(&out).unwrap(), exported);
    fs::remove_file(first(&journal)).unwrap();
    assert!(refused(&journal).1.contains("1.jsonl"));
}

#[test]
fn an_entry_is_bounded() {
    let (_folder, journal) = journal(0);
    let details = json!(vec!["x".repeat(1000); 1000]);
    let what = "ä".repeat(100_000);
    journal.append(NewEntry { details, ..entry(&what) }, Timestamp::UNIX_EPOCH).unwrap();
    let line = &lines(&first(&journal))[0];
    assert!(line.len() < 10_000 && line.contains("left-out-bytes"), "{}", line.len());
    journal.verify().unwrap();
}

#[test]
fn many_at_once_append_one_after_the_other() {
    let (_folder, journal) = journal(0);
    std::thread::scope(|scope| {
        for n in 0..4 {
            let journal = &journal;
            scope.spawn(move || {
                for _ in 0..5 {
                    journal.append(entry(&format!("of {n}")), Timestamp::UNIX_EPOCH).unwrap();
                }
            });
        }
    });
    assert_eq!(journal.verify().unwrap().entries, 20);
}
