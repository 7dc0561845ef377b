"""A server on loopback and the browser's contexts, for the tests of the built site."""

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUILT = ROOT / "_build" / "html"


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files without a line on stderr for each."""

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
