#!/usr/bin/env python3
"""A downstream server made from the published definitions by zeep synchronizes from `tidegate serve`,
completely, and compares what it gets with what was put in, byte for byte.

    usage: zeep_client.py DATA --source FOLDER [--across] [--program TIDEGATE]

DATA is the data folder of a connected side that synchronized from FOLDER; with --across an isolated side
is made of it by a bundle, and that one is asked. Exit status 0 when everything is as it must be.
"""

import argparse
import base64
import hashlib
import tempfile
from pathlib import Path

import requests

import metadata
import soap
from definitions import SYNC
from instance import PROGRAM, Instance, carried
from soap import items

SERVER_SYNC = "ServerSyncWebService/ServerSyncWebService.asmx"
# Not in any document.
NOBODY = "00000000-0000-4000-8000-0000000000ff"
NOTHING = base64.b64encode(hashlib.sha1(b"nobody has this").digest()).decode()


def must(holds, what):
    if not holds:
        raise SystemExit(f"NOT AS IT MUST BE: {what}")


class Downstream:
    """Has been through the handshake of [MS-WSUSSS] 3.2.4.1."""

    def __init__(self, base, version, seen):
        self.base = base
        self.service, self.check = soap.service("ServerSync.wsdl", base, SERVER_SYNC, seen)
        [plugin] = items(self.service.GetAuthConfig().AuthInfo, "AuthPlugInInfo")
        must(plugin.PlugInID == "DssTargeting", f"the plug-in is {plugin.PlugInID}")
        # As a WSUS joins them: with one slash too many.
        self.auth, _ = soap.service("DssAuth.wsdl", base, "/" + plugin.ServiceUrl, seen)
        self.id = "11111111-2222-4333-8444-555555555555"
        given = self.auth.GetAuthorizationCookie(accountName="dss.example", accountGuid=self.id)
        self.authorization = {"AuthorizationCookie": [{"PlugInId": given.PlugInId, "CookieData": given.CookieData}]}
        self.cookie = self.service.GetCookie(authCookies=self.authorization, protocolVersion=version)
        self.config = self.service.GetConfigData(cookie=self.cookie)

    def list(self, **how):
        filter = {"GetConfig": False, "Get63LanguageOnly": False, **how}
        found = self.service.GetRevisionIdList(cookie=self.cookie, filter=filter)
        identities = [metadata.key(i) for i in items(found.NewRevisions, "UpdateIdentity")]
        return found.Anchor, identities

    def fetch(self, keys):
        """Documents by identity, and the addresses of files by digest; in batches of the server's limit."""
        documents, addresses, forms = {}, {}, set()
        keys, limit = list(keys), self.config.MaxNumberOfUpdatesPerRequest
        for start in range(0, len(keys), limit):
            batch = keys[start : start + limit]
            ids = {"UpdateIdentity": [{"UpdateID": i, "RevisionNumber": r} for i, r in batch]}
            answer = self.service.GetUpdateData(cookie=self.cookie, updateIds=ids)
            updates = items(answer.updates, "ServerSyncUpdateData")
            must(sorted(metadata.key(i.Id) for i in updates) == sorted(batch), "an answer holds other updates than asked for")
            for item in updates:
                plain, compressed = item.XmlUpdateBlob, item.XmlUpdateBlobCompressed
                must((plain is None) != (compressed is None), "exactly one of the two forms")
                forms.add("compressed" if plain is None else "plain")
                text = metadata.unpacked(compressed) if plain is None else plain.encode()
                documents[metadata.key(item.Id)] = text
                digests = items(item.FileDigestList, "base64Binary")
                expected = [f.sha1 for f in metadata.read(text).files if not f.eula]
                must(sorted(set(digests)) == sorted(set(expected)), f"FileDigestList of {item.Id}")
            # Microsoft's client needs the element, and each digest once.
            must(self.check.last.find(f".//{{{SYNC}}}fileUrls") is not None, "fileUrls must be there when it is empty")
            urls = items(answer.fileUrls, "ServerSyncUrlData")
            must(len({u.FileDigest for u in urls}) == len(urls), "a digest twice in fileUrls")
            addresses |= {u.FileDigest: u.UssUrl for u in urls}
        return documents, addresses, forms


def both_lists(products, classifications, delta):
    def ids(of):
        return {"IdAndDelta": [{"Id": i, "Delta": delta} for i in sorted(of)]}

    return {"Categories": ids(products), "Classifications": ids(classifications)}


