"""Update documents, as an outsider reads them: what they are, what they name, what a filter selects."""

import base64
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from lxml import etree

UPDATE = "{http://schemas.microsoft.com/msus/2002/12/Update}"
CATEGORY = "{http://schemas.microsoft.com/msus/2002/12/UpdateHandlers/Category}"


def key(identity):
    """An identity: the GUID without regard to case, and the revision."""
    return str(identity.UpdateID).lower(), int(identity.RevisionNumber)


@dataclass
class File:
    sha1: bytes
    sha256: bytes | None
    size: int
    name: str
    eula: bool = False

    def path(self):
        """Where a server has it: [MS-WSUSSS] 2.1, as real ones do it."""
        name = self.sha1.hex().upper()
        return f"Content/{name[-2:]}/{name}{Path(self.name).suffix}"


@dataclass
class Update:
    """What is of interest in a document."""

    key: tuple
    text: bytes
    kind: str
    category: str | None
    clauses: set = field(default_factory=set)
    members: set = field(default_factory=set)
    files: list = field(default_factory=list)
    encrypted: bool = False

    def is_configuration(self):
        return self.kind in ("Category", "Detectoid")


def read(text):
    """An update from the bytes of its document."""
    root = etree.fromstring(text, etree.XMLParser(huge_tree=True, resolve_entities=False))

    def of(element):
        return element.get("UpdateID").lower(), int(element.get("RevisionNumber"))

    properties = root.find(f"{UPDATE}Properties")
    information = root.find(f".//{CATEGORY}CategoryInformation")
    update = Update(
        key=of(root.find(f"{UPDATE}UpdateIdentity")),
        text=text,
        kind=properties.get("UpdateType"),
        category=None if information is None else information.get("CategoryType"),
        encrypted=any(e.text == "FileDecryption" for e in properties.iterfind(f"{UPDATE}SecuredFragment")),
    )
    relations = root.find(f"{UPDATE}Relationships")
    if relations is not None:
        for element in relations.iterfind(f"{UPDATE}Prerequisites//{UPDATE}UpdateIdentity"):
            update.clauses.add(element.get("UpdateID").lower())
        for element in relations.iterfind(f"{UPDATE}BundledUpdates//{UPDATE}UpdateIdentity"):
            update.members.add(of(element))
    for tag in ("File", "EulaFile"):
        for element in root.iter(f"{UPDATE}{tag}"):
            if element.get("Digest") is None:
                continue
            digests = {d.get("Algorithm"): d.text for d in element.iterfind(f"{UPDATE}AdditionalDigest")}
            sha256 = digests.get("SHA256")
            update.files.append(
                File(
                    base64.b64decode(element.get("Digest")),
                    base64.b64decode(sha256) if sha256 else None,
                    int(element.get("Size")),
                    element.get("FileName"),
                    tag == "EulaFile",
                )
            )
    return update


def of_folder(folder):
    """The updates of a folder of documents, by identity."""
    updates = [read(path.read_bytes()) for path in sorted(Path(folder).rglob("*.xml"))]
    return {update.key: update for update in updates}


def newest(updates):
    """The newest revision of each update: older ones are not listed. [MS-WSUSSS] 3.1.4.5"""
    numbers = {}
    for identity, revision in updates:
        numbers[identity] = max(revision, numbers.get(identity, revision))
    return set(numbers.items())


def with_members(updates, chosen):
    """Some updates and all that they bundle, by exact revision."""
    chosen, todo = set(chosen), list(chosen)
    while todo:
        for member in updates[todo.pop()].members - chosen:
            if member in updates:
                chosen.add(member)
                todo.append(member)
    return chosen


def selected(updates, products, classifications):
    """What a filter of both lists selects: updates that name one of each, and all that they bundle."""
    some = (updates[k] for k in newest(updates) if not updates[k].is_configuration())
    return with_members(updates, {u.key for u in some if u.clauses & products and u.clauses & classifications})


def unpacked(cabinet):
    """The document in a cabinet, by an extractor that is not ours."""
    done = subprocess.run(["bsdtar", "-xOf", "-"], input=cabinet, capture_output=True, check=True)
    listed = subprocess.run(["bsdtar", "-tf", "-"], input=cabinet, capture_output=True, check=True)
    if listed.stdout.decode().split() != ["blob"]:
        raise SystemExit(f"a cabinet holds {listed.stdout!r} instead of one blob")
    return done.stdout.decode("utf-16-le").encode()
