#!/usr/bin/env python3
"""Other people's programs read the cabinets that we write: cabextract, whose reader of MSZIP is
strict, and bsdtar. Both must give the same bytes.

    usage: cabinets_check.py FOLDER

Exit status 0 when all are read (and there are some), 1 when not.
"""

import pathlib
import subprocess
import sys

READERS = (["cabextract", "-q", "-p"], ["bsdtar", "-xOf"])


def main():
    cabinets = sorted(pathlib.Path(sys.argv[1]).glob("*.cab"))
    wrong = 0
    for cabinet in cabinets:
        read = [subprocess.run([*reader, cabinet], capture_output=True) for reader in READERS]
        if any(one.returncode or one.stderr for one in read) or len({one.stdout for one in read}) > 1:
            wrong += 1
            print(f"{cabinet.name}: {[(one.args[0], one.returncode, one.stderr) for one in read]}")
    print(f"{len(cabinets)} cabinets, {wrong} of them not read alike")
    return 1 if wrong or not cabinets else 0


if __name__ == "__main__":
    sys.exit(main())
