#!/usr/bin/env python3
"""Lists and extracts a volume with GNU tar, bsdtar and Python, and compares what they see.

    usage: bundle_tar.py VOLUME [--into FOLDER]

All three must see the same names, sizes, modes, owners and dates in the same order, extract the same
bytes, and `sha256sum -c SHA256SUMS` must hold for each of the three copies. FOLDER, if given, keeps
the copy made by GNU tar. Needs about four times the volume's size in the temporary folder. Exit
status 0 when all agree, 1 when not.
"""

import argparse
import datetime
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

EPOCH = datetime.datetime(1970, 1, 1)


def run(*command, cwd=None):
    return subprocess.run(
        command, cwd=cwd, check=True, text=True, stdout=subprocess.PIPE, env={"PATH": "/usr/bin:/bin", "TZ": "UTC", "LC_ALL": "C"}
    ).stdout


def from_gnu(volume):
    """-r--r--r-- 0/0 12 1970-01-01 00:00 name"""
    for line in run("tar", "--numeric-owner", "-tvf", str(volume)).splitlines():
        mode, owner, size, date, time, name = line.split(None, 5)
        seen = datetime.datetime.fromisoformat(f"{date} {time}")
        yield name, int(size), mode, owner, seen == EPOCH


def from_bsdtar(volume):
    """-r--r--r--  0 0      0          12 Jan  1  1970 name"""
    for line in run("bsdtar", "--numeric-owner", "-tvf", str(volume)).splitlines():
        mode, _, user, group, size, month, day, year, name = line.split(None, 8)
        yield name, int(size), mode, f"{user}/{group}", (month, day, year) == ("Jan", "1", "1970")


def from_python(volume):
    with tarfile.open(volume, "r:") as archive:
        for member in archive:
            mode = "-" + "".join(c if member.mode >> (8 - i) & 1 else "-" for i, c in enumerate("rwxrwxrwx"))
            if not member.isreg():
                mode = "not a regular file"
            yield member.name, member.size, mode, f"{member.uid}/{member.gid}", member.mtime == 0


def digests(folder):
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            found[str(path.relative_to(folder))] = "neither file nor folder"
        elif path.is_file():
            with open(path, "rb") as file:
                found[str(path.relative_to(folder))] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("volume", type=Path)
    parser.add_argument("--into", type=Path)
    options = parser.parse_args()
    volume = options.volume.resolve()
    problems = []

    lists = {
        "GNU tar": list(from_gnu(volume)),
        "bsdtar": list(from_bsdtar(volume)),
        "Python": list(from_python(volume)),
    }
    members = lists["GNU tar"]
    for tool, seen in lists.items():
        if seen != members:
            different = [pair for pair in zip(seen, members) if pair[0] != pair[1]][:3]
            problems.append(f"{tool} lists {len(seen)} members, GNU tar {len(members)}: {different}")
    names = [name for name, *_ in members]
    if not names or names[0] != "VOLUME.json" or names[-1] != "SHA256SUMS" or len(set(names)) != len(names):
        problems.append(f"the members are not those of a volume: {names[:3]} ... {names[-1:]}")
    for name, _, mode, owner, at_epoch in members:
        if (mode, owner, at_epoch) != ("-r--r--r--", "0/0", True):
            problems.append(f"{name} has mode {mode}, owner {owner}")
    blocks = sum(512 + (size + 511) // 512 * 512 for _, size, *_ in members)
    if volume.stat().st_size != blocks + 1024:
        problems.append(f"the volume has {volume.stat().st_size} bytes; its members make {blocks} + 1024")

    with tempfile.TemporaryDirectory() as scratch:
        copies = {tool: Path(scratch) / tool.replace(" ", "-") for tool in lists}
        for folder in copies.values():
            folder.mkdir()
        run("tar", "-xf", str(volume), cwd=copies["GNU tar"])
        run("bsdtar", "-xf", str(volume), cwd=copies["bsdtar"])
        with tarfile.open(volume, "r:") as archive:
            archive.extractall(copies["Python"], filter="data")
        ours = digests(copies["GNU tar"])
        if sorted(ours) != sorted(names):
            problems.append("extracted files are not the listed members")
        for tool, folder in copies.items():
            if digests(folder) != ours:
                problems.append(f"{tool} extracts other bytes than GNU tar")
            checked = run("sha256sum", "-c", "--strict", "SHA256SUMS", cwd=folder).splitlines()
            if len(checked) != len(names) - 1:
                problems.append(f"SHA256SUMS covers {len(checked)} of {len(names) - 1} members")
        for name, digest in ours.items():
            if name.startswith("objects/") and "." not in name and name != f"objects/{digest}":
                problems.append(f"{name} has the digest {digest}")
        if options.into:
            shutil.copytree(copies["GNU tar"], options.into)

    for problem in problems:
        print(f"bundle_tar: {problem}", file=sys.stderr)
    print(f"{volume.name}: {len(names)} members, {volume.stat().st_size} bytes, three readers agree" if not problems else f"{volume.name}: FAILED")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
