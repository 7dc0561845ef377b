"""What the tests of all folders share: no state of accelerate, and a browser."""

import os
import sys

import pytest

from scripts.find_chromium import find_chromium

# Behind a proxy, too, the servers that tests start are on this machine.
os.environ["no_proxy"] = os.environ["NO_PROXY"] = "127.0.0.1,localhost"
# No name is looked up, so that a request to another host goes nowhere; the checks still see it.
OFFLINE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
CHROMIUM_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", OFFLINE]


@pytest.fixture(autouse=True)
def fresh_accelerate():
    """Forget the settings of an accelerator: accelerate keeps those of the first for the process.

    Otherwise a later test of the same process could not ask for another precision.
    """
    yield
    if state := sys.modules.get("accelerate.state"):  # only where a test has imported it
        state.AcceleratorState._reset_state(reset_partial_state=True)
        state.GradientState._reset_state()


@pytest.fixture(scope="session")
def browser():
    """Headless Chromium. It is one for all folders: Playwright runs once in a process."""
    from playwright.sync_api import sync_playwright  # only here: most tests need no browser

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=CHROMIUM_FLAGS)
        yield browser
        browser.close()
