"""The playground in a real browser, in a page without a kernel: right, usable, and light."""

import pytest
import torch
from site_checks import visit
from widget_pages import MODEL, PLACES, change, problems_in_place, widget_page

import rfteach as rf

DATA = {"moons": rf.Moons(), "eight Gaussians": rf.EightGaussians(), "circle": rf.Circle()}
MODELS = {name: rf.pretrained(name) for name in DATA}
SOLVERS = {
    "Euler": lambda velocity, x, steps: rf.euler(velocity, x, steps=steps),
    "Heun": lambda velocity, x, steps: rf.heun(velocity, x, steps=steps),
    "one step": lambda velocity, x, steps: rf.euler(velocity, x, steps=1),
}


def playground(**state):
    """All models and data sets that are shipped."""
    return rf.playground(MODELS, rf.Gaussian(2), DATA, beside="2-RF", **state)


@pytest.fixture(scope="module")
def address(tmp_path_factory, serve) -> str:
    """Return where a page with a playground is served."""
    folder = tmp_path_factory.mktemp("playground")
    return f"{serve(folder)}/{widget_page(folder, playground()).name}"


def ready(page):
    """Wait until the table has a row for each of the two models."""
    page.wait_for_function("document.querySelectorAll('.rf-widget tbody tr').length === 2")


@pytest.fixture
def page(address, open_context):
    """The page, with the widget in it; it must not complain."""
    with visit(open_context("light", 1280), address) as visited:
        ready(visited.page)
        yield visited.page
        assert visited.problems == []


@pytest.fixture(scope="module")
def loaded(address, open_context):
    """The page once for all tests that only compute with what is in it."""
    with visit(open_context("light", 1280), address) as visited:
        ready(visited.page)
        yield visited


@pytest.fixture
def same_page(loaded):
    """The page that other tests use too, to be left as it is; it must not complain."""
    yield loaded.page
    assert loaded.problems == []


def trait(page, name: str):
    """Read a trait of the widget."""
    return page.evaluate(f"{MODEL}.get('{name}')")


def numbers(page, row: int = 0) -> list[str]:
    """Read a row of the table: NFE, S, energy distance, milliseconds."""
    return page.locator(".rf-widget tbody tr").nth(row).locator("td").all_inner_texts()


# --- right

# The ends of the cloud, by what the widget itself uses: its own program and its own traits.
COMPUTE = f"""async ([data, name, solver, counts, plain]) => {{
  const model = {MODEL};
  const program = model.get("_esm") + "\\nexport {{ Parts, atOnce, solve }};";
  const address = URL.createObjectURL(new Blob([program], {{ type: "text/javascript" }}));
  const {{ Parts, atOnce, solve }} = await import(address);
  const parts = new Parts(model), start = parts.cloud(model.get("seed"));
  if (!parts.simd) throw new Error("this browser has no SIMD");
  if (plain) parts.simd = null;
  const network = parts.network(data, name);
  return counts.map((steps) => {{
    const flow = atOnce(solve(network, start, solver, steps));
    return [[...flow.states.at(-1)], flow.evaluations];
  }});
}}"""


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("data, name", [(data, name) for data in DATA for name in MODELS[data]])
def test_the_browser_and_torch_carry_the_noise_to_the_same_ends(same_page, data, name, solver):
    counts = [1, 7, 100]
    found = same_page.evaluate(COMPUTE, [data, name, solver, counts, False])
    start = playground().start
    for steps, (end, evaluations) in zip(counts, found, strict=True):
        path = SOLVERS[solver](MODELS[data][name], start, steps)
        assert evaluations == path.evaluations
        assert (torch.tensor(end).reshape(-1, 2) - path.end).abs().max() < 1e-3


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("name", MODELS["moons"])
def test_without_simd_the_ends_are_the_same_to_the_last_bit(same_page, name, solver):
    ends = [
        same_page.evaluate(COMPUTE, ["moons", name, solver, [4], plain]) for plain in (False, True)
    ]
    assert ends[0] == ends[1]


@pytest.mark.parametrize(
    "handicap",
    ["delete globalThis.WebAssembly", "WebAssembly.Module = () => { throw new Error('no') }"],
)
def test_a_browser_without_webassembly_shows_the_same(address, browser, handicap):
    context = browser.new_context()
    context.add_init_script(handicap)
    with visit(context, address) as visited:
        ready(visited.page)
        rows = [numbers(visited.page, row)[:3] for row in (0, 1)]
        assert visited.problems == []
    context.close()
    with visit(browser.new_context(), address) as visited:
        ready(visited.page)
        assert [numbers(visited.page, row)[:3] for row in (0, 1)] == rows
        visited.page.context.close()


