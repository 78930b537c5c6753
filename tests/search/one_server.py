"""Runs checks one after the other on one server, each in a folder of its own."""

import sys
import tempfile
from pathlib import Path

from server import ROOT, Server

sys.path.insert(0, str(ROOT / "tests/independent"))
from matching import Tally


def main(usage: str, checks: tuple) -> None:
    """Takes the binary and the server from the command line; ends the process."""
    if len(sys.argv) != 3:
        sys.exit(usage)
    binary, name = str(Path(sys.argv[1]).resolve()), sys.argv[2]
    tally = Tally()
    with Server(name) as server:
        for check in checks:
            with tempfile.TemporaryDirectory() as folder:
                tally.add(f"{name}: {check.__name__}", check(server, binary, folder))
    sys.exit(tally.finish())
