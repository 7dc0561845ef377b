"""The files of a built book: its pages, their links, and what each weighs."""

import gzip
import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup

WIDGET_STATE = "application/vnd.jupyter.widget-state+json"


class Parsed(HTMLParser):
    """What the checks need of a page: a small part of what a tree of it would take.

    Attributes:
        ids: of the elements.
        links: where they lead.
        images: where they are.
    """

    def __init__(self, path: Path):
        super().__init__()
        self.ids, self.links, self.images = set(), [], set()
        self.feed(path.read_text(encoding="utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]):
        """Note an element."""
        values = dict(attrs)
        self.ids.add(values.get("id"))
        if tag == "a" and values.get("href") is not None:
            self.links.append(values["href"])
        if tag == "img" and values.get("src") is not None:
            self.images.add(values["src"])


class Site:
    """The files of a built site; each page is parsed once."""

    def __init__(self, root: Path):
        self.root = root.resolve()
        self._parse = cache(Parsed)

    def pages(self) -> list[str]:
        """All pages, as paths below the root."""
        return sorted(path.relative_to(self.root).as_posix() for path in self.root.rglob("*.html"))

    def dead_links(self, page: str) -> list[str]:
        """Find links to files or anchors that are not there, and malformed addresses elsewhere."""
        path = self.root / page
        links = self._parse(path).links
        return [f"dead link: {link}" for link in links if not self._is_alive(path, link)]

    def _is_alive(self, page: Path, link: str) -> bool:
        address = urlsplit(link)
        if address.scheme in ("http", "https"):
            return bool(re.fullmatch(r"[\w-]+(\.[\w-]+)+", address.netloc)) and " " not in link
        if address.scheme:
            return address.scheme == "mailto" and "@" in address.path
        target = (page.parent / unquote(address.path)).resolve() if address.path else page
        if not target.is_file() or not target.is_relative_to(self.root):
            return False
        anchor = unquote(address.fragment)
        return not anchor or anchor in self._parse(target).ids

    def weight(self, page: str) -> int:
        """Count the bytes of a page and its image files, each gzip'd."""
        path = self.root / page
        images = self._parse(path).images
        # an address with a scheme is on another host, or `data:`, which is a part of the page
        files = [path, *(path.parent / image for image in images if not urlsplit(image).scheme)]
        return sum(len(gzip.compress(file.read_bytes())) for file in files)

    def widget_weight(self, page: str) -> int:
        """Count the bytes that a page has for its widgets' sake, as they are in its files."""
        parsed = BeautifulSoup((self.root / page).read_text(encoding="utf-8"), "html.parser")
        parts = [str(part) for part in parsed.select(f'.rf-still, script[type="{WIDGET_STATE}"]')]
        if not parts:
            return 0
        loader = self.root / "_static" / "widgets.js"
        return sum(len(part.encode()) for part in parts) + loader.stat().st_size
