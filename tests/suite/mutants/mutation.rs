//! What vendors, servers and accidents do to documents: odd, empty, doubled and contradicting values.

use super::tree::{Element, Node};
use crate::update_generator::generator::random::Random;

/// Values that have been seen where others belong, or that sit at a limit of something.
const ODD: &[&str] = &[
    "",
    " ",
    "0",
    "-1",
    "1",
    "00000000200",
    " 200 ",
    "+200",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "18446744073709551615",
    "99999999999999999999999",
    "1e3",
    "0x10",
    "true",
    "TRUE",
    "yes",
    "false",
    "Install",
    "en",
    "xx-unknown",
    "SHA1",
    "sha256",
    "MD5",
    "Driver",
    "Category",
    "Detectoid",
    "Nonsense",
    "Expired",
    "00000000-0000-0000-0000-000000000000",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "{f3cbd4e5-50d3-4da2-8e6f-80bea25d6f06}",
    "F3CBD4E5-50D3-4DA2-8E6F-80BEA25D6F06",
    "f3cbd4e550d34da28e6f80bea25d6f06",
    "9999-99-99T99:99:99Z",
    "0001-01-01T00:00:00Z",
    "2026-06-09",
    "../../../etc/passwd",
    "..\\..\\boot.ini",
    "C:\\install.cmd",
    "NUL",
    ".",
    "a/b.cmd",
    "AAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    "AAAA",
    "not base64!",
    "&#x9;&#xA;&#xD;",
    "&#x202E;evil&#x2066;",
    "&#x1F4A9;&#x10FFFF;",
    "&amp;lt;b&amp;gt;&quot;&apos;",
    "http://schemas.microsoft.com/msus/2002/12/UpdateHandlers/Unknown",
];

/// Changes a document once or a few times; says what was done.
pub(super) fn mutate(document: &mut Element, others: &[Element], random: &mut Random) -> String {
    let mut done = Vec::new();
    for _ in 0..*random.pick(&[1, 1, 1, 2, 3]) {
        done.push(once(document, others, random));
    }
    done.join("; ")
}

fn once(document: &mut Element, others: &[Element], random: &mut Random) -> String {
    let count = document.count();
    // The root stays: without it there is no document to speak of.
    let place = 1 + random.below(count.max(2) - 1);
    let odd = *random.pick(ODD);
    match random.below(12) {
        0 => change(document, place, "empty", |element| element.children.clear()),
        1 => change(document, place, "no attributes", |element| element.attributes.clear()),
        2 => removed(document, place),
        3 => doubled(document, place, random),
        4 => reversed(document, place),
        5 => grafted(document, place, others, random),
        6 => change(document, place, &format!("text {odd:?}"), |element| {
            element.children = vec![Node::Text(odd.to_owned())];
        }),
        7 => repeated(document, place, random),
        8 => {
            let other = random.pick(others).clone();
            let value = some_value(&other, random);
            on_attribute(document, random, &value)
        }
        _ => on_attribute(document, random, odd),
    }
}

fn change(
    document: &mut Element,
    place: usize,
    what: &str,
    act: impl FnOnce(&mut Element),
) -> String {
    match document.nth(place) {
        Some(element) => {
            let name = element.name.clone();
            act(element);
            format!("{name}: {what}")
        }
        None => "nothing".to_owned(),
    }
}

/// Gives an attribute another value; the id and the number of the document itself stay.
fn on_attribute(document: &mut Element, random: &mut Random, value: &str) -> String {
    let mut all = Vec::new();
    document.all(&mut all);
    let places: Vec<(usize, usize)> = all
        .iter()
        .enumerate()
        .skip(1)
        .flat_map(|(place, element)| (0..element.attributes.len()).map(move |n| (place, n)))
        .filter(|place| *place != (1, 0))
        .collect();
    if places.is_empty() {
        return "nothing".to_owned();
    }
    let (place, attribute) = *random.pick(&places);
    let element = document.nth(place).unwrap();
    let old = std::mem::replace(&mut element.attributes[attribute].1, value.to_owned());
    format!("{}/@{}: {old:?} is {value:?}", element.name, element.attributes[attribute].0)
}

/// A value from another document: what contradicts something that is stored.
fn some_value(other: &Element, random: &mut Random) -> String {
    let mut all = Vec::new();
    other.all(&mut all);
    let values: Vec<&String> =
        all.iter().flat_map(|element| &element.attributes).map(|(_, value)| value).collect();
    (*random.pick(&values)).clone()
}

/// Acts on the list of children in which the element at `place` stands.
fn among(
    element: &mut Element,
    place: &mut usize,
    act: &mut dyn FnMut(&mut Vec<Node>, usize),
) -> bool {
    for index in 0..element.children.len() {
        let Node::Element(child) = &mut element.children[index] else { continue };
        *place -= 1;
        if *place == 0 {
            act(&mut element.children, index);
            return true;
        }
        if among(child, place, act) {
            return true;
        }
    }
    false
}

fn removed(document: &mut Element, place: usize) -> String {
    let mut what = String::new();
    among(document, &mut place.clone(), &mut |children, index| {
        if let Node::Element(element) = children.remove(index) {
            what = format!("{}: removed", element.name);
        }
    });
    what
}

fn doubled(document: &mut Element, place: usize, random: &mut Random) -> String {
    let odd = random.chance(50).then(|| *random.pick(ODD));
    let mut what = String::new();
    among(document, &mut place.clone(), &mut |children, index| {
        let mut copy = children[index].clone();
        if let Node::Element(copy) = &mut copy {
            what = format!("{}: twice, the second with {odd:?}", copy.name);
            if let (Some(odd), Some(first)) = (odd, copy.attributes.first_mut()) {
                odd.clone_into(&mut first.1);
            }
        }
        children.insert(index + 1, copy);
    });
    what
}

fn reversed(document: &mut Element, place: usize) -> String {
    let mut what = String::new();
    among(document, &mut place.clone(), &mut |children, _| {
        children.reverse();
        what = "the order is reversed".to_owned();
    });
    what
}

/// An element of another document in the place of this one.
fn grafted(
    document: &mut Element,
    place: usize,
    others: &[Element],
    random: &mut Random,
) -> String {
    let mut other = random.pick(others).clone();
    let from = 1 + random.below(other.count() - 1);
    let graft = other.nth(from).unwrap().clone();
    let mut what = String::new();
    among(document, &mut place.clone(), &mut |children, index| {
        what = format!("{} in the place of another element", graft.name);
        children[index] = Node::Element(graft.clone());
    });
    what
}

/// Very many of one element.
fn repeated(document: &mut Element, place: usize, random: &mut Random) -> String {
    let times = *random.pick(&[50, 500, 5_000]);
    let mut what = String::new();
    among(document, &mut place.clone(), &mut |children, index| {
        let copy = children[index].clone();
        if let Node::Element(element) = &copy
            && element.count() < 20
        {
            what = format!("{}: {times} times", element.name);
            children.splice(index..index, std::iter::repeat_n(copy, times));
        }
    });
    what
}
