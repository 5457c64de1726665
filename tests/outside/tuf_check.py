#!/usr/bin/env python3
"""Verifies the trust of an unpacked volume with python-tuf, the reference client of TUF.

Starts from a pinned root, and shows too that altered and missing files are refused, so that a
client which accepts everything would not pass.

    usage: tuf_check.py FOLDER ROOT [--snapshot N] [--site SITE] [--at TIME]

FOLDER is a volume as any tar unpacks it; TIME (ISO 8601) replaces the clock, because python-tuf
refuses what has expired. Prints what is signed as JSON; exit status 0 when all holds, 1 when not.
"""

import argparse
import datetime
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

from tuf.api.exceptions import DownloadHTTPError, DownloadError, RepositoryError
from tuf.ngclient import Updater
from tuf.ngclient.fetcher import FetcherInterface

INDEX, POLICY = "index.json.zst", "policy.json.zst"


class Files(FetcherInterface):
    """Fetches from a folder; a missing file is a 404, which ends the search for the next root."""

    def _fetch(self, url):
        path = url2pathname(urlparse(url).path)
        if not os.path.exists(path):
            raise DownloadHTTPError("missing", 404)
        with open(path, "rb") as file:
            yield from iter(lambda: file.read(65536), b"")


def verify(folder, root, at, state):
    """Verifies metadata and both targets; keeps what was accepted in `state`."""
    base = Path(folder).resolve().as_uri()
    with tempfile.TemporaryDirectory() as out:
        updater = Updater(
            str(state), f"{base}/metadata/", out, f"{base}/targets/", fetcher=Files(), bootstrap=root
        )
        if at is not None:
            updater._trusted_set.reference_time = at
        updater.refresh()
        infos = {}
        for name in (INDEX, POLICY):
            infos[name] = updater.get_targetinfo(name)
            if infos[name] is None:
                raise RepositoryError(f"no target {name}")
            updater.download_target(infos[name])
        trusted = updater._trusted_set
        return {
            "root": trusted.root.version,
            "snapshot": trusted.snapshot.version,
            "policy": trusted.snapshot.meta["policy.json"].version,
            "index": infos[INDEX].hashes["sha256"],
            "custom": infos[INDEX].custom,
        }


def refused(folder, root, at, state):
    """Why the folder is refused, or None."""
    try:
        verify(folder, root, at, state)
    except (RepositoryError, DownloadError) as error:
        return f"{type(error).__name__}: {error}"
    return None


def altered_copies(folder):
    """Copies of the folder, each with one defect, and the defect's name."""
    names = [p for part in ("metadata", "targets") for p in sorted((folder / part).iterdir())]
    for path in names:
        with tempfile.TemporaryDirectory() as scratch:
            copy = Path(scratch) / "copy"
            for part in ("metadata", "targets"):
                shutil.copytree(folder / part, copy / part)
            target = copy / path.relative_to(folder)
            os.chmod(target, 0o600)
            # The pinned root is not read again; what it lacks is no defect.
            if path.name != "1.root.json":
                data = target.read_bytes()
                spot = data.rfind(b'"version"')
                spot = data.index(b":", spot) + 2 if spot >= 0 else len(data) // 2
                target.write_bytes(data[:spot] + bytes([data[spot] ^ 1]) + data[spot + 1 :])
                yield f"{path.name} altered", copy
                if not path.name.endswith(".root.json"):
                    target.unlink()
                    yield f"{path.name} missing", copy


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("root", type=Path)
    parser.add_argument("--snapshot", type=int)
    parser.add_argument("--site")
    parser.add_argument("--at", type=datetime.datetime.fromisoformat)
    options = parser.parse_args()
    root, at = options.root.read_bytes(), options.at
    if at is not None and at.tzinfo is None:
        at = at.replace(tzinfo=datetime.timezone.utc)

    with tempfile.TemporaryDirectory() as state:
        signed = verify(options.folder, root, at, state)
        again = verify(options.folder, root, at, state)
    problems = [] if signed == again else ["a second check does not say the same"]
    if options.snapshot is not None and signed["snapshot"] != options.snapshot:
        problems.append(f"snapshot {signed['snapshot']} instead of {options.snapshot}")
    if options.site is not None and options.site not in signed["custom"]["sites"]:
        problems.append(f"{options.site} is not among the sites {signed['custom']['sites']}")
    if signed["custom"]["snapshot"] != signed["snapshot"]:
        problems.append("the signed custom names another snapshot")

    count = 0
    for defect, copy in altered_copies(options.folder):
        count += 1
        with tempfile.TemporaryDirectory() as state:
            why = refused(copy, root, at, state)
        print(f"{defect}: {why or 'ACCEPTED'}", file=sys.stderr)
        if why is None:
            problems.append(f"{defect}, and yet accepted")
    if count < 10:
        problems.append(f"only {count} defects were tried")

    print(json.dumps(signed, indent=1))
    for problem in problems:
        print(f"tuf_check: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
