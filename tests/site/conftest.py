"""A server on loopback and the browser's contexts, for the tests of the built site."""

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUILT = ROOT / "_build" / "html"


FRAME = b"""<!doctype html><title>A frame</title><link rel="icon" href="data:,">
<body style="margin: 0"><iframe style="width: 1280px; height: 900px; border: 0"></iframe>"""

# Notes what a page complains about, for a browser that tells nobody else.
WATCH = b"""<head><script>
const said = [];
for (const kind of ["error", "warn"]) {
  const original = console[kind];
  console[kind] = (...words) => {
    said.push(`console ${kind}: ${words.join(" ")}`);
    original(...words);
  };
}
addEventListener("error", ({ message, target }) =>
  said.push(message ? `script error: ${message}` : `missing file: ${target.src ?? target.href}`),
  true);
addEventListener("unhandledrejection", ({ reason }) => said.push(`script error: ${reason}`));
</script>"""


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files without a line on stderr for each.

    For browsers that cannot do without, there is /frame.html, a page with an empty frame, and
    every page that is asked for with ?watched notes its complaints in `said`.
    """

    def do_GET(self):
        """Answer a request."""
        if self.path == "/frame.html":
            content = FRAME
        elif self.path.endswith(".html?watched"):
            content = Path(self.translate_path(self.path)).read_bytes()
            assert content.count(b"<head>") == 1
            content = content.replace(b"<head>", WATCH)
        else:
            return super().do_GET()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args):
        """Say nothing."""


@pytest.fixture(scope="session")
def serve():
    """A function that serves a folder on 127.0.0.1 and returns its address."""
    servers = {}

    def start(folder: Path) -> str:
        if folder not in servers:
            server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=folder))
            threading.Thread(target=server.serve_forever, daemon=True).start()
            servers[folder] = server
        return f"http://127.0.0.1:{servers[folder].server_port}"

    yield start
    for server in servers.values():  # each takes up to half a second to hear of it
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="session")
def open_context(browser):
    """A function that gives the browser's context for a color scheme and a width in pixels."""
    contexts = {}

    def open_one(scheme: str, width: int):
        if (scheme, width) not in contexts:
            contexts[scheme, width] = browser.new_context(
                color_scheme=scheme, viewport={"width": width, "height": 900}
            )
            # While this blank page is there, a new page is a tab; else it is a window of its own,
            # which costs the browser as much as all that is done in a small page.
            contexts[scheme, width].new_page()
        return contexts[scheme, width]

    return open_one
