#!/usr/bin/env python3
"""An agent made from the published definitions by zeep scans at `tidegate serve`: every operation of the
three services of [MS-WUSP], with answers that must be exactly as defined.

    usage: zeep_agent.py DATA --source FOLDER [--program TIDEGATE]

DATA is the data folder of a connected side that synchronized from FOLDER; everything in it becomes
approved. The agent evaluates no rules: every prerequisite counts as installed.
"""

import argparse
import base64
import datetime
import hashlib
import uuid
from pathlib import Path

import requests
from lxml import etree

import metadata
import soap
from instance import PROGRAM, Instance
from soap import items

NEVER = datetime.datetime(2000, 1, 1)
ALL_COMPUTERS = "All Computers"


def must(holds, what):
    if not holds:
        raise SystemExit(f"NOT AS IT MUST BE: {what}")


def ints(of):
    return {"int": sorted(of)}


class Agent:
    """Registered, with a cookie."""

    def __init__(self, base, seen):
        self.base = base
        self.client, _ = soap.service("Client.wsdl", base, "ClientWebService/client.asmx", seen)
        self.reporting, _ = soap.service("Reporting.wsdl", base, "ReportingWebService/ReportingWebService.asmx", seen)
        config = self.client.GetConfig(protocolVersion="1.8")
        [plugin] = items(config.AuthInfo, "AuthPlugInInfo")
        must(plugin.PlugInID == "SimpleTargeting", f"the plug-in is {plugin.PlugInID}")
        auth, _ = soap.service("SimpleAuth.wsdl", base, plugin.ServiceUrl.lstrip("/"), seen)
        self.name = f"zeep-{uuid.uuid4()}"
        given = auth.GetAuthorizationCookie(clientId=self.name, targetGroupName="", dnsName="agent.example")
        self.cookies = {"AuthorizationCookie": [{"PlugInId": given.PlugInId, "CookieData": given.CookieData}]}
        self.last_change = config.LastChange
        self.cookie = self.get_cookie()
        if config.IsRegistrationRequired:
            refused = soap.fault_of(lambda: self.sync(set(), set()))
            must(refused[0] == "RegistrationRequired", f"a scan before the registration: {refused}")
        self.client.RegisterComputer(cookie=self.cookie, computerInfo=COMPUTER)
        self.cookie = self.get_cookie()

    def get_cookie(self):
        now = datetime.datetime.now(datetime.timezone.utc)
        return self.client.GetCookie(
            authCookies=self.cookies, lastChange=self.last_change, currentTime=now, protocolVersion="1.8"
        )

    def sync(self, installed, cached, **more):
        parameters = {
            "ExpressQuery": False,
            "InstalledNonLeafUpdateIDs": ints(installed),
            "OtherCachedUpdateIDs": ints(cached),
            "SkipSoftwareSync": False,
            "NeedTwoGroupOutOfScopeUpdates": True,
            **more,
        }
        answer = self.client.SyncUpdates(cookie=self.cookie, parameters=parameters)
        if answer.NewCookie is not None:
            self.cookie = answer.NewCookie
        return answer

    def scan(self):
        """All rounds: what is no leaf counts as installed, leaves as cached."""
        installed, cached, offers = set(), set(), {}
        for rounds in range(1, 100):
            answer = self.sync(installed, cached)
            new = items(answer.NewUpdates, "UpdateInfo")
            if not new:
                must(rounds > 2, "a scan of one round checks nothing")
                return offers, rounds
            for info in new:
                must(info.ID not in offers, f"the revision {info.ID} came twice")
                offers[info.ID] = info
                (cached if info.IsLeaf else installed).add(info.ID)
        raise SystemExit("the scan does not end")


COMPUTER = {
    "DnsName": "agent.example",
    "OSMajorVersion": 10,
    "OSMinorVersion": 0,
    "OSBuildNumber": 26100,
    "OSServicePackMajorNumber": 0,
    "OSServicePackMinorNumber": 0,
    "OSLocale": "en-US",
    "ComputerManufacturer": "Example & Sons",
    "ComputerModel": "Lock <gate>",
    "BiosReleaseDate": NEVER,
    "ProcessorArchitecture": "Amd64Compatible",
    "SuiteMask": 256,
    "OldProductType": 1,
    "NewProductType": 48,
    "SystemMetrics": 0,
    "ClientVersionMajorNumber": 10,
    "ClientVersionMinorNumber": 0,
    "ClientVersionBuildNumber": 26100,
    "ClientVersionQfeNumber": 1,
    "OSDescription": "Windows 11",
}


