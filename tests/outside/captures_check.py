#!/usr/bin/env python3
"""Real traffic against the published definitions: where they differ, and nowhere else, our own messages
may differ too. Every exception of `wsdl_check.py` must be shown by a recording; every difference of a
recording must be known here.

    usage: captures_check.py
"""

from lxml import etree

import definitions
import wsdl_check

SERVICES = {
    definitions.SYNC: "serversyncwebservice",
    definitions.DSS_AUTH: "dssauthwebservice",
    definitions.CLIENT: "clientwebservice",
    definitions.SIMPLE_AUTH: "simpleauthwebservice",
}

# What recordings show that the definitions, as they are patched, do not know: kind, what the schema says
# of it, and what Tidegate makes of it.
KNOWN = {
    ("GetConfigDataResponse", "MaxNumberOfComputerIdsInRequest"): "a WSUS sends the other order of the limits: both are read",
    ("GetRevisionIdList", "Get63LanguageOnly"): "a WSUS takes its absence for false: so do we, and always send it",
}


def main():
    captures = definitions.folder().parents[1] / "captures"
    judge = wsdl_check.Judge()
    found, messages = set(), 0
    for path in sorted(captures.glob("*/*.xml")):
        # Excerpts are no messages.
        if not path.name.endswith((".request.xml", ".response.xml")):
            continue
        body = path.read_bytes().strip()
        content = etree.fromstring(body, etree.XMLParser(huge_tree=True))[0][0]
        kind = etree.QName(content)
        service = SERVICES.get(kind.namespace, "serversyncwebservice")
        if kind.localname.startswith("ReportEventBatch"):
            service = "reportingwebservice"
        judge.wrong.clear()
        judge.message(service, "request" if ".request." in path.name else "answer", body)
        messages += 1
        for wrong in judge.wrong:
            known = [k for k in KNOWN if k[0] == kind.localname and k[1] in wrong]
            if not known:
                raise SystemExit(f"{path.name}: a difference that is not known: {wrong}")
            found.update(known)
    if messages < 60:
        raise SystemExit(f"only {messages} recorded messages: this checks nothing")
    exceptions = {f"{kind}/{name}" for kind, names in wsdl_check.EXCEPTIONS.items() for name in names}
    unshown = [*(KNOWN.keys() - found), *(exceptions - judge.used.keys())]
    if unshown:
        raise SystemExit(f"no recording shows {unshown}")
    for known in sorted(KNOWN):
        print(f"{' '.join(known)}: {KNOWN[known]}")
    print(f"{messages} recorded messages: as defined, but for {len(KNOWN)} known differences and {len(exceptions)} elements of agents")


if __name__ == "__main__":
    main()
