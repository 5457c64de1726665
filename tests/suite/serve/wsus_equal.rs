//! Where we hold the documents, our answers are those of the recorded WSUS, byte for byte, apart
//! from [`MASKS`] and from what a test here states. And the comparison sees every other difference.

use std::{fs, path::Path};

use super::{
    Running,
    captured::{HELD, Replay, STAND_INS, folder, site},
    mask::{MASKS, Masks, assert_equal, is_masked, masked, mutants},
};
use crate::support::{real_data::FIRST_SCAN, real_data::real_data};

/// Ours and theirs, ready to be compared with [`MASKS`].
struct Pair {
    what: String,
    ours: String,
    theirs: String,
}

fn theirs(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(format!("{name}.response.xml"))).unwrap()
}

/// Every answer that can be compared whole, and the parts of the others that can.
fn pairs(real: &Path) -> Vec<Pair> {
    let folder = folder(real);
    let site = site(real);
    let server = Running::new(&site);
    let mut replay = Replay::new(server.address);
    let mut pairs = Vec::new();
    // The first scan: all of it.
    let reports = [
        "flow-000016-ReportEventBatch",
        "flow-000017-ReportEventBatch",
        "flow-000018-ReportEventBatch",
    ];
    for name in FIRST_SCAN.into_iter().chain(reports) {
        let (_, ours) = replay.send(&folder, name);
        // The order of the texts in theirs follows no rule that was seen.
        let by_id = |text: &str| {
            if name.contains("GetExtended") { sorted(text, "Update") } else { text.to_owned() }
        };
        let (ours, theirs) = (by_id(&ours), by_id(&theirs(&folder, name)));
        pairs.push(Pair { what: name.to_owned(), ours, theirs });
    }
    pairs.push(approved(&folder, &mut replay));
    pairs.push(extended(&folder, &mut replay));
    pairs
}

/// The approved update, as it was delivered among 29 others: a computer that has all that it
/// requires gets it with the same deployment and fragment.
fn approved(folder: &Path, replay: &mut Replay) -> Pair {
    let head = fs::read_to_string(folder.join("flow-000001-SyncUpdates.request.headers")).unwrap();
    let body = fs::read_to_string(folder.join("flow-000001-SyncUpdates.request.xml")).unwrap();
    let installed: String = STAND_INS.iter().map(|(id, _)| format!("<int>{id}</int>")).collect();
    let body = replaced(&body, "InstalledNonLeafUpdateIDs", &installed);
    let body = replaced(&body, "OtherCachedUpdateIDs", "");
    let (_, ours) = replay.send_body(&head, &body);
    let excerpt = folder.join("flow-000012-SyncUpdates.response.excerpt.xml");
    let theirs = fs::read_to_string(excerpt).unwrap();
    // That answer was cut short, and there were drivers on that server.
    let theirs = theirs
        .replace("<Truncated>true<", "<Truncated>false<")
        .replace("<DriverSyncNotNeeded>false<", "<DriverSyncNotNeeded>true<");
    let only = |text: &str| kept(text, "UpdateInfo", &|item| item.contains("<ID>200996</ID>"));
    Pair {
        what: "flow-000012: the approved update".to_owned(),
        ours: only(&ours),
        theirs: only(&theirs),
    }
}

/// The fragments and files of the six revisions that we hold of eighteen.
fn extended(folder: &Path, replay: &mut Replay) -> Pair {
    let name = "flow-000015-GetExtendedUpdateInfo";
    let (_, ours) = replay.send(folder, name);
    let theirs = theirs(folder, name);
    let held = |item: &str| HELD.iter().any(|(id, _)| item.contains(&format!("<ID>{id}</ID>")));
    // The nine files belong to nine documents, of which we hold three.
    let digests: Vec<&str> =
        ours.split("<FileDigest>").skip(1).map(|rest| rest.split('<').next().unwrap()).collect();
    assert_eq!(digests.len(), 3, "{digests:?}");
    let ours_file = |item: &str| digests.iter().any(|digest| item.contains(digest));
    let theirs = kept(&kept(&theirs, "Update", &held), "FileLocation", &ours_file);
    // A value that was taken out of the recording before it was published.
    let theirs = theirs.replace("LinkId=REDACTED", "LinkId=52661");
    // We say which of the eighteen are not here; there, all were.
    let ours = without(&ours, "OutOfScopeRevisionIDs");
    // Neither order follows a rule that was seen.
    let ordered = |text: &str| sorted(&sorted(text, "Update"), "FileLocation");
    Pair { what: name.to_owned(), ours: ordered(&ours), theirs: ordered(&theirs) }
}

