#!/usr/bin/env python3
"""A recording proxy between our own programs: `tidegate sync` and `probe` on one side, `tidegate serve` on
the other. Every request and every answer is checked against the schemas of the published definitions.

    usage: wsdl_check.py DATA [--program TIDEGATE]

DATA is the data folder of a connected side that holds updates, at least one with a file that is here; a copy
of it is worked on.
Prints which kinds of messages were seen; one that is missing fails the check. `EXCEPTIONS` lists where
real traffic is known to differ from the definitions, with the place that shows it.
"""

import argparse
import collections
import http.client
import http.server
import re
import shutil
import struct
import tempfile
import threading
import urllib.parse
from pathlib import Path

from lxml import etree

import definitions
import xpress
from instance import PROGRAM, Instance

SERVICES = {
    "serversyncwebservice": ["ServerSync.wsdl"],
    "dssauthwebservice": ["DssAuth.wsdl"],
    "clientwebservice": ["Client.wsdl"],
    "simpleauthwebservice": ["SimpleAuth.wsdl"],
    # One service, two definitions: of the agents' protocol and of the servers'.
    "reportingwebservice": ["Reporting.wsdl", "ServerReporting.wsdl"],
}

# Elements that real agents send and no definition knows: captures/agent-win11-25h2, and the README of the
# definitions. A request is checked without them, and only these kinds of requests may have them.
EXCEPTIONS = {
    "SyncUpdates": ["AlsoPerformRegularSync", "ProductsParameters"],
    "GetExtendedUpdateInfo": ["deviceAttributes"],
}

# What must have been seen, both ways.
SYNC = [
    "GetAuthConfig",
    "GetAuthorizationCookie",
    "GetCookie",
    "GetConfigData",
    "GetRevisionIdList",
    "GetUpdateData",
    "GetUpdateDecryptionData",
    "GetRelatedRevisionsForUpdates",
    "GetDriverIdList",
    "GetDriverSetData",
    "GetDeployments",
]
# [MS-WSUSSS] 3.1.4.13 to 3.1.4.17
ROLLUP = [
    "GetRollupConfiguration",
    "RollupDownstreamServers",
    "RollupComputers",
    "GetOutOfSyncComputers",
    "RollupComputerStatus",
]
AGENT = [
    "GetConfig",
    "GetAuthorizationCookie",
    "GetCookie",
    "RegisterComputer",
    "StartCategoryScan",
    "SyncUpdates",
    "GetExtendedUpdateInfo",
    "ReportEventBatch",
]


class Judge:
    """Checks messages, and counts their kinds."""

    def __init__(self):
        names = {name for found in SERVICES.values() for name in found}
        self.schemas = {name: definitions.schema(name) for name in names}
        self.seen = collections.Counter()
        self.used = collections.Counter()
        self.codings = collections.Counter()
        self.wrong = []
        self.lock = threading.Lock()

    def message(self, service, way, body):
        with self.lock:
            try:
                self._message(service, way, body)
            except (etree.XMLSyntaxError, ValueError) as error:
                self.wrong.append(f"{service}: {way}: {error}: {body[:300]!r}")

    def answer(self, service, coding, body):
        self.codings[coding] += 1
        try:
            body = xpress.decoded(body) if coding == "xpress" else body
        except (ValueError, IndexError, struct.error) as error:
            self.wrong.append(f"{service}: an answer in Xpress: {error}")
        else:
            self.message(service, "answer", body)

    def _message(self, service, way, body):
        if not body.startswith((b"<?xml", b"<")):
            raise ValueError("no XML, or white space before it")
        envelope = etree.fromstring(body, etree.XMLParser(huge_tree=True, resolve_entities=False))
        soap = f"{{{definitions.SOAP}}}"
        parts = [etree.QName(e).localname for e in envelope]
        if envelope.tag != f"{soap}Envelope" or parts != ["Body"] or len(envelope[0]) != 1:
            raise ValueError(f"no envelope with a body of one element: {envelope.tag} {parts}")
        content = envelope[0][0]
        kind = etree.QName(content).localname
        if content.tag == f"{soap}Fault":
            self.seen[f"{service} Fault"] += 1
            self._fault(content)
            return
        for name in EXCEPTIONS.get(kind, []) if way == "request" else []:
            for extra in content.findall(f".//{{*}}{name}"):
                extra.getparent().remove(extra)
                self.used[f"{kind}/{name}"] += 1
        self.seen[f"{service} {kind}"] += 1
        alone = etree.fromstring(etree.tostring(content), etree.XMLParser(huge_tree=True))
        schemas = [self.schemas[name] for name in SERVICES[service]]
        if not any(schema.validate(alone) for schema in schemas):
            logs = "; ".join(str(schema.error_log) for schema in schemas)
            raise ValueError(f"{kind} is not as defined: {logs}")

    @staticmethod
    def _fault(fault):
        """[MS-WSUSSS] 2.2.9.1, [MS-WUSP] 2.2.2.4: SOAP's part without a namespace, the detail too."""
        names = [e.tag for e in fault]
        detail = [e.tag for e in fault.find("detail")] if fault.find("detail") is not None else []
        if names not in (["faultcode", "faultstring", "detail"], ["faultcode", "faultstring", "faultactor", "detail"]):
            raise ValueError(f"a fault with {names}")
        if detail[:3] != ["ErrorCode", "Message", "ID"]:
            raise ValueError(f"a fault whose detail has {detail}")


