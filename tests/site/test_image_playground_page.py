"""The image playground in a real browser, in a page without a kernel."""

import gzip

import pytest
import torch
from site_checks import visit
from widget_pages import MODEL, PLACES, problems_in_place, widget_page

import rfteach as rf

MODELS = {name: rf.pretrained("digits")[name] for name in ("1-RF", "2-RF", "distilled")}


def playground(**state):
    """The playground of chapter 9."""
    settings = {"size": (8, 8), "one_step": ["distilled"], **state}
    return rf.image_playground(MODELS, rf.Gaussian(64), **settings)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with a page that has the playground."""
    folder = tmp_path_factory.mktemp("images")
    widget_page(folder, playground())
    return folder


@pytest.fixture(scope="module")
def address(folder, serve) -> str:
    """Return where that page is served."""
    return f"{serve(folder)}/widget.html"


def ready(page):
    """Wait until all models have drawn."""
    page.wait_for_function(f"Object.keys({MODEL}?.get('results') ?? {{}}).length === 3")


@pytest.fixture
def page(address, open_context):
    """The page, with the widget in it; it must not complain."""
    with visit(open_context("light", 1280), address) as visited:
        visited.page.wait_for_selector(".rf-widget")
        ready(visited.page)
        yield visited.page
        assert visited.problems == []


LOOK = """canvas => new Promise((done) => {
  const next = requestAnimationFrame;
  next(() => next(() => { // what is asked for is drawn in the next picture
    const { width, height } = canvas;
    done([...canvas.getContext("2d").getImageData(0, 0, width, height).data]);
  }));
})"""


def shown(page, row: int) -> torch.Tensor:
    """Return the gray values on a canvas, between -1 and 1, one image in a row."""
    gray = torch.tensor(page.locator("canvas").nth(row).evaluate(LOOK)).reshape(17, 89, 4)[..., 0]
    tiles = [gray[9 * r : 9 * r + 8, 9 * c : 9 * c + 8] for r in range(2) for c in range(10)]
    return torch.stack(tiles).flatten(1) / 127.5 - 1


def drawn(state: dict, name: str) -> torch.Tensor:
    """Return what torch draws for a state of the widget."""
    play = playground(**state)
    steps = 1 if name == "distilled" else play.steps
    bound = rf.with_condition(MODELS[name], play.labels)
    return rf.euler(bound, play.start, steps=steps).end.clamp(-1, 1)


@pytest.mark.parametrize(
    "state", [{}, {"steps": 50, "seed": 7, "label": "3"}, {"steps": 1, "seed": 99}]
)
def test_the_browser_draws_what_torch_draws(page, state):
    for trait, value in state.items():
        page.evaluate(f"value => {MODEL}.set('{trait}', value)", value)
    for row, name in enumerate(MODELS):
        # a gray value is rounded by at most half of 2 / 255; the rest is single precision
        assert (shown(page, row) - drawn(state, name)).abs().max() < 1 / 255 + 1e-3
    results = page.evaluate(f"{MODEL}.get('results')")
    steps = state.get("steps", 4)
    assert [each["NFE"] for each in results.values()] == [steps, steps, 1]


def test_the_controls_do_what_they_say(page):
    page.get_by_label("Label", exact=True).select_option("5")
    page.get_by_label("Steps N").fill("2")
    page.get_by_role("button", name="New noise").click()
    state = {"label": "5", "steps": 2, "seed": 1}
    assert (shown(page, 1) - drawn(state, "2-RF")).abs().max() < 1 / 255 + 1e-3
    captions = page.locator(".rf-caption").all_inner_texts()
    assert captions == ["1-RF, 2 steps", "2-RF, 2 steps", "distilled, 1 step"]
    label = page.locator("canvas").first.get_attribute("aria-label")
    assert label == "Images of 5 by 1-RF in 2 steps"


def test_at_the_start_all_show_the_noise(page):
    page.get_by_label("t", exact=True).fill("0")
    noise = playground().start.clamp(-1, 1)
    for row in range(3):
        assert (shown(page, row) - noise).abs().max() < 1 / 255 + 1e-6


def test_it_takes_the_place_of_its_picture(address, open_context):
    with visit(open_context(*PLACES[0]), address) as visited:
        visited.page.wait_for_selector(".rf-widget")
        ready(visited.page)
        assert problems_in_place(visited) == []


def test_the_page_is_light(folder):
    """At most 600 kB with all weights and noise, as a server sends it."""
    assert len(gzip.compress((folder / "widget.html").read_bytes())) < 600_000
