#!/usr/bin/env python3
"""A model server that speaks OpenAI's API and makes its answers up, with faults on demand.

    model_server.py [--host 127.0.0.1] [--port 0] [--model test/tiny] [--first-token-ms 20]
                    [--between-tokens-ms 5] [--jitter 0.2] [--seed 0] [--tokens 0] [--at-once 0]
                    [--error-rate 0] [--cut-rate 0] [--stall-rate 0]

Prints `ready URL`. Rates are shares of requests: answered by HTTP 500, cut off in the middle, never
answered. `--at-once` is how many are answered at once, the others wait; 0 is any number. Answers are
as long as asked for, but not longer than `--tokens`, unless it is 0. `GET /stats` tells how many
requests had which fate. In Python: `with running(error_rate=0.5) as url`.
"""

import argparse
import asyncio
import contextlib
import json
import random
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator

VLLM_DEFAULT_TOKENS = 16
#: What GuideLLM to 0.3 asks first, to see whether somebody answers; always answered, not numbered.
PROBE = b'"Test connection"'
STREAM_HEAD = b"HTTP/1.1 200 -\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
SETTINGS = {
    "host": "127.0.0.1", "port": 0, "model": "test/tiny", "seed": 0, "at_once": 0, "tokens": 0,
    "first_token_ms": 20.0, "between_tokens_ms": 5.0, "jitter": 0.2, "error_rate": 0.0,
    "cut_rate": 0.0, "stall_rate": 0.0,
}  # fmt: skip


class Server:
    """What it was told, and what it did."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.slots = asyncio.Semaphore(options.at_once or 1 << 30)
        self.count, self.fates = 0, Counter()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, request after request."""
        try:
            while True:
                await self.answer(*await read(reader), reader, writer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, ValueError):
            pass
        finally:
            writer.close()

    async def answer(self, method: str, path: str, body: bytes, reader, writer) -> None:
        """Answers a request."""
        match method, path:
            case "GET", "/health":
                send(writer, 200, {})
            case "GET", "/stats":
                send(writer, 200, self.fates)
            case "GET", "/v1/models":
                send(writer, 200, {"object": "list", "data": [{"id": self.options.model, "object": "model"}]})
            case "POST", "/v1/chat/completions" | "/v1/completions":
                self.count += PROBE not in body
                number = 0 if PROBE in body else self.count
                answer = Answer(self.options, number, json.loads(body), "chat" in path)
                async with self.slots:
                    await self.complete(answer, reader, writer)
            case _:
                send(writer, 404, {"error": {"message": f"no {path}", "code": 404}})

    async def complete(self, answer: "Answer", reader, writer) -> None:
        """Makes an answer up, or lets it fail."""
        # Counted first, so that who has the end of an answer finds it counted.
        self.fates[answer.fate] += 1
        if answer.fate == "error":
            return send(writer, 500, {"error": {"message": "on demand", "code": 500}})
        # Who gives up frees the slot.
        while answer.fate == "stall" and not reader.at_eof():
            await asyncio.sleep(0.1)
        pieces = stream(answer, writer) if answer.asked.get("stream") else whole(answer, writer)
        async for milliseconds in pieces:
            await asyncio.sleep(milliseconds / 1000)
            if reader.at_eof():
                raise ConnectionError