class Proxy(http.server.BaseHTTPRequestHandler):
    """Passes on what it gets, and shows it to the judge."""

    protocol_version = "HTTP/1.1"
    judge: Judge
    upstream: str

    def log_message(self, *_):
        pass

    def ask(self, body):
        """The server's answer: status, headers, body."""
        headers = {k: v for k, v in self.headers.items() if k.lower() != "connection"}
        connection = http.client.HTTPConnection(self.upstream, timeout=60)
        connection.request(self.command, self.path, body or None, headers)
        answer = connection.getresponse()
        given = answer.read()
        connection.close()
        return answer.status, answer.headers, given

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        place = urllib.parse.urlsplit(self.path).path.lower().strip("/").split("/")[0]
        service = place if place in SERVICES else None
        if service and self.command == "POST":
            self.judge.message(service, "request", body)
        status, headers, given = self.ask(body)
        if service and self.command == "POST":
            self.judge.answer(service, headers.get("Content-Encoding", "identity"), given)
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                self.send_header(name, value)
        length = headers.get("Content-Length") if self.command == "HEAD" else str(len(given))
        self.send_header("Content-Length", length or "0")
        self.end_headers()
        self.wfile.write(given)

    do_GET = do_HEAD = do_POST = handle_any


DRIVERS = {
    "GetDriverIdList": """<Anchor>1,2026-01-01 00:00:00.000</Anchor><NewRevisions /><NewDriverSets>
        <guid>d0000000-0000-4000-8000-000000000001</guid></NewDriverSets><RemovedDriverSets />""",
    "GetDriverSetData": """<DriverSets><ServerSyncDriverSetData>
        <DriverSetId>d0000000-0000-4000-8000-000000000001</DriverSetId>
        <DriverSetXml>&lt;DriverSet /&gt;</DriverSetXml></ServerSyncDriverSetData></DriverSets>""",
}


class Microsoft(Proxy):
    """Looks for drivers, as only Microsoft Update does; all else it leaves to the server."""

    def ask(self, body):
        for operation, result in DRIVERS.items():
            if f"<{operation} ".encode() in body:
                answer = (
                    f'<soap:Envelope xmlns:soap="{definitions.SOAP}"><soap:Body><{operation}Response'
                    f' xmlns="{definitions.SYNC}"><{operation}Result>{result}</{operation}Result>'
                    f"</{operation}Response></soap:Body></soap:Envelope>"
                )
                return 200, {"Content-Type": "text/xml; charset=utf-8"}, answer.encode()
        # To be changed, answers must be readable.
        del self.headers["Accept-Encoding"]
        status, headers, given = super().ask(body)
        return status, headers, re.sub(rb"(<MaxNumberOf(?:DriverSets|ComputerIds|Pnp)[A-Za-z]*>)0<", rb"\g<1>100<", given)


class Between:
    """The proxy, before a server."""

    def __init__(self, base, judge, proxy=Proxy):
        kind = type("Between", (proxy,), {"judge": judge, "upstream": urllib.parse.urlsplit(base).netloc})
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self.url

    def __exit__(self, *_):
        self.server.shutdown()


# Its key must be asked for.
ENCRYPTED = """<upd:Update xmlns:upd="http://schemas.microsoft.com/msus/2002/12/Update"><upd:UpdateIdentity \
UpdateID="e0000000-0000-4000-8000-00000000e4c4" RevisionNumber="1"/><upd:Properties UpdateType="Software" \
DefaultPropertiesLanguage="en"><upd:SecuredFragment>FileDecryption</upd:SecuredFragment></upd:Properties>\
<upd:LocalizedPropertiesCollection><upd:LocalizedProperties><upd:Language>en</upd:Language><upd:Title>Sealed\
</upd:Title></upd:LocalizedProperties></upd:LocalizedPropertiesCollection></upd:Update>"""


