// The time t of a widget: a slider, and a button that plays it from 0 to 1.

import { button, follow, put, slider } from "./controls.js";

/** Whether the reader has asked the system for less motion. */
export const stayCalm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

export class Clock {
  /** `draw` is called for every picture while it plays, and when the trait `time` changes. */
  constructor(model, seconds, draw, undo) {
    Object.assign(this, { model, seconds, draw });
    this.slider = slider(model, "time", "t", [0, 1, 0.01], 2, undo);
    this.slider.input.oninput = () => {
      this.pause();
      put(model, "time", Number(this.slider.input.value));
    };
    this.button = button("Play", () => (this.playing ? this.pause() : this.start()));
    follow(model, ["time"], undo, () => {
      this.#halt(); // the kernel, or another view, has set the time while it played
      this.t = model.get("time");
      draw();
    });
    undo.push(() => this.pause());
  }

  get playing() {
    return this.frame !== undefined;
  }

  pause() {
    if (!this.playing) return;
    this.#halt();
    this.t = Math.round(100 * this.t) / 100;
    put(this.model, "time", this.t);
    this.draw(); // also where the trait had this value before
  }

  #halt() {
    cancelAnimationFrame(this.frame);
    this.frame = undefined;
    this.button.textContent = "Play";
  }

  start(from = this.t < 1 ? this.t : 0) {
    this.#halt();
    this.button.textContent = "Pause";
    const begun = performance.now() - 1000 * this.seconds * from;
    const calm = stayCalm();
    const frame = (now) => {
      const t = Math.min(1, Math.max(0, (now - begun) / 1000 / this.seconds));
      this.t = calm ? Math.floor(4 * t) / 4 : t; // five still pictures instead of motion
      this.slider.show(this.t);
      this.draw();
      if (t < 1) this.frame = requestAnimationFrame(frame);
      else this.pause();
    };
    this.frame = requestAnimationFrame(frame);
  }
}
