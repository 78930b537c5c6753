"""Servers that are overloaded, die, refuse, or are none; and a client that is killed.

    python check_trouble.py BINARY SERVER

Nothing may be lost, nothing doubled, and each outcome has its exit code and its message.
"""

import json
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from proxy import Proxy
from server import REPORT, ROOT, Server, expected, grown, indexer

sys.path.insert(0, str(ROOT / "tests/independent"))
from matching import Tally

INDEX = "guidellm"
PASSWORD = "hunter2-secret"


def index(binary: str, folder: str, report: str, url: str, *more: str, **environment: str):
    """Indexes a report; exit code, outcome, messages."""
    command = ("index", report, "--es-server", url, "--es-index", INDEX, "--json", *more)
    return indexer(binary, *command, folder=folder, **environment)


def compare(server: Server, wanted: dict) -> list[str]:
    """What the server has beside what it should have."""
    there = server.documents(INDEX)
    if there == wanted:
        return []
    missing, more = wanted.keys() - there.keys(), there.keys() - wanted.keys()
    return [f"{len(missing)} missing, {len(more)} too many of {len(wanted)}"]


def check_overload(name: str, binary: str, folder: str) -> list[str]:
    """A write queue of one, and next to no memory for indexing."""
    report = grown(folder, 200)
    wanted, found = expected(binary, report), []
    for settings in (
        ("thread_pool.write.size=1", "thread_pool.write.queue_size=1"),
        ("indexing_pressure.memory.limit=1mb",),
    ):
        with Server(name, *settings) as server:
            more = ("--in-flight", "8", "--batch-documents", "200")
            code, outcome, told = index(binary, folder, report, server.url, *more)
            if code:
                found.append(f"{settings}: exit {code}: {told}")
            if not rejections(server):
                found.append(f"{settings}: the server was not overloaded")
            found += compare(server, wanted)
    return found


def rejections(server: Server) -> int:
    """How often the server refused to take a batch, by its own count."""
    stats = server.call("GET", "_nodes/stats/thread_pool,indexing_pressure")[1]
    node = next(iter(stats["nodes"].values()))
    memory = node["indexing_pressure"]["memory"]["total"]
    refused = [memory[name] for name in memory if name.endswith("_rejections")]
    return node["thread_pool"]["write"]["rejected"] + sum(refused)


def check_server_dies(name: str, binary: str, folder: str) -> list[str]:
    """The server is killed in the middle, and comes back."""
    report = grown(folder, 400)
    wanted, found = expected(binary, report), []
    with Server(name) as server:
        command = [binary, "index", report, "--es-server", server.url, "--es-index", INDEX]
        command += ["--batch-documents", "500", "--json"]
        child = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        while server.call("GET", f"{INDEX}/_count")[1].get("count", 0) == 0:
            server.call("POST", f"{INDEX}/_refresh")
            if child.poll() is not None:
                break
        if child.poll() is not None:
            found.append("it was done before the server died")
        server.kill()
        time.sleep(2)
        server.start()
        told, errors = child.communicate(timeout=300)
        if child.returncode:
            found.append(f"exit {child.returncode}: {errors} {told}")
        found += compare(server, wanted)
    return found


