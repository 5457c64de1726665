//! What follows from reports: hand-made ones, and those that a real agent sent.

use std::{fs, path::Path};

use serde_json::json;
use tidegate::{
    fleet::{ComplianceState, EVENTS_KEPT, Event},
    soap::{self, Element},
    update::UpdateId,
};
use uuid::Uuid;

use crate::support::{
    clock::{exactly_now, later},
    documents::numbered,
    real_data::real_data,
    stores,
};

fn event(event_id: i32, about: Option<u128>, hresult: i32) -> Event {
    Event {
        instance: Uuid::new_v4(),
        at_target: "2026-01-02T03:04:05.678Z".to_owned(),
        namespace_id: 1,
        event_id,
        source_id: 101,
        update: about.map(|n| (numbered(n), 1)),
        hresult,
        app_name: None,
        strings: Vec::new(),
        misc: Vec::new(),
        extended: json!({}),
    }
}

/// A status event with its lists, as `("U", [1, 2])`.
fn status(lists: &[(&str, &[u128])]) -> Event {
    let mut event = event(156, None, 0);
    event.misc = lists
        .iter()
        .map(|(tag, ids)| {
            let ids: Vec<_> = ids.iter().map(|n| numbered(*n).to_string().to_uppercase()).collect();
            format!("{tag}={}", ids.join(";"))
        })
        .collect();
    event
}

/// Reports batches and says what is known then: update → state and code.
fn states(batches: &[&[Event]]) -> Vec<(u128, ComplianceState, i32)> {
    let (_folder, mut fleet) = stores::fleet();
    for batch in batches {
        assert_eq!(fleet.report("pc", batch, exactly_now()).unwrap(), batch.len());
    }
    assert_eq!(fleet.change().unwrap(), 0, "reports are no change");
    let known = fleet.compliance(Some("PC")).unwrap();
    known.iter().map(|c| (c.update.0.as_u128(), c.state, c.hresult)).collect()
}

#[test]
fn the_inventory_says_what_is_needed_and_installed() {
    use ComplianceState::{Downloaded, Failed, Installed, Needed, RestartPending};
    let before = [status(&[("U", &[1, 2]), ("V", &[3]), ("u", &[8])])];
    assert_eq!(states(&[&before]), [(1, Needed, 0), (2, Needed, 0), (3, Installed, 0)]);
    let after = [status(&[("U", &[3]), ("V", &[1])])];
    assert_eq!(
        states(&[&before, &after]),
        [(1, Installed, 0), (3, Needed, 0)],
        "what is in no list does not apply"
    );
    assert_eq!(
        states(&[&[before[0].clone(), after[0].clone(), status(&[("V", &[4])])]]),
        [(4, Installed, 0)],
        "the last of a batch counts"
    );
    assert_eq!(states(&[&before, &[status(&[])]]), []);
    let all = status(&[("U", &[1]), ("V", &[2]), ("W", &[3]), ("g", &[4]), ("h", &[5])]);
    assert_eq!(
        states(&[&[all]]),
        [
            (1, Needed, 0),
            (2, Installed, 0),
            (3, RestartPending, 0),
            (4, Failed, 0),
            (5, Downloaded, 0)
        ]
    );
    let mut odd = event(156, None, 0);
    odd.misc = ["U=", "U=;;zz;", "V", "=", ""].map(str::to_owned).into();
    odd.misc.push(format!("V={{{}}};{}", numbered(1), Uuid::nil()));
    assert_eq!(states(&[&[odd]]), [(1, Installed, 0)]);
}