def fragment(text):
    """A fragment: elements without a common root."""
    return etree.fromstring(f"<fragment>{text}</fragment>", etree.XMLParser(huge_tree=True))


def scan(agent, source):
    """Every approved update, with the identity that its document has."""
    offers, rounds = agent.scan()
    known = {}
    for revision, info in offers.items():
        identity = fragment(info.Xml).find("UpdateIdentity")
        known[revision] = identity.get("UpdateID").lower(), int(identity.get("RevisionNumber"))
        must(known[revision] in source, f"{known[revision]} was never put in")
    actions = {info.Deployment.Action for info in offers.values()}
    must({"Install", "Evaluate"} <= actions, f"deployments: {actions}")
    print(f"{len(offers)} revisions in {rounds} rounds; actions: {', '.join(sorted(actions))}")
    return offers, known


def details(agent, offers, known, source, files):
    """Extended and localized fragments, and files where they say they are."""
    ids = sorted(i for i, info in offers.items() if info.Deployment.Action in ("Install", "Bundle"))
    kinds = {"XmlUpdateFragmentType": ["Extended", "LocalizedProperties", "Eula"]}
    fragments, places = {}, {}
    for start in range(0, len(ids), 50):
        answer = agent.client.GetExtendedUpdateInfo(
            cookie=agent.cookie, revisionIDs=ints(ids[start : start + 50]), infoTypes=kinds, locales={"string": ["en-US", "en"]}
        )
        must(not items(answer.OutOfScopeRevisionIDs, "int"), "revisions that were offered and are unknown now")
        for update in items(answer.Updates, "Update"):
            fragments.setdefault(update.ID, []).append(fragment(update.Xml))
        places |= {p.FileDigest: p.Url for p in items(answer.FileLocations, "FileLocation")}
    must(set(fragments) == set(ids), "a fragment for each revision")
    for revision in ids:
        named = {e.get("Digest") for f in fragments[revision] for e in f.iter("File")}
        expected = {base64.b64encode(f.sha1).decode() for f in source[known[revision]].files if not f.eula}
        must(named == expected, f"the files of {known[revision]}: {named ^ expected}")
        must(any(f.find(".//Title") is not None for f in fragments[revision]), f"a title of {known[revision]}")
    session = requests.Session()
    session.trust_env = False
    got = 0
    here = {hashlib.sha1(p.read_bytes()).digest(): p for p in files.rglob("*") if p.is_file()}
    for sha1 in set(here) & set(places):
        answer = session.get(places[sha1], timeout=60)
        must(answer.status_code == 200 and hashlib.sha1(answer.content).digest() == sha1, f"{places[sha1]}")
        got += 1
    must(got > 0, "no file was offered: this checks nothing")
    some = list(places)[:3]
    again = agent.client.GetFileLocations(cookie=agent.cookie, fileDigests={"base64Binary": some})
    located = {p.FileDigest: p.Url for p in items(again.FileLocations, "FileLocation")}
    must(located == {digest: places[digest] for digest in some}, "GetFileLocations")
    print(f"fragments of {len(ids)} revisions; {got} files, right in SHA-1")
    one = {"UpdateIdentity": [{"UpdateID": known[ids[0]][0], "RevisionNumber": known[ids[0]][1]}]}
    agent.client.GetExtendedUpdateInfo2(cookie=agent.cookie, updateIDs=one, infoTypes=kinds, locales={"string": ["en"]})


