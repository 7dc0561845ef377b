"""Serve all that a page needs from the book itself, so that it works without the internet.

MathJax comes from the PyPI package `sphinx-mathjax-offline` (MathJax 3.2.2, Apache-2.0). Its own
Sphinx extension copies 24 MB of variants; here it is the 2.1 MB that `tex-chtml.js` can ask for.
"""

from importlib import import_module
from pathlib import Path

from sphinx.util.fileutil import copy_asset

# The program, its fonts, and the TeX extensions that it loads on first use (\boldsymbol and more).
MATHJAX_PARTS = ("tex-chtml.js", "output/chtml/fonts/woff-v2", "input/tex/extensions")


def use_local_assets(app, config):
    """Replace the addresses on content delivery networks by files under `_static`."""
    config.mathjax_path = "mathjax/tex-chtml.js"
    # The menu can load parts from other hosts, and makes each formula a stop for the Tab key.
    config.mathjax3_config = {"options": {"enableMenu": False}}
    # MyST-NB would load require.js and the Jupyter widget manager: 3.6 MB from other hosts. The
    # book's widgets need nothing but assets/widgets.js.
    config.nb_ipywidgets_js = {}


def copy_mathjax(app, error):
    """Put MathJax beside the pages."""
    if error or app.builder.format != "html":
        return
    source = Path(import_module("sphinx-mathjax-offline").__file__).parent / "static" / "mathjax"
    target = Path(app.outdir) / "_static" / "mathjax"
    for part in MATHJAX_PARTS:
        folder = (target / part).parent if (source / part).is_file() else target / part
        copy_asset(source / part, folder)


def setup(app):
    """Register with Sphinx."""
    app.connect("config-inited", use_local_assets, priority=400)  # MyST-Parser adds to it later
    app.connect("build-finished", copy_mathjax)
    return {"version": "1", "parallel_read_safe": True}
