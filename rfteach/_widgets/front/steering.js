// A measurement that the reader drags, and the exact flow of a mixture that is steered to it.

import { Clock } from "./clock.js";
import { button, check, choice, follow, make, number, put, slider } from "./controls.js";
import { energyDistance, inSlices, spread, stateAt } from "./flow.js";
import { Handle } from "./handle.js";
import { direction, meanAndWidth, posteriorPoints, steeredFlow } from "./mixture.js";
import { normals } from "./noise.js";
import { onceAFrame, onNewLook, Plane } from "./plane.js";

const SECONDS = 4; // from t = 0 to t = 1
const PATHS = 12; // particles whose paths are drawn
const GOAL = ["measured", "angle", "error", "pull", "scale"];
const PULLS = [["naive", "naive"], ["by time", "spread by time"], ["jacobian", "spread by jacobian"]];

const finite = (value) => (Number.isFinite(value) ? value : null);
const shown = (value, digits = 2) => // numbers of a flow that flies apart are large
  value === null ? "\u2013"
    : (Math.abs(value) < 1000 ? value.toFixed(digits) : value.toExponential(0)).replace("-", "\u2212");

class Steering {
  #redraw = onceAFrame(() => this.#draw());

  constructor(model, element) {
    this.model = model;
    this.undo = [];
    this.colors = model.get("_colors");
    this.plane = new Plane(model.get("_limit"), "The plane with the band of the measurement, the " +
      "posterior, and the particles");
    this.plane.canvas.removeAttribute("tabindex"); // only the handle on it is for the keyboard
    this.plane.canvas.setAttribute("role", "img");
    this.handle = new Handle(this.plane, "y", this.colors.line, () => this.#foot(),
      (point) => this.#measure(point));
    this.clock = new Clock(model, SECONDS, () => this.#redraw(), this.undo);
    this.#build(element);
    const on = (traits, action) => follow(model, traits, this.undo, action);
    on([...GOAL, "steps", "seed"], () => this.#solve());
    on(["measured", "angle"], () => this.handle.show(`Measured ${number(model.get("measured"))}`));
    on(["paths", "posterior"], () => this.#redraw());
    this.undo.push(onNewLook(this.element, () => this.#redraw()));
  }

  close() {
    this.closed = true;
    this.stopJob?.();
    for (const action of this.undo) action();
  }

  #build(element) {
    const { model, undo, clock, plane } = this;
    const row = (...children) => make("div", { className: "rf-row" }, ...children);
    const anew = button("New noise", () => put(model, "seed", (model.get("seed") + 1) % 1000));
    const mark = (name, word) => {
      const swatch = make("span", { className: "rf-swatch" });
      swatch.style.background = this.colors[name];
      return make("span", {}, swatch, word);
    };
    const head = ["along the dashed line", "mean", "width"].map((name) =>
      make("th", { scope: "col", textContent: name }));
    this.cells = { ends: ["", ""], posterior: ["", ""] };
    const rows = [["ends", "1-RF", "steered"], ["posterior", "target", "posterior"]];
    const body = rows.map(([key, color, word]) => {
      this.cells[key] = this.cells[key].map(() => make("td"));
      return make("tr", {}, make("th", { scope: "row" }, mark(color, word)), ...this.cells[key]);
    });
    this.words = make("p", { role: "status" });
    this.results = make("div", {}, make("table", {},
      make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...body)), this.words);
    this.element = make("section", { className: "rf-widget rf-steering", ariaLabel: "Steering" },
      make("div", { className: "rf-stage" }, plane.canvas, this.handle.element),
      make("div", { className: "rf-side" },
        make("p", { textContent: "Drag the handle y: the measured value, and with it the gray band " +
          "(two errors to each side)." }),
        row(choice(model, "pull", "Pull", PULLS, undo)),
        row(slider(model, "scale", "Scale", [0, 1, 0.01], 2, undo)),
        row(slider(model, "steps", "Steps N", [1, 100, 1], 0, undo)),
        row(slider(model, "error", "Error", [0.05, 0.5, 0.01], 2, undo)),
        row(slider(model, "angle", "Angle (\u00b0)", [0, 180, 5], 0, undo)),
        row(clock.button, clock.slider),
        row(check(model, "posterior", "posterior", undo), check(model, "paths", "paths", undo)),
        row(anew, button("Reset", () => this.#reset())),
        this.results));
    element.append(this.element);
  }

  /** Where the handle is: on the line through the center along which is measured. */
  #foot() {
    return direction(this.model.get("angle")).map((part) => part * this.model.get("measured"));
  }

  /** Measure what a point would read, within the plane. */
  #measure([x, y]) {
    const [h, k] = direction(this.model.get("angle")), { limit } = this.plane;
    const value = Math.max(-limit, Math.min(limit, h * x + k * y));
    put(this.model, "measured", Math.round(100 * value) / 100);
  }

  #reset() {
    this.clock.pause();
    for (const [trait, value] of Object.entries(this.model.get("_first")))
      put(this.model, trait, value);
  }

  /** Compute anew. A flow under way is finished and shown first, so that dragging stays live. */
  #solve() {
    this.stale = true;
    this.results.className = "rf-stale"; // until the numbers are those of what is chosen
    this.#redraw(); // the band
    if (this.working) return;
    this.working = true;
    this.stopJob = inSlices(this.#work(), () => (this.working = false));
  }

  *#work() {
    const { model } = this, mixture = model.get("_mixture");
    while (this.stale) {
      this.stale = false;
      const goal = Object.fromEntries(GOAL.map((name) => [name, model.get(name)]));
      const numbers = (stream, each) =>
        normals(model.get("seed"), stream)(new Float64Array(each * model.get("_particles")));
      const posterior = posteriorPoints(mixture, goal, numbers(1, 4));
      const states = yield* steeredFlow(mixture, goal, numbers(0, 2), model.get("steps"));
      Object.assign(this, { states, posterior });
      this.#redraw();
      if (this.stale) continue;
      const distance = yield* energyDistance(states.at(-1), posterior, yield* spread(posterior));
      if (!this.stale) this.#report(goal, distance);
    }
  }

  /** Say how near the ends are to the posterior, and tell the kernel. */
  #report({ angle }, distance) {
    const results = {
      "energy distance": finite(distance),
      ends: meanAndWidth(this.states.at(-1), angle).map(finite),
      posterior: meanAndWidth(this.posterior, angle),
    };
    for (const [key, cells] of Object.entries(this.cells))
      cells.forEach((cell, i) => (cell.textContent = shown(results[key][i])));
    this.words.textContent =
      `Energy distance to the posterior: ${shown(results["energy distance"], 3)}.`;
    this.results.className = "";
    put(this.model, "results", results);
  }

  /** The band of the measurement, two errors to each side, and the line that the handle is on. */
  #drawBand() {
    const { plane, colors, model } = this, { limit } = plane;
    const [h, k] = direction(model.get("angle")), [x, y] = this.#foot(), far = 3 * limit;
    const width = (4 * model.get("error") * plane.side) / (2 * limit); // in pixels
    plane.line([[x - far * k, y + far * h], [x + far * k, y - far * h]], colors.line,
      { width, alpha: 0.25 });
    plane.line([[-far * h, -far * k], [far * h, far * k]], colors.line, { dash: [4, 4], alpha: 0.8 });
  }

  #draw() {
    if (this.closed) return;
    const { plane, colors, states, model } = this;
    plane.clear();
    this.#drawBand();
    if (!states) return;
    if (model.get("posterior")) plane.points(this.posterior, colors.target, { size: 4, alpha: 0.8 });
    const start = states[0];
    if (model.get("paths"))
      for (let i = 0; i < 2 * Math.min(PATHS, start.length / 2); i += 2) {
        const path = states.map((state) => [state[i], state[i + 1]]);
        plane.line(path, colors["1-RF"], { alpha: 0.8 });
        plane.points(path[0], colors.source, { size: 6, alpha: 1 });
      }
    plane.points(stateAt(states, this.clock.t), colors["1-RF"], { size: 2, alpha: 1 });
  }
}

export default {
  render({ model, el }) {
    const steering = new Steering(model, el);
    return () => steering.close();
  },
};
