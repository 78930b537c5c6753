"""A headless Chromium, spoken to by its DevTools protocol."""

import base64
import json
import subprocess
import tempfile
import time
from pathlib import Path

import websocket

START_SECONDS = 30
ANSWER_SECONDS = 60


class Browser:
    """One page of a Chromium of its own; ends with the `with` block."""

    def __init__(self, binary: str = "chromium") -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.process = subprocess.Popen(
            [
                binary, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                "--remote-debugging-port=0", "--remote-allow-origins=*", "--no-first-run",
                "--disable-background-networking", f"--user-data-dir={self.folder.name}",
                "about:blank",
            ],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        self.events: list[dict] = []
        self.last = 0
        self.socket = websocket.create_connection(self._address(), timeout=ANSWER_SECONDS)
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        attached = self.ask("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.tell(f"{domain}.enable")

    def _address(self) -> str:
        """Where it listens: it writes that into its profile."""
        path = Path(self.folder.name) / "DevToolsActivePort"
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            lines = path.read_text().splitlines() if path.exists() else []
            if len(lines) == 2:
                return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
            time.sleep(0.1)
        raise TimeoutError("Chromium does not start")

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()
        self.process.terminate()
        self.process.wait()
        self.folder.cleanup()

    def ask(self, method: str, session: str | None = None, **parameters: object) -> dict:
        """Calls a method, keeping the events that come meanwhile."""
        self.last += 1
        message = {"id": self.last, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        self.socket.send(json.dumps(message))
        while True:
            answer = json.loads(self.socket.recv())
            if answer.get("id") != self.last:
                self.events.append(answer)
            elif "error" in answer:
                raise RuntimeError(f"{method}: {answer['error']}")
            else:
                return answer["result"]

    def tell(self, method: str, **parameters: object) -> dict:
        """Calls a method of the page."""
        return self.ask(method, self.session, **parameters)

    def set_up(self, width: int, scheme: str) -> None:
        """How wide the window is, and whether it is light or dark."""
        self.tell(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=900, deviceScaleFactor=1, mobile=width < 600,
        )
        self.tell(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": scheme}],
        )

    def open(self, path: Path) -> None:
        """Loads a file, and waits until it is there."""
        self.events.clear()
        self.tell("Page.navigate", url=path.resolve().as_uri())
        while not any(it.get("method") == "Page.loadEventFired" for it in self.events):
            self.tell("Page.getFrameTree")

    def run(self, script: str) -> object:
        """What an expression is in the page, as JSON."""
        done = self.tell("Runtime.evaluate", expression=script, returnByValue=True)
        if "exceptionDetails" in done:
            raise RuntimeError(done["exceptionDetails"])
        return done["result"].get("value")

    def complaints(self) -> list[str]:
        """Errors and warnings of the console, and requests for anything but the file itself."""
        told = []
        for event in self.events:
            method, of = event.get("method"), event.get("params", {})
            if method in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"):
                told.append(f"console: {json.dumps(of)[:300]}")
            elif method == "Network.requestWillBeSent" and of.get("type") != "Document":
                told.append(f"request: {of['request']['url'][:200]}")
        return told

    def picture(self, path: Path) -> None:
        """Writes a PNG of all of the page."""
        size = self.tell("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        taken = self.tell("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(taken["data"]))
