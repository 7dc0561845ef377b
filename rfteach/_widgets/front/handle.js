// A handle over a plane: a button to drag, or to move by arrow keys.

import { make } from "./controls.js";

const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] };

export class Handle {
  /** `point()` tells where it is, and `move([x, y])` is told where the reader wants it. */
  constructor(plane, letter, color, point, move) {
    Object.assign(this, { plane, point, move });
    const mark = make("span", { textContent: letter });
    mark.style.background = color;
    this.element = make("button", { type: "button", className: "rf-handle" }, mark);
    this.element.dataset.lmSuppressShortcuts = "true"; // no key is for JupyterLab here
    this.element.onkeydown = (event) => {
      const step = MOVES[event.key];
      if (!step) return;
      event.preventDefault(); // or the page would scroll
      move(point().map((value, i) => value + 0.1 * step[i]));
    };
    this.#drag();
  }

  #drag() {
    const { element, plane, point, move } = this;
    let grip = null; // from the pointer to the handle's center, so that it does not jump
    element.onpointerdown = (event) => {
      if (event.button) return;
      element.setPointerCapture(event.pointerId);
      element.focus({ preventScroll: true });
      grip = plane.at(event).map((value, i) => point()[i] - value);
    };
    element.onpointermove = (event) => {
      if (grip) move(plane.at(event).map((value, i) => value + grip[i]));
    };
    element.onpointerup = element.onpointercancel = () => (grip = null);
  }

  /** Put it where its point is; `name` says what it is and where. */
  show(name) {
    const [x, y] = this.point(), { limit } = this.plane;
    this.element.style.left = `${50 * (1 + x / limit)}%`;
    this.element.style.top = `${50 * (1 - y / limit)}%`;
    this.element.ariaLabel = `${name}; arrow keys move it`;
  }
}