class Answer:
    """An answer in either of the two forms. Its length, pace and fate depend on the seed and its
    number alone, not on what else happens at the same time."""

    def __init__(self, options: argparse.Namespace, number: int, asked: dict, chat: bool) -> None:
        self.options, self.number, self.asked, self.chat = options, number, asked, chat
        self.dice = random.Random(f"{options.seed} {number}")
        self.tokens = asked.get("max_completion_tokens") or asked.get("max_tokens") or VLLM_DEFAULT_TOKENS
        self.end = "length"
        if 0 < options.tokens < self.tokens:
            self.tokens, self.end = options.tokens, "stop"
        rates = {name: getattr(options, f"{name}_rate") for name in ("error", "cut", "stall")}
        rates["answered"] = 1 - sum(rates.values())
        [self.fate] = self.dice.choices([*rates], [*rates.values()]) if number else ["probe"]

    def pause(self, milliseconds: float) -> float:
        """About as long as said."""
        return milliseconds * (1 + self.options.jitter * self.dice.uniform(-1, 1))

    def piece(self, said: dict, end: str | None) -> dict:
        """A part of it."""
        return {**self.head(".chunk"), "choices": [{"index": 0, "finish_reason": end, **said}]}

    def head(self, kind: str = "") -> dict:
        """What all parts have."""
        kind = f"chat.completion{kind}" if self.chat else "text_completion"
        return {"id": f"cmpl-{self.number}", "object": kind, "created": int(time.time()),
                "model": self.options.model}  # fmt: skip

    def usage(self) -> dict:
        """How many tokens there were; those of the prompt are a guess by its words."""
        prompt = json.dumps(self.asked.get("prompt") or self.asked.get("messages"))
        guess, own = len(prompt.split()) * 5 // 4, self.tokens
        return {"prompt_tokens": guess, "completion_tokens": own, "total_tokens": guess + own}


async def whole(answer: Answer, writer: asyncio.StreamWriter):
    """Sends all of an answer at once; yields how long to wait before it goes on."""
    options, text = answer.options, " word" * answer.tokens
    yield answer.pause(options.first_token_ms + options.between_tokens_ms * (answer.tokens - 1))
    if answer.fate == "cut":
        raise ConnectionError
    said = {"message": {"role": "assistant", "content": text}} if answer.chat else {"text": text}
    choice = {"index": 0, "finish_reason": answer.end, **said}
    send(writer, 200, {**answer.head(), "choices": [choice], "usage": answer.usage()})


async def stream(answer: Answer, writer: asyncio.StreamWriter):
    """The same token by token, as server-sent events."""
    writer.write(STREAM_HEAD)
    yield answer.pause(answer.options.first_token_ms)
    if answer.chat:
        event(writer, answer.piece({"delta": {"role": "assistant", "content": ""}}, None))
    for left in reversed(range(answer.tokens)):
        if answer.fate == "cut" and left < answer.tokens // 2:
            raise ConnectionError
        said = {"delta": {"content": " word"}} if answer.chat else {"text": " word"}
        event(writer, answer.piece(said, None if left else answer.end))
        await writer.drain()
        if left:
            yield answer.pause(answer.options.between_tokens_ms)
    if (answer.asked.get("stream_options") or {}).get("include_usage"):
        event(writer, {**answer.head(".chunk"), "choices": [], "usage": answer.usage()})
    writer.write(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")


async def read(reader: asyncio.StreamReader) -> tuple[str, str, bytes]:
    """Method, path and body of a request."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    method, path, _ = head.split(" ", 2)
    length = re.search(r"(?i)\r\ncontent-length: *(\d+)", head)
    if length or not re.search(r"(?i)\r\ntransfer-encoding: *chunked", head):
        body = await reader.readexactly(int(length[1]) if length else 0)
    else:  # as gateways send what they pass on
        body = b""
        while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readuntil(b"\r\n")
    return method, path.partition("?")[0], body


def send(writer: asyncio.StreamWriter, status: int, body: dict) -> None:
    """A whole answer."""
    text = json.dumps(body).encode()
    head = f"HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
    writer.write(head.encode() + text)


def event(writer: asyncio.StreamWriter, body: dict) -> None:
    """A server-sent event."""
    data = json.dumps(body).encode()
    writer.write(b"%x\r\ndata: %b\n\n\r\n" % (len(data) + 8, data))


@contextlib.contextmanager
def running(**settings: object) -> Iterator[str]:
    """A server of its own process, as long as the `with` block; its URL."""
    told = [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]
    with subprocess.Popen([sys.executable, __file__, *told], stdout=subprocess.PIPE, text=True) as child:
        try:
            yield child.stdout.readline().split()[1]
        finally:
            child.terminate()


async def main() -> None:
    """Serves for ever."""
    parser = argparse.ArgumentParser(usage=__doc__)
    for name, default in SETTINGS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    options = parser.parse_args()
    serving = await asyncio.start_server(Server(options).serve, options.host, options.port, backlog=1024)
    print("ready http://{}:{}".format(*serving.sockets[0].getsockname()), flush=True)
    await serving.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