/// Where the elements of a name begin and end; they do not nest.
fn places(text: &str, name: &str) -> Vec<(usize, usize)> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(from) = text[at..].find(&open).map(|from| at + from) {
        let to = from + text[from..].find(&close).unwrap() + close.len();
        out.push((from, to));
        at = to;
    }
    out
}

/// The same with the elements of a name in another order and number.
fn rearranged(text: &str, name: &str, change: impl FnOnce(&mut Vec<&str>)) -> String {
    let places = places(text, name);
    let (Some((first, _)), Some((_, last))) = (places.first(), places.last()) else {
        return text.to_owned();
    };
    assert!(places.windows(2).all(|two| two[0].1 == two[1].0), "{name} elements stand together");
    let mut items: Vec<&str> = places.iter().map(|(from, to)| &text[*from..*to]).collect();
    change(&mut items);
    format!("{}{}{}", &text[..*first], items.concat(), &text[*last..])
}

fn sorted(text: &str, name: &str) -> String {
    // Extended fragments stay before localized ones: that order was seen and is kept.
    rearranged(text, name, |items| {
        items
            .sort_by_key(|item| (item.contains("&lt;LocalizedProperties&gt;"), (*item).to_owned()));
    })
}

fn kept(text: &str, name: &str, keep: &dyn Fn(&str) -> bool) -> String {
    rearranged(text, name, |items| items.retain(|item| keep(item)))
}

fn without(text: &str, name: &str) -> String {
    places(text, name)
        .first()
        .map_or_else(|| text.to_owned(), |(from, to)| format!("{}{}", &text[..*from], &text[*to..]))
}

fn replaced(text: &str, name: &str, inner: &str) -> String {
    let (from, to) = places(text, name)[0];
    format!("{}<{name}>{inner}</{name}>{}", &text[..from], &text[to..])
}

#[test]
fn our_answers_are_those_of_a_wsus() {
    let Some(real) = real_data() else { return };
    for pair in pairs(&real) {
        assert_equal(&pair.ours, &pair.theirs, MASKS, &pair.what);
    }
}

/// Whatever else is changed in an answer, the comparison fails.
#[test]
fn the_comparison_sees_every_difference() {
    let Some(real) = real_data() else { return };
    let (mut seen, mut hidden) = (0, 0);
    for pair in pairs(&real) {
        let theirs = masked(&pair.theirs, MASKS);
        assert_equal(&pair.ours, &pair.theirs, MASKS, &pair.what);
        for (path, only_text, changed) in mutants(&pair.ours) {
            let equal = masked(&changed, MASKS) == theirs;
            let place = path.join("/");
            if only_text && is_masked(&path, MASKS) {
                assert!(equal, "{}: {place} is masked", pair.what);
                hidden += 1;
            } else {
                assert!(!equal, "{}: a change of {place} is not seen", pair.what);
                seen += 1;
            }
        }
    }
    assert!(seen > 500 && hidden > 20, "{seen} changes seen, {hidden} hidden");
}

/// Each mask is needed: without it some answer differs.
#[test]
fn no_mask_is_without_use() {
    let Some(real) = real_data() else { return };
    let pairs = pairs(&real);
    // Not in the recordings: those of RefreshCache and of faults.
    let unseen = |mask: &str| mask.contains("RefreshCache") || mask.contains("Fault");
    for mask in MASKS.iter().filter(|mask| !unseen(mask)) {
        let others: Vec<&'static str> = MASKS.iter().filter(|m| *m != mask).copied().collect();
        let others: &Masks = &others;
        let needed =
            pairs.iter().any(|pair| masked(&pair.ours, others) != masked(&pair.theirs, others));
        assert!(needed, "{mask} hides nothing");
    }
}
