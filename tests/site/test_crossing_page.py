"""The widget of chapter 2 in a real browser, in a page without a kernel."""

import itertools
import re

import pytest
import torch
from site_checks import visit
from widget_pages import PLACES, drag_with_finger, problems_in_place, widget_page

import rfteach as rf
from rfteach._widgets.crossing import crossing

CASES = [  # starts, ends, blur, time
    ([[-1.0, -1.0], [-1.0, 1.0]], [[1.0, 1.0], [1.0, -1.0]], 0.2, 0.5),
    ([[-1.0, -1.0], [-0.2, 0.2]], [[1.0, 1.0], [1.0, -1.0]], 0.2, 0.35),
    ([[-1.2, 0.3], [0.4, -1.1]], [[1.0, 0.1], [-0.3, 1.5]], 0.5, 0.62),
    ([[-1.0, 1.0], [-1.0, -1.0]], [[1.0, 1.0], [1.0, -1.0]], 0.05, 0.0),  # they do not meet
]


@pytest.fixture(scope="module")
def address(tmp_path_factory, serve) -> str:
    """Return where a page with a crossing is served."""
    folder = tmp_path_factory.mktemp("crossing")
    return f"{serve(folder)}/{widget_page(folder, crossing()).name}"


@pytest.fixture
def page(address, open_context):
    """The page, with the widget in it; it must not complain."""
    with visit(open_context("light", 1280), address) as visited:
        visited.page.wait_for_selector(".rf-crossing")
        yield visited.page
        assert visited.problems == []


def trait(page, name: str):
    """Read a trait of the widget."""
    return page.evaluate(
        "name => document.querySelector('.rf-crossing').parentElement.widgetModel.get(name)", name
    )


def change(page, **traits):
    """Set traits of the widget, as a kernel would."""
    program = """traits => {
      const model = document.querySelector('.rf-crossing').parentElement.widgetModel;
      for (const [name, value] of Object.entries(traits)) model.set(name, value);
    }"""
    page.evaluate(program, traits)


def words(page) -> str:
    """Read what the widget says."""
    return page.locator("[role=status]").inner_text().replace("\u00a0", " ")


