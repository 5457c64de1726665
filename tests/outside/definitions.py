"""The published definitions (WSDL) of the services: read from the shared data, their known faults
patched in memory, for a SOAP library and for a schema validator. Nothing of them is copied here.

`PATCHES` lists every change with its reason; a patch that finds nothing to patch is an error, so
that the list stays true.
"""

import copy
import os
import tempfile
from pathlib import Path

from lxml import etree

WSDL = "http://schemas.xmlsoap.org/wsdl/"
XSD = "http://www.w3.org/2001/XMLSchema"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
BINDING = "http://schemas.xmlsoap.org/wsdl/soap/"
SYNC = "http://www.microsoft.com/SoftwareDistribution"
DSS_AUTH = SYNC + "/Server/DssAuthWebService"
MONITORABLE = SYNC + "/Server/IMonitorable"
CLIENT = SYNC + "/Server/ClientWebService"
SIMPLE_AUTH = SYNC + "/Server/SimpleAuthWebService"
DRIVERS = ["GetDriverIdList", "GetDriverSetData"]


def folder():
    """Where the definitions are."""
    data = os.environ.get("TIDEGATE_REAL_DATA")
    root = Path(data) if data else Path(__file__).resolve().parents[2].parent / "shared"
    found = root / "protocol" / "wsdl"
    if not found.is_dir():
        raise SystemExit(f"the definitions are absent: {found}; set TIDEGATE_REAL_DATA")
    return found


def limits_in_the_order_of_microsoft_update(definitions):
    """Two orders of the limits in ServerSyncConfigData are published: the definition's, which a WSUS
    sends, and that of 3.1.4.4.3.1, which Microsoft Update sends. A downstream that was generated as a
    data contract reads only the second, so that is what Tidegate sends."""
    [sequence] = definitions.iterfind(f".//{{{XSD}}}complexType[@name='ServerSyncConfigData']/{{{XSD}}}sequence")
    order = [
        "MaxNumberOfUpdatesPerRequest",
        "MaxNumberOfDriverSetsPerRequest",
        "MaxNumberOfComputerIdsInRequest",
        "MaxNumberOfPnpHardwareIdsInRequest",
    ]
    found = {e.get("name"): e for e in sequence}
    first = min(sequence.index(found[name]) for name in order)
    for name in order:
        sequence.remove(found[name])
    for at, name in enumerate(order):
        sequence.insert(first + at, found[name])


def with_drivers(definitions):
    """Both driver operations are specified (3.1.4.7, 3.1.4.8) and missing in the definition; their schema
    is in a file of its own."""
    drivers = etree.parse(folder() / "ServerSync-drivers.xsd").getroot()
    [schema] = definitions.iterfind(f".//{{{XSD}}}schema[@targetNamespace='{SYNC}']")
    schema.extend(copy.deepcopy(e) for e in drivers if isinstance(e.tag, str) and not e.tag.endswith("import"))
    port = definitions.find(f"{{{WSDL}}}portType")
    for name in DRIVERS:
        for way, element in (("In", name), ("Out", name + "Response")):
            message = etree.Element(f"{{{WSDL}}}message", name=f"{name}Soap{way}")
            etree.SubElement(message, f"{{{WSDL}}}part", name="parameters", element=f"tns:{element}")
            port.addprevious(message)
        operation = etree.SubElement(port, f"{{{WSDL}}}operation", name=name)
        etree.SubElement(operation, f"{{{WSDL}}}input", message=f"tns:{name}SoapIn")
        etree.SubElement(operation, f"{{{WSDL}}}output", message=f"tns:{name}SoapOut")
    binding = next(b for b in definitions.iterfind(f"{{{WSDL}}}binding") if b.find(f"{{{BINDING}}}binding") is not None)
    for name in DRIVERS:
        model = binding.find(f"{{{WSDL}}}operation[@name='GetRevisionIdList']")
        operation = copy.deepcopy(model)
        operation.set("name", name)
        operation.find(f"{{{BINDING}}}operation").set("soapAction", f"{SYNC}/{name}")
        binding.append(operation)


def version_is_text(definitions):
    """`Version`, the type of DssProtocolVersion, is an empty type in the definition, while 3.1.4.7 wants
    a text in it."""
    for empty in definitions.iterfind(f".//{{{XSD}}}complexType[@name='Version']"):
        empty.set("mixed", "true")


def only_soap_11(definitions):
    """Tidegate speaks SOAP 1.1; the ports for SOAP 1.2 are the same again."""
    for binding in definitions.findall(f"{{{WSDL}}}binding"):
        if binding.find(f"{{{BINDING}}}binding") is None:
            definitions.remove(binding)
    for service in definitions.iterfind(f"{{{WSDL}}}service"):
        for port in service.findall(f"{{{WSDL}}}port"):
            if port.find(f"{{{BINDING}}}address") is None:
                service.remove(port)


def address(path):
    """The address in a definition is that of nobody: the real path is another ([MS-WSUSSS] 2.1)."""

    def patch(definitions):
        for at in definitions.iterfind(f".//{{{BINDING}}}address"):
            if at.get("location").endswith("/" + path):
                raise SystemExit(f"the address {path} needs no patch any more")
            at.set("location", "http://localhost/" + path)

    patch.__doc__ = address.__doc__
    return patch


# By file: what is changed in it.
PATCHES = {
    "ServerSync.wsdl": [
        address("ServerSyncWebService/ServerSyncWebService.asmx"),
        limits_in_the_order_of_microsoft_update,
        with_drivers,
        version_is_text,
        only_soap_11,
    ],
    "DssAuth.wsdl": [only_soap_11],
    "ServerReporting.wsdl": [address("ReportingWebService/ReportingWebService.asmx"), only_soap_11],
    "SimpleAuth.wsdl": [only_soap_11],
    "Client.wsdl": [only_soap_11],
    "Reporting.wsdl": [address("ReportingWebService/ReportingWebService.asmx"), only_soap_11],
}


def read(name, without=()):
    """A definition, patched but for the patches in `without`."""
    definitions = etree.parse(folder() / name, etree.XMLParser(remove_comments=True)).getroot()
    for patch in PATCHES[name]:
        if patch in without:
            continue
        before = etree.tostring(definitions)
        patch(definitions)
        if etree.tostring(definitions) == before:
            raise SystemExit(f"{name}: nothing to patch for: {patch.__doc__}")
    return definitions


def schema(name):
    """The schema of all messages of a service."""
    definitions = read(name)
    with tempfile.TemporaryDirectory() as kept:
        schemas = definitions.findall(f"{{{WSDL}}}types/{{{XSD}}}schema")
        places = {s.get("targetNamespace"): f"{n}.xsd" for n, s in enumerate(schemas)}
        for found in schemas:
            for wanted in found.iterfind(f"{{{XSD}}}import"):
                wanted.set("schemaLocation", places[wanted.get("namespace")])
            place = Path(kept) / places[found.get("targetNamespace")]
            place.write_bytes(etree.tostring(found))
        every = etree.Element(f"{{{XSD}}}schema", nsmap={"s": XSD})
        for namespace, place in places.items():
            etree.SubElement(every, f"{{{XSD}}}import", namespace=namespace, schemaLocation=place)
        main = Path(kept) / "every.xsd"
        main.write_bytes(etree.tostring(every))
        return etree.XMLSchema(etree.parse(main))


def say_patches():
    """Prints what was changed, and why."""
    for name, patches in PATCHES.items():
        for patch in patches:
            reason = " ".join(patch.__doc__.split())
            print(f"patched {name}: {reason}")
