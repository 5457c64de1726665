//! Comparing messages byte by byte, apart from what a written list of paths names.

use quick_xml::{Reader, events::Event};

/// Where the text of an element is not compared: local names from the root. `*` stands for one name.
pub(super) type Masks = [&'static str];

/// What may differ between two servers, or two runs. Nothing else may.
pub(super) const MASKS: &Masks = &[
    // When the configuration last changed.
    "/Envelope/Body/GetConfigResponse/GetConfigResult/LastChange",
    // The text of one property is masked by [`masked`]: the server's name in PackageServerShare.
    // Cookies: encrypted, and with the time of their end.
    "/Envelope/Body/GetAuthorizationCookieResponse/GetAuthorizationCookieResult/CookieData",
    "/Envelope/Body/GetCookieResponse/GetCookieResult/Expiration",
    "/Envelope/Body/GetCookieResponse/GetCookieResult/EncryptedData",
    "/Envelope/Body/*/*/NewCookie/Expiration",
    "/Envelope/Body/*/*/NewCookie/EncryptedData",
    // Deployments are numbered by each server, and dated.
    "/Envelope/Body/SyncUpdatesResponse/SyncUpdatesResult/*/UpdateInfo/Deployment/ID",
    "/Envelope/Body/SyncUpdatesResponse/SyncUpdatesResult/*/UpdateInfo/Deployment/LastChangeTime",
    "/Envelope/Body/RefreshCacheResponse/RefreshCacheResult/RefreshCacheResult/Deployment/ID",
    "/Envelope/Body/RefreshCacheResponse/RefreshCacheResult/RefreshCacheResult/Deployment/LastChangeTime",
    // The ID of a fault.
    "/Envelope/Body/Fault/detail/ID",
];

/// The message with `…` for every text that a mask names, and otherwise byte for byte.
pub(super) fn masked(xml: &str, masks: &Masks) -> String {
    let mut out = String::with_capacity(xml.len());
    each_text(
        xml,
        &mut |path, text| {
            if masks.iter().any(|mask| fits(mask, path)) {
                "…".to_owned()
            } else if path.last().is_some_and(|name| name == "Value") && text.starts_with(r"\\") {
                let share = text.trim_start_matches('\\').split_once('\\').unwrap_or_default().1;
                format!(r"\\…\{share}")
            } else {
                text.to_owned()
            }
        },
        &mut out,
    );
    out
}

fn fits(mask: &str, path: &[String]) -> bool {
    let mask: Vec<&str> = mask.trim_start_matches('/').split('/').collect();
    mask.len() == path.len() && mask.iter().zip(path).all(|(m, p)| *m == "*" || m == p)
}

/// Whether a path is masked.
pub(super) fn is_masked(path: &[String], masks: &Masks) -> bool {
    masks.iter().any(|mask| fits(mask, path))
}

/// Copies a message and puts what `change` makes of it in the place of every text of an element that
/// holds nothing but text.
pub(super) fn each_text(
    xml: &str,
    change: &mut dyn FnMut(&[String], &str) -> String,
    out: &mut String,
) {
    let mut reader = Reader::from_str(xml);
    let mut path: Vec<String> = Vec::new();
    let mut done = 0;
    let mut opened = None;
    loop {
        let before = usize::try_from(reader.buffer_position()).unwrap();
        let event = reader.read_event().unwrap();
        let after = usize::try_from(reader.buffer_position()).unwrap();
        match event {
            Event::Start(start) => {
                path.push(start.local_name().as_ref().to_owned());
                opened = Some(after);
            }
            Event::End(_) => {
                if let Some(from) = opened.take() {
                    out.push_str(&xml[done..from]);
                    out.push_str(&change(&path, &xml[from..before]));
                    done = before;
                }
                path.pop();
            }
            Event::Empty(_) => opened = None,
            Event::Eof => break,
            _ => {}
        }
    }
    out.push_str(&xml[done..]);
}

/// Fails at the first byte that differs after masking.
pub(super) fn assert_equal(ours: &str, theirs: &str, masks: &Masks, what: &str) {
    let (ours, theirs) = (masked(ours, masks), masked(theirs, masks));
    if ours == theirs {
        return;
    }
    let same = ours.bytes().zip(theirs.bytes()).take_while(|(a, b)| a == b).count();
    let around = |text: &str| {
        let bytes = &text.as_bytes()[same.saturating_sub(120)..text.len().min(same + 200)];
        String::from_utf8_lossy(bytes).into_owned()
    };
    panic!("{what}: they differ\nours:   {}\ntheirs: {}", around(&ours), around(&theirs));
}

/// Every message that differs from `xml` in one place: a text, a missing element, a doubled one, a
/// name. With each the path of the place, and whether only a text was changed.
pub(super) fn mutants(xml: &str) -> Vec<(Vec<String>, bool, String)> {
    let mut out = Vec::new();
    let mut texts = 0;
    each_text(
        xml,
        &mut |_, text| {
            texts += 1;
            text.to_owned()
        },
        &mut String::new(),
    );
    for chosen in 0..texts {
        let (mut at, mut place, mut changed) = (0, Vec::new(), String::new());
        let mut change = |path: &[String], text: &str| {
            at += 1;
            if at - 1 != chosen {
                return text.to_owned();
            }
            place = path.to_vec();
            format!("{text}x")
        };
        each_text(xml, &mut change, &mut changed);
        out.push((place, true, changed));
    }
    for (path, from, to) in elements(xml) {
        let (before, element, after) = (&xml[..from], &xml[from..to], &xml[to..]);
        out.push((path.clone(), false, format!("{before}{after}")));
        out.push((path.clone(), false, format!("{before}{element}{element}{after}")));
        let name = path.last().unwrap();
        out.push((
            path.clone(),
            false,
            format!("{before}{}{after}", element.replace(name, "Other")),
        ));
    }
    out
}

/// Every element below the body, with its path and place.
fn elements(xml: &str) -> Vec<(Vec<String>, usize, usize)> {
    let mut reader = Reader::from_str(xml);
    let mut open: Vec<(String, usize)> = Vec::new();
    let mut out = Vec::new();
    loop {
        let before = usize::try_from(reader.buffer_position()).unwrap();
        let event = reader.read_event().unwrap();
        let after = usize::try_from(reader.buffer_position()).unwrap();
        let names = |open: &[(String, usize)]| open.iter().map(|(name, _)| name.clone()).collect();
        match event {
            Event::Start(start) => open.push((start.local_name().as_ref().to_owned(), before)),
            Event::End(_) => {
                let path: Vec<String> = names(&open);
                let (_, from) = open.pop().unwrap();
                if path.len() > 3 {
                    out.push((path, from, after));
                }
            }
            Event::Empty(start) => {
                let mut path: Vec<String> = names(&open);
                path.push(start.local_name().as_ref().to_owned());
                if path.len() > 3 {
                    out.push((path, before, after));
                }
            }
            Event::Eof => return out,
            _ => {}
        }
    }
}
