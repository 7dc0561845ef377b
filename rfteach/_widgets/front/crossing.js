// Two kinds of pairs whose ends the reader drags, and what the mean velocity makes of them.

import { Clock } from "./clock.js";
import { button, check, follow, make, number, put, slider } from "./controls.js";
import { Handle } from "./handle.js";
import { between, countRewired, flowPaths, meanVelocity, meeting, width } from "./pairs.js";
import { onceAFrame, onNewLook, Plane } from "./plane.js";

const SECONDS = 4; // from t = 0 to t = 1
const SHOWN = 0.4; // part of an arrow's length that is drawn
const RARE = 3; // standard deviations from both kinds: hardly any line is there
const KINDS = ["A", "B"];
const DASHES = [[], [6, 4]]; // A is solid, B dashed

const pair = (values) => `(${values.map(number).join(", ")})`;
const percent = (weight) => `${Math.round(100 * weight)}\u00a0%`;
const at = (time) => `t\u00a0=\u00a0${number(time)}`;

class Crossing {
  #redraw = onceAFrame(() => this.#draw());

  constructor(model, element) {
    this.model = model;
    this.undo = [];
    this.colors = model.get("_colors");
    this.plane = new Plane(model.get("_limit"), "The lines A and B, with the field where they meet");
    this.plane.canvas.removeAttribute("tabindex"); // only the handles on it are for the keyboard
    this.plane.canvas.setAttribute("role", "img");
    this.handles = KINDS.flatMap((_, kind) =>
      ["starts", "ends"].map((trait) => this.#handle(trait, kind)));
    this.clock = new Clock(model, SECONDS, () => this.#newTime(), this.undo);
    this.#build(element);
    follow(model, ["starts", "ends", "blur"], this.undo, () => this.#newPairs());
    follow(model, ["paths"], this.undo, () => this.#redraw());
    this.undo.push(onNewLook(this.element, () => this.#redraw()));
  }

  /** One end of the line of a kind. */
  #handle(trait, kind) {
    const { model, plane, colors } = this;
    const held = (value) => Math.max(-plane.limit, Math.min(plane.limit, value));
    const point = () => model.get(trait)[kind];
    const move = (wanted) => {
      const moved = wanted.map((value) => Math.round(100 * held(value)) / 100);
      put(model, trait, model.get(trait).map((old, k) => (k === kind ? moved : old)));
    };
    const color = colors[trait === "starts" ? "source" : "target"];
    const name = () => `${trait === "starts" ? "Start" : "End"} of ${KINDS[kind]} at ${pair(point())}`;
    return Object.assign(new Handle(plane, KINDS[kind], color, point, move), { name });
  }

  close() {
    this.closed = true;
    for (const action of this.undo) action();
  }

  #build(element) {
    const { model, undo, clock } = this;
    const row = (...children) => make("div", { className: "rf-row" }, ...children);
    this.words = make("div", { role: "status" });
    this.shares = KINDS.map(() => make("span"));
    this.bar = make("span", { className: "rf-shares" });
    this.bar.style.setProperty("--rf-line", this.colors.line);
    this.element = make("section", { className: "rf-widget rf-crossing", ariaLabel: "Crossing" },
      make("div", { className: "rf-stage" },
        this.plane.canvas, ...this.handles.map((handle) => handle.element)),
      make("div", { className: "rf-side" },
        make("p", { textContent: "Drag the ends of the lines A and B. Gray arrows: the mean " +
          "velocity of A and of B at the ring; the strong one: the field, their weighted mean. All " +
          `are drawn at ${SHOWN} of their length.` }),
        row(clock.button, clock.slider),
        row(slider(model, "blur", "blur", [0.05, 0.5, 0.01], 2, undo)),
        row(check(model, "paths", "paths of the flow", undo), button("Reset", () => this.#reset())),
        make("div", { className: "rf-row rf-weights", ariaHidden: "true" },
          this.shares[0], this.bar, this.shares[1]), // for the eye: the words say the same
        this.words)); // last, since their number changes
    element.append(this.element);
  }

  #reset() {
    this.clock.pause();
    for (const [trait, value] of Object.entries(this.model.get("_first")))
      put(this.model, trait, value);
  }

  #newPairs() {
    const { model } = this;
    this.pairs = Object.fromEntries(["starts", "ends", "blur"].map((name) => [name, model.get(name)]));
    this.met = meeting(this.pairs);
    this.flow = flowPaths(this.pairs);
    this.rewired = countRewired(this.pairs, this.flow);
    for (const handle of this.handles) handle.show(handle.name());
    this.#newTime();
  }

  #newTime() {
    if (!this.pairs) return; // still being built
    this.words.ariaLive = this.clock.playing ? "off" : "polite"; // not to be read out all the time
    this.#report();
    this.#redraw();
  }

  /** Where both kinds are at the time shown, and the place of interest. */
  #now() {
    const { starts, ends } = this.pairs, { t } = this.clock;
    const points = starts.map((start, k) => between(start, ends[k], t));
    const place = this.met?.place ?? between(...points, 0.5);
    const { kinds, velocity } = meanVelocity(this.pairs, place, t);
    return { t, points, place, kinds, velocity, rare: kinds.every((k) => k.distance > RARE) };
  }

  /** Say it in words, and tell the kernel. */
  #report() {
    const { met, pairs, rewired, flow } = this, { t, place, kinds, velocity, rare } = this.#now();
    const share = (k, time) => percent(meanVelocity(pairs, place, time).kinds[k].weight);
    const now = kinds.map((kind, k) => `${KINDS[k]} ${percent(kind.weight)}`).join(", ");
    const lines = [
      `At the ring at ${at(t)}: ${now}: the field points to ${pair(velocity)}.` +
        (rare ? " But hardly any line is there now." : ""),
      met ? `On paper, the lines meet at ${pair(place)}.`
        : "On paper, the lines do not meet. The ring is midway between the two points.",
      ...(met?.times ?? []).map((time, k) =>
        `${KINDS[k]} is there at ${at(time)}; its share then: ${share(k, time)}.`),
      `Of the ${flow.length} paths, ${rewired} are rewired.`,
    ];
    if (this.words.textContent !== lines.join(""))
      this.words.replaceChildren(...lines.map((textContent) => make("p", { textContent })));
    if (this.clock.playing) return;
    const weights = kinds.map((kind) => kind.weight);
    put(this.model, "results", { place, times: met?.times ?? [], weights, velocity, rewired });
  }

  #draw() {
    if (this.closed) return;
    const { plane, colors, pairs, flow } = this, { starts, ends, blur } = pairs;
    const { t, points, place, kinds, velocity, rare } = this.#now();
    plane.clear();
    for (const point of starts) plane.blob(point, colors.source, blur);
    for (const point of ends) plane.blob(point, colors.target, blur);
    for (const point of points) plane.blob(point, colors.line, width(blur, t));
    starts.forEach((start, k) =>
      plane.line([start, ends[k]], colors.line, { width: 2, dash: DASHES[k] }));
    if (this.model.get("paths")) {
      for (const { path } of flow) plane.line(path, colors["1-RF"], { alpha: 0.8 });
      for (const { path } of flow) {
        const step = t * (path.length - 1), n = Math.min(Math.floor(step), path.length - 2);
        plane.points(between(path[n], path[n + 1], step - n), colors["1-RF"], { size: 5, alpha: 1 });
      }
    }
    const arrow = (v, color, style) => plane.arrow(place, v.map((each) => SHOWN * each), color, style);
    const fade = rare ? 0.3 : 1; // arrows at a place where nothing is do not matter now
    for (const { velocity, weight } of kinds)
      arrow(velocity, colors.line, { width: 3, alpha: fade * (0.3 + 0.7 * weight) });
    for (const point of points) plane.dot(point, colors.line, 6);
    arrow(velocity, plane.ink, { width: 4, alpha: fade });
    plane.ring(place, plane.ink, 9);
    kinds.forEach(({ weight }, k) => (this.shares[k].textContent = `${KINDS[k]} ${percent(weight)}`));
    this.bar.style.setProperty("--rf-share", `${100 * kinds[0].weight}%`);
  }
}

export default {
  render({ model, el }) {
    const crossing = new Crossing(model, el);
    return () => crossing.close();
  },
};
