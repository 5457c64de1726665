//! Texts about volumes and what is on them: `verify`, `inspect`, `import`, `needs`.

use bundle_format::needs::MissingPayload;
use tidegate::ops::{
    inspect::UpdateSummary,
    verify::{LackingObjects, RefusedVolume, VerifiedVolume, VerifyReport, VolumeSet},
};

use super::output::{count, human_bytes, printable};

/// So many lines of one kind are shown; the rest is counted, and listed with `--json`.
pub(super) const SHOWN: usize = 10;

/// The first lines of a list, and how many more there are.
pub(super) fn capped<T>(
    items: &[T],
    most: usize,
    thing: &str,
    line: impl Fn(&T) -> String,
) -> String {
    let (shown, rest) = items.split_at(items.len().min(most));
    let mut text: String = shown.iter().map(|item| format!("  {}\n", line(item))).collect();
    if !rest.is_empty() {
        text.push_str(&format!(
            "  and {} more; `--json` lists all\n",
            count(rest.len() as u64, thing)
        ));
    }
    text
}

/// An update: title and KB numbers; its id only if nothing here knows its title.
pub(super) fn update(update: &UpdateSummary) -> String {
    if update.title.is_empty() {
        return format!("update {} (its title is not known here)", update.update);
    }
    titled(&update.title, &update.kb)
}

/// A title with its KB numbers, unless the title says them.
pub(super) fn titled(title: &str, kb: &[String]) -> String {
    let mut text = printable(title);
    let kb: Vec<String> = kb
        .iter()
        .map(|kb| format!("KB{}", printable(kb)))
        .filter(|kb| !title.contains(kb.as_str()))
        .collect();
    if !kb.is_empty() {
        text.push_str(&format!(" ({})", kb.join(", ")));
    }
    text
}

/// A file: its name, size, and updates that need it; its digest only if nothing names it.
pub(super) fn file(file: &MissingPayload) -> String {
    let name = file.file.as_deref().map_or_else(|| file.sha256.to_string(), printable);
    let updates: Vec<String> =
        file.updates.iter().map(|title| format!("\"{}\"", printable(title))).collect();
    let of = if updates.is_empty() { String::new() } else { format!(" of {}", updates.join(", ")) };
    format!("{name} ({}){of}", human_bytes(file.size))
}

/// A volume by its number: `disc 2 of 4 (PATH)`, or the path where there is only one.
pub(super) fn volume_name(volume: &VerifiedVolume) -> String {
    name(&volume.path, volume.volume)
}

fn name(path: &std::path::Path, (number, of): (u32, u32)) -> String {
    match of {
        1 => path.display().to_string(),
        _ => format!("Disc {number} of {of} ({})", path.display()),
    }
}

/// The volumes that are refused, with what they fail to bring.
pub(super) fn refused(volumes: &[RefusedVolume]) -> String {
    let mut text = String::new();
    for volume in volumes {
        let name = match volume.volume {
            Some(number) => name(&volume.path, number),
            None => volume.path.display().to_string(),
        };
        let verdict = if volume.refused { "refused" } else { "could not be read" };
        text.push_str(&format!("{name}: {verdict}. {}\n", printable(&volume.why)));
        if volume.segments > 0 {
            let parts = count(volume.segments, "part");
            text.push_str(&format!("  not proven on it: {parts} of the catalogue\n"));
        }
        if !volume.files.is_empty() {
            text.push_str(&format!(
                "  not proven on it, or behind the damage: {}\n",
                count(volume.files.len() as u64, "file")
            ));
            text.push_str(&capped(&volume.files, SHOWN, "file", file));
        }
    }
    text
}

/// The sets that are not whole, doubled or stale, and what that means.
pub(super) fn sets(report: &VerifyReport) -> String {
    let mut text = String::new();
    if report.sets.len() > 1 {
        let numbers: Vec<String> = report.sets.iter().map(|set| set.snapshot.to_string()).collect();
        text.push_str(&format!(
            "These are discs of {} sets, of snapshots {}.\n",
            report.sets.len(),
            numbers.join(", ")
        ));
    }
    text.extend(report.sets.iter().map(set));
    text
}

fn set(set: &VolumeSet) -> String {
    let mut says = Vec::new();
    if !set.missing.is_empty() {
        says.push(format!("{} missing, of {}", discs(&set.missing), set.of));
    }
    let singles =
        |list: &[u32]| list.iter().map(|n| (u64::from(*n), u64::from(*n))).collect::<Vec<_>>();
    if !set.damaged.is_empty() {
        says.push(format!("{} damaged", discs(&singles(&set.damaged))));
    }
    if !set.doubled.is_empty() {
        says.push(format!("{} there more than once", discs(&singles(&set.doubled))));
    }
    if set.stale {
        says.push("older than what was accepted before: it can only fill gaps".to_owned());
    }
    if says.is_empty() {
        return String::new();
    }
    format!("Set of snapshot {}: {}.\n", set.snapshot, says.join("; "))
}

/// `disc 3 is`, `discs 2, 5 to 7 are`.
fn discs(ranges: &[(u64, u64)]) -> String {
    match ranges {
        [(one, last)] if one == last => format!("disc {one} is"),
        _ => format!("discs {} are", numbers(ranges)),
    }
}

/// `2, 5 to 7`; at most ten ranges.
fn numbers(ranges: &[(u64, u64)]) -> String {
    let range = |&(first, last): &(u64, u64)| match last - first {
        0 => first.to_string(),
        1 => format!("{first}, {last}"),
        _ => format!("{first} to {last}"),
    };
    let shown: Vec<String> = ranges.iter().take(SHOWN).map(range).collect();
    let more = if ranges.len() > SHOWN { " and others" } else { "" };
    format!("{}{more}", shown.join(", "))
}

/// Snapshots that were never brought to this site.
pub(super) fn never_brought(ranges: &[(u64, u64)]) -> String {
    match ranges {
        [] => String::new(),
        [(one, last)] if one == last => format!("Snapshot {one} was never brought here.\n"),
        _ => format!("Snapshots {} were never brought here.\n", numbers(ranges)),
    }
}

/// What a site lacks of a snapshot even with these volumes.
pub(super) fn lacking(lacking: &LackingObjects) -> String {
    if lacking.is_empty() {
        return format!("With it, this site has all of snapshot {}.\n", lacking.snapshot);
    }
    let bytes =
        lacking.files.iter().map(|file| file.size).fold(lacking.segment_bytes, u64::saturating_add);
    let mut text = format!(
        "With it, this site would still lack {} of snapshot {}, which other discs or bundles must bring:\n",
        human_bytes(bytes),
        lacking.snapshot
    );
    text.push_str(&parts_missing(lacking.segments, lacking.segment_bytes));
    text.push_str(&capped(&lacking.files, SHOWN, "file", file));
    text.push_str(&never_brought(&lacking.never_brought));
    text
}

/// Parts of the catalogue that are missing.
pub(super) fn parts_missing(parts: u64, bytes: u64) -> String {
    match parts {
        0 => String::new(),
        _ => format!("  {} of the catalogue ({})\n", count(parts, "part"), human_bytes(bytes)),
    }
}
