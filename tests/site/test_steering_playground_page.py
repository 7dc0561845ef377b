"""The widget of chapter 16 in a real browser, in a page without a kernel."""

import itertools
import re

import pytest
import torch
from site_checks import visit
from widget_pages import MODEL, PLACES, change, drag_with_finger, problems_in_place, widget_page

import rfteach as rf

UNEVEN = rf.GaussianMixture(
    torch.tensor([[-1.0, 0.5], [1.5, 1.0], [0.3, -1.8]]),
    torch.tensor([0.5, 0.1, 0.0]),
    torch.tensor([0.2, 0.5, 0.3]),
)
PULLS = ["naive", "by time", "jacobian"]
# The widget's own program, with a part of it to call.
IMPORT = f"""const program = {MODEL}.get("_esm") +
    "\\nexport {{ atOnce, meanAndWidth, normals, posteriorPoints, steeredFlow }};";
  const blob = new Blob([program], {{ type: "text/javascript" }});
  const part = await import(URL.createObjectURL(blob));
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory, serve) -> str:
    """Return where a page with the playground is served."""
    folder = tmp_path_factory.mktemp("steering")
    return f"{serve(folder)}/{widget_page(folder, rf.steering_playground()).name}"


def ready(page):
    """Wait until the numbers are there, and those of what is chosen."""
    page.wait_for_function(
        f"{MODEL}.get('results').posterior && !document.querySelector('.rf-stale')"
    )


@pytest.fixture
def page(address, open_context):
    """The page, with the widget in it; it must not complain."""
    with visit(open_context("light", 1280), address) as visited:
        ready(visited.page)
        yield visited.page
        assert visited.problems == []


def trait(page, name: str):
    """Read a trait of the widget."""
    return page.evaluate(f"{MODEL}.get('{name}')")


def handle(page):
    """Find what can be dragged."""
    return page.get_by_role("button", name=re.compile("Measured"))


def center(page) -> tuple[float, float]:
    """Find the middle of the handle on the screen."""
    box = handle(page).bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def picture(page) -> str:
    """Return what the canvas shows, drawn anew."""
    ready(page)
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return page.locator("canvas").evaluate("canvas => canvas.toDataURL()")


# --- right


def followed(page, play, start) -> torch.Tensor:
    """Return the states of the page's own program for a widget, (N + 1, n, 2)."""
    program = f"""async ([mixture, goal, start, steps]) => {{
      {IMPORT}
      const flow = part.steeredFlow(mixture, goal, new Float64Array(start), steps);
      return part.atOnce(flow).map((state) => [...state]);
    }}"""
    goal = {name: getattr(play, name) for name in ("measured", "angle", "error", "pull", "scale")}
    given = [play._mixture, goal, start.flatten().tolist(), play.steps]
    states = torch.tensor(page.evaluate(program, given), dtype=torch.float64)
    return states.unflatten(1, (-1, 2))


@pytest.mark.parametrize("mixture", [rf.EightGaussians(), UNEVEN], ids=["blobs", "uneven"])
@pytest.mark.parametrize("pull", PULLS)
@pytest.mark.parametrize(
    "state",
    [
        {"steps": 1},
        {"steps": 7, "measured": -1.0, "angle": 30, "scale": 0.3},
        {"steps": 100, "measured": 0.7, "angle": 135, "error": 0.5},
        {"steps": 50, "measured": 2.8, "error": 0.05},
    ],
)
def test_the_browser_and_torch_walk_alike(page, mixture, pull, state):
    """At every step, in double precision.

    What differs are rounding errors, 1e-16 of each number. The naive pull of a sure measurement
    makes them larger with each step that is too long.
    """
    play = rf.steering_playground(mixture, pull=pull, **state)
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(200, 2, generator=generator, dtype=torch.float64)
    path = rf.euler(play.velocity, start, steps=play.steps)
    bound = 1e-5 if pull == "naive" and play.error == 0.05 else 1e-10
    assert (followed(page, play, start) - path.states).abs().max() < bound


@pytest.mark.parametrize("state", [{}, {"measured": -1.0, "angle": 30, "error": 0.4}])
def test_the_posterior_has_the_law_that_python_draws(page, state):
    program = f"""async ([mixture, goal]) => {{
      {IMPORT}
      const numbers = part.normals(1, 1)(new Float64Array(40000));
      return [...part.posteriorPoints(mixture, goal, numbers)];
    }}"""
    play = rf.steering_playground(UNEVEN, **state)
    goal = {name: getattr(play, name) for name in ("measured", "angle", "error")}
    shown = torch.tensor(page.evaluate(program, [play._mixture, goal]), dtype=torch.float64)
    shown = shown.unflatten(0, (-1, 2))
    drawn = play.sample_posterior(100_000, generator=torch.Generator().manual_seed(0))
    for a, b in ((shown, drawn), (shown**2, drawn**2), (shown.prod(dim=1), drawn.prod(dim=1))):
        error = (a.var(dim=0) / len(a) + b.var(dim=0) / len(b)) ** 0.5
        assert ((a.mean(dim=0) - b.mean(dim=0)).abs() < 5 * error).all()


