"""Runs Tidegate: commands, and a server that ends with the block that started it."""

import contextlib
import json
import os
import shutil
import subprocess
from pathlib import Path

PROGRAM = Path(__file__).resolve().parents[2] / "target" / "debug" / "tidegate"
# What a user has configured must not reach into a check.
ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith("TIDEGATE_") and not k.lower().endswith("_proxy")}
# Refusals are part of the checks.
ENVIRONMENT["TIDEGATE_LOG"] = "error"


class Instance:
    """A data folder, and the program that works on it."""

    def __init__(self, program, data):
        self.program, self.data = str(program), Path(data)

    def command(self, *arguments):
        return [self.program, "--data", str(self.data), "--json", *map(str, arguments)]

    def run(self, *arguments, codes=(0,)):
        """What a command says on stdout, as data; None if that is nothing."""
        done = subprocess.run(self.command(*arguments), env=ENVIRONMENT, capture_output=True, check=False)
        if done.returncode not in codes:
            said = done.stderr.decode(errors="replace")
            raise SystemExit(f"tidegate {' '.join(map(str, arguments))} ended with {done.returncode}: {said}")
        return json.loads(done.stdout) if done.stdout.strip() else None

    @contextlib.contextmanager
    def serve(self, *arguments):
        """The address of a running server."""
        command = self.command("serve", "--listen", "127.0.0.1:0", *arguments)
        with subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE) as server:
            try:
                said = b""
                for line in server.stdout:
                    said += line
                    with contextlib.suppress(ValueError):
                        yield json.loads(said)["url"]
                        break
                else:
                    raise SystemExit("the server ended before it listened")
                if server.poll() is not None:
                    raise SystemExit(f"the server ended by itself with {server.returncode}")
            finally:
                server.kill()


def carried(upstream, folder):
    """An isolated side that imported all of a connected one, which is copied and left alone."""
    connected, isolated = Instance(upstream.program, folder / "connected"), Instance(upstream.program, folder / "isolated")
    shutil.copytree(upstream.data, connected.data)
    keys = connected.run("keys", "init")
    connected.run("export", "--site", "plant-7", "--out", folder / "medium")
    isolated.run("init", "--site", "plant-7")
    isolated.run("trust", "add", keys["root"], "--fingerprint", keys["fingerprint"])
    isolated.run("import", folder / "medium")
    shutil.rmtree(connected.data)
    return isolated
