"""What the playground costs in the browser: python -m benchmarks.playground

    python -m benchmarks.playground

Needs the built book (`make book`) and Chromium, which runs headless and without a GPU. Prints the
milliseconds a step for 2,000 particles, the largest error of the end points against torch, frames
per second while playing, the longest task of the page's main thread while the number of steps is
dragged about, and the bytes that the widgets bring to each page.
"""

import base64
import json
import statistics
from pathlib import Path

import torch
from playwright.sync_api import Browser, Page, sync_playwright

import rfteach as rf
from rfteach._widgets.front_end import esm
from rfteach._widgets.packing import pack_network
from scripts.built_book import Site
from scripts.find_chromium import find_chromium

BUILT = Path(__file__).parents[1] / "_build" / "html"
FLAGS = ["--no-sandbox", "--disable-gpu"]
ENGINE = esm("playground.js") + "\nexport { Network, atOnce, simdModule, solve };"
SOLVE = """async ([program, weights, sizes, start, solver, steps, simd, repeats]) => {
  const blob = new Blob([program], { type: "text/javascript" });
  const { Network, atOnce, simdModule, solve } = await import(URL.createObjectURL(blob));
  const bytes = Uint8Array.from(atob(weights), (letter) => letter.charCodeAt(0));
  const network = new Network(bytes, sizes, simd ? simdModule() : null);
  const cloud = new Float32Array(start);
  const once = () => atOnce(solve(network, cloud, solver, steps));
  const runs = Array.from({ length: repeats }, once);
  return [runs.map((run) => run.milliseconds), [...runs[0].states.at(-1)]];
}"""
# While it plays: pictures that are drawn in a second.
PLAY = """async () => {
  const widget = document.querySelector(".rf-widget");
  widget.scrollIntoView();
  const canvas = widget.querySelector("canvas"), { prototype } = CanvasRenderingContext2D;
  const { clearRect } = prototype;
  let frames = 0;
  prototype.clearRect = function (...box) { // each picture begins with it
    frames += this.canvas === canvas;
    clearRect.apply(this, box);
  };
  const begun = performance.now();
  [...widget.querySelectorAll("button")].find((b) => b.textContent === "Play").click();
  await new Promise((done) => setTimeout(done, 1500));
  return frames / (performance.now() - begun) * 1000;
}"""


def solve_both(
    page: Page, velocity: rf.VelocityMLP, solver: str, steps: int, simd: bool, repeats: int = 1
) -> tuple[float, float]:
    """Return the milliseconds a step in the browser, and the largest error of an end point."""
    content, sizes = pack_network("v", velocity)
    generator = torch.Generator().manual_seed(0)
    start = rf.Gaussian(2).sample(2000, generator=generator)
    weights = base64.b64encode(content).decode()
    arguments = [ENGINE, weights, sizes, start.flatten().tolist(), solver, steps, simd, repeats]
    milliseconds, end = page.evaluate(SOLVE, arguments)
    solved = (rf.heun if solver == "Heun" else rf.euler)(velocity, start, steps=steps).end
    error = (torch.tensor(end).reshape(-1, 2) - solved).abs().max().item()
    return statistics.median(milliseconds), error


def longest_task(browser: Browser, page: Page) -> float:
    """Drag the number of steps about, and return the longest time without an answer, in ms."""
    browser.start_tracing(page=page, categories=["toplevel", "disabled-by-default-lighthouse"])
    slider = page.get_by_label("Steps N")
    for steps in (100, 60, 90, 80, 100):
        slider.fill(str(steps))
        page.wait_for_timeout(100)
    page.wait_for_timeout(1500)
    events = json.loads(browser.stop_tracing())["traceEvents"]
    main = {
        (event["pid"], event["tid"])
        for event in events
        if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"
    }
    return max(
        event["dur"] / 1000
        for event in events
        if event["name"].endswith("RunTask")
        and "dur" in event
        and (event["pid"], event["tid"]) in main
    )


def random_network(width: int, depth: int) -> rf.VelocityMLP:
    """Return a network whose weights half precision can hold."""
    torch.manual_seed(0)
    velocity = rf.VelocityMLP(2, width=width, depth=depth)
    for parameter in velocity.parameters():
        parameter.data = parameter.data.half().float()
    return velocity


if __name__ == "__main__":
    torch.set_num_threads(1)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        page = browser.new_page()
        print("network, 2,000 particles   solver     ms a step (SIMD / plain)")
        for width, depth in ((64, 4), (128, 2), (128, 3)):
            for solver in ("Euler", "Heun"):
                velocity = random_network(width, depth)
                times = [
                    solve_both(page, velocity, solver, 20, simd, repeats=7)[0]
                    for simd in (True, False)
                ]
                layers = "-".join(map(str, [3, *[width] * depth, 2]))
                print(f"{layers:26s} {solver:9s}  {times[0]:5.1f} / {times[1]:5.1f}")
        worst = {True: 0.0, False: 0.0}
        for data in ("moons", "eight Gaussians", "circle"):
            for velocity in rf.pretrained(data).values():
                for solver in ("Euler", "Heun"):
                    for steps in (1, 20, 100):
                        for simd in worst:
                            error = solve_both(page, velocity, solver, steps, simd)[1]
                            worst[simd] = max(worst[simd], error)
        print(f"largest error of an end point: SIMD {worst[True]:.1e}, plain {worst[False]:.1e}")
        site = Site(BUILT)
        for name in site.pages():
            if weight := site.widget_weight(name):
                page.goto((BUILT / name).as_uri())
                line = f"{name}: {weight / 1000:.0f} kB of widgets"
                if page.locator("canvas").count():
                    page.wait_for_selector(".rf-widget")
                    line += f", {page.evaluate(PLAY):.0f} frames a second"
                if page.get_by_label("Steps N").count():
                    if page.get_by_label("Solver").count():
                        page.get_by_label("Solver").select_option("Heun")
                    line += f", longest task {longest_task(browser, page):.0f} ms"
                print(line)
        browser.close()