#[test]
fn an_installation_goes_its_way() {
    use ComplianceState::{Downloaded, Failed, Installed, Needed, RestartPending};
    const CODE: i32 = -2_145_099_769;
    const RESTART: i32 = 0x0024_0005;
    let needed = || status(&[("U", &[1])]);
    let scan = || [event(147, None, 0), needed(), event(167, Some(1), 0), event(162, Some(1), 0)];
    assert_eq!(states(&[&scan()]), [(1, Downloaded, 0)]);
    assert_eq!(states(&[&scan(), &[event(181, Some(1), 0)]]), [(1, Downloaded, 0)]);
    assert_eq!(states(&[&scan(), &[needed()]]), [(1, Downloaded, 0)]);
    let result = |id, hresult| states(&[&scan(), &[event(id, Some(1), hresult)]]);
    for id in [183, 190, 197, 203] {
        assert_eq!(result(id, 0), [(1, Installed, 0)]);
        assert_eq!(result(id, CODE), [(1, Failed, CODE)]);
    }
    for id in [184, 191, 199, 201] {
        assert_eq!(result(id, RESTART), [(1, RestartPending, 0)], "positive is no failure");
        assert_eq!(result(id, CODE), [(1, Failed, CODE)]);
    }
    for id in [182, 195, 198, 204] {
        assert_eq!(result(id, CODE), [(1, Failed, CODE)]);
    }
    for id in [161, 163, 181, 186, 187, 202, 222, 524, 9999] {
        assert_eq!(result(id, CODE), [(1, Downloaded, 0)], "{id}");
    }
    // A failure stands until something better is said.
    let failed = [event(182, Some(1), CODE)];
    assert_eq!(states(&[&scan(), &failed, &scan()]), [(1, Failed, CODE)]);
    assert_eq!(
        states(&[&scan(), &failed, &[status(&[("g", &[1])])]]),
        [(1, Failed, CODE)],
        "the code is kept"
    );
    assert_eq!(states(&[&scan(), &failed, &[status(&[("V", &[1])])]]), [(1, Installed, 0)]);
    assert_eq!(states(&[&scan(), &failed, &[event(183, Some(1), 0)]]), [(1, Installed, 0)]);
    assert_eq!(states(&[&scan(), &failed, &[status(&[])]]), []);
    // So does a pending restart, whatever the inventory leaves out.
    let pending = [event(201, Some(1), RESTART)];
    assert_eq!(states(&[&scan(), &pending, &[needed()]]), [(1, RestartPending, 0)]);
    assert_eq!(states(&[&scan(), &pending, &[status(&[])]]), [(1, RestartPending, 0)]);
    assert_eq!(states(&[&scan(), &pending, &[status(&[("V", &[1])])]]), [(1, Installed, 0)]);
    assert_eq!(states(&[&scan(), &pending, &[status(&[("g", &[1])])]]), [(1, Failed, 0)]);
    // The later word counts, in a batch by place.
    assert_eq!(states(&[&[event(183, Some(1), 0), needed()]]), [(1, Needed, 0)]);
    assert_eq!(states(&[&[needed(), event(183, Some(1), 0)]]), [(1, Installed, 0)]);
    assert_eq!(states(&[&[event(183, Some(1), 0), event(162, Some(1), 0)]]), [(1, Installed, 0)]);
    let mut foreign = event(183, Some(1), 0);
    foreign.namespace_id = 2;
    assert_eq!(states(&[&[foreign]]), []);
}

#[test]
fn an_event_counts_once_for_a_computer() {
    let (_folder, mut fleet) = stores::fleet();
    let failed = event(182, Some(1), -5);
    let installed = event(183, Some(1), 0);
    assert_eq!(fleet.report("a", &[failed.clone(), failed.clone()], exactly_now()).unwrap(), 1);
    assert_eq!(fleet.report("A", &[installed, failed.clone()], later()).unwrap(), 1);
    assert_eq!(fleet.report("a", std::slice::from_ref(&failed), later()).unwrap(), 0);
    let known = fleet.compliance(None).unwrap();
    assert_eq!(known.len(), 1);
    assert_eq!((known[0].state, known[0].changed), (ComplianceState::Installed, later()));
    // A copy of the machine sends what the original had queued.
    assert_eq!(fleet.report("b", &[failed], exactly_now()).unwrap(), 1);
    assert_eq!(fleet.compliance(None).unwrap().len(), 2);
    assert_eq!(fleet.compliance(Some("b")).unwrap()[0].computer, "b");
    let computer = &fleet.computers().unwrap()[0];
    assert_eq!((computer.id.as_str(), computer.last_report), ("a", Some(later())));
    fleet.remove_computer("a").unwrap();
    assert_eq!(fleet.events("a", 10).unwrap(), []);
    assert_eq!(fleet.compliance(Some("a")).unwrap(), []);
    assert_eq!(fleet.events("b", 10).unwrap().len(), 1);
}