@pytest.mark.parametrize("seed", [1, 999])
def test_the_seed_gives_the_same_noise_in_the_kernel(page, seed):
    change(page, seed=seed)
    found = page.evaluate(
        f"""async () => {{
          const model = {MODEL}, program = model.get("_esm") + "\\nexport {{ Parts }};";
          const blob = new Blob([program], {{ type: "text/javascript" }});
          const {{ Parts }} = await import(URL.createObjectURL(blob));
          return [...new Parts(model).cloud(model.get("seed"))];
        }}"""
    )
    assert torch.equal(torch.tensor(found).reshape(-1, 2), playground(seed=seed).start)


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"data": "eight Gaussians", "solver": "Heun", "steps": 8},
        {"solver": "one step", "model": "distilled"},
    ],
)
def test_the_table_shows_what_torch_measures(page, state):
    if state:
        change(page, **state)
    play = playground(**state)
    for row, name in enumerate([play.model, play.beside]):
        path = SOLVERS[play.solver](MODELS[play.data][name], play.start, play.steps)
        measured = trait(page, "results")[name]
        assert measured["NFE"] == path.evaluations
        energy = rf.energy_distance(path.end, play.target)
        # differences between means of single-precision distances of size 1
        assert measured["energy distance"] == pytest.approx(energy, abs=2e-5)
        shown = numbers(page, row)
        assert shown[0] == str(path.evaluations) and float(
            shown[2].replace("\N{MINUS SIGN}", "-")
        ) == round(energy, 3)
        if len(path.times) == 2:
            assert measured["S"] is None and shown[1] == "\N{EN DASH}"
        else:
            assert measured["S"] == pytest.approx(rf.straightness(path), rel=1e-3)
            assert float(shown[1]) == pytest.approx(measured["S"], rel=0.05)
        assert measured["ms per step"] > 0


# --- usable


def test_it_takes_the_place_of_its_picture(address, open_context):
    with visit(open_context(*PLACES[0]), address) as visited:
        ready(visited.page)
        widget = visited.page.locator(".rf-widget")
        assert widget.evaluate("box => box.style.colorScheme") == "dark"
        assert problems_in_place(visited) == []
        assert widget.evaluate("box => box.style.colorScheme") == "light"


def test_the_keyboard_reaches_and_moves_everything(page):
    names = []
    page.locator("h1").click()
    for _ in range(13):
        page.keyboard.press("Tab")
        names.append(
            page.evaluate(
                "(document.activeElement.labels?.[0] ?? document.activeElement).textContent"
                " || document.activeElement.ariaLabel"
            )
        )
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid", names[-1]
        if names[-1] == "Steps N":
            page.keyboard.press("ArrowRight")
            page.keyboard.press("ArrowRight")
    expected = ["Data", "Model", "Beside it", "Solver", "Steps N", "New noise"]
    expected += ["The plane with the particles of 1-RF", "The plane with the particles of 2-RF"]
    expected += ["Play", "t", "paths", "straight lines", "velocity"]
    assert [name.split(".")[0] for name in names] == expected
    page.wait_for_function(f"{MODEL}.get('results')['1-RF'].NFE === 22")
    assert trait(page, "steps") == 22 and numbers(page)[0] == "22"


def test_one_step_has_no_number_of_steps(page):
    page.get_by_label("Solver").select_option("one step")
    assert page.get_by_label("Steps N").is_disabled()
    page.wait_for_function(f"{MODEL}.get('results')['1-RF'].NFE === 1")
    page.get_by_label("Solver").select_option("Heun")
    assert page.get_by_label("Steps N").is_enabled()
    page.wait_for_function(f"{MODEL}.get('results')['1-RF'].NFE === 40")


def test_a_click_drops_a_particle_and_the_arrow_keys_move_it(page):
    canvas = page.locator("canvas").first
    box = canvas.bounding_box()
    # in a plane from -3 to 3 the middle is 0, and a sixth of the width is 1
    canvas.click(position={"x": box["width"] * 2 / 3, "y": box["height"] / 2})
    x, y = trait(page, "selected")
    assert (x, y) == (1, 0)  # rounded to tenths
    page.keyboard.press("ArrowDown")
    dropped = torch.tensor([[x, y - 0.1]])
    assert trait(page, "selected") == pytest.approx(dropped[0].tolist(), abs=1e-6)
    page.wait_for_selector("p[role=status]:text('starts at (1.00, \N{MINUS SIGN}0.10)')")
    words = page.locator("p[role=status]").inner_text().replace("\N{MINUS SIGN}", "-")
    for name in ("1-RF", "2-RF"):
        end = rf.euler(MODELS["moons"][name], dropped, steps=20).end[0].tolist()
        assert f"{name} carries it to ({end[0]:.2f}, {end[1]:.2f})." in words
    page.keyboard.press("Escape")
    assert trait(page, "selected") == []
    page.wait_for_selector("p[role=status]:text('drop a particle')")


def test_a_tap_drops_a_particle(address, browser):
    context = browser.new_context(viewport={"width": 375, "height": 700}, has_touch=True)
    with visit(context, address) as visited:
        ready(visited.page)
        visited.page.locator("canvas").last.tap()
        assert len(trait(visited.page, "selected")) == 2
        assert visited.problems == []
    context.close()


