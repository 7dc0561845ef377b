// The playground: flows that are computed in the page, as the reader turns the controls.

import { halfFloats, pickedPoints } from "./bytes.js";
import { Clock, stayCalm } from "./clock.js";
import { button, check, choice, follow, make, number, put, slider } from "./controls.js";
import { atOnce, inSlices, spread } from "./flow.js";
import { Network, simdModule } from "./network.js";
import { Panel } from "./panel.js";
import { onceAFrame, onNewLook } from "./plane.js";

const SECONDS = 4; // from t = 0 to t = 1
const COLUMNS = { // of the table, with their digits
  NFE: (value) => String(value),
  S: (value) => value.toPrecision(2),
  "energy distance": (value) =>
    (value < 1000 ? value.toFixed(3) : value.toPrecision(2)).replace("-", "\u2212"),
  "ms per step": (value) => value.toFixed(1),
};

/** What Python sent, unpacked: networks, source points and data. */
class Parts {
  constructor(model) {
    this.about = model.get("_about");
    this.weights = model.get("_weights");
    this.pool = halfFloats(model.get("_source"));
    this.points = halfFloats(model.get("_targets"));
    this.simd = simdModule();
    this.networks = new Map();
    this.targets = new Map();
  }

  /** A model that was trained on a data set; undefined if there is none. */
  network(data, name) {
    const entry = this.about.networks.find((each) => each.data === data && each.model === name);
    if (entry && !this.networks.has(entry)) {
      const { buffer, byteOffset } = this.weights;
      const bytes = new Uint8Array(buffer, byteOffset + entry.offset, entry.bytes);
      this.networks.set(entry, new Network(bytes, entry.sizes, this.simd));
    }
    return this.networks.get(entry);
  }

  /** { points, spread } of a data set. */
  target(data) {
    if (!this.targets.has(data)) {
      const each = this.points.length / this.about.data.length;
      const first = this.about.data.indexOf(data) * each;
      const points = this.points.subarray(first, first + each);
      this.targets.set(data, { points, spread: atOnce(spread(points)) });
    }
    return this.targets.get(data);
  }

  /** The cloud of a seed. */
  cloud(seed) {
    return pickedPoints(this.pool, 2, seed, this.about.particles);
  }
}

class Playground {
  #redraw = onceAFrame(() => this.#draw());