def metadata_complete(dss, source):
    """Both lists without filter, all documents, then nothing new."""
    anchor, configuration = dss.list(GetConfig=True)
    must(len(set(configuration)) == len(configuration), "a revision is listed twice")
    current = metadata.newest(source)
    must(set(configuration) == {k for k in current if source[k].is_configuration()}, "the list of categories")
    update_anchor, updates = dss.list()
    must(set(updates) == {k for k in current if not source[k].is_configuration()}, "the list of updates")
    documents, addresses, forms = dss.fetch(configuration + updates)
    # What bundles name exactly and the lists do not; then everything else that was put in: older revisions
    # are not listed and still given.
    for _ in range(10):
        held = {k: metadata.read(text) for k, text in documents.items()}
        missing = {m for u in held.values() for m in u.members} - set(held)
        if not missing:
            break
        more, urls, _ = dss.fetch(sorted(missing))
        documents, addresses = documents | more, addresses | urls
    must(set(documents) == metadata.with_members(source, current), "the lists with all that they bundle")
    more, urls, _ = dss.fetch(sorted(set(source) - set(documents)))
    documents, addresses = documents | more, addresses | urls
    must(set(documents) == set(source), "the set of documents")
    for identity, text in documents.items():
        must(text == source[identity].text, f"the document {identity} differs from what was put in")
    must(forms == {"plain", "compressed"}, f"both forms of documents; seen: {forms}")
    must(dss.list(GetConfig=True, Anchor=anchor)[1] == [], "the second list of categories")
    must(dss.list(Anchor=update_anchor)[1] == [], "the second list of updates")
    print(f"{len(documents)} documents, equal byte for byte; the second round is empty")
    return addresses, update_anchor


def filters(dss, source, anchor):
    """Every pair of a product and a classification, against an independent selection."""
    categories = {k[0]: u.category for k, u in source.items()}
    products = {i for i, kind in categories.items() if kind == "Product"}
    classifications = {i for i, kind in categories.items() if kind == "UpdateClassification"}
    tried, found = 0, 0
    pairs = [({p}, {c}) for p in sorted(products) for c in sorted(classifications)][:60]
    for some, kinds in [*pairs, (products, classifications)]:
        listed = dss.list(**both_lists(some, kinds, False))[1]
        expected = metadata.selected(source, some, kinds)
        must(set(listed) == expected, f"{some} x {kinds}: {set(listed) ^ expected}")
        must(dss.list(Anchor=anchor, **both_lists(some, kinds, True))[1] == [], "nothing new in a filter")
        must(set(dss.list(Anchor=anchor, **both_lists(some, kinds, False))[1]) == expected, "Delta=false lists all again")
        tried, found = tried + 1, found + bool(expected)
    must(found > 3, f"only {found} of {tried} filters select anything: this checks nothing")
    one = both_lists(products, classifications, False)
    must(dss.list(Categories=one["Categories"])[1] == [], "one list alone selects nothing")
    print(f"{tried} filters select what an independent reading selects, {found} of them something")


def content(dss, source, addresses, files):
    """Files at the address that a downstream builds from the digest, checked by all that is known of them."""
    known = {f.sha1: f for u in source.values() for f in u.files}
    must(set(addresses) == set(known), "fileUrls and the files of the documents")
    here = {hashlib.sha1(p.read_bytes()).digest(): p for p in files.rglob("*") if p.is_file()} if files.is_dir() else {}
    must(here and set(here) <= set(known), "files that documents name")
    session = requests.Session()
    session.trust_env = False
    for sha1, path in here.items():
        file = known[sha1]
        must(addresses[sha1].lstrip("/") == file.path(), f"the address {addresses[sha1]} of {file.name}")
        answer = session.get(f"{dss.base}/{file.path()}", timeout=60)
        must(answer.status_code == 200, f"{file.path()}: {answer.status_code}")
        must(answer.content == path.read_bytes() and len(answer.content) == file.size, f"{file.name} differs")
        must(hashlib.sha256(answer.content).digest() == file.sha256, f"SHA-256 of {file.name}")
        half = session.get(f"{dss.base}/{file.path()}", headers={"Range": "bytes=1-"}, timeout=60)
        must(half.status_code == 206 and half.content == answer.content[1:], f"a range of {file.name}")
    absent = [f for f in known.values() if f.sha1 not in here]
    if absent:
        answer = session.get(f"{dss.base}/{absent[0].path()}", timeout=60)
        must(answer.status_code == 404, "a file that is not here")
    print(f"{len(here)} files, right in size, SHA-1 and SHA-256")
    some = [base64.b64encode(sha1).decode() for sha1 in here][:2]
    dss.service.DownloadFiles(cookie=dss.cookie, fileDigestList={"base64Binary": [base64.b64decode(s) for s in some]})
    wrong = {"base64Binary": [base64.b64decode(s) for s in [*some, NOTHING]]}
    refused = soap.fault_of(lambda: dss.service.DownloadFiles(cookie=dss.cookie, fileDigestList=wrong))
    must(refused == ("FileDigestsMissing", NOTHING), f"DownloadFiles of something unknown: {refused}")


