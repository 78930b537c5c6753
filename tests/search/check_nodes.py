"""Ways to a server: several nodes of which some are gone, and a proxy between.

    python check_nodes.py BINARY SERVER
"""

import time

from one_server import main
from proxy import Proxy
from server import REPORT, Server, expected, grown, indexer

#: Nobody listens there.
GONE = "http://127.0.0.1:1"


def check_gone_node(server: Server, binary: str, folder: str) -> list[str]:
    """Nodes that are not there, wherever they stand in the list."""
    wanted, found = expected(binary, str(REPORT)), []
    for number, nodes in enumerate(([GONE, server.url], [server.url, GONE], [GONE, GONE])):
        index = f"gone-{number}"
        command = ("index", str(REPORT), "--es-server", ",".join(nodes), "--es-index", index)
        more = ("--quiet", "--give-up-after", "1s")
        code, _, told = indexer(binary, *command, *more, folder=folder)
        arrives = server.url in nodes
        if code != (0 if arrives else 4) or server.count(index) != arrives * len(wanted):
            found.append(f"{nodes}: exit {code}, {server.count(index)} documents: {told}")
    return found


def check_busy_node(server: Server, binary: str, folder: str) -> list[str]:
    """A node that is not ready yet, wherever it stands in the list: the other one is asked."""
    wanted, found = expected(binary, str(REPORT)), []
    for status in (503, 500):
        with Proxy(lambda *_, of=status: (of, {"error": "not yet"}), lambda *_: None) as busy:
            for number, nodes in enumerate(([busy.url, server.url], [server.url, busy.url])):
                index = f"busy-{status}-{number}"
                command = ("index", str(REPORT), "--es-server", ",".join(nodes), "--es-index", index)
                more = ("--quiet", "--give-up-after", "5s")
                code, _, told = indexer(binary, *command, *more, folder=folder)
                if code or server.count(index) != len(wanted):
                    found.append(f"{status}, {nodes}: exit {code}, {server.count(index)}: {told}")
    return found


def check_hanging_node(server: Server, binary: str, folder: str) -> list[str]:
    """A node that takes documents and says nothing more, and one that never says anything: the other
    one is asked within the time; nobody is waited for beyond it."""
    wanted, found = expected(binary, str(REPORT)), []
    hang = lambda *_: time.sleep(30)  # noqa: E731
    more = ("--quiet", "--give-up-after", "6s")
    with Proxy(server.call, hang) as hanging, Proxy(hang, hang) as silent:
        for index, nodes, code in (
            ("hanging-1", [hanging.url, server.url], 0),
            ("hanging-2", [server.url, hanging.url], 0),
            ("silent-1", [silent.url, server.url], 0),
            ("silent-2", [silent.url], 4),
            ("silent-3", [silent.url, silent.url], 4),
        ):
            began = time.monotonic()
            command = ("index", str(REPORT), "--es-server", ",".join(nodes), "--es-index", index)
            ended, _, told = indexer(binary, *command, *more, folder=folder)
            took = time.monotonic() - began
            if ended != code or server.count(index) != (0 if code else len(wanted)) or took > 14:
                found.append(f"{index}: exit {ended} after {took:.1f}, {server.count(index)}: {told}")
        began = time.monotonic()
        command = ("export", "--es-server", silent.url, "--es-index", "hanging-1", "-o", "-")
        ended, _, told = indexer(binary, *command, "--give-up-after", "3s", folder=folder)
        if ended != 4 or time.monotonic() - began > 8:
            found.append(f"export: exit {ended} after {time.monotonic() - began:.1f}: {told}")
    return found


def check_dying_node(server: Server, binary: str, folder: str) -> list[str]:
    """One of two nodes dies in the middle; one comes back busy for a while."""
    report = grown(folder, 50)
    wanted, found = expected(binary, report), []
    dying, calls = [], []

    def die(number: int, *_: object):
        if number == 3:
            dying[0].server.socket.close()
            raise ConnectionAbortedError
        if number > 3:
            raise ConnectionAbortedError

    def busy(number: int, *_: object):
        calls.append(number)
        return (503, {"error": "busy"}) if number in (2, 3) else None

    with Proxy(server.call, die) as first, Proxy(server.call, busy) as second:
        dying.append(first)
        nodes = f"{first.url},{second.url}"
        command = ("index", report, "--es-server", nodes, "--es-index", "dying", "--json")
        code, outcome, told = indexer(
            binary, *command, "--batch-documents", "100", folder=folder
        )  # fmt: skip
    if code or first.bulks < 3 or len(calls) < 5:
        found.append(f"exit {code}, {first.bulks} and {len(calls)} calls: {told} {outcome}")
    if server.documents("dying") != wanted:
        found.append(f"{server.count('dying')} documents of {len(wanted)}")
    return found


def check_proxy(server: Server, binary: str, folder: str) -> list[str]:
    """A proxy by the usual variables, for a server whose name only the proxy knows."""
    wanted, found = expected(binary, str(REPORT)), []
    url = "http://search.invalid:9200"
    command = ("index", str(REPORT), "--es-server", url, "--es-index", "proxied", "--quiet")
    more = ("--give-up-after", "1s")
    with Proxy(server.call, lambda *_: None) as proxy:
        for variables, code in (
            ({"NO_PROXY": "search.invalid"}, 4),
            ({}, 0),
        ):
            own = {"HTTP_PROXY": proxy.url, "http_proxy": proxy.url, **variables}
            ended, _, told = indexer(binary, *command, *more, folder=folder, **own)
            if ended != code or (proxy.hosts != {"search.invalid:9200"}) != bool(code):
                found.append(f"{variables}: exit {ended}, {proxy.hosts}: {told}")
    # The proxy is gone, and not named: a password may be in its address.
    gone = {"HTTP_PROXY": "http://me:hunter2@127.0.0.1:1", "http_proxy": "http://me:hunter2@127.0.0.1:1"}
    ended, _, told = indexer(binary, *command, *more, folder=folder, **gone)
    if ended != 4 or "HTTP_PROXY is set" not in told or "hunter2" in told:
        found.append(f"a proxy that is gone: exit {ended}: {told}")
    if server.documents("proxied") != wanted:
        found.append(f"{server.count('proxied')} documents of {len(wanted)}")
    return found


if __name__ == "__main__":
    main(__doc__, (check_gone_node, check_busy_node, check_hanging_node, check_dying_node, check_proxy))