def check_client_killed(name: str, binary: str, folder: str, times: int = 8) -> list[str]:
    """The client is killed at random moments, and run again.

    Half of them are moments of its time, half lie before or after the server took a batch."""
    report, size = grown(folder, 200), 300
    wanted, found = expected(binary, report), []
    batches = -(-len(wanted) // size)
    with Server(name) as server:
        more = ("--batch-documents", str(size), "--quiet")
        began = time.monotonic()
        index(binary, folder, report, server.url, *more)
        took = time.monotonic() - began
        amid = 0
        for number in range(times):
            server.call("DELETE", INDEX)
            if number % 2:
                killed = killed_at_batch(binary, folder, report, server, *more, batches=batches)
            else:
                command = [binary, "index", report, "--es-server", server.url, "--es-index", INDEX]
                child = subprocess.Popen([*command, *more], cwd=folder, stderr=subprocess.DEVNULL)
                time.sleep(random.uniform(0.0, took))
                child.send_signal(signal.SIGKILL)
                killed = child.wait() == -signal.SIGKILL
            there = server.documents(INDEX) if server.call("GET", INDEX)[0] == 200 else {}
            if there.keys() - wanted.keys() or any(wanted[key] != there[key] for key in there):
                found.append("half written documents")
            amid += killed and 0 < len(there) < len(wanted)
            code, _, told = index(binary, folder, report, server.url, *more)
            if code:
                found.append(f"exit {code}: {told}")
            found += compare(server, wanted)
        if amid < times // 4:
            found.append(f"{amid} of {times} were killed amid their documents")
    return found


def killed_at_batch(
    binary: str, folder: str, report: str, server: Server, *more: str, batches: int
) -> bool:
    """Whether a client was killed when it had sent one of its batches, taken or not."""
    at, taken = random.randint(1, batches), random.random() < 0.5
    child: list[subprocess.Popen] = []

    def change(number: int, body: bytes, _: object):
        if number == at:
            if taken:
                server.call("POST", "_bulk", body.decode())
            child[0].send_signal(signal.SIGKILL)
            raise ConnectionAbortedError

    with Proxy(server.call, change) as proxy:
        command = [binary, "index", report, "--es-server", proxy.url, "--es-index", INDEX, *more]
        child.append(subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL))
        return child[0].wait() == -signal.SIGKILL


def pairs(body: bytes) -> list[tuple[str, str]]:
    """Action and document lines of a bulk body."""
    lines = body.decode().splitlines()
    return list(zip(lines[::2], lines[1::2], strict=True))


def check_mixed_answer(name: str, binary: str, folder: str) -> list[str]:
    """One answer that has everything in it; then the server's own."""
    wanted, found = expected(binary, str(REPORT)), []
    with Server(name) as server:
        rejected: set[str] = set()

        def change(number: int, body: bytes, _: object):
            if number > 1:
                return None
            all_pairs = pairs(body)
            taken = "".join(f"{a}\n{d}\n" for n, (a, d) in enumerate(all_pairs) if n % 4 == 0)
            server.call("POST", "_bulk", taken)
            items = []
            for n, (action, _) in enumerate(all_pairs):
                status = (201, 400, 429, 403)[n % 4]
                item = {"status": status}
                if status in (400, 403):
                    rejected.add(json.loads(action)["index"]["_id"])
                    item["error"] = {"type": "mapper_parsing_exception", "reason": "no such thing"}
                elif status == 201:
                    item["result"] = "created"
                items.append({"index": item})
            return 200, {"errors": True, "items": items}

        with Proxy(server.call, change) as proxy:
            code, outcome, told = index(binary, folder, str(REPORT), proxy.url)
        if code != 1 or "rejected: HTTP 4" not in told or "no such thing" not in told:
            found.append(f"exit {code}: {told}")
        there = server.documents(INDEX)
        if there.keys() != wanted.keys() - rejected:
            found.append(f"{len(there)} there, {len(rejected)} rejected of {len(wanted)}")
        file = Path(folder) / "guidellm-rejected.ndjson"
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        if {line["id"] for line in lines} != rejected:
            found.append(f"{len(lines)} lines for {len(rejected)} rejected")
        if any(wanted[line["id"]] != line["document"] for line in lines):
            found.append("the rejected documents are not as they were")
        kinds = ("summaries", "requests")
        if sum(sum(outcome["documents"][kind].values()) for kind in kinds) != len(wanted):
            found.append(f"counts do not add up: {outcome['documents']}")
        command = ("replay", str(file), "--es-server", server.url, "--json")
        code, outcome, told = indexer(binary, *command, folder=folder)
        if code or file.exists():
            found.append(f"replay: exit {code}: {told}, file there: {file.exists()}")
        found += compare(server, wanted)
    return found


