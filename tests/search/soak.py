"""Kills the client hundreds of times, at random moments; the documents must come out whole.

    python soak.py BINARY SERVER [TIMES]
"""

import sys
import tempfile
from pathlib import Path

from check_trouble import check_client_killed


def main(binary: str, name: str, times: int) -> int:
    """One long check."""
    with tempfile.TemporaryDirectory() as folder:
        found = check_client_killed(name, binary, folder, times)
    print("\n".join(found) or f"{times} kills, and nothing lost or doubled")
    return 1 if found else 0


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 300
    sys.exit(main(str(Path(sys.argv[1]).resolve()), sys.argv[2], count))