def test_it_says_how_near_the_ends_are(page):
    """As far as the same flow is in torch, from other noise: each scatters by less than 0.01."""
    for pull in PULLS:
        if pull != "naive":
            change(page, pull=pull)
        play, generator = rf.steering_playground(pull=pull), torch.Generator().manual_seed(0)
        start = torch.randn(1000, 2, generator=generator, dtype=torch.float64)
        end = rf.euler(play.velocity, start, steps=50).end
        posterior = play.sample_posterior(1000, generator=generator)
        results = trait(page, "results")
        expected = rf.energy_distance(end, posterior)
        assert abs(results["energy distance"] - expected) < 0.03
        for name, points in (("ends", end), ("posterior", posterior)):
            mean, width = results[name]
            assert abs(mean - points[:, 0].mean()) < 5 * (2 / 1000) ** 0.5 * width
            # bells have a width that scatters by 1 / sqrt(2 n) of it; these have longer tails
            assert abs(width / points[:, 0].std() - 1) < 0.25
        said = page.locator("[role=status]").inner_text()
        assert said == f"Energy distance to the posterior: {results['energy distance']:.3f}."


def test_what_flies_apart_is_told(page):
    change(page, error=0.05, steps=5, measured=3)
    shown = page.locator(".rf-widget tbody td").all_inner_texts()
    assert all(len(text) <= 8 for text in shown)
    assert trait(page, "results")["energy distance"] > 10


# --- usable


def test_it_takes_the_place_of_its_picture(address, open_context):
    with visit(open_context(*PLACES[0]), address) as visited:
        ready(visited.page)
        assert problems_in_place(visited) == []


def test_the_arrow_keys_move_the_measurement(page):
    handle(page).focus()
    for key in ["ArrowLeft", "ArrowLeft", "ArrowUp", "ArrowRight"]:
        page.keyboard.press(key)
    assert trait(page, "measured") == 1.1  # up and down are not measured
    assert handle(page).get_attribute("aria-label") == "Measured 1.10; arrow keys move it"
    change(page, angle=90)
    for _ in range(50):
        page.keyboard.press("ArrowDown")
    assert trait(page, "measured") == -3  # it stays in the plane


@pytest.mark.parametrize("angle", [0, 60])
def test_the_mouse_drags_the_measurement(page, angle):
    """Of the way that the mouse goes, only that along the direction counts."""
    if angle:
        change(page, angle=angle)
    x, y = center(page)
    unit = page.locator("canvas").bounding_box()["width"] / 6
    page.mouse.move(x + 5, y + 5)  # beside its middle
    page.mouse.down()
    page.mouse.move(x + 5 - 0.5 * unit, y + 5 - 0.25 * unit, steps=3)
    page.mouse.up()
    page.mouse.move(x, y)  # let go of, it stays
    h, k = rf.steering_playground(angle=angle).direction.tolist()
    assert abs(trait(page, "measured") - (1.2 - 0.5 * h + 0.25 * k)) < 0.03


def test_a_finger_drags_the_measurement(address, browser):
    context = browser.new_context(has_touch=True, viewport={"width": 375, "height": 700})
    with visit(context, address) as visited:
        page = visited.page
        ready(page)
        drag_with_finger(context, page, center(page), (-20, 20), (-60, 60))
        page.get_by_role("button", name=re.compile(r"Measured 0\.")).wait_for()
        assert trait(page, "measured") < 0.7
        assert page.evaluate("scrollY") == 0
        ready(page)
        assert trait(page, "results")["posterior"][0] < 1
    context.close()


def test_the_controls_change_the_picture(page):
    pictures = [picture(page)]
    page.get_by_label("Pull").select_option("spread by time")
    pictures.append(picture(page))
    for label, value in {"Scale": "0.5", "Steps N": "4", "Error": "0.4", "Angle": "45"}.items():
        page.get_by_label(label).fill(value)
        pictures.append(picture(page))
    page.get_by_role("checkbox", name="posterior").uncheck()
    pictures.append(picture(page))
    page.get_by_role("checkbox", name="paths").check()
    pictures.append(picture(page))
    page.get_by_label("t", exact=True).fill("0.3")
    pictures.append(picture(page))
    page.get_by_role("button", name="New noise").click()
    pictures.append(picture(page))
    assert [trait(page, name) for name in ("pull", "scale", "steps")] == ["by time", 0.5, 4]
    assert [trait(page, name) for name in ("error", "angle", "time")] == [0.4, 45, 0.3]
    assert (trait(page, "posterior"), trait(page, "paths"), trait(page, "seed")) == (False, True, 1)
    assert all(a != b for a, b in itertools.combinations(pictures, 2))


def test_play_moves_the_particles_and_ends_at_one(page):
    page.get_by_label("t", exact=True).fill("0.5")
    before = picture(page)
    page.get_by_role("button", name="Play").click()
    page.get_by_role("button", name="Pause").wait_for()
    page.get_by_role("button", name="Play").wait_for()
    assert trait(page, "time") == 1
    assert picture(page) != before


def test_reset_brings_all_back(page):
    change(page, measured=0, angle=90, error=0.5, pull="jacobian", scale=0.1, steps=3)
    page.get_by_label("t", exact=True).fill("0.5")
    page.get_by_role("button", name="Reset").click()
    ready(page)
    first = trait(page, "_first")
    assert first == {name: trait(page, name) for name in first}
    assert first["measured"] == 1.2 and first["pull"] == "naive"