def pixels(page) -> str:
    """Return what the first panel shows, drawn anew."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return page.locator("canvas").first.evaluate("canvas => canvas.toDataURL()")


@pytest.mark.parametrize(
    "state",
    [{"time": 0.3}, {"paths": False}, {"lines": True}, {"arrows": True}],
)
def test_the_picture_shows_what_is_chosen(page, state):
    before = pixels(page)
    page.evaluate(f"state => Object.entries(state).forEach(([k, v]) => {MODEL}.set(k, v))", state)
    assert pixels(page) != before


def test_it_plays_to_the_end_and_can_be_stopped(page):
    page.get_by_label("t", exact=True).fill("0.5")
    assert trait(page, "time") == 0.5
    page.get_by_role("button", name="Play").click()
    page.get_by_role("button", name="Pause").click()
    assert 0.5 <= trait(page, "time") < 1
    page.get_by_role("button", name="Play").click()
    page.wait_for_function(f"{MODEL}.get('time') === 1")
    assert page.get_by_role("button", name="Play").is_visible()


def test_less_motion_means_still_pictures(address, browser):
    context = browser.new_context(reduced_motion="reduce")
    with visit(context, address) as visited:
        page = visited.page
        ready(page)
        page.locator("canvas").first.click()  # drops a particle, and moves nothing
        assert page.get_by_role("button", name="Play").is_visible()
        page.evaluate(
            """window.shown = new Set();
            const look = () => {
              shown.add(document.querySelectorAll(".rf-slider output")[1].value);
              requestAnimationFrame(look);
            };
            look()"""
        )
        page.get_by_role("button", name="Play").click()
        page.wait_for_selector("button:text('Pause')")
        page.wait_for_selector("button:text('Play')")
        seen = page.evaluate("[...shown].sort()")
        assert set(seen) <= {"0.00", "0.25", "0.50", "0.75", "1.00"} and len(seen) >= 4
    context.close()


def test_without_scripts_there_is_a_picture(address, browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    assert page.locator(".rf-widget").count() == 0
    picture = page.locator(".rf-still img")
    assert picture.bounding_box()["width"] > 300
    assert "1-RF and that of 2-RF" in picture.get_attribute("alt")
    context.close()


def test_a_second_click_starts_the_animation_anew(page):
    """One animation at a time: after the second click the time rises without falling back."""
    canvas = page.locator("canvas").first
    canvas.click(position={"x": 100, "y": 100})
    page.wait_for_function("Number(document.querySelectorAll('.rf-slider output')[1].value) > 0.2")
    canvas.click(position={"x": 150, "y": 100})
    times = page.evaluate(
        """new Promise((done) => {
          const times = [], output = document.querySelectorAll(".rf-slider output")[1];
          const look = () => {
            times.push(Number(output.value));
            times.length < 30 ? requestAnimationFrame(look) : done(times);
          };
          requestAnimationFrame(() => requestAnimationFrame(look));
        })"""
    )
    assert times == sorted(times) and times[0] < 0.2


def test_two_widgets_on_a_page_keep_apart(tmp_path, serve, browser):
    first, second = playground(), playground(steps=7)
    page = browser.new_page()
    page.goto(f"{serve(tmp_path)}/{widget_page(tmp_path, first, second, second).name}")
    page.wait_for_function("document.querySelectorAll('.rf-widget tbody tr').length === 6")
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((element) => element.id)")
    assert len(ids) == len(set(ids))
    page.locator(".rf-widget").nth(1).get_by_text("straight lines").click()
    boxes = page.get_by_label("straight lines")
    # the third shows the second once more
    assert [boxes.nth(i).is_checked() for i in range(3)] == [False, True, True]
    page.close()


def test_a_model_that_a_data_set_lacks_is_told(tmp_path, serve, browser):
    some = {"moons": MODELS["moons"], "circle": {"1-RF": MODELS["circle"]["1-RF"]}}
    widget = rf.playground(some, rf.Gaussian(2), {name: DATA[name] for name in some}, beside="2-RF")
    widget.arrows = True
    with visit(browser, f"{serve(tmp_path)}/{widget_page(tmp_path, widget).name}") as visited:
        ready(visited.page)
        change(visited.page, data="circle")
        assert numbers(visited.page, 1) == ["\N{EN DASH}"] * 4
        assert visited.page.get_by_text("2-RF: not for these data").is_visible()
        assert visited.problems == []


def test_with_few_controls_it_shows_itself(tmp_path, serve, open_context):
    """It plays once, and has a slider for N, new noise, and the names of the two models."""
    widget = playground(controls="few", steps=20)
    address = f"{serve(tmp_path)}/{widget_page(tmp_path, widget).name}"
    with visit(open_context("light", 1280), address) as visited:
        page = visited.page
        page.wait_for_function(f"{MODEL}.get('results')['2-RF'] !== undefined")
        page.get_by_role("button", name="Pause").wait_for()
        page.get_by_role("button", name="Play").wait_for()  # at t = 1
        assert page.locator(".rf-caption").all_inner_texts() == ["1-RF", "2-RF"]
        assert page.locator(".rf-widget input").count() == 1
        assert page.locator(".rf-widget :is(table, select)").count() == 0
        page.get_by_label("Steps N").fill("1")
        page.wait_for_function(f"{MODEL}.get('results')['2-RF'].NFE === 1")
        assert visited.problems == []