  constructor(model, element) {
    this.model = model;
    this.parts = new Parts(model);
    this.undo = [];
    this.panels = ["model", "beside"].map((trait, i) =>
      new Panel(model, trait, ["Model", "Beside it"][i], this.parts, this.undo));
    for (const { plane } of this.panels)
      plane.canvas.onclick = (event) => {
        put(model, "selected", plane.at(event).map((value) => Math.round(10 * value) / 10));
        if (!stayCalm()) this.clock.start(0);
      };
    this.#build(element);
    const on = (traits, action) => follow(model, traits, this.undo, action);
    const all = ["data", "model", "beside", "solver", "steps", "seed", "noise", "fading"];
    on(all, () => this.#solve());
    on([...all, "selected"], () => this.#drop());
    on(["paths", "arrows", "lines"], () => this.#redraw());
    on(["solver", "steps"], () => {
      const one = model.get("solver") === "one step";
      this.steps.input.disabled = one;
      this.steps.show(one ? 1 : model.get("steps"));
    });
    this.undo.push(onNewLook(this.element, () => this.#redraw()));
    if (this.few && !stayCalm()) this.clock.start(0);
  }

  get few() {
    return this.model.get("controls") === "few";
  }

  close() {
    this.closed = true;
    this.stopJob?.();
    this.stopDrop?.();
    for (const action of this.undo) action();
  }

  #build(element) {
    const { model, undo, panels } = this, { data, noisy } = this.parts.about;
    const row = (...children) => make("div", { className: "rf-row" }, ...children);
    this.steps = slider(model, "steps", "Steps N", [1, 100, 1], 0, undo);
    this.clock = new Clock(model, SECONDS, () => this.#redraw(), undo);
    const anew = button("New noise", () => put(model, "seed", (model.get("seed") + 1) % 1000));
    const solvers = noisy ? [] : [choice(model, "solver", "Solver", ["Euler", "Heun", "one step"], undo)];
    const strength = noisy ? [slider(model, "noise", "Noise \u03b3", [0, 4, 0.1], 1, undo)] : [];
    const fading = noisy ? [check(model, "fading", "noise fades toward t = 1", undo)] : [];
    this.figures = make("tbody");
    const head = ["model", ...Object.keys(COLUMNS)].map((name) =>
      make("th", { scope: "col", textContent: name }));
    this.words = make("p", { role: "status" });
    const shown = make("div", { className: "rf-panels" }, ...panels.map((panel) => panel.element));
    const all = () => [
      row(...(data.length > 1 ? [choice(model, "data", "Data", data, undo)] : []),
        ...panels.map((panel) => panel.choice), ...solvers),
      row(...strength, this.steps, anew),
      shown,
      row(this.clock.button, this.clock.slider),
      row(check(model, "paths", "paths", undo), check(model, "lines", "straight lines", undo),
        check(model, "arrows", "velocity", undo), ...fading),
      make("table", {}, make("thead", {}, make("tr", {}, ...head)), this.figures),
      this.words];
    const few = () => [shown, row(...strength, this.steps, anew, this.clock.button)];
    this.element = make("section", { className: "rf-widget", ariaLabel: "Playground" },
      ...(this.few ? few() : all()));
    element.append(this.element);
  }

  /** Compute anew. A solution under way is finished and shown first, so that a slider stays live. */
  #solve() {
    this.stale = true;
    this.figures.className = "rf-stale"; // until the numbers are those of what is chosen
    if (this.working) return;
    this.working = true;
    this.stopJob = inSlices(this.#work(), () => (this.working = false));
  }

  *#work() {
    while (this.stale) {
      this.stale = false;
      const { model, panels } = this, target = this.parts.target(model.get("data"));
      const start = this.parts.cloud(model.get("seed"));
      for (const panel of panels) yield* panel.solve(start);
      this.#redraw();
      const results = {};
      for (const panel of panels)
        if (panel.flow && !this.stale) results[panel.name] = yield* panel.measure(target);
      if (!this.stale) this.#report(results);
    }
  }

  /** Fill the table, and tell the kernel. */
  #report(results) {
    const rows = this.panels.filter((panel) => panel.name).map(({ name, color }) => {
      const swatch = make("span", { className: "rf-swatch" }), measured = results[name];
      swatch.style.background = color;
      const cells = Object.entries(COLUMNS).map(([column, digits]) => {
        const value = measured?.[column]; // null for the S of one step
        return make("td", { textContent: Number.isFinite(value) ? digits(value) : "\u2013" });
      });
      const title = measured ? name : `${name}: not for these data`;
      return make("tr", {}, make("th", { scope: "row" }, swatch, title), ...cells);
    });
    this.figures.replaceChildren(...rows);
    this.figures.className = "";
    put(this.model, "results", results);
  }

  /** Follow the dropped particle, which is one point and soon done. */
  #drop() {
    this.stopDrop?.();
    const job = function* (panels) {
      for (const panel of panels) yield* panel.drop();
    };
    this.stopDrop = inSlices(job(this.panels), () => {
      this.#describe();
      this.#redraw();
    });
  }

  /** Say where it goes. */
  #describe() {
    const round = (point) => `(${Array.from(point, number).join(", ")})`;
    const sentences = this.panels.filter((panel) => panel.dropped).map(({ name, dropped }) => {
      const end = dropped.at(-1), ends = [];
      for (let i = 0; i < end.length; i += 2) ends.push(round(end.subarray(i, i + 2)));
      const what = ends.length > 1 ? `its ${ends.length} copies, with noise,` : "it";
      return `${name} carries ${what} to ${ends.join(", ")}.`;
    });
    this.words.textContent = sentences.length
      ? `Your particle starts at ${round(this.model.get("selected"))}. ${sentences.join(" ")}`
      : "Click or tap in the plane to drop a particle there at t = 0.";
  }

  #draw() {
    if (this.closed) return;
    const { points } = this.parts.target(this.model.get("data"));
    for (const panel of this.panels) panel.draw(this.clock.t, points);
  }
}

export default {
  render({ model, el }) {
    const playground = new Playground(model, el);
    return () => playground.close();
  },
};