def the_rest(agent, offers, known):
    """What agents ask besides."""
    installed = {i for i, info in offers.items() if not info.IsLeaf}
    cached = set(offers) - installed
    again = agent.sync(installed, cached)
    must(not items(again.NewUpdates, "UpdateInfo"), "a second scan with all cached")
    must(not items(again.OutOfScopeRevisionIDs, "int"), "what was offered is in scope")
    strange = agent.sync(installed, cached | {2_000_000_000})
    must(items(strange.OutOfScopeRevisionIDs, "int") == [2_000_000_000], "an unknown revision is out of scope")
    some = list(known.items())[:5]
    wanted = {"UpdateIdentity": [{"UpdateID": k[0], "RevisionNumber": k[1]} for _, k in some]}
    refreshed = items(agent.client.RefreshCache(cookie=agent.cookie, globalIDs=wanted), "RefreshCacheResult")
    must({r.RevisionID for r in refreshed} == {i for i, _ in some}, "RefreshCache gives the same numbers")
    category = next(k[0] for i, k in known.items() if offers[i].Deployment.Action == "Evaluate")
    started = agent.client.StartCategoryScan(
        requestedCategories={"CategoryRelationship": [{"IndexOfAndGroup": 0, "CategoryId": category}]}
    )
    must(not items(started.requestedCategoryIdsInError, "guid"), "a category that is known")
    agent.sync(set(), set(), FilterCategoryIds={"CategoryIdentifier": [{"Id": category}]})
    agent.client.SyncPrinterCatalog(cookie=agent.cookie, installedNonLeafUpdateIDs=ints(installed), printerUpdateIDs=ints([]))
    wrong = {"Expiration": agent.cookie.Expiration, "EncryptedData": b"\1" * 64}
    refused = soap.fault_of(lambda: agent.client.SyncUpdates(cookie=wrong, parameters={"ExpressQuery": False, "SkipSoftwareSync": False}))
    must(refused[0] == "InvalidCookie", f"a cookie of nobody: {refused}")


def report(agent, server, offers, known):
    """That an update is installed, in both forms of the report; the server shows it."""
    # The same cookie, in the namespace of another service.
    cookie = {"Expiration": agent.cookie.Expiration, "EncryptedData": agent.cookie.EncryptedData}
    reporting, now = agent.reporting, datetime.datetime.now(datetime.timezone.utc)
    update = next(known[i] for i, info in offers.items() if info.Deployment.Action == "Install")

    def batch():
        version = {"Major": 10, "Minor": 0, "Build": 26100, "Revision": 1, "ServicePackMajor": 0, "ServicePackMinor": 0}
        basic = {
            "TargetID": {"Sid": agent.name},
            "SequenceNumber": 0,
            "TimeAtTarget": now,
            "EventInstanceID": str(uuid.uuid4()),
            "NamespaceID": 1,
            "EventID": 183,
            "SourceID": 101,
            "UpdateID": {"UpdateID": update[0], "RevisionNumber": update[1]},
            "Win32HResult": 0,
        }
        extended = {"ProcessorArchitecture": "Amd64Compatible", "OSVersion": version, "OSLocaleID": 1033}
        return {"ReportingEvent": [{"BasicData": basic, "ExtendedData": extended, "PrivateData": {}}]}

    must(reporting.ReportEventBatch(cookie=cookie, clientTime=now, eventBatch=batch()) is True, "ReportEventBatch")
    must(reporting.ReportEventBatch2(computerId=agent.name, clientTime=now, eventBatch=batch()) is True, "ReportEventBatch2")
    reporting.GetRequiredInventoryType(cookie=cookie, rulesId=update[0], rulesVersion="1.0")
    reporting.ReportInventory(cookie=cookie, clientTime=now, inventory={"IsCompressed": False, "RawXml": "<x/>"})
    shown = [c for computer in server.run("computers") for c in computer["compliance"]]
    states = {c["update"]: c["state"] for c in shown if c["computer"] == agent.name}
    must(states.get(update[0]) == "installed", f"what the server shows of the report: {states}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--program", type=Path, default=PROGRAM)
    arguments = parser.parse_args()
    source = metadata.of_folder(arguments.source / "documents")
    server = Instance(arguments.program, arguments.data)
    server.run("approve", "--all", "--group", ALL_COMPUTERS, "--accept-eula", codes=(0, 4))
    seen = set()
    with server.serve() as base:
        agent = Agent(base, seen)
        offers, known = scan(agent, source)
        details(agent, offers, known, source, arguments.source / "files")
        the_rest(agent, offers, known)
        report(agent, server, offers, known)
    print(f"message kinds, valid in both directions: {', '.join(sorted(seen))}")


if __name__ == "__main__":
    main()
