#!/usr/bin/env python3
"""Judges the test vectors of the bundle format with python-tuf, the reference client of TUF.

A vector without edits, whose volume is whole as an archive is unpacked and verified from its pinned root, after the
volumes that were accepted before it. python-tuf must accept what Tidegate accepts, and refuse what
Tidegate refuses for its trust, but for the rules of SPEC.md that differ from TUF: those are listed
here, and python-tuf must judge them the other way, so that the lists cannot grow stale.

    usage: tuf_vectors.py FOLDER
"""

import io
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from datetime import datetime
from pathlib import Path

from tuf_check import refused

# Refused by a rule of our own (SPEC.md 4.1 to 4.3), and right as TUF.
STRICTER = {
    "critical-feature",
    "custom-contradicts-index",
    "format-version-2",
    "future-metadata",
    "other-mirror",
    "other-site",
    "policy-may-sign-the-index",
    "policy-without-hashes",
    "policy-without-length",
    "root-signed-by-a-stranger",
    "signature-in-upper-case",
    "targets-without-hashes",
    "targets-without-length",
    "timestamp-padding-longer",
    "timestamp-without-hashes",
    "timestamp-without-length",
    "versions-differ",
}

# Accepted by a rule of our own, and refused by TUF: expiry is a warning on machines that cannot be
# reached (4.3 "Expiry"); an older snapshot may fill gaps, and never takes effect (4.3 "Rollback").
LOOSER = {"expired-warns", "older"}


def unpack(packed, into):
    """The head of a volume as a folder."""
    volume = subprocess.run(["zstd", "-dc", packed], check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(volume)) as archive:
        for member in archive:
            if member.name.startswith(("metadata/", "targets/")):
                path = into / member.name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(archive.extractfile(member).read())
    return into


def judge(folder, vector, work):
    """Why python-tuf refuses a vector, or None."""
    root = (folder / vector["root"]).read_bytes()
    at = datetime.fromisoformat(vector["clock"].replace("Z", "+00:00"))
    state = work / "state"
    state.mkdir()
    for number, name in enumerate(vector.get("after", []) + vector.get("seen", [])):
        before = refused(unpack(folder / name, work / str(number)), root, at, state)
        if before is not None:
            raise SystemExit(f"{name}, which came before, is refused: {before}")
    return refused(unpack(folder / vector["volume"], work / "volume"), root, at, state)


def main():
    folder = Path(sys.argv[1])
    counts, wrong, met = {"accepted": 0, "refused": 0, "differ": 0}, [], set()
    for path in sorted(folder.glob("*.json")):
        vector = json.loads(path.read_text())
        if "expect" not in vector or vector.get("edits"):
            continue
        by = vector["expect"].get("refused", {}).get("by")
        if by not in (None, "trust"):
            continue
        work = Path(tempfile.mkdtemp())
        reason = judge(folder, vector, work)
        shutil.rmtree(work)
        print(f"{path.stem}: {reason or 'accepted'}")
        ours = "accepted" if by is None else "refused"
        listed = {"accepted": LOOSER, "refused": STRICTER}[ours]
        differs = path.stem in listed
        met.add(path.stem)
        counts["differ" if differs else ours] += 1
        theirs = "accepted" if reason is None else "refused"
        if (theirs == ours) == differs:
            wrong.append(path.stem)
    wrong.extend(sorted((STRICTER | LOOSER) - met))
    print(json.dumps({"counts": counts, "disagree": wrong}))
    return 1 if wrong or min(counts.values()) < 3 else 0


if __name__ == "__main__":
    sys.exit(main())
