"""The playground with noise on the way, in a real browser: right, usable, and light."""

from unittest.mock import patch

import pytest
import torch
from site_checks import visit
from widget_pages import MODEL, PLACES, change, problems_in_place, widget_page

import rfteach as rf

BLOBS = rf.EightGaussians()
MODELS = {name: rf.pretrained("eight Gaussians")[name] for name in ("1-RF", "2-RF")}
# The widget's own program, with a part of it to call.
IMPORT = f"""const program = {MODEL}.get("_esm") + "\\nexport {{ Parts, Panel, atOnce, normals }};";
  const blob = new Blob([program], {{ type: "text/javascript" }});
  const {{ Parts, Panel, atOnce, normals }} = await import(URL.createObjectURL(blob));
"""


def playground(**state):
    """One flow of the blobs, with noise."""
    models = {"1-RF": MODELS["1-RF"]}
    given = {"steps": 50, "noise": 2.0, "particles": 1000, **state}
    return rf.playground(models, rf.Gaussian(2), BLOBS, **given)


@pytest.fixture(scope="module")
def address(tmp_path_factory, serve) -> str:
    """Return where a page with the playground is served."""
    folder = tmp_path_factory.mktemp("noisy")
    return f"{serve(folder)}/{widget_page(folder, playground()).name}"


def ready(page):
    """Wait until the table has its row."""
    page.wait_for_function("document.querySelectorAll('.rf-widget tbody tr').length === 1")


@pytest.fixture
def page(address, open_context):
    """The page, with the widget in it; it must not complain."""
    with visit(open_context("light", 1280), address) as visited:
        ready(visited.page)
        yield visited.page
        assert visited.problems == []


# --- right


