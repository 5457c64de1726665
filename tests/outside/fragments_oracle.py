#!/usr/bin/env python3
"""An oracle for the fragments of update documents, written apart from the Rust code.

Reads what `cargo run --example fragments -- FILE...` prints (a JSON object per line: a document and
the fragments derived from it), derives the fragments again with lxml, and compares all of them.

    usage: fragments_oracle.py [--expect COUNT] < lines

Exit status 0 when all agree (and there were COUNT documents), 1 when not.
"""

import argparse
import json
import re
import sys

from lxml import etree

MSUS = "http://schemas.microsoft.com/msus/"
UPDATE = MSUS + "2002/12/Update"
XML = "http://www.w3.org/XML/1998/namespace"
DOTTED = {
    MSUS + "2002/12/BaseApplicabilityRules": "b.",
    MSUS + "2002/12/MsiApplicabilityRules": "m.",
    MSUS + "2002/12/UpdateHandlers/WindowsDriver": "d.",
}
CORE_PARTS = ("UpdateIdentity", "Properties", "Relationships", "ApplicabilityRules")
EXTENDED_PARTS = ("Properties", "Files", "HandlerSpecificData")
CORE_ATTRIBUTES = ("UpdateType", "ExplicitlyDeployable", "AutoSelectOnWebSites", "OSUpgrade", "EulaID")
DROPPED_WHEN_FALSE = ("ExplicitlyDeployable", "AutoSelectOnWebSites", "OSUpgrade")
NOT_EXTENDED = CORE_ATTRIBUTES + (
    "PublicationState", "PublisherID", "CreationDate", "IsPublic", "LegacyName", "DetectoidType", "PerUser",
)


def text_escaped(text):
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace("\r", "&#xD;")


def value_escaped(value):
    value = text_escaped(value).replace('"', "&quot;")
    return value.replace("\t", "&#x9;").replace("\n", "&#xA;")


def attributes_of(element):
    """(name in a fragment, value), in document order."""
    for key, value in element.attrib.items():
        name = etree.QName(key)
        yield ("xml:" if name.namespace == XML else "") + name.localname, value


def start(name, attributes, declaration=None):
    written = "<" + name
    if declaration is not None:
        written += f' xmlns="{value_escaped(declaration)}"'
    return written + "".join(f' {key}="{value_escaped(value)}"' for key, value in attributes)


def content_of(element, default=""):
    inner = text_between(element.text, element)
    for child in element:
        inner += flat(child, default=default) + text_between(child.tail, element)
    return inner


def text_between(text, parent):
    """A text of nothing but white space beside elements is dropped."""
    if len(parent) and not (text or "").strip(" \t\r\n"):
        return ""
    return text_escaped(text or "")


def element_written(name, attributes, inner, declaration=None):
    opening = start(name, attributes, declaration)
    return f"{opening}>{inner}</{name}>" if inner else f"{opening} />"


def flat(element, default=""):
    """An element and all in it, without prefixes; `default` is the default namespace around it."""
    tag = etree.QName(element)
    namespace = tag.namespace or ""
    foreign = namespace if namespace and not namespace.startswith(MSUS) else ""
    name = DOTTED.get(namespace, "") + tag.localname
    declaration = foreign if foreign != default else None
    return element_written(name, attributes_of(element), content_of(element, foreign), declaration)


def core_properties(element):
    kept = []
    for name in CORE_ATTRIBUTES:
        value = element.get(name)
        if value is not None and not (name in DROPPED_WHEN_FALSE and value in ("false", "0")):
            kept.append((name, value))
    return element_written("Properties", kept, "")


def extended_properties(element):
    kept = [
        written
        for key, written in zip(element.attrib, attributes_of(element))
        if key not in NOT_EXTENDED
    ]
    return element_written("ExtendedProperties", kept, content_of(element))


def fragments(document):
    parser = etree.XMLParser(
        remove_comments=True, remove_pis=True, resolve_entities=False, no_network=True, huge_tree=True
    )
    root = etree.fromstring(document.encode("utf-8"), parser)
    assert etree.QName(root) == etree.QName(UPDATE, "Update"), root.tag
    core, extended, localized, eulas = "", "", [], []
    for part in root:
        tag = etree.QName(part)
        if tag.namespace != UPDATE:
            continue
        if tag.localname in CORE_PARTS:
            core += core_properties(part) if tag.localname == "Properties" else flat(part)
        if tag.localname in EXTENDED_PARTS:
            extended += extended_properties(part) if tag.localname == "Properties" else flat(part)
        if tag.localname == "LocalizedPropertiesCollection":
            for texts in part.findall(f"{{{UPDATE}}}LocalizedProperties"):
                language = texts.findtext(f"{{{UPDATE}}}Language").strip()
                localized.append({"language": language, "geo_id": None, "xml": flat(texts)})
            for eula in part.findall(f"{{{UPDATE}}}EulaFile"):
                key = {"language": eula.get("Language"), "geo_id": eula.get("GeoId") or None}
                eulas.append({**key, "xml": flat(eula)})
    return {"core": core, "extended": extended, "localized": localized, "eulas": eulas}


# A tree does not say where in a start tag a declaration stood, and it means nothing: here it is
# first, there it is where the document has it.
DECLARED_LATER = re.compile(r'<([^\s<>/]+)((?: [^\s<>=]+="[^"]*")+?)( xmlns="[^"]*")')


def declarations_first(derived):
    if isinstance(derived, str):
        return DECLARED_LATER.sub(r"<\1\3\2", derived)
    return [{**one, "xml": declarations_first(one["xml"])} for one in derived]


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--expect", type=int, help="how many documents there must be")
    arguments = arguments.parse_args()
    count = compared = wrong = 0
    for line in sys.stdin:
        given = json.loads(line)
        count += 1
        for kind, wanted in fragments(given["document"]).items():
            compared += 1 if isinstance(wanted, str) else len(wanted)
            if declarations_first(given[kind]) != wanted:
                wrong += 1
                print(f"{given['name']}: {kind} differs\n  ours:   {given[kind]}\n  oracle: {wanted}")
    print(f"{count} documents, {compared} fragments, {wrong} differences")
    if arguments.expect not in (None, count):
        print(f"expected {arguments.expect} documents")
        return 1
    return 1 if wrong or not count else 0


if __name__ == "__main__":
    sys.exit(main())
