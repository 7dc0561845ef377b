// The image playground: small images that are drawn in the page, by several flows from one noise.

import { halfFloats, pickedPoints } from "./bytes.js";
import { Clock } from "./clock.js";
import { button, choice, follow, make, put, slider } from "./controls.js";
import { atOnce, solve, stateAt } from "./flow.js";
import { Network, simdModule } from "./network.js";
import { onceAFrame } from "./plane.js";

const SECONDS = 4; // from t = 0 to t = 1
const COLUMNS = 10; // images in a row

/** What Python sent, unpacked, and the flows of it. */
class Flows {
  constructor(model) {
    this.about = model.get("_about");
    this.dim = this.about.height * this.about.width;
    this.pool = halfFloats(model.get("_source"));
    this.simd = simdModule();
    const { buffer, byteOffset } = model.get("_weights");
    this.networks = new Map(this.about.networks.map(({ model: name, offset, bytes, sizes }) =>
      [name, new Network(new Uint8Array(buffer, byteOffset + offset, bytes), sizes, this.simd)]));
  }

  /** The noises of a seed. */
  start(seed) {
    return pickedPoints(this.pool, this.dim, seed, this.about.images);
  }

  /** The labels to draw: the one that is chosen, or one after another. */
  labels(chosen) {
    const { names, images } = this.about, k = names.indexOf(chosen);
    return Array.from({ length: images }, (_, i) => (k < 0 ? i % names.length : k));
  }

  /** Solve a flow, as flow.js says. */
  solve(name, seed, chosen, steps) {
    const one = this.about.one_step.includes(name);
    const network = this.networks.get(name).labeled(this.labels(chosen));
    return atOnce(solve(network, this.start(seed), "Euler", one ? 1 : steps));
  }
}

/** A model: what it is, and its images. */
class Row {
  constructor(name, { height, width, images }) {
    Object.assign(this, { name, height, width });
    const rows = Math.ceil(images / COLUMNS);
    this.canvas = make("canvas", { className: "rf-images", role: "img" });
    this.canvas.width = COLUMNS * (width + 1) - 1;
    this.canvas.height = rows * (height + 1) - 1;
    this.caption = make("div", { className: "rf-caption" });
    this.element = make("div", { className: "rf-sheet" }, this.caption, this.canvas);
  }

  /** Take another flow. */
  take(flow, label) {
    this.flow = flow;
    const count = flow.evaluations, steps = `${count} step${count > 1 ? "s" : ""}`;
    this.caption.textContent = `${this.name}, ${steps}`;
    this.canvas.ariaLabel = `Images of ${label} by ${this.name} in ${steps}`;
  }

  /** Draw where the images are at time t; -1 is black, 1 is white. */
  draw(t) {
    const { canvas, height, width } = this, size = height * width;
    const context = canvas.getContext("2d");
    const picture = context.createImageData(canvas.width, canvas.height);
    stateAt(this.flow.states, t).forEach((value, i) => {
      const image = Math.floor(i / size), place = i % size;
      const y = Math.floor(image / COLUMNS) * (height + 1) + Math.floor(place / width);
      const x = (image % COLUMNS) * (width + 1) + (place % width);
      const gray = Math.max(0, Math.min(255, Math.round(127.5 * (value + 1))));
      picture.data.set([gray, gray, gray, 255], 4 * (y * canvas.width + x));
    });
    context.putImageData(picture, 0, 0);
  }
}

class ImagePlayground {
  #redraw = onceAFrame(() => this.#draw());
  #resolve = onceAFrame(() => this.#solve());

  constructor(model, element) {
    this.model = model;
    this.flows = new Flows(model);
    this.undo = [];
    this.rows = [...this.flows.networks.keys()].map((name) => new Row(name, this.flows.about));
    this.#build(element);
    this.#solve();
    follow(model, ["steps", "seed", "label"], this.undo, () => this.#resolve());
  }

  close() {
    this.closed = true;
    for (const action of this.undo) action();
  }

  #build(element) {
    const { model, undo } = this;
    const row = (...children) => make("div", { className: "rf-row" }, ...children);
    this.clock = new Clock(model, SECONDS, () => this.#redraw(), undo);
    const noise = button("New noise", () => put(model, "seed", (model.get("seed") + 1) % 100));
    const labels = ["each", ...this.flows.about.names];
    element.append(make("section", { className: "rf-widget", ariaLabel: "Image playground" },
      row(slider(model, "steps", "Steps N", [1, 50, 1], 0, undo), noise,
        choice(model, "label", "Label", labels, undo)),
      ...this.rows.map(({ element: sheet }) => sheet),
      row(this.clock.button, this.clock.slider)));
  }

  #solve() {
    if (this.closed) return;
    const { model } = this, results = {};
    const [seed, label, steps] = ["seed", "label", "steps"].map((trait) => model.get(trait));
    for (const row of this.rows) {
      const flow = this.flows.solve(row.name, seed, label, steps);
      row.take(flow, label === "each" ? "each label" : label);
      results[row.name] = { NFE: flow.evaluations, "ms per step": flow.milliseconds };
    }
    put(model, "results", results);
    this.#redraw();
  }

  #draw() {
    if (this.closed) return;
    for (const row of this.rows) row.draw(this.clock.t);
  }
}

export default {
  render({ model, el }) {
    const playground = new ImagePlayground(model, el);
    return () => playground.close();
  },
};
