"""The browser, for the tests that need one."""

import pytest

from scripts.find_chromium import find_chromium

# No name is looked up, so that a request to another host goes nowhere; the checks still see it.
OFFLINE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
CHROMIUM_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", OFFLINE]


@pytest.fixture(scope="session")
def browser():
    """Headless Chromium. It is one for all folders: Playwright runs once in a process."""
    from playwright.sync_api import sync_playwright  # only here: most tests need no browser

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=CHROMIUM_FLAGS)
        yield browser
        browser.close()
