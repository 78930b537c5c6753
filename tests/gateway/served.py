#!/usr/bin/env python3
"""The model server of tests/guidellm as a pod of a pool: with vLLM's metrics, which the endpoint picker
reads, and set by the file of llm-d's simulator, which it stands for.

    served.py [--config FILE | --model NAME] [any option of model_server.py]

Of the file it takes `port`, `model`, `max-num-seqs`, `time-to-first-token` and `inter-token-latency`;
options win.
"""

import argparse
import asyncio
import contextlib
import json
import re
import signal
import sys
from pathlib import Path

import model_server

#: Tokens of all requests at once that fill its cache, which it does not have but reckons with.
CACHE = 16384
PLAIN = "Content-Type: text/plain; version=0.0.4"
KEYS = {
    "port": "port", "model": "model", "max-num-seqs": "at-once", "time-to-first-token": "first-token-ms",
    "inter-token-latency": "between-tokens-ms",
}  # fmt: skip


class Served(model_server.Server):
    """Knows besides what it is at."""

    def __init__(self, options: argparse.Namespace) -> None:
        super().__init__(options)
        self.asked = self.working = 0
        self.cached: dict[int, int] = {}
        self.totals = {"prompt": 0, "generation": 0}

    async def answer(self, method: str, path: str, body: bytes, reader, writer) -> None:
        """Answers a request."""
        if path == "/metrics":
            text = self.metrics().encode()
            head = f"HTTP/1.1 200 -\r\n{PLAIN}\r\nContent-Length: {len(text)}\r\n\r\n"
            writer.write(head.encode() + text)
        elif path == "/ready":
            model_server.send(writer, 200, {})
        elif method == "POST":
            self.asked += 1
            try:
                await super().answer(method, path, body, reader, writer)
            finally:
                self.asked -= 1
        else:
            await super().answer(method, path, body, reader, writer)

    async def complete(self, answer: model_server.Answer, reader, writer) -> None:
        """Makes an answer up, with a place in the cache as long as that takes."""
        usage = answer.usage()
        self.working += 1
        self.cached[id(answer)] = usage["total_tokens"]
        try:
            await super().complete(answer, reader, writer)
            if answer.fate in ("answered", "probe"):
                self.totals["prompt"] += usage["prompt_tokens"]
                self.totals["generation"] += usage["completion_tokens"]
        finally:
            self.working -= 1
            del self.cached[id(answer)]

    def metrics(self) -> str:
        """What vLLM tells by these names. The cache's name before 0.11 is what the simulator has."""
        used = min(1.0, sum(self.cached.values()) / CACHE)
        gauges = {
            "num_requests_running": self.working, "num_requests_waiting": self.asked - self.working,
            "kv_cache_usage_perc": used, "gpu_cache_usage_perc": used,
        }  # fmt: skip
        counters = {
            "prompt_tokens_total": self.totals["prompt"],
            "generation_tokens_total": self.totals["generation"],
        }
        label = f"{{model_name={json.dumps(self.options.model)}}}"
        lines = [
            f"# TYPE vllm:{name} {kind}\nvllm:{name}{label} {value}"
            for kind, found in (("gauge", gauges), ("counter", counters))
            for name, value in found.items()
        ]
        return "\n".join([*lines, ""])


def settings(path: str) -> dict[str, str]:
    """The file's members of one line, which those that are read are."""
    found = re.findall(r"(?m)^([a-z-]+): *(\S.*?) *$", Path(path).read_text())
    return {name: value.strip("\"'") for name, value in found}


def arguments(told: list[str]) -> list[str]:
    """The options of model_server.py, out of the file and the options told."""
    if told[:1] not in (["--config"], ["--model"]):
        return ["--host=0.0.0.0", *told]
    file = settings(told[1]) if told[0] == "--config" else {"model": told[1]}
    own = [f"--{option}={file[name]}" for name, option in KEYS.items() if name in file]
    return ["--host=0.0.0.0", *own, *told[2:]]


if __name__ == "__main__":
    sys.argv[1:] = arguments(sys.argv[1:])
    # The first process of a container takes no signal that it has no handler for: each pod would take
    # half a minute to go.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    model_server.Server = Served
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(model_server.main())
