"""The sidecar without a server: documents wait until they were fetched, which is played here.

    python check_hand_over.py BINARY
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / part) for part in ("search", "independent")]
from check_sidecar import PASSED, TEXT, Pod, documents, verdict  # noqa: E402
from matching import Tally  # noqa: E402
from server import REPORT  # noqa: E402


def pod(binary: str, seconds: int, **more: str) -> Pod:
    """A pod whose sidecar waits so long."""
    return Pod(binary, "", "i", HAND_OVER_SECONDS=str(seconds), UUID="u", **more)


def ask(binary: str, of: Pod, *more: str) -> tuple[int, list[dict]]:
    """What is run in the sidecar's container; exit code and lines."""
    done = subprocess.run(
        [binary, "hand-over", *more], env=os.environ | {"RESULTS_DIR": str(of.results)}, text=True,
        capture_output=True, check=False,
    )  # fmt: skip
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def compared(answer: tuple[int, list[dict]], wanted: dict) -> list[str]:
    """What an answer has other than some documents and their number."""
    code, lines = answer
    if code or not lines or lines[-1] != {"documents": len(wanted)}:
        return [f"exit code {code}, last line {lines[-1:]}"]
    there = {it["document_id"]: it for it in lines[:-1]}
    return [] if there == wanted else [f"{len(there)} documents, not the {len(wanted)}"]


def check_fetched(binary: str) -> list[str]:
    """There is nothing before the benchmark ends; then as often as one asks, the same, until they are
    taken."""
    own, wanted = pod(binary, 600), documents(binary, str(REPORT), "--uuid", "u", **PASSED)
    code, lines = ask(binary, own)
    found = [] if (code, lines) == (4, []) else [f"not yet: exit code {code}, {lines}"]
    own.write("benchmarks.json", TEXT)
    own.write("exit-code", "0\n")
    for _ in range(2):
        found += compared(ask(binary, own), wanted)
    time.sleep(1)
    found += [] if own.child.poll() is None else ["it did not wait"]
    found += [f"{it}" for it in [ask(binary, own, "--taken")] if it != (0, [])]
    return found + verdict(own, 0, "exit code 0; its documents were fetched")


def check_killed(binary: str) -> list[str]:
    """A sidecar that is started again makes the same documents; told to go, it waits for them to be
    fetched."""
    own, wanted = pod(binary, 600), documents(binary, str(REPORT), "--uuid", "u", **PASSED)
    own.write("benchmarks.json", TEXT)
    own.write("exit-code", "0\n")
    found = compared(ask(binary, own), wanted)
    own.child.kill()
    own.child.communicate()
    again = pod(binary, 600, RESULTS_DIR=str(own.results))
    # It watches for signals from its first moments on, but not from the first.
    time.sleep(1)
    again.child.send_signal(signal.SIGTERM)
    found += compared(ask(binary, own), wanted)
    found += [] if again.child.poll() is None else ["it did not wait"]
    ask(binary, own, "--taken")
    return found + verdict(again, 0, "its documents were fetched")


def check_no_report(binary: str) -> list[str]:
    """A benchmark that left no report has one document."""
    own = pod(binary, 600)
    own.write("exit-code", "137\n")
    code, lines = ask(binary, own)
    ask(binary, own, "--taken")
    about = [(it.get("passed"), it.get("exit_code"), it.get("failure_reason")) for it in lines[:-1]]
    found = [] if about == [(False, 137, "ended by signal 9")] else [f"exit code {code}: {lines}"]
    found += [] if lines[-1:] == [{"documents": 1}] else [f"{lines}"]
    return found + verdict(own, 1, "its documents were fetched; there is no")


def check_nobody(binary: str) -> list[str]:
    """Nobody comes: it says what to do, also if the pod has to go before that."""
    found = []
    for seconds, grace, goes in ((1, 30, False), (600, 2, True)):
        own = pod(binary, seconds, GRACE_SECONDS=str(grace))
        own.write("benchmarks.json", TEXT)
        own.write("exit-code", "0\n")
        if goes:
            ask(binary, own)
            own.child.send_signal(signal.SIGTERM)
        found += verdict(own, 4, "nobody fetched its documents")
    return found


def check_wrong(binary: str) -> list[str]:
    """It is to be one or the other."""
    both = Pod(binary, "http://localhost:9", "i", HAND_OVER_SECONDS="5").end()
    none = Pod(binary, "none", "i").end()
    told = [(code, part in words) for (code, words, _), part in ((both, "not both"), (none, "HAND_OVER"))]
    return [] if told == [(2, True)] * 2 else [f"{both} {none}"]


def main(binary: str) -> int:
    """All of it."""
    tally = Tally()
    for check in (check_fetched, check_killed, check_no_report, check_nobody, check_wrong):
        tally.add(check.__name__, check(binary))
    return tally.finish()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(str(Path(sys.argv[1]).resolve())))
