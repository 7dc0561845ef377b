// One panel of the playground: a model, its flow of the cloud, and the picture of it.

import { choice, follow, make, put } from "./controls.js";
import { energyDistance, solve, stateAt, straightness } from "./flow.js";
import { noisyStep, normals } from "./noise.js";
import { Plane } from "./plane.js";

const PATHS = 40; // particles whose paths are drawn
const RANDOM_PATHS = 4; // the same in a playground with noise, where they are drawn up to time t
const COPIES = 5; // of the dropped particle, if there is noise: one start, several paths
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] };

/** The path of particle i as points [x, y]. */
const pathOf = (states, i) => states.map((state) => [state[2 * i], state[2 * i + 1]]);

/** The same up to time t, where the cloud is `now`. */
const trailOf = (states, i, t, now) =>
  pathOf([...states.slice(0, Math.ceil(t * (states.length - 1))), now], i);

export class Panel {
  /** `trait` names the model shown: "model" or "beside". */
  constructor(model, trait, label, parts, undo) {
    Object.assign(this, { model, trait, parts });
    const { limit, colors, models } = parts.about, names = models.map(({ name }) => name);
    Object.assign(this, { limit, colors });
    this.plane = new Plane(limit, "");
    const options = trait === "beside" ? [["", "nothing"], ...names] : names;
    this.choice = names.length > 1 ? choice(model, trait, label, options, undo) : "";
    const caption = make("div", { className: "rf-caption" });
    const few = model.get("controls") === "few"; // no list then says which model it is
    this.element = make("div", { className: "rf-panel" }, ...(few ? [caption] : []), this.plane.canvas);
    this.plane.canvas.dataset.lmSuppressShortcuts = "true"; // no key is for JupyterLab here
    this.plane.canvas.onkeydown = (event) => this.#key(event);
    follow(model, [trait], undo, () => {
      this.element.hidden = !this.name;
      caption.textContent = this.name;
      this.plane.canvas.setAttribute("aria-label", `The plane with the particles of ${this.name}. ` +
        "A click drops a particle, the arrow keys move it, Escape takes it away.");
    });
  }

  get name() {
    return this.model.get(this.trait);
  }

  get color() {
    return this.parts.about.models.find(({ name }) => name === this.name).color;
  }

  /** The network shown, or undefined where the data set has no such model. */
  get network() {
    return this.name && this.parts.network(this.model.get("data"), this.name);
  }

  #key(event) {
    const step = KEYS[event.key];
    if (!step && event.key !== "Escape") return;
    event.preventDefault();
    const from = this.model.get("selected");
    const held = (value) => Math.max(-this.limit, Math.min(this.limit, value));
    const by = (v, i) => held(Math.round(10 * v + step[i]) / 10); // no rounding errors add up
    const moved = step && (from.length ? from.map(by) : [0, 0]);
    put(this.model, "selected", moved ?? []);
  }

  /** Follow the model from some points, with the noise of the seed if there is any. */
  *#follow(start, stream) {
    const { model } = this, noise = model.get("noise");
    const g = model.get("fading") ? (t) => noise * Math.sqrt(1 - t) : () => noise;
    const step = noise ? noisyStep(g, normals(model.get("seed"), stream)) : undefined;
    return yield* solve(this.network, start, model.get("solver"), model.get("steps"), step);
  }

  /** Solve for the whole cloud. */
  *solve(start) {
    this.flow = this.network ? yield* this.#follow(start, 0) : null;
  }

  /** What the table shows. */
  *measure({ points, spread }) {
    const { states, evaluations, milliseconds } = this.flow;
    return {
      NFE: evaluations,
      S: this.model.get("noise") ? null : yield* straightness(states), // of a flow alone
      "energy distance": yield* energyDistance(states.at(-1), points, spread),
      "ms per step": milliseconds,
    };
  }

  /** Solve for the particle that the reader dropped. */
  *drop() {
    const point = this.model.get("selected"), copies = this.model.get("noise") ? COPIES : 1;
    const start = Float32Array.from(Array(copies).fill(point).flat());
    const flow = this.network && point.length ? yield* this.#follow(start, 1) : null;
    this.dropped = flow ? flow.states : null;
  }

  draw(t, target) {
    if (!this.name) return;
    const { plane, model, color, flow, colors } = this;
    plane.clear();
    const size = Math.max(1.4, plane.side / 170);
    plane.points(target, colors.target, { size: size + 1.5, alpha: 0.4 });
    if (!flow || !this.network) return;
    const { states } = flow, steps = states.length - 1, now = stateAt(states, t);
    const { noisy } = this.parts.about;
    const chord = (i) => [pathOf([states[0]], i)[0], pathOf([states[steps]], i)[0]];
    const shown = Math.min(noisy ? RANDOM_PATHS : PATHS, states[0].length / 2);
    plane.points(now, color, { size });
    if (model.get("lines"))
      for (let i = 0; i < shown; i++) plane.line(chord(i), colors.line);
    if (model.get("paths"))
      for (let i = 0; i < shown; i++) {
        plane.line(noisy ? trailOf(states, i, t, now) : pathOf(states, i), color, { width: 1.2 });
        if (noisy) plane.dot(now.subarray(2 * i, 2 * i + 2), color, 4);
      }
    if (model.get("arrows")) this.#arrows(t);
    if (this.dropped) this.#drawDropped(t);
  }

  /** The dropped particle and its path, or its copies and their paths up to time t. */
  #drawDropped(t) {
    const { plane, dropped, color, colors } = this, [start, end] = [dropped[0], dropped.at(-1)];
    const now = stateAt(dropped, t), one = now.length === 2;
    if (one) plane.line([start, end], plane.ink, { width: 1.5, dash: [5, 4] });
    for (let i = 0; i < now.length / 2; i++) {
      const path = one ? pathOf(dropped, i) : trailOf(dropped, i, t, now);
      plane.line(path, plane.ink, { width: one ? 2.5 : 1.2 });
    }
    plane.dot(start, colors.source);
    for (let i = 0; i < now.length; i += 2) plane.dot(now.subarray(i, i + 2), color, 6);
  }

  /** The velocity on a grid, as figures.arrows draws it: the longest 5 % pass the spacing. */
  #arrows(t) {
    const count = this.plane.side < 220 ? 9 : 13, spacing = (2 * this.limit) / count;
    const places = new Float32Array(2 * count * count), v = new Float32Array(2 * count * count);
    for (let i = 0; i < count * count; i++) {
      places[2 * i] = spacing * ((i % count) + 0.5) - this.limit;
      places[2 * i + 1] = spacing * (Math.floor(i / count) + 0.5) - this.limit;
    }
    this.network.velocity(places, t, v);
    const lengths = Array.from({ length: count * count }, (_, i) => Math.hypot(v[2 * i], v[2 * i + 1]));
    const scale = spacing / (lengths.sort((a, b) => a - b)[Math.floor(0.95 * lengths.length)] || 1);
    for (let i = 0; i < places.length; i += 2) {
      const [dx, dy] = [v[i] * scale, v[i + 1] * scale];
      this.plane.arrow([places[i] - dx / 2, places[i + 1] - dy / 2], [dx, dy], this.plane.ink);
    }
  }
}