#[test]
fn events_come_back_newest_first_and_bounded() {
    let (_folder, mut fleet) = stores::fleet();
    let mut full = event(182, Some(3), -7);
    full.app_name = Some("prog".to_owned());
    full.strings = vec!["0x80246007".to_owned(), "Titel ü".to_owned()];
    full.misc = vec!["C=1".to_owned(), "c=48".to_owned()];
    full.extended = json!({"ComputerBrand": "QEMU", "OSVersion": {"Major": 10}});
    // The clock goes back; the order is that of arrival.
    fleet.report("a", &[event(147, None, 0), event(167, Some(3), 0)], later()).unwrap();
    fleet.report("a", std::slice::from_ref(&full), exactly_now()).unwrap();
    let events = fleet.events("A", 2).unwrap();
    assert_eq!(events[0], full);
    assert_eq!(events[1].event_id, 167);
    assert_eq!(events.len(), 2);

    let mut huge = event(156, None, 0);
    huge.strings = vec!["ä".repeat(4000); 300];
    huge.extended = json!({"also": "x".repeat(9000)});
    fleet.report("a", &[huge], exactly_now()).unwrap();
    let kept = &fleet.events("a", 1).unwrap()[0];
    assert_eq!(kept.strings[..3], vec!["ä".repeat(2048); 3]);
    let all = serde_json::to_string(&(&kept.strings, &kept.extended)).unwrap();
    assert!(all.len() <= 16 * 1024 + 100, "{} bytes of one event", all.len());

    let mut huge = event(156, None, 0);
    huge.extended = json!({"deep": [[[[[[[[[[1]]]]]]]]]], "long": "x".repeat(9000)});
    let ids: Vec<_> = (1..=30_000_u128).map(|n| numbered(n).to_string()).collect();
    huge.misc = vec![format!("V={}", ids.join(";"))];
    fleet.report("a", &[huge], exactly_now()).unwrap();
    let kept = &fleet.events("a", 1).unwrap()[0];
    assert_eq!(kept.misc[0].len(), 4096);
    assert_eq!(kept.extended["long"].as_str().unwrap().len(), 4096);
    assert!(kept.extended.to_string().contains("null"), "{}", kept.extended["deep"]);
    assert_eq!(
        fleet.compliance(Some("a")).unwrap().len(),
        20_000,
        "derived from all that was said, to a bound"
    );

    let many: Vec<_> = (0..EVENTS_KEPT + 5).map(|_| event(147, None, 0)).collect();
    fleet.report("b", &many, exactly_now()).unwrap();
    let kept = fleet.events("b", u32::MAX).unwrap();
    assert_eq!(kept.len(), EVENTS_KEPT as usize);
    assert_eq!(kept[0].instance, many[many.len() - 1].instance);
    assert_eq!(kept[kept.len() - 1].instance, many[5].instance, "the oldest are dropped");
    assert_eq!(fleet.events("a", 10).unwrap().len(), 5, "of that computer only");
}

// ---- what a real agent reported ----

fn captured(path: &Path) -> (String, Vec<Event>) {
    let root = soap::read(&fs::read(path).unwrap(), &soap::MessageLimits::default()).unwrap();
    let request = soap::body_of(root).unwrap();
    let text = |parent: &Element, name: &str| parent.value(name).unwrap_or_default().to_owned();
    let number = |parent: &Element, name: &str| text(parent, name).parse().unwrap();
    let mut computer = String::new();
    let events = request
        .items("eventBatch", "ReportingEvent")
        .map(|event| {
            let basic = event.child("BasicData").unwrap();
            let extended = event.child("ExtendedData").unwrap();
            computer = text(basic.child("TargetID").unwrap(), "Sid");
            let about = basic.child("UpdateID").unwrap();
            let id: UpdateId = text(about, "UpdateID").parse().unwrap();
            let list =
                |name| extended.items(name, "string").map(|e| e.text.clone()).collect::<Vec<_>>();
            Event {
                instance: text(basic, "EventInstanceID").parse().unwrap(),
                at_target: text(basic, "TimeAtTarget"),
                namespace_id: number(basic, "NamespaceID"),
                event_id: number(basic, "EventID"),
                source_id: number(basic, "SourceID"),
                update: (!id.0.is_nil()).then(|| (id, number(about, "RevisionNumber"))),
                hresult: number(basic, "Win32HResult"),
                app_name: basic.value("AppName").map(str::to_owned),
                strings: list("ReplacementStrings"),
                misc: list("MiscData"),
                extended: json!({"ComputerBrand": text(extended, "ComputerBrand")}),
            }
        })
        .collect();
    (computer, events)
}

#[test]
fn recorded_reports_of_a_successful_installation() {
    let Some(folder) = real_data() else { return };
    for (run, first, second) in [("staged", 232, 233), ("closure", 225, 226)] {
        let path = |n| {
            folder.join(format!("captures/agent-reports/{run}-000{n}-ReportEventBatch.request.xml"))
        };
        let (_folder, mut fleet) = stores::fleet();
        let (computer, events) = captured(&path(first));
        assert_eq!(
            events.iter().map(|e| e.event_id).collect::<Vec<_>>(),
            [147, 156, 167, 162, 181]
        );
        assert_eq!(fleet.report(&computer, &events, exactly_now()).unwrap(), 5);
        let known = fleet.compliance(Some(&computer)).unwrap();
        assert_eq!(known.len(), 1);
        assert_eq!(known[0].update, events[2].update.unwrap().0);
        assert_eq!(known[0].state, ComplianceState::Downloaded);
        let (same, events) = captured(&path(second));
        assert_eq!(same, computer);
        assert_eq!(fleet.report(&computer, &events, later()).unwrap(), 1);
        let known = fleet.compliance(Some(&computer)).unwrap();
        assert_eq!(known[0].state, ComplianceState::Installed);
        let newest = &fleet.events(&computer, 1).unwrap()[0];
        assert_eq!((newest.event_id, &newest.strings), (183, &events[0].strings));
    }
}

