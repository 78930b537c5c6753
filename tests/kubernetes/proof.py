"""What the self-tests share: one line for each check, and how long it took."""

import time
from collections.abc import Callable

from cluster import Cluster

failures = 0


def check(title: str, probe: Callable[[], object]) -> None:
    """Tells what came of a check."""
    global failures
    begun = time.monotonic()
    try:
        probe()
        told = "ok"
    except Exception as error:  # any failure is one line and the reason below it
        failures += 1
        told = f"FAILED\n{error}"
    print(f"{(time.monotonic() - begun) * 1000:7.0f} ms  {title}: {told}", flush=True)


def expect(found: object, wanted: object) -> None:
    """An assertion that tells both."""
    if found != wanted:
        raise AssertionError(f"{found!r}, not {wanted!r}")


def condition(cluster: Cluster, kind: str, name: str, wanted: str) -> None:
    """Waits for a condition of an object."""
    cluster.wait(f"{kind} {name} {wanted}", lambda: any(
        one["type"] == wanted and one["status"] == "True"
        for one in cluster.get(kind, name)["status"]["conditions"]
    ))  # fmt: skip
