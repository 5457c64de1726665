#!/usr/bin/env python3
"""A downstream server whose classes Mono's `wsdl` made from the published definitions, as .NET made those
of WSUS, synchronizes from `tidegate serve`; the documents are compared with what was put in.

    usage: mono_client.py DATA --source FOLDER [--program TIDEGATE]

Twice: with the limits of GetConfigData in the order of the definition, and in that of Microsoft Update.
Needs `wsdl`, `mcs` and `mono` (package mono-devel).
"""

import argparse
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from lxml import etree

import definitions
import metadata
from instance import PROGRAM, Instance
from zeep_client import must

# The definition's own order, for a client that knows no other.
ORDERS = {"as defined": [definitions.limits_in_the_order_of_microsoft_update], "as patched": []}


def built(folder, without):
    """The program, made of definitions with all patches but these."""
    for service in ("ServerSync", "DssAuth"):
        described = folder / f"{service}.wsdl"
        described.write_bytes(etree.tostring(definitions.read(f"{service}.wsdl", without)))
        subprocess.run(
            ["wsdl", "-nologo", f"-n:{service}", f"-o:{folder / service}.cs", described],
            check=True,
            stdout=subprocess.DEVNULL,
        )
    program = folder / "Downstream.exe"
    sources = [folder / "ServerSync.cs", folder / "DssAuth.cs", Path(__file__).with_name("Downstream.cs")]
    subprocess.run(["mcs", "-nologo", "-warn:0", "-r:System.Web.Services", f"-out:{program}", *sources], check=True)
    return program


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--program", type=Path, default=PROGRAM)
    arguments = parser.parse_args()
    missing = [tool for tool in ("wsdl", "mcs", "mono") if not shutil.which(tool)]
    if missing:
        raise SystemExit(f"{' '.join(missing)}: not here; the package is mono-devel")
    source = metadata.of_folder(arguments.source / "documents")
    expected = metadata.newest(source)
    environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    with Instance(arguments.program, arguments.data).serve() as base:
        for order, without in ORDERS.items():
            with tempfile.TemporaryDirectory() as kept:
                out = Path(kept) / "out"
                out.mkdir()
                program = built(Path(kept), without)
                subprocess.run(["mono", program, base, out], check=True, env=environment, stdout=subprocess.DEVNULL)
                texts = {p.stem: p.read_bytes() for p in out.glob("*.xml")}
                texts |= {p.stem: metadata.unpacked(p.read_bytes()) for p in out.glob("*.cab")}
            must(set(texts) == {f"{i}-r{r}" for i, r in expected}, "the set of documents")
            for identity, revision in expected:
                must(texts[f"{identity}-r{revision}"] == source[identity, revision].text, f"{identity} differs")
            print(f"limits {order}: {len(texts)} documents, equal byte for byte")


if __name__ == "__main__":
    main()
