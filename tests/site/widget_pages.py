"""A page with one widget and no kernel, as the book has it: for tests of the widgets."""

import json
import shutil
from pathlib import Path

import ipywidgets
from ipywidgets.embed import dependency_state

ROOT = Path(__file__).parents[2]
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>A widget</title>
<link rel="icon" href="data:,">
<style>
:root {{ background: Canvas; color: CanvasText; color-scheme: light dark; font: 16px sans-serif; }}
</style>
<script src="widgets.js"></script>
</head>
<body>
<main>
<h1>A widget</h1>
{html}
</main>
<script type="application/vnd.jupyter.widget-state+json">{state}</script>
</body>
</html>
"""


def widget_page(widget: ipywidgets.Widget, folder: Path) -> Path:
    """Write a page with the widget's still picture and its state, and the script that shows it."""
    html = widget._repr_mimebundle_()[0]["text/html"]
    state = json.dumps({"state": dependency_state([widget], drop_defaults=False)})
    page = folder / "widget.html"
    page.write_text(PAGE.format(html=html, state=state.replace("</", r"<\/")), encoding="utf-8")
    shutil.copy(ROOT / "assets" / "widgets.js", folder)
    return page
