"""Firefox and WebKit as Debian has them, driven without a library.

Playwright drives builds of its own. These are the browsers that readers have: Firefox over
WebDriver BiDi, WebKit over WebDriver. Each has `open`, `resize`, `run` and `complaints`.
"""

import json
import os
import re
import socket
import subprocess
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import websocket

from scripts.find_other_browsers import firefox, mini_browser

PATIENCE = 120  # seconds for one command
# Kept from asking its maker's hosts for anything; a light system, in which pages start.
PREFERENCES = {
    "layout.css.prefers-color-scheme.content-override": 1,
    "app.normandy.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,",
    "datareporting.policy.dataSubmissionEnabled": False,
}


def end(process: subprocess.Popen):
    """End a process, by force if it takes long."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(20)
    if process.poll() is None:
        process.kill()
        process.wait()


class Firefox:
    """Firefox without a window, through its own WebDriver BiDi."""

    def __init__(self, folder: Path):
        lines = [f"user_pref({json.dumps(k)}, {json.dumps(v)});" for k, v in PREFERENCES.items()]
        (folder / "user.js").write_text("\n".join(lines))
        command = [firefox(), "--headless", "--no-remote", "--profile", str(folder)]
        self._said = folder / "stderr"
        with self._said.open("w") as said:
            command += ["--remote-debugging-port", "0"]
            self._process = subprocess.Popen(command, stderr=said, stdout=said)
        self._number, self._noted = 0, []
        self._socket = websocket.create_connection(
            f"{self._address()}/session", suppress_origin=True, timeout=PATIENCE
        )
        found = self._send("session.new", capabilities={})
        self.version = found["capabilities"]["browserVersion"]
        events = ["log.entryAdded", "network.responseCompleted", "network.fetchError"]
        self._send("session.subscribe", events=events)
        self._context = self._send("browsingContext.getTree")["contexts"][0]["context"]

    def _address(self) -> str:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if found := re.search(r"BiDi listening on (ws://\S+)", self._said.read_text()):
                return found[1]
            time.sleep(0.2)
        end(self._process)
        raise TimeoutError(f"Firefox did not start: {self._said.read_text()}")

    def _send(self, method: str, **parameters) -> dict:
        self._number += 1
        call = {"id": self._number, "method": method, "params": parameters}
        self._socket.send(json.dumps(call))
        while (answer := json.loads(self._socket.recv())).get("id") != self._number:
            self._note(answer)
        if answer["type"] == "error":
            raise RuntimeError(f"{method}: {answer['message']}")
        return answer["result"]

    def _note(self, event: dict):
        told = event.get("params", {})
        if event["method"] == "log.entryAdded" and told["level"] in ("error", "warn"):
            self._noted.append(f"console {told['level']}: {told['text']}")
        elif event["method"] == "network.fetchError":
            if told["errorText"] != "NS_BINDING_ABORTED":  # Firefox has dropped it by itself
                url = told["request"]["url"][:100]
                self._noted.append(f"no answer ({told['errorText']}): {url}")
        elif event["method"] == "network.responseCompleted" and told["response"]["status"] >= 400:
            self._noted.append(f"missing file: {told['request']['url']}")

    def open(self, url: str):
        """Load a page, on a desktop."""
        self.resize(1280)
        self._send("browsingContext.navigate", context=self._context, url=url, wait="complete")

    def resize(self, width: int):
        """Give the page a width in pixels."""
        size = {"width": width, "height": 900}
        self._send("browsingContext.setViewport", context=self._context, viewport=size)

    def run(self, program: str):
        """Return what an expression of JavaScript, or its promise, comes to."""
        answer = self._send(
            "script.evaluate",
            expression=f"Promise.resolve({program}).then(x => JSON.stringify(x ?? null))",
            target={"context": self._context},
            awaitPromise=True,
        )
        if answer["type"] == "exception":
            raise RuntimeError(answer["exceptionDetails"]["text"])
        return json.loads(answer["result"]["value"])

    def print(self) -> str:
        """Print the page; return the PDF, in base64."""
        return self._send("browsingContext.print", context=self._context)["data"]

    def complaints(self) -> list[str]:
        """Return, and forget, what the page complained about."""
        noted, self._noted = self._noted, []
        return noted

    def close(self):
        """End the browser."""
        with suppress(Exception):
            self._send("browser.close")
        self._socket.close()
        end(self._process)


class WebKit:
    """WebKitGTK's small browser, on a display in memory, through WebKitWebDriver.

    Its window cannot be as narrow as a phone, and its driver tells nothing of the console: so pages
    are shown in a frame, and note their complaints themselves (conftest.py).
    """

    def __init__(self, _folder: Path):
        screen = ["Xvfb", "-displayfd", "1", "-screen", "0", "1400x1000x24", "-nolisten", "tcp"]
        self._screen = subprocess.Popen(
            screen, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        display = f":{self._screen.stdout.readline().strip()}"
        with socket.socket() as free:  # two drivers on one port would share one session
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self._driver = subprocess.Popen(
            ["WebKitWebDriver", f"--port={self._port}"],
            env=os.environ | {"DISPLAY": display, "LIBGL_ALWAYS_SOFTWARE": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._wait_for_driver()
        options = {
            "binary": mini_browser(),
            "args": ["--automation"],
        }
        capabilities = {"alwaysMatch": {"webkitgtk:browserOptions": options}}
        self._session = ""
        found = self._call("POST", "", capabilities=capabilities)
        self.version = found["capabilities"]["browserVersion"]
        self._session = f"/{found['sessionId']}"
        self._call("POST", "/timeouts", script=1000 * PATIENCE)
        self._call("POST", "/window/rect", width=1350, height=980)

    def _wait_for_driver(self):
        for _ in range(10 * PATIENCE):
            with suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{self._port}/status", timeout=PATIENCE)
                return
            time.sleep(0.1)
        raise RuntimeError("WebKitWebDriver does not answer")

    def _call(self, method: str, path: str, **body):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._port}/session{self._session}{path}",
            json.dumps(body).encode() if method == "POST" else None,
            {"Content-Type": "application/json"},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{path}: {json.load(error)['value']['message']}") from None

    def _execute(self, program: str):
        return self._call("POST", "/execute/async", script=program, args=[])

    def open(self, url: str):
        """Load a page, on a desktop."""
        self._call("POST", "/url", url=url[: url.index("/", 8)] + "/frame.html")
        self._execute(
            f"""const frame = document.querySelector("iframe");
            frame.onload = () => arguments[0]();
            frame.src = {json.dumps(f"{url}?watched")};"""
        )
        self._call("POST", "/frame", id=0)

    def resize(self, width: int):
        """Give the page a width in pixels."""
        self.run(f"frameElement.style.width = '{width}px'")

    def run(self, program: str):
        """Return what an expression of JavaScript, or its promise, comes to."""
        text = self._execute(
            f"""const done = arguments[0], failed = (e) => done("!" + e);
            try {{
              Promise.resolve({program}).then((x) => done(JSON.stringify(x ?? null)), failed);
            }} catch (e) {{ failed(e); }}"""
        )
        if text.startswith("!"):
            raise RuntimeError(text)
        return json.loads(text)

    def complaints(self) -> list[str]:
        """Return, and forget, what the page complained about."""
        return self.run("said.splice(0)")

    def close(self):
        """End the browser."""
        with suppress(Exception):
            self._call("DELETE", "")
        end(self._driver)
        end(self._screen)
        self._screen.stdout.close()


BROWSERS = {"firefox": Firefox, "webkit": WebKit}
