"""Buttons that lead from a page to Colab, Binder and the source, wherever the book's repository is.

The repository is found, not configured, so that a fork needs no edit: the environment variable
`BOOK_REPOSITORY` ("owner/name" or an address), else the variables that GitHub sets for its
workflows, else the git remote `origin` if that is on GitHub. Where none is known there are no
buttons at all, since they would lead nowhere.
"""

import os
import re
import subprocess
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from sphinx.errors import ConfigError

# https://host/owner/name(.git), git@host:owner/name.git, ssh://git@host/owner/name.git
ADDRESS = re.compile(
    r"(?:(?:https?|ssh)://)?(?:[^@/]+@)?(?P<host>[\w.-]+\.\w+)[/:]"
    r"(?P<path>[\w.-]+/[\w.-]+?)(?:\.git)?/?"
)
OWNER_AND_NAME = re.compile(r"[\w.-]+/[\w.-]+")
SOURCE_BUTTONS = ("use_repository_button", "use_edit_page_button", "use_issues_button")


class Repository(NamedTuple):
    """A public repository: its host's address and "owner/name"."""

    server: str
    path: str

    @property
    def url(self) -> str:
        """Its home page."""
        return f"{self.server}/{self.path}"


def parse(text: str, server: str = "https://github.com") -> Repository | None:
    """Read "owner/name" (on `server`) or a web or ssh address; None for anything else."""
    text = text.strip()
    if match := ADDRESS.fullmatch(text):
        return Repository(f"https://{match['host']}", match["path"])
    return Repository(server, text) if OWNER_AND_NAME.fullmatch(text) else None


def find_repository(environment: dict, root: Path) -> Repository | None:
    """The repository that the book at `root` is built from, or None."""
    if chosen := environment.get("BOOK_REPOSITORY"):
        repository = parse(chosen)
        if repository is None:
            message = (
                f"BOOK_REPOSITORY={chosen!r} is neither 'owner/name' nor a repository's address"
            )
            raise ConfigError(message)
        return repository
    if on_github := environment.get("GITHUB_REPOSITORY"):
        return parse(on_github, environment.get("GITHUB_SERVER_URL", "https://github.com"))
    command = ["git", "-C", str(root), "config", "--get", "remote.origin.url"]
    try:
        remote = subprocess.run(command, capture_output=True, text=True).stdout
    except FileNotFoundError:  # a copy of the files, on a machine without git
        return None
    repository = ADDRESS.fullmatch(remote.strip()) and parse(remote)
    return repository if repository and repository.server == "https://github.com" else None


def launch_links(repository: Repository, page: str, commit: str) -> dict[str, str]:
    """Where notebook `page` ("book/01_flows") runs: {"Colab": ..., "Binder": ...}.

    Colab opens a copy whose first cell installs rfteach; publishing puts it on `gh-pages`.
    """
    copy = page.removeprefix("book/")
    colab = "https://colab.research.google.com/github"
    binder = "https://mybinder.org/v2/gh"
    return {
        "Colab": f"{colab}/{repository.path}/blob/gh-pages/colab/{quote(copy)}.ipynb",
        "Binder": f"{binder}/{repository.path}/{commit}?urlpath=lab/tree/{quote(page)}.ipynb",
    }


def configure_theme(app, config):
    """Tell the theme where the source is; it makes the repository, edit and issue buttons."""
    app.book_repository = find_repository(os.environ, Path(app.srcdir))
    known = app.book_repository is not None
    config.html_theme_options |= dict.fromkeys(SOURCE_BUTTONS, known)
    config.html_theme_options |= {
        "repository_url": app.book_repository.url if known else "",
        "repository_branch": "main",
        "repository_provider": "github",
        "launch_buttons": {},  # the theme's own know one branch for all services
    }


def add_launch_buttons(app, pagename, templatename, context, doctree):
    """Put the rocket menu on the pages that are notebooks."""
    repository = app.book_repository
    is_notebook = doctree is not None and Path(app.env.doc2path(pagename)).suffix == ".ipynb"
    if repository is None or repository.server != "https://github.com" or not is_notebook:
        return
    icons = {"Colab": "_static/images/logo_colab.png", "Binder": "_static/images/logo_binder.svg"}
    links = launch_links(repository, pagename, os.environ.get("GITHUB_SHA", "HEAD"))
    menu = {
        "type": "group",
        "label": "launch-buttons",
        "tooltip": "Run this page",
        "icon": "fas fa-rocket",
        "buttons": [
            {
                "type": "link",
                "text": name,
                "tooltip": f"Run this page on {name}",
                "icon": icons[name],
                "url": url,
            }
            for name, url in links.items()
        ],
    }
    context["header_buttons"].insert(0, menu)


def setup(app):
    """Register with Sphinx."""
    app.connect("config-inited", configure_theme)
    app.connect("html-page-context", add_launch_buttons, priority=502)  # after the theme's buttons
    return {"version": "1", "parallel_read_safe": True}
