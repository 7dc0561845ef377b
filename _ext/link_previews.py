"""A picture for each page, which messengers and social networks show beside a link to it.

They want whole addresses, so `BOOK_ADDRESS` says where the book will be; without it there are no
pictures. The publishing workflow sets it.
"""

import os
from html import escape
from pathlib import Path

HERO = "hero.png"


def picture(assets: Path, page: str) -> str:
    """Return the picture of a page ("book/01_flows"): the chapter's card, or the book's own."""
    cards = assets.glob(f"cards/{page.rsplit('/')[-1][:2]}_*.webp")
    return next((card.relative_to(assets).as_posix() for card in cards), HERO)


def set_address(app, config):
    """Tell Sphinx where the book will be; it then names each page's address in the page."""
    config.html_baseurl = os.environ.get("BOOK_ADDRESS", "")


def add_preview(app, pagename, templatename, context, doctree):
    """Write the tags."""
    if doctree is None or not app.config.html_baseurl:
        return
    image = picture(Path(app.srcdir) / "assets", pagename)
    known = context["metatags"]  # what the page itself says in its html_meta
    tags = {
        "og:title": context["title"],
        "og:url": context["pageurl"],
        "og:image": f"{app.config.html_baseurl.rstrip('/')}/_static/{image}",
        "twitter:card": "summary_large_image",
    }
    context["metatags"] += "".join(
        f'<meta property="{name}" content="{escape(content)}" />\n'
        for name, content in tags.items()
        if f'"{name}"' not in known
    )


def setup(app):
    """Register with Sphinx."""
    app.connect("config-inited", set_address)
    app.connect("html-page-context", add_preview)
    return {"version": "1", "parallel_read_safe": True}