def small_operations(dss, source):
    pong = dss.service.Ping(pingLevel=1)
    must(pong.SuccessFlag, "Ping")
    must(dss.auth.Ping(pingLevel=1).SuccessFlag, "Ping of DssAuth")
    some = list(source)[:3]
    related = dss.service.GetRelatedRevisionsForUpdates(cookie=dss.cookie, updateIDs={"guid": [i for i, _ in some]})
    must(not related, f"related revisions: {related}")
    ids = {"UpdateIdentity": [{"UpdateID": i, "RevisionNumber": r} for i, r in some]}
    keys = dss.service.GetUpdateDecryptionData(cookie=dss.cookie, updateIds=ids)
    given = items(keys, "ServerSyncUpdateFileDecryption")
    must(given or not any(source[k].encrypted for k in some), "keys of encrypted files")
    again = dss.service.GetConfigData(cookie=dss.cookie, configAnchor=dss.config.NewConfigAnchor)
    must(not items(again.LanguageUpdateList, "ServerSyncLanguageData"), "unchanged languages")
    must(dss.config.CatalogOnlySync is False, "CatalogOnlySync sends downstream servers to the Internet")
    must(len(dss.config.LanguageUpdateList.ServerSyncLanguageData) == 39, "languages")


def refusals(dss, source):
    """Each with the code and the parameter that a WSUS names."""
    some = next(iter(source))
    one = [{"UpdateID": some[0], "RevisionNumber": some[1]}]
    unknown = {"UpdateID": NOBODY, "RevisionNumber": 1}
    many = one * (dss.config.MaxNumberOfUpdatesPerRequest + 1)
    service, cookie = dss.service, dss.cookie
    stranger = {"Expiration": cookie.Expiration, "EncryptedData": b"\1" * 208}
    cases = [
        (lambda: service.GetUpdateData(cookie=cookie, updateIds={"UpdateIdentity": [*one, unknown]}), "InternalServerError", ""),
        (lambda: service.GetUpdateData(cookie=cookie, updateIds={"UpdateIdentity": many}), "InvalidParameters", "updateIds"),
        (lambda: service.GetUpdateData(updateIds={"UpdateIdentity": one}), "InvalidCookie", None),
        (lambda: service.GetUpdateData(cookie=stranger, updateIds={"UpdateIdentity": one}), "InvalidCookie", None),
        (lambda: dss.list(Anchor="garbage"), "InvalidParameters", "filter"),
        (lambda: service.GetCookie(protocolVersion="1.20"), "InvalidParameters", None),
        (lambda: service.GetCookie(authCookies=dss.authorization, protocolVersion="2.0"), "IncompatibleProtocolVersion", None),
        (lambda: service.GetDriverSetData(cookie=cookie, driverSets={"guid": [NOBODY]}), "InvalidParameters", "driverSets"),
        (lambda: service.GetDriverIdList(cookie=cookie, filter={"Anchor": ""}), "InvalidParameters", "filter"),
    ]
    for call, code, message in cases:
        refused = soap.fault_of(call)
        must(refused[0] == code and message in (None, refused[1]), f"{code} {message}: {refused}")
    print(f"{len(cases)} refusals, each with its code")


def synchronize(base, source, files, seen):
    dss = Downstream(base, "1.20", seen)
    addresses, anchor = metadata_complete(dss, source)
    filters(dss, source, anchor)
    content(dss, source, addresses, files)
    small_operations(dss, source)
    refusals(dss, source)
    # WSUS 3.0 SP2 and 2012 speak 1.8; nothing here needs more.
    older = Downstream(base, "1.8", seen)
    must(older.list()[1] == dss.list()[1], "what a downstream of protocol 1.8 is shown")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--across", action="store_true")
    parser.add_argument("--program", type=Path, default=PROGRAM)
    arguments = parser.parse_args()
    source = metadata.of_folder(arguments.source / "documents")
    seen = set()
    with tempfile.TemporaryDirectory() as kept:
        server = Instance(arguments.program, arguments.data)
        if arguments.across:
            server = carried(server, Path(kept))
        with server.serve() as base:
            synchronize(base, source, arguments.source / "files", seen)
    print(f"message kinds, valid in both directions: {', '.join(sorted(seen))}")


if __name__ == "__main__":
    main()