#[test]
fn recorded_reports_of_failures() {
    let Some(folder) = real_data() else { return };
    let (_folder, mut fleet) = stores::fleet();
    let mut computer = String::new();
    for n in [16, 17, 18] {
        let name = format!("captures/agent-win11-25h2/flow-0000{n}-ReportEventBatch.request.xml");
        let (id, events) = captured(&folder.join(name));
        assert_eq!(fleet.report(&id, &events, exactly_now()).unwrap(), events.len());
        computer = id;
        if n == 17 {
            let known = fleet.compliance(Some(&computer)).unwrap();
            let last = events.iter().rfind(|e| e.event_id == 156).unwrap();
            let needed = last.misc.iter().find(|m| m.starts_with("U=")).unwrap();
            assert_eq!(known.len(), needed.matches(';').count() + 1);
            assert!(
                known.iter().all(|c| c.state == ComplianceState::Needed),
                "a failed download leaves it needed"
            );
        }
    }
    let known = fleet.compliance(Some(&computer)).unwrap();
    let failed: Vec<_> = known.iter().filter(|c| c.state == ComplianceState::Failed).collect();
    assert_eq!(failed.len(), 2);
    assert!(failed.iter().all(|c| c.hresult == -2_145_099_769));
}

/// Decoded batches of a real agent against WSUS; of the lists only sizes were published.
#[test]
fn recorded_reports_of_a_pending_restart() {
    let Some(folder) = real_data() else { return };
    let path = folder.join("captures/agent-reports/native-install-events.json");
    let batches: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let lists = folder.join("captures/agent-reports/native-156-lists.json");
    let lists: serde_json::Value = serde_json::from_slice(&fs::read(lists).unwrap()).unwrap();
    let ids = |tag: &str| -> Vec<String> {
        let list = lists["native"][tag].as_array().unwrap();
        list.iter().map(|id| id.as_str().unwrap().to_owned()).collect()
    };
    let (needed, installed) = (ids("U"), ids("V"));
    let subject: UpdateId = "88661612-7dd9-49d4-bb34-1e54802c99b9".parse().unwrap();

    let (_folder, mut fleet) = stores::fleet();
    let mut seen = Vec::new();
    for batch in batches["batches"].as_array().unwrap() {
        let events: Vec<_> = batch["events"]
            .as_array()
            .unwrap()
            .iter()
            .map(|raw| {
                let number = |name: &str| i32::try_from(raw[name].as_i64().unwrap()).unwrap();
                let (id, revision) = raw["update"].as_str().unwrap().split_once('@').unwrap();
                let id: UpdateId = id.parse().unwrap();
                let mut event = event(number("event_id"), None, number("win32_hresult"));
                event.update = (!id.0.is_nil()).then(|| (id, revision.parse().unwrap()));
                event.misc = raw["misc_data"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|text| text.as_str().unwrap().to_owned())
                    .collect();
                if event.event_id == 156 {
                    // The same machine's lists, before and after the installation.
                    let after = raw["misc_list_sizes"]["V_includes_88661612"] == true;
                    let moved = |id: &&String| id.parse::<UpdateId>().unwrap() == subject;
                    let u: Vec<_> =
                        needed.iter().filter(|id| !(after && moved(id))).cloned().collect();
                    let mut v = installed.clone();
                    v.extend(needed.iter().filter(|id| after && moved(id)).cloned());
                    event.misc.push(format!("U={}", u.join(";")));
                    event.misc.push(format!("V={}", v.join(";")));
                }
                event
            })
            .collect();
        fleet.report("native", &events, exactly_now()).unwrap();
        let known = fleet.compliance(Some("native")).unwrap();
        seen.push(known.iter().find(|c| c.update == subject).unwrap().state);
    }
    use ComplianceState::{Downloaded, Failed, Installed, RestartPending};
    assert_eq!(seen, [Downloaded, RestartPending, Installed, Installed, Installed, Installed]);
    let known = fleet.compliance(Some("native")).unwrap();
    let failed: Vec<_> = known
        .iter()
        .filter(|c| c.state == Failed)
        .map(|c| (c.update.to_string(), c.hresult))
        .collect();
    assert_eq!(
        failed,
        [
            // Listed in `g` of the last inventory, which tells no code: the event told it before.
            ("b3201129-7087-42ee-a3f7-2a3b44965ee5".to_owned(), -2_145_099_769),
            ("d2f6f81e-0633-41dc-a073-9975148ca7a2".to_owned(), -2_145_099_769),
        ]
    );
    assert_eq!(
        known.iter().filter(|c| c.state == Installed).count(),
        installed.len() + 1,
        "the lists were read"
    );
}
