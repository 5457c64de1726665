"""A SOAP client made from a definition by zeep, which checks every message both ways against the
schema as well: zeep itself reads some things that the schema does not allow."""

import requests
import zeep
from lxml import etree

import definitions


class Memory(zeep.Transport):
    """Gives zeep the patched definitions, and nothing from the network but the service itself."""

    def load(self, url):
        # zeep makes a path of any name.
        name = url.rsplit("/", 1)[-1]
        if name not in definitions.PATCHES:
            raise SystemExit(f"{url} is not to be read")
        return etree.tostring(definitions.read(name))


class Check(zeep.Plugin):
    """Checks messages against the schema, and counts them."""

    def __init__(self, name, seen):
        self.name, self.schema, self.seen = name, definitions.schema(name), seen
        self.last = None

    def _check(self, envelope, way):
        body = envelope.find(f"{{{definitions.SOAP}}}Body")
        if envelope.tag != f"{{{definitions.SOAP}}}Envelope" or body is None or len(body) != 1:
            raise SystemExit(f"{self.name}: {way}: no envelope with one element in its body")
        kind = etree.QName(body[0])
        if kind.localname == "Fault":
            self.seen.add("Fault")
            return
        self.seen.add(kind.localname)
        # On its own, as a receiver would cut it out.
        if not self.schema.validate(etree.fromstring(etree.tostring(body[0]), etree.XMLParser(huge_tree=True))):
            raise SystemExit(f"{self.name}: the {way} {kind.localname} is not as defined: {self.schema.error_log}")

    def egress(self, envelope, http_headers, operation, binding_options):
        self._check(envelope, "request")
        return envelope, http_headers

    def ingress(self, envelope, http_headers, operation):
        self._check(envelope, "answer")
        self.last = envelope
        return envelope, http_headers


def service(name, base, path, seen):
    """The operations of a definition, at an address of ours. Unknown or misplaced elements in an answer
    are errors."""
    session = requests.Session()
    session.trust_env = False
    client = zeep.Client(
        name,
        transport=Memory(session=session, timeout=60, operation_timeout=60),
        settings=zeep.Settings(strict=True, xml_huge_tree=True),
        plugins=[Check(name, seen)],
    )
    [binding] = client.wsdl.bindings
    return client.create_service(binding, f"{base}/{path}"), client.plugins[0]


def items(array, name):
    """What is in an array; zeep makes nothing of an empty one, and a list of one that is alone."""
    if array is None or isinstance(array, list):
        return array or []
    return array[name] or []


def fault_of(call):
    """The ErrorCode of the fault with which a call must end, and its Message."""
    try:
        call()
    except zeep.exceptions.Fault as fault:
        detail = {etree.QName(e).localname: e.text for e in fault.detail}
        return detail.get("ErrorCode"), detail.get("Message") or ""
    raise SystemExit("a call that had to be refused was not")
