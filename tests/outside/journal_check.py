"""Recomputes the journal of a Tidegate from an exported file alone: journal_check.py FILE [LEAST]

Each line is one entry; `before` is the SHA-256 of the line before, with its newline.
"""

import hashlib
import json
import sys

number, before = 0, "0" * 64
with open(sys.argv[1], "rb") as file:
    for line in file:
        entry = json.loads(line)
        assert line.endswith(b"\n"), f"entry {number + 1} is cut off"
        assert entry["number"] == number + 1, f"after entry {number} comes {entry['number']}"
        assert entry["before"] == before, f"entry {number} was changed"
        for name in ("time", "user", "host", "kind", "what", "verdict"):
            assert entry[name], f"entry {number + 1} has no {name}"
        number, before = entry["number"], hashlib.sha256(line).hexdigest()
least = int(sys.argv[2]) if len(sys.argv) > 2 else 1
assert number >= least, f"only {number} entries"
print(f"{number} entries, each follows on the one before; the last one is {before}")
