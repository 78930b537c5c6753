"""TLS before a server that has none: clients have to show a certificate.

    with Guard(server.url, folder, "search.example") as guard:
        guard.url, guard.authority, guard.client      # address; PEM files
        guard.served                                  # connections that were let in

Enter a cluster's network before.
"""

import asyncio
import contextlib
import ssl
import threading
import urllib.parse
from pathlib import Path

import keys


class Guard:
    """Lets those through whose certificate its authority has signed."""

    def __init__(self, target: str, folder: Path, name: str) -> None:
        self.target, self.folder, self.name = urllib.parse.urlsplit(target), folder, name
        self.served = 0
        folder.mkdir()
        self.authority, self.client = folder / "ca.crt", folder / "both.pem"
        authority = ["-subj", "/CN=authority", "-addext", "keyUsage=critical,keyCertSign"]
        keys.finish(keys.request(folder, "ca", authority))
        for who, names in (("server", f"DNS:{name},IP:127.0.0.1"), ("client", "")):
            keys.finish(keys.request(folder, who, keys.signed(folder, f"/CN={who}", names)))
        own = [(folder / f"client.{kind}").read_text() for kind in ("crt", "key")]
        self.client.write_text("".join(own))
        self.client.chmod(0o600)

    def __enter__(self) -> "Guard":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "server.crt", self.folder / "server.key")
        context.load_verify_locations(self.authority)
        context.verify_mode = ssl.CERT_REQUIRED
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        begun = asyncio.start_server(self.serve, "0.0.0.0", 0, ssl=context)
        self.server = asyncio.run_coroutine_threadsafe(begun, self.loop).result(10)
        self.port = self.server.sockets[0].getsockname()[1]
        self.url = f"https://127.0.0.1:{self.port}"
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A connection, both ways."""
        self.served += 1
        inside = await asyncio.open_connection(self.target.hostname, self.target.port)
        await asyncio.gather(passed(reader, inside[1]), passed(inside[0], writer))


async def passed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Passes on what comes, to its end."""
    with contextlib.suppress(OSError):
        while some := await reader.read(1 << 16):
            writer.write(some)
            await writer.drain()
    writer.close()
