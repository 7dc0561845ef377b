"""The widgets in a real JupyterLab, with a real kernel."""

import re

import pytest
from playwright.sync_api import expect

SETUP = """\
import rfteach as rf

models = rf.pretrained("moons")
"""
PLAY = (
    SETUP
    + """\
play = rf.playground(models, rf.Gaussian(2), rf.Moons(), steps=20)
play"""
)
LOOK = 'print("steps:", play.steps, "NFE:", {m: r["NFE"] for m, r in play.results.items()})'


def steps_slider(notebook):
    """Find the slider by its label, as a reader does."""
    return notebook.page.get_by_label("Steps N")


def figures(notebook):
    """Find the rows of the playground's table."""
    return notebook.page.locator(".rf-widget tbody tr")


def expect_row(notebook, steps: int, evaluations: int):
    """Wait until the page shows a number of steps, and the NFE that belongs to it."""
    expect(steps_slider(notebook)).to_have_value(str(steps))
    expect(figures(notebook).locator("td").first).to_have_text(str(evaluations))


def test_a_slider_moved_by_keyboard_reaches_the_kernel(open_notebook):
    notebook = open_notebook(PLAY, LOOK)
    notebook.run(1)
    expect_row(notebook, 20, 20)
    steps_slider(notebook).focus()
    for _ in range(3):
        notebook.page.keyboard.press("ArrowRight")
    expect_row(notebook, 23, 23)
    notebook.run_until(2, "steps: 23 NFE: {'1-RF': 23}")


def test_what_the_kernel_sets_shows_in_the_page(open_notebook):
    notebook = open_notebook(PLAY, 'play.steps = 7\nplay.solver = "Heun"', LOOK)
    notebook.run(1)
    expect_row(notebook, 20, 20)
    notebook.run(2)
    expect_row(notebook, 7, 14)
    expect(notebook.page.get_by_label("Solver")).to_have_value("Heun")
    notebook.run_until(3, "steps: 7 NFE: {'1-RF': 14}")


@pytest.mark.parametrize("link", ["link", "jslink"])
def test_an_ipywidgets_slider_can_be_linked(open_notebook, link):
    other = f"""\
import ipywidgets

knob = ipywidgets.IntSlider(20, min=1, max=100, description="knob")
tie = ipywidgets.{link}((knob, "value"), (play, "steps"))
knob"""
    notebook = open_notebook(PLAY, other, LOOK)
    notebook.run(1)
    expect_row(notebook, 20, 20)
    notebook.run(2)
    notebook.cell(2).get_by_role("slider").focus()
    for _ in range(2):
        notebook.page.keyboard.press("ArrowRight")
    expect_row(notebook, 22, 22)
    steps_slider(notebook).focus()
    notebook.page.keyboard.press("ArrowLeft")
    expect(notebook.cell(2).get_by_role("slider")).to_have_attribute("aria-valuenow", "21.0")
    notebook.run_until(3, "steps: 21 NFE: {'1-RF': 21}")


def test_the_page_computes_what_torch_computes(open_notebook):
    compare = """\
shown = play.results["1-RF"]
end = rf.euler(models["1-RF"], play.start, steps=play.steps, keep="end").end
print(shown["energy distance"], rf.energy_distance(end, play.target))"""
    notebook = open_notebook(PLAY.replace("steps=20", "steps=4, seed=7"), LOOK, compare)
    notebook.run(1)
    expect_row(notebook, 4, 4)
    notebook.run_until(2, "steps: 4 NFE: {'1-RF': 4}")
    page, torch = map(float, notebook.run(3).split())
    assert page == pytest.approx(torch, abs=1e-5)


def test_training_again(open_notebook):
    control = """\
from rfteach._widgets.retrain import retrain

control = retrain(rf.Gaussian(2), rf.Moons())
control"""
    look = 'print("runs:", [attempt.run.steps for attempt in control.runs])'
    notebook = open_notebook(SETUP + control, look)
    notebook.run(1)
    cell, page = notebook.cell(1), notebook.page
    figure = cell.get_by_role("img")
    before = figure.get_attribute("src")
    page.get_by_label("steps", exact=True).select_option("100")
    page.get_by_role("button", name="Train").click()
    expect(cell.get_by_role("status")).to_have_text(re.compile("Done: 100 steps"))
    expect(figure).not_to_have_attribute("src", before)
    notebook.run_until(2, "runs: [100]")