def with_encrypted_files(upstream, folder):
    folder.mkdir()
    (folder / "encrypted.xml").write_text(ENCRYPTED)
    upstream.run("sync", "--from", folder)


def synchronize(program, kept, url):
    """A downstream Tidegate: all, again (nothing new), and by a filter."""
    downstream = Instance(program, kept / "downstream")
    downstream.run("init")
    sync = ["sync", "--from", url, "--allow-http", "--proxy", "none"]
    report = downstream.run(*sync)
    if report["problems"] or not report["new-revisions"]:
        raise SystemExit(f"the synchronization brought {report}")
    downstream.run(*sync)
    products = downstream.run("sync", "products")
    downstream.run(*sync, "--products", products[0]["id"], "--classifications", "all", "--languages", "en")
    return report["new-revisions"]


def synchronize_with_drivers(program, kept, url):
    """From one that looks for drivers, with an update whose files are encrypted."""
    downstream = Instance(program, kept / "with drivers")
    downstream.run("init")
    hardware = kept / "hardware.txt"
    hardware.write_text("PCI\\VEN_8086&DEV_1502\nd1111111-0000-4000-8000-000000000001\n")
    sync = ["sync", "--from", url, "--allow-http", "--proxy", "none"]
    report = downstream.run(*sync, "--driver-ids", hardware)
    if report["driver-sets"] != 1:
        raise SystemExit(f"the synchronization with drivers brought {report}")
    downstream.run(*sync)


def replicate(program, kept, url):
    """A replica: everything and what is decided about it; then an agent comes to it, and it reports."""
    replica = Instance(program, kept / "replica")
    replica.run("init")
    sync = ["sync", "--replica", "--from", url, "--allow-http", "--proxy", "none"]
    report = replica.run(*sync)
    if report["problems"] or not report["replica"]:
        raise SystemExit(f"the replica took over {report}")
    agent = Instance(program, kept / "agent of the replica")
    with replica.serve() as own:
        agent.run("probe", own, "--assume-all")
    replica.run(*sync)


def visit(program, kept, url, upstream):
    """An agent that installs, comes again, and asks for a category."""
    agent = Instance(program, kept / "agent")
    state = kept / "agent.json"
    probe = ["probe", url, "--assume-all", "--state", state]
    report = agent.run(*probe, "--install")
    if not report["downloaded-files"]:
        raise SystemExit(f"the agent downloaded nothing: {report}")
    agent.run(*probe)
    category = upstream.run("updates", "--kind", "category", "--all")[0]["identity"]["id"]
    agent.run(*probe, "--category", category)
    return report["updates-seen"]


def missing(judge, service, kinds):
    for kind in kinds:
        for name in (kind, f"{kind}Response"):
            if not any(judge.seen[f"{place} {name}"] for place in service):
                yield f"{'/'.join(service)} {name}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--program", type=Path, default=PROGRAM)
    arguments = parser.parse_args()
    definitions.say_patches()
    judge = Judge()
    with tempfile.TemporaryDirectory() as kept:
        kept = Path(kept)
        shutil.copytree(arguments.data, kept / "upstream")
        upstream = Instance(arguments.program, kept / "upstream")
        with_encrypted_files(upstream, kept / "encrypted")
        upstream.run("approve", "--all", "--group", "All Computers", "--accept-eula", codes=(0, 4))
        with upstream.serve() as base, Between(base, judge) as url:
            revisions = synchronize(arguments.program, kept, url)
            with Between(base, judge, Microsoft) as microsoft:
                synchronize_with_drivers(arguments.program, kept, microsoft)
            replicate(arguments.program, kept, url)
            seen = visit(arguments.program, kept, url, upstream)
    for kind, count in sorted(judge.seen.items()):
        print(f"{count:6} {kind}")
    for exception, count in sorted(judge.used.items()):
        print(f"{count:6} exception: {exception}")
    for coding, count in sorted(judge.codings.items()):
        print(f"{count:6} answers in {coding}")
    absent = [
        *missing(judge, ["serversyncwebservice", "dssauthwebservice"], SYNC),
        *missing(judge, ["reportingwebservice"], ROLLUP),
        *(["an answer in Xpress"] if not judge.codings["xpress"] else []),
        *missing(judge, ["clientwebservice", "reportingwebservice", "simpleauthwebservice"], AGENT),
    ]
    if judge.wrong or absent:
        raise SystemExit("\n".join([*judge.wrong[:20], *(f"never seen: {kind}" for kind in absent)]))
    print(f"{revisions} revisions to a downstream, {seen} to an agent: every message as defined")


if __name__ == "__main__":
    main()
