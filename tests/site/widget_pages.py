"""A page with widgets and no kernel, as the book has it, and how tests reach into it."""

import json
import shutil
from pathlib import Path

import ipywidgets
from ipywidgets.embed import dependency_state

ROOT = Path(__file__).parents[2]
MODEL = "document.querySelector('.rf-widget').parentElement.widgetModel"
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


def widget_page(folder: Path, *widgets: ipywidgets.Widget) -> Path:
    """Write a page with the widgets' still pictures and states, and the script that shows them."""
    html = "".join(widget._repr_mimebundle_()[0]["text/html"] for widget in widgets)
    state = {"state": dependency_state(widgets, drop_defaults=False)}
    json_state = json.dumps(state, sort_keys=True)  # as the cache of executed notebooks has it
    page = folder / "widget.html"
    content = PAGE.format(html=html, state=json_state.replace("</", r"<\/"))
    page.write_text(content, encoding="utf-8")
    shutil.copy(ROOT / "assets" / "widgets.js", folder)
    return page


def change(page, **traits):
    """Set traits of the widget, as a kernel would, and wait for what comes of it."""
    program = f"""traits => new Promise((done) => {{
      const model = {MODEL};
      model.on("change:results", done);
      for (const [name, value] of Object.entries(traits)) model.set(name, value);
    }})"""
    page.evaluate(program, traits)


# Pages of widgets are loaded on a dark phone and turned through these, to where other tests start.
PLACES = [("dark", 320), ("light", 375), ("dark", 1280), ("light", 1280)]


def problems_in_place(visited) -> list[str]:
    """Return what is wrong with a page whose widgets should stand where their pictures stood."""
    stills = visited.page.locator(".rf-still").count()
    problems = visited.look_in(PLACES)
    return [*problems, *[f"{stills} still pictures are left"] * bool(stills)]


def drag_with_finger(context, page, start: tuple[float, float], *offsets: tuple[float, float]):
    """Put a finger down at a point of the screen, move it by each of the offsets, and lift it."""
    finger = context.new_cdp_session(page)

    def send(kind: str, points: list[tuple[float, float]]):
        given = {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]}
        finger.send("Input.dispatchTouchEvent", given)

    x, y = start
    send("touchStart", [start])
    for right, down in offsets:
        send("touchMove", [(x + right, y + down)])
    send("touchEnd", [])