def check_too_large(name: str, binary: str, folder: str) -> list[str]:
    """413 halves a batch, down to one document."""
    wanted, found = expected(binary, str(REPORT)), []
    with Server(name) as server:
        sizes = []

        def change(_: int, body: bytes, __: object):
            sizes.append(len(pairs(body)))
            return (413, {"error": "too large"}) if len(pairs(body)) > 10 else None

        with Proxy(server.call, change) as proxy:
            code, _, told = index(binary, folder, str(REPORT), proxy.url)
        if code or max(sizes) <= 10 or min(sizes) > 10:
            found.append(f"exit {code}: {told} {sizes}")
        found += compare(server, wanted)

        def never(_: int, body: bytes, __: object):
            return (413, {"error": "too large"}) if '"guidellmSummary"' in body.decode() else None

        with Proxy(server.call, never) as proxy:
            code, outcome, told = index(binary, folder, str(REPORT), proxy.url)
        summaries = outcome["documents"]["summaries"]
        if code != 1 or summaries["rejected"] != 3 or "413" not in told:
            found.append(f"never: exit {code}: {told} {outcome['documents']}")
    return found


def check_cut_connection(name: str, binary: str, folder: str) -> list[str]:
    """The server takes a batch, and the connection breaks before its answer, or within it."""
    wanted, found = expected(binary, str(REPORT)), []
    with Server(name) as server:

        def change(number: int, body: bytes, handler: BaseHTTPRequestHandler):
            if number > 2:
                return None
            _, answer = server.call("POST", "_bulk", body.decode())
            if number == 2:
                whole = json.dumps(answer).encode()
                handler.send_response(200)
                handler.send_header("Content-Type", "application/json")
                handler.send_header("Content-Length", str(len(whole)))
                handler.end_headers()
                handler.wfile.write(whole[: len(whole) // 2])
                handler.wfile.flush()
            handler.connection.shutdown(socket.SHUT_RDWR)
            raise ConnectionAbortedError

        with Proxy(server.call, change) as proxy:
            code, outcome, told = index(binary, folder, str(REPORT), proxy.url)
        if code or proxy.bulks != 3:
            found.append(f"exit {code} after {proxy.bulks}: {told} {outcome}")
        found += compare(server, wanted)
    return found


def check_slow_server(name: str, binary: str, folder: str) -> list[str]:
    """The first answer takes longer than anybody waits."""
    wanted, found = expected(binary, str(REPORT)), []
    with Server(name) as server:

        def change(number: int, body: bytes, _: object):
            if number == 1:
                server.call("POST", "_bulk", body.decode())
                time.sleep(3)

        with Proxy(server.call, change) as proxy:
            code, outcome, told = index(
                binary, folder, str(REPORT), proxy.url, "--request-timeout", "1s"
            )
            if proxy.bulks < 2:
                found.append("it waited")
        if code:
            found.append(f"exit {code}: {told} {outcome}")
        found += compare(server, wanted)
    return found


def check_odd_answers(name: str, binary: str, folder: str) -> list[str]:
    """Answers that say nothing of the documents: they are sent again, and none is given up."""
    wanted, found = expected(binary, str(REPORT)), []
    page = b"<html>no such page</html>"
    odd = ((404, page), (500, {"error": "oops"}), (408, page), (200, page), (400, page))
    with Server(name) as server:

        def change(number: int, *_: object):
            return odd[number - 1] if number <= len(odd) else None

        with Proxy(server.call, change) as proxy:
            code, outcome, told = index(binary, folder, str(REPORT), proxy.url)
            if code or proxy.bulks != len(odd) + 1:
                found.append(f"exit {code} after {proxy.bulks}: {told} {outcome}")
        found += compare(server, wanted)
        # Longer than any clock goes.
        wait = (429, {"error": "busy"}, ("Retry_After", str(2**64 - 1)))
        with Proxy(server.call, lambda *_: wait) as proxy:
            more = ("--give-up-after", "3s")
            began = time.monotonic()
            code, outcome, told = index(binary, folder, str(REPORT), proxy.url, *more)
            took = time.monotonic() - began
        unsent = sum(outcome["documents"][kind]["unsent"] for kind in ("summaries", "requests"))
        # It is asked once more when the time is over.
        if code != 4 or unsent != len(wanted) or proxy.bulks != 2 or not 2.9 < took < 6:
            found.append(f"a long wait: exit {code} after {took}, {unsent} unsent: {told}")
        # The last of the time is used as well.
        late = time.monotonic() + 2.5
        busy = (503, {"error": "busy"})
        with Proxy(server.call, lambda *_: busy if time.monotonic() < late else None) as proxy:
            code, _, told = index(binary, folder, str(REPORT), proxy.url, *more)
        if code:
            found.append(f"busy until near the end: exit {code}: {told}")
        # It would be a question then, with no document in it.
        for status in (301, 302, 307):
            there = (status, page, ("Location", f"{server.url}/_bulk"))
            with Proxy(server.call, lambda *_, there=there: there) as proxy:
                code, _, told = index(binary, folder, str(REPORT), proxy.url)
            if code != 4 or server.url.rpartition(":")[2] not in told or "sends clients on" not in told:
                found.append(f"{status}: exit {code}: {told}")
        # It says nothing at all.
        with Proxy(server.call, lambda *_: time.sleep(8)) as proxy:
            began = time.monotonic()
            code, _, told = index(binary, folder, str(REPORT), proxy.url, "--give-up-after", "2s")
            took = time.monotonic() - began
        if code != 4 or not 1.5 < took < 6:
            found.append(f"silence: exit {code} after {took:.1f} s: {told}")
    return found


def check_replay(name: str, binary: str, folder: str) -> list[str]:
    """What was kept is sent as it was to be sent, whatever happened to the file."""
    wanted, found = expected(binary, str(REPORT)), []
    unsent = Path(folder) / "guidellm-unsent.ndjson"
    away = ("--es-server", "http://127.0.0.1:1", "--give-up-after", "1s")
    kept = ("index", str(REPORT), *away, "--es-index", INDEX)
    with Server(name) as server:
        command = ("replay", str(unsent), "--es-server", server.url, "--json")
        # A run was killed while it wrote, another one went on, and so was one that sent it.
        indexer(binary, *kept, folder=folder)
        lines = unsent.read_text().splitlines(keepends=True)
        unsent.write_text("".join(lines[:-1]) + lines[-1][:50])
        indexer(binary, *kept, folder=folder)
        again = unsent.read_text().splitlines()
        if len(again) != 2 * len(wanted) - 1 or not all(map(json.loads, again)):
            found.append(f"{len(again)} lines after a torn one")
        unsent.rename(f"{unsent}.replaying")
        indexer(binary, *kept, folder=folder)
        unsent.write_text(unsent.read_text() + lines[0][:50])
        code, outcome, told = indexer(binary, *command, folder=folder)
        if code or unsent.exists() or Path(f"{unsent}.replaying").exists() or "was not ended" not in told:
            found.append(f"a torn file: exit {code}: {told} {outcome}")
        found += compare(server, wanted)
        # A document that was to stay as it is.
        one = next(key for key, it in wanted.items() if it["metricName"] == "guidellmRequest")
        server.call("POST", f"{INDEX}/_update/{one}", {"doc": {"errored": True, "prompt_token_count": 7}})
        indexer(binary, *kept, "--op", "create", folder=folder)
        code, outcome, told = indexer(binary, *command, folder=folder)
        server.call("POST", f"{INDEX}/_refresh")
        if code or server.documents(INDEX)[one]["prompt_token_count"] != 7:
            found.append(f"created again: exit {code}: {told} {outcome}")
        # Torn within a character, and elsewhere: what is unsent again stays in its file.
        far = Path(folder) / "far"
        far.mkdir()
        indexer(binary, *kept, "--unsent", str(far / "kept"), folder=folder)
        with (far / "kept").open("ab") as file:
            file.write('{"index":"x","id":"caf\u00e9'.encode()[:-1])
        code, _, told = indexer(binary, "replay", str(far / "kept"), *away, folder=folder)
        there = [path.name for path in far.iterdir()]
        if code != 4 or there != ["kept"] or unsent.exists():
            found.append(f"away: exit {code}, {there}: {told}")
        command = ("replay", str(far / "kept"), "--es-server", server.url)
        code, _, told = indexer(binary, *command, folder=folder)
        if code or [*far.iterdir()] or "was not ended" not in told:
            found.append(f"torn in a character: exit {code}: {told}")
        (far / "empty").touch()
        code, _, told = indexer(binary, "replay", str(far / "empty"), *away, folder=folder)
        if code or "holds no documents" not in told:
            found.append(f"an empty file: exit {code}: {told}")
        nowhere = ("--unsent", str(far / "no" / "unsent"))
        code, _, told = indexer(binary, *kept, *nowhere, folder=folder)
        if code != 2 or f"--unsent: {nowhere[1]}: " not in told:
            found.append(f"nowhere to keep them: exit {code}: {told}")
        # A file of something else.
        other = Path(folder) / "other.json"
        other.write_text("{}")
        unsent_there = (*kept, "--unsent", str(other), "--json")
        for command in (("replay", str(other), *away), unsent_there):
            code, _, told = indexer(binary, *command, folder=folder)
            if code != 2 or "no file of undelivered documents" not in told:
                found.append(f"{command[0]}: exit {code}: {told}")
        if other.read_text() != "{}":
            found.append("the other file is another one now")
    return found


def check_indices_apart(name: str, binary: str, folder: str) -> list[str]:
    """Requests in an index of their own, also after a detour through a file."""
    wanted, found = expected(binary, str(REPORT)), []
    apart = {kind: {} for kind in ("guidellmSummary", "guidellmRequest")}
    for key, document in wanted.items():
        apart[document["metricName"]][key] = document
    unsent = Path(folder) / "guidellm-unsent.ndjson"
    with Server(name) as server:
        server.stop()
        more = ("--es-requests-index", "guidellm-requests", "--give-up-after", "1s")
        index(binary, folder, str(REPORT), server.url, *more)
        copy = unsent.read_text()
        server.start()
        command = ("replay", str(unsent), "--es-server", server.url)
        # The variable is for all commands, an argument is for this one.
        code, _, told = indexer(binary, *command, folder=folder, ES_INDEX=INDEX)
        if code:
            found.append(f"exit {code}: {told}")
        unsent.write_text(copy)
        elsewhere = ("--es-index", "elsewhere", "--es-requests-index", "elsewhere-requests")
        code, _, told = indexer(binary, *command, *elsewhere, folder=folder)
        counts = [server.count(index) for index in elsewhere[1::2]]
        if code or counts != [len(documents) for documents in apart.values()]:
            found.append(f"elsewhere: exit {code}, {counts}: {told}")
        if server.documents(INDEX) != apart["guidellmSummary"]:
            found.append("not the summaries alone")
        if server.documents("guidellm-requests") != apart["guidellmRequest"]:
            found.append("not the requests alone")
    return found


def check_server_stays_away(name: str, binary: str, folder: str) -> list[str]:
    """No server, from the start or from the middle on: all is kept, and replayed later."""
    report = grown(folder, 50)
    wanted, found = expected(binary, report), []
    unsent = Path(folder) / "guidellm-unsent.ndjson"
    with Server(name) as server:
        more = ("--give-up-after", "3s")
        server.stop()
        code, outcome, told = index(binary, folder, report, server.url, *more)
        count = sum(outcome["documents"][kind]["unsent"] for kind in ("summaries", "requests"))
        if code != 4 or count != len(wanted) or "no answer" not in told or "replay" not in told:
            found.append(f"exit {code}, {count} of {len(wanted)} unsent: {told}")
        full = index(binary, folder, report, server.url, *more, "--unsent", "/dev/full")
        lost = sum(full[1]["documents"][kind]["lost"] for kind in ("summaries", "requests"))
        if full[0] != 4 or lost != len(wanted) or "No space left" not in full[2]:
            found.append(f"full disk: exit {full[0]}, {lost} lost: {full[2]}")
        code, _, told = indexer(
            binary, "replay", str(unsent), "--es-server", server.url, *more, folder=folder
        )
        if code != 4 or not unsent.exists():
            found.append(f"replay without a server: exit {code}: {told}")
        server.start()
        code, _, told = indexer(binary, "replay", str(unsent), "--es-server", server.url, folder=folder)
        if code or unsent.exists():
            found.append(f"replay: exit {code}: {told}")
        found += compare(server, wanted)

        def change(number: int, _: bytes, __: object):
            return (503, {"error": "no master"}) if number > 2 else None

        with Proxy(server.call, change) as proxy:
            began = time.monotonic()
            code, outcome, told = index(
                binary, folder, report, proxy.url, "--batch-documents", "100", *more
            )
        if code != 4 or "503" not in told or time.monotonic() - began > 30:
            found.append(f"from the middle on: exit {code}: {told}")
        total = sum(sum(outcome["documents"][kind].values()) for kind in ("summaries", "requests"))
        lines = len(unsent.read_text().splitlines())
        unsents = sum(outcome["documents"][kind]["unsent"] for kind in ("summaries", "requests"))
        if total != len(wanted) or lines != unsents or not lines:
            found.append(f"{total} of {len(wanted)} counted, {unsents} unsent, {lines} lines")
        unsent.unlink()
    return found


def check_wrong_servers(name: str, binary: str, folder: str) -> list[str]:
    """What is no search server, and what cannot be one."""
    found = []

    def other(*_: object):
        return 200, {"version": {"number": "1.2.3"}, "tagline": "something else"}

    with Proxy(other, lambda *_: None) as proxy:
        code, _, told = index(binary, folder, str(REPORT), proxy.url)
    if code != 2 or "not an OpenSearch or Elasticsearch server" not in told:
        found.append(f"another product: exit {code}: {told}")
    cases = (
        (f"ftp://me:{PASSWORD}@x", 2, "scheme"),
        (f"http://me:{PASSWORD}@", 2, "expected http"),
        (f"http://me:{PASSWORD}@127.0.0.1:1", 4, "no answer"),
    )
    for url, exit_code, message in cases:
        more = ("--give-up-after", "1s")
        code, _, told = index(binary, folder, str(REPORT), url, *more)
        if code != exit_code or message not in told or PASSWORD in told:
            found.append(f"{url}: exit {code}: {told}")
    code, _, told = indexer(binary, "index", str(REPORT), "--es-server", "http://x", folder=folder)
    if code != 2 or "--es-index" not in told:
        found.append(f"no index: exit {code}: {told}")
    code, _, told = indexer(
        binary, "index", str(REPORT), folder=folder, ES_SERVER="none", ES_INDEX="x"
    )
    if code or not (Path(folder) / "results").is_dir():
        found.append(f"ES_SERVER=none: exit {code}: {told}")
    return found


def check_broken_report(name: str, binary: str, folder: str) -> list[str]:
    """A report that turns out to be broken at its very end, and one that cannot be kept."""
    report = grown(folder, 100)
    whole, found = Path(report).read_text(), []
    cut = Path(folder) / "cut.json"
    cut.write_text(whole[:-1])
    last = whole.rindex('"request_latency": ')
    wrong = Path(folder) / "wrong.json"
    wrong.write_text(f'{whole[:last]}"request_latency": "long", "was": {whole[last + 19 :]}')
    with Server(name) as server:
        for broken, message in ((cut, "ends inside"), (wrong, "request_latency")):
            code, outcome, told = index(binary, folder, str(broken), server.url)
            if code != 2 or server.count(INDEX) or message not in told:
                found.append(f"{broken.name}: exit {code}, {server.count(INDEX)} there: {told}")
        # More than is kept in memory until a report is known to be whole.
        large = grown(folder, 900)
        code, outcome, told = index(binary, folder, large, server.url, TMPDIR="/nonexistent")
        if code != 2 or server.count(INDEX) or "TMPDIR" not in told:
            found.append(f"no room: exit {code}, {server.count(INDEX)} there: {told}")
        code, outcome, told = index(
            binary, folder, str(cut), server.url, str(wrong), str(REPORT), "--quiet"
        )
        if code != 1 or len(outcome["failed"]) != 2:
            found.append(f"beside a good one: exit {code}: {told}")
        found += compare(server, expected(binary, str(REPORT)))
    return found


def check_archive(name: str, binary: str, folder: str) -> list[str]:
    """Hundreds of reports in two shares, one of which is killed now and then."""
    archive, found = Path(folder) / "archive", []
    archive.mkdir()
    for number in range(500):
        report = json.loads(REPORT.read_text())
        for benchmark in report["benchmarks"]:
            benchmark["config"]["run_id"] = f"run-{number}"
            benchmark["config"]["id_"] += f"-{number}"
        (archive / f"{number}.json").write_text(json.dumps(report))
    wanted = expected(binary, str(archive))
    with Server(name) as server:
        command = [binary, "index", str(archive), "--es-server", server.url, "--es-index", INDEX]
        shares = [
            [*command, "--json", "--shard", f"{share}/2", "--journal", f"done-{share}"]
            for share in (0, 1)
        ]
        pipes = {"cwd": folder, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        steady = subprocess.Popen(shares[0], **pipes)
        killed, passed_over = 0, 0
        journal = Path(folder) / "done-1"

        def noted() -> int:
            return journal.read_text().count(".json") if journal.exists() else 0

        for number in range(3):
            before = noted()
            child = subprocess.Popen(shares[1], **pipes)
            if number:  # The first one before it could note anything.
                while child.poll() is None and noted() <= before:
                    time.sleep(0.02)
            time.sleep(random.uniform(0.0, 0.5))
            child.kill()
            child.communicate()
            killed += child.returncode == -signal.SIGKILL
        for share in (steady, subprocess.Popen(shares[1], **pipes)):
            out, told = share.communicate(timeout=120)
            outcome = json.loads(out)
            passed_over += outcome["passed_over"]
            if share.returncode:
                found.append(f"exit {share.returncode}: {told}")
        if not killed or not passed_over:
            found.append(f"{killed} kills, {passed_over} passed over")
        found += compare(server, wanted)
    return found


def check_export_in_trouble(name: str, binary: str, folder: str) -> list[str]:
    """Pages that fail once are asked for again; what does not come at all is told."""
    wanted, found = expected(binary, str(REPORT)), []
    with Server(name) as server:
        index(binary, folder, str(REPORT), server.url)
        page = b"<html>not now</html>"
        for trouble, code in (
            ("busy", 0), ("short", 1), ("slow", 1), ("fails", 0), ("page", 0), ("shards", 0),
            ("fields", 0), ("moment", 0),
        ):  # fmt: skip
            pages: list[int] = []
            once: list[str] = []

            def search(
                method: str, path: str, body: str, trouble=trouble, pages=pages, once=once
            ):  # fmt: skip
                part = {"fields": "_field_caps", "moment": "point_in_time"}.get(trouble, "_search")
                if trouble == "moment" and "elasticsearch" in name:
                    part = "_pit"
                if part in path and not once and trouble in ("fields", "moment", "fails", "page"):
                    once.append(path)
                    status = {"fails": 500, "page": 200}.get(trouble, 503)
                    return status, page if trouble == "page" else {"error": "busy"}
                status, answer = server.call(method, path, body or None)
                if method != "POST" or "hits" not in answer:
                    return status, answer
                if trouble == "shards" and not pages:
                    answer["_shards"]["failed"] = 1
                hits = answer["hits"]["hits"]
                pages.append(len(hits))
                if trouble == "short" and sum(pages) == len(hits) > 0:
                    hits.pop(0)
                answer["timed_out"] = trouble == "slow"
                if trouble == "busy" and len(pages) == 1:
                    return 503, {"error": "busy"}
                return status, answer

            with Proxy(search, lambda *_: None) as proxy:
                more = ("export", "--es-server", proxy.url, "--es-index", INDEX)
                more += ("--give-up-after", "3s")
                ended, text, told = indexer(binary, *more, "-o", "-", "--format", "ndjson")
            there = [json.loads(line) for line in text.splitlines()]
            if ended != code or (code == 0 and len(there) != len(wanted)):
                found.append(f"{trouble}: exit {ended}, {len(there)} of {len(wanted)}: {told}")
            if code and "did not give all documents" not in told:
                found.append(f"{trouble}: {told}")
    return found


def check_other_mappings(name: str, binary: str, folder: str) -> list[str]:
    """An index of the seed's parser, which had made `rate` a whole number."""
    found = []
    with Server(name) as server:
        server.call("PUT", "old", {"mappings": {"properties": {"rate": {"type": "long"}}}})
        command = ("index", str(REPORT), "--es-server", server.url, "--es-index", "old")
        code, _, told = indexer(binary, *command, folder=folder)
        if code != 2 or "`rate` is mapped as `long`, which cannot hold `double`" not in told:
            found.append(f"rate as long: exit {code}: {told}")
        fits = {"rate": {"type": "float"}, "uuid": {"type": "text"}}
        server.call("PUT", "fits", {"mappings": {"properties": fits}})
        command = ("index", str(REPORT), "--es-server", server.url, "--es-index", "fits")
        code, _, told = indexer(binary, *command, folder=folder)
        properties = server.call("GET", "fits/_mapping")[1]["fits"]["mappings"]["properties"]
        if code or properties["ttft_p95_ms"] != {"type": "double"}:
            found.append(f"one that fits: exit {code}: {told}")
        # Its texts have what is asked for.
        command = ("export", "--es-server", server.url, "--es-index", "fits", "-o", "-")
        code, text, told = indexer(binary, *command, "--format", "ndjson", folder=folder)
        there = {it["document_id"]: it for it in map(json.loads, text.splitlines())}
        if code or there != expected(binary, str(REPORT)):
            found.append(f"export of one that fits: exit {code}, {len(there)}: {told}")
        # Each index of an alias lacks something else.
        for index, fields in (("two-1", {"rate": {"type": "float"}}), ("two-2", {})):
            aliases = {"two": {"is_write_index": index == "two-2"}}
            server.call("PUT", index, {"mappings": {"properties": fields}, "aliases": aliases})
        command = ("index", str(REPORT), "--es-server", server.url, "--es-index", "two")
        code, _, told = indexer(binary, *command, folder=folder)
        if code:
            found.append(f"an alias: exit {code}: {told}")
    return found


CHECKS = (
    check_overload, check_server_dies, check_client_killed, check_mixed_answer, check_too_large,
    check_cut_connection, check_slow_server, check_odd_answers, check_replay, check_indices_apart,
    check_server_stays_away, check_wrong_servers, check_other_mappings, check_broken_report,
    check_archive, check_export_in_trouble,
)  # fmt: skip


def main(binary: str, name: str, only: list[str]) -> int:
    """All checks, each in a folder of its own."""
    tally = Tally()
    if unknown := set(only) - {check.__name__ for check in CHECKS}:
        raise SystemExit(f"no such checks: {unknown}")
    for check in CHECKS:
        if only and check.__name__ not in only:
            continue
        with tempfile.TemporaryDirectory() as folder:
            tally.add(f"{name}: {check.__name__}", check(name, binary, folder))
    return tally.finish()


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.exit(main(str(Path(sys.argv[1]).resolve()), sys.argv[2], sys.argv[3:]))