def followed(page, **traits) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the states of the cloud, (N + 1, n, 2), and the kicks of the steps, (N, n, 2)."""
    program = f"""async (traits) => {{
      {IMPORT}
      const get = (name) => traits[name] ?? {MODEL}.get(name);
      const model = {{ get, on() {{}}, off() {{}} }};
      const parts = new Parts(model), start = parts.cloud(model.get("seed"));
      const panel = new Panel(model, "model", "", parts, []);
      atOnce(panel.solve(start));
      const fill = normals(model.get("seed"), 0), states = panel.flow.states;
      const kicks = states.slice(1).map(() => [...fill(new Float32Array(start.length))]);
      return [states.map((state) => [...state]), kicks];
    }}"""
    states, kicks = (torch.tensor(part) for part in page.evaluate(program, traits))
    return states.unflatten(1, (-1, 2)), kicks.unflatten(1, (-1, 2))


# No more noise that stays on: its last steps are too long, and would double the rounding errors.
@pytest.mark.parametrize(
    "noise, steps, fading",
    [(1, 1, True), (2, 10, True), (2, 100, True), (4, 100, True), (1, 10, False), (1, 50, False)],
)
def test_the_browser_and_torch_walk_alike_when_they_are_kicked_alike(page, noise, steps, fading):
    states, kicks = followed(page, noise=noise, steps=steps, fading=fading)
    g = (lambda t: noise * (1 - t) ** 0.5) if fading else noise
    start = playground().start
    with patch("torch.randn", side_effect=kicks.unbind()) as randn:
        path = rf.euler_maruyama(MODELS["1-RF"], start, steps=steps, noise=g)
    assert randn.call_count == steps
    assert (states - path.states).abs().max() < 2e-4


def test_without_noise_it_is_the_flow(page):
    states, _ = followed(page, noise=0)
    path = rf.euler(MODELS["1-RF"], playground().start, steps=50)
    assert (states - path.states).abs().max() < 2e-4


NORMALS = f"""async (seeds) => {{
  {IMPORT}
  return seeds.map(([seed, stream]) => [...normals(seed, stream)(new Float32Array(100000))]);
}}"""


def test_the_kicks_are_normal_and_the_seed_repeats_them(page):
    seeds = [[0, 0], [0, 0], [1, 0], [0, 1], [999, 1]]
    first, again, *others = torch.tensor(page.evaluate(NORMALS, seeds), dtype=torch.float64)
    assert torch.equal(first, again)
    n = len(first)
    for x in (first, *others):
        # five standard errors each, of n numbers of N(0, 1): their powers have the variances
        # 1, 2, 15 and 96
        for power, (mean, variance) in {1: (0, 1), 2: (1, 2), 3: (0, 15), 4: (3, 96)}.items():
            assert abs((x**power).mean() - mean) < 5 * (variance / n) ** 0.5
        for lag in (1, 2, 3, 2000):
            assert abs((x[lag:] * x[:-lag]).mean()) < 5 / (n - lag) ** 0.5
        assert abs((x[::2] ** 2 * x[1::2] ** 2).mean() - 1) < 5 * (8 / (n / 2)) ** 0.5
    for x in others:
        assert abs((x * first).mean()) < 5 / n**0.5


@pytest.mark.parametrize("noise", [0, 1, 2, 3])
def test_the_cloud_is_the_same_whatever_the_noise(page, noise):
    change(page, noise=noise, steps=60)
    distance = page.evaluate(f"{MODEL}.get('results')['1-RF']['energy distance']")
    # the flow itself is 0.006 from its data; two such clouds scatter by 0.002
    assert abs(distance) < 0.015


# --- usable


def test_it_takes_the_place_of_its_picture(address, open_context):
    with visit(open_context(*PLACES[0]), address) as visited:
        ready(visited.page)
        assert problems_in_place(visited) == []


def test_the_keyboard_turns_up_the_noise(page):
    page.locator("h1").click()
    names = []
    for _ in range(10):
        page.keyboard.press("Tab")
        active = "(document.activeElement.labels?.[0] ?? document.activeElement)"
        names.append(page.evaluate(f"{active}.textContent || document.activeElement.ariaLabel"))
        if names[-1] == "Noise \u03b3":
            page.keyboard.press("ArrowRight")
    expected = ["Noise \u03b3", "Steps N", "New noise", "The plane with the particles of 1-RF"]
    expected += ["Play", "t", "paths", "straight lines", "velocity", "noise fades toward t = 1"]
    assert [name.split(".")[0] for name in names] == expected
    assert page.evaluate(f"{MODEL}.get('noise')") == 2.1
    assert page.locator(".rf-slider output").first.inner_text() == "2.1"


def ends(page) -> list[str]:
    """Where the dropped particle goes, as the page says it."""
    page.wait_for_selector("p[role=status]:text('carries')")
    return page.locator("p[role=status]").inner_text().split(" to ")[1].rstrip(".").split("), ")


def test_a_start_has_several_ends_with_noise_and_one_without(page):
    page.locator("canvas").first.click(position={"x": 200, "y": 180})
    first = ends(page)
    assert len(set(first)) == 5
    page.get_by_role("button", name="New noise").click()
    page.wait_for_function(
        f"!document.querySelector('[role=status]').textContent.includes('{first[0]}')"
    )
    assert not set(ends(page)) & set(first)
    page.get_by_label("Noise \u03b3").fill("0")
    page.wait_for_selector("p[role=status]:text('carries it to')")
    (lone,) = ends(page)
    before = page.evaluate(f"{MODEL}.get('results')")
    page.get_by_role("button", name="New noise").click()
    page.wait_for_function("document.querySelector('.rf-stale') === null")
    assert page.evaluate(f"{MODEL}.get('results')") != before
    assert ends(page) == [lone]


def pixels(page) -> str:
    """Return what the plane shows, drawn anew."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return page.locator("canvas").first.evaluate("canvas => canvas.toDataURL()")


@pytest.mark.parametrize("state", [{"noise": 1.0}, {"fading": False}])
def test_the_picture_shows_the_noise(page, state):
    before = pixels(page)
    change(page, **state)
    assert pixels(page) != before


def test_paths_are_drawn_up_to_the_time_that_is_shown(page):
    drawn = f"""async (t) => {{
      const model = {MODEL}, {{ prototype }} = CanvasRenderingContext2D, {{ lineTo }} = prototype;
      let corners = 0;
      prototype.lineTo = function (...at) {{ corners++; lineTo.apply(this, at); }};
      model.set("time", t);
      await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
      prototype.lineTo = lineTo;
      return corners - 12; // six lines of the grid
    }}"""
    # four paths of 50 steps
    assert [page.evaluate(drawn, t) for t in (0, 0.5, 0.51, 1)] == [4, 104, 108, 204]


def test_what_flies_apart_is_told(page):
    """Thirty steps of strong noise that stays on: the numbers are large, and fit into the table."""
    change(page, noise=4.0, fading=False, steps=30)
    shown = page.locator(".rf-widget tbody td").nth(2).inner_text()
    assert float(shown) > 1 and len(shown) <= 8