def center(page, handle: str) -> tuple[float, float]:
    """Find the middle of a handle on the screen."""
    box = page.get_by_role("button", name=handle).bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def picture(page) -> str:
    """Return what the canvas shows, drawn anew."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return page.locator("canvas").evaluate("canvas => canvas.toDataURL()")


def test_it_takes_the_place_of_its_picture(address, open_context):
    with visit(open_context(*PLACES[0]), address) as visited:
        visited.page.wait_for_selector(".rf-crossing")
        assert problems_in_place(visited) == []


@pytest.mark.parametrize("starts, ends, blur, time", CASES)
def test_the_page_computes_what_python_computes(page, starts, ends, blur, time):
    change(page, starts=starts, ends=ends, blur=blur, time=time)
    results = trait(page, "results")
    widget = crossing(starts=starts, ends=ends, blur=blur)
    place = torch.tensor([results["place"]], dtype=torch.float64)
    velocity = widget.velocity(place, torch.tensor([time], dtype=torch.float64))[0]
    shown = torch.tensor(results["velocity"], dtype=torch.float64)
    torch.testing.assert_close(shown, velocity, rtol=0, atol=1e-5)
    for kind, when in enumerate(results["times"]):
        line = torch.lerp(torch.tensor(starts[kind]), torch.tensor(ends[kind]), when)
        torch.testing.assert_close(line.double(), place[0], rtol=0, atol=1e-6)


def test_the_share_of_rewired_paths_is_that_of_the_flow(page):
    """24 paths against 2000: they may differ by a path or two."""
    for starts, ends, blur, time in CASES:
        change(page, starts=starts, ends=ends, blur=blur, time=time)
        widget = crossing(starts=starts, ends=ends, blur=blur)
        first, last = torch.tensor(starts).repeat(1000, 1), torch.tensor(ends).repeat(1000, 1)
        noise = torch.randn(2000, 2, generator=torch.Generator().manual_seed(0))
        end = rf.rk4(widget.velocity, first + blur * noise, steps=60).end
        rewired = (end - last).norm(dim=1) > (end - last.roll(1, dims=0)).norm(dim=1)
        assert abs(trait(page, "results")["rewired"] - 24 * rewired.double().mean().item()) < 2


def test_it_says_what_it_shows(page):
    assert "At the ring at t = 0.50: A 50 %, B 50 %: the field points to (2.00, 0.00)." in words(
        page
    )
    assert "the lines meet at (0.00, 0.00)" in words(page)
    assert "A is there at t = 0.50; its share then: 50 %." in words(page)
    assert "Of the 24 paths, 24 are rewired." in words(page)
    change(page, starts=[[-1, -1], [-0.2, 0.2]])
    assert "A 100 %, B 0 %: the field points to (2.00, 2.00)" in words(page)
    assert "B is there at t = 0.17; its share then: 100 %." in words(page)
    change(page, time=1)
    assert "But hardly any line is there now." in words(page)
    change(page, ends=[[1, -1], [1, 1]])
    assert "the lines do not meet" in words(page)


def test_the_arrow_keys_move_a_handle(page):
    handle = page.get_by_role("button", name=re.compile("Start of B"))
    handle.focus()
    for key in ["ArrowRight", "ArrowRight", "ArrowDown"]:
        page.keyboard.press(key)
    assert trait(page, "starts") == [[-1, -1], [-0.8, 0.9]]
    name = "Start of B at (\u22120.80, 0.90); arrow keys move it"
    assert handle.get_attribute("aria-label") == name
    for _ in range(20):
        page.keyboard.press("ArrowUp")
    assert trait(page, "starts")[1] == [-0.8, 1.8]  # it stays in the plane


@pytest.mark.parametrize(
    "handle, name, kind",
    [("Start of A", "starts", 0), ("End of A", "ends", 0), ("End of B", "ends", 1)],
)
def test_the_mouse_drags_a_handle(page, handle, name, kind):
    x, y = center(page, handle)
    before, unit = trait(page, name), page.locator("canvas").bounding_box()["width"] / 3.6
    page.mouse.move(x + 5, y + 5)  # beside its middle
    page.mouse.down()
    page.mouse.move(x + 5 + 0.5 * unit, y + 5 - 0.25 * unit, steps=3)
    page.mouse.up()
    page.mouse.move(x, y)  # let go of, it stays
    moved = torch.tensor(trait(page, name)[kind]) - torch.tensor(before[kind])
    torch.testing.assert_close(moved, torch.tensor([0.5, 0.25]), rtol=0, atol=0.02)
    assert trait(page, name)[1 - kind] == before[1 - kind]


def test_a_finger_drags_a_handle(address, browser):
    context = browser.new_context(has_touch=True, viewport={"width": 375, "height": 700})
    with visit(context, address) as visited:
        page = visited.page
        page.wait_for_selector(".rf-crossing")
        drag_with_finger(context, page, center(page, "End of A"), (-20, 20), (-50, 50))
        moved = re.compile(r"End of A at \(0\.[0-5]")
        page.get_by_role("button", name=moved).wait_for()
        assert trait(page, "ends")[0][1] < 0.6
        assert page.evaluate("scrollY") == 0
    context.close()


def test_play_moves_the_points_and_ends_at_one(page):
    change(page, time=0.5)
    before = picture(page)
    page.get_by_role("button", name="Play").click()
    page.get_by_role("button", name="Pause").wait_for()
    page.get_by_role("button", name="Play").wait_for()
    assert trait(page, "time") == 1
    assert picture(page) != before
    assert "At the ring at t = 1.00" in words(page)


def test_with_reduced_motion_it_plays_still_pictures(page):
    page.emulate_media(reduced_motion="reduce")
    change(page, time=0.7)
    page.evaluate("""() => {
      const output = document.querySelector(".rf-crossing output");
      window.times = [];
      new MutationObserver(() => times.push(output.value)).observe(output, { childList: true });
    }""")
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("times.at(-1) === '1.00'")
    assert set(page.evaluate("times")) <= {"0.50", "0.75", "1.00"}


def test_reset_brings_all_back(page):
    change(page, starts=[[0, 0], [0, 1]], ends=[[1, 0], [1, 1]], blur=0.4, time=0.1)
    page.get_by_role("button", name="Reset").click()
    assert trait(page, "starts") == [[-1, -1], [-1, 1]]
    assert trait(page, "ends") == [[1, 1], [1, -1]]
    assert (trait(page, "blur"), trait(page, "time")) == (0.2, 0.5)


def test_the_controls_change_the_picture(page):
    pictures = [picture(page)]
    page.get_by_label("paths of the flow").uncheck()
    pictures.append(picture(page))
    page.get_by_label("blur").fill("0.4")
    pictures.append(picture(page))
    page.get_by_label("t", exact=True).fill("0.2")
    pictures.append(picture(page))
    assert (trait(page, "blur"), trait(page, "time"), trait(page, "paths")) == (0.4, 0.2, False)
    assert all(a != b for a, b in itertools.combinations(pictures, 2))


def test_of_the_paths_that_chapter_2_shows_two_are_rewired(page):
    change(page, starts=[[-1, -1], [-0.2, 0.2]])
    assert "Of the 24 paths, 2 are rewired." in words(page)
    change(page, blur=0.1)
    assert "Of the 24 paths, 0 are rewired." in words(page)
