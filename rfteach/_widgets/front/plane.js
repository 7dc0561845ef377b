// A square piece of the plane on a canvas: [-limit, limit] in both directions, y pointing up. It is
// drawn in the text color of the page around it, so that it suits light and dark pages.

const TICKS = [50, 20, 10, 5, 2, 1, 0.5, 0.2, 0.1];

export class Plane {
  constructor(limit, label) {
    this.limit = limit;
    this.canvas = document.createElement("canvas");
    this.canvas.className = "rf-plane";
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "application"); // the arrow keys are for what is in it
    this.canvas.setAttribute("aria-label", label);
    this.pen = this.canvas.getContext("2d");
  }

  /** The plane's coordinates of a mouse or touch event. */
  at(event) {
    const box = this.canvas.getBoundingClientRect();
    const part = (pixel, from, length) => (2 * (pixel - from)) / length - 1;
    return [
      part(event.clientX, box.left, box.width) * this.limit,
      -part(event.clientY, box.top, box.height) * this.limit,
    ];
  }

  x = (value) => ((value / this.limit + 1) / 2) * this.side;
  y = (value) => ((1 - value / this.limit) / 2) * this.side;

  /** Wipe it, and draw the lines of the grid with their numbers. */
  clear() {
    const { canvas, pen } = this;
    this.side = canvas.clientWidth; // in CSS pixels; the pen's unit
    this.ink = getComputedStyle(canvas).color;
    const dots = Math.round(this.side * devicePixelRatio);
    if (canvas.width !== dots) canvas.width = canvas.height = dots;
    pen.setTransform(dots / this.side, 0, 0, dots / this.side, 0, 0);
    pen.clearRect(0, 0, this.side, this.side);
    const step = TICKS.find((tick) => tick <= 0.9 * this.limit) ?? this.limit / 2;
    pen.font = "11px sans-serif";
    for (const value of [-step, 0, step]) {
      this.line([[value, -this.limit], [value, this.limit]], this.ink, { alpha: 0.12 });
      this.line([[-this.limit, value], [this.limit, value]], this.ink, { alpha: 0.12 });
      pen.fillStyle = this.ink;
      pen.globalAlpha = 0.8;
      pen.fillText(String(value).replace("-", "\u2212"), this.x(value) + 3, this.side - 4);
      if (value) pen.fillText(String(value).replace("-", "\u2212"), 3, this.y(value) - 3);
    }
  }

  /** Small squares at x1, y1, x2, y2, ... */
  points(numbers, color, { size = 2.5, alpha = 0.7 } = {}) {
    const { pen, x, y } = this;
    pen.fillStyle = color;
    pen.globalAlpha = alpha;
    for (let i = 0; i < numbers.length; i += 2)
      pen.fillRect(x(numbers[i]) - size / 2, y(numbers[i + 1]) - size / 2, size, size);
  }

  /** A round mark with a rim that sets it off. */
  dot([px, py], color, radius = 5) {
    const { pen } = this;
    pen.globalAlpha = 1;
    pen.beginPath();
    pen.arc(this.x(px), this.y(py), radius, 0, 2 * Math.PI);
    pen.fillStyle = color;
    pen.fill();
    this.ring([px, py], this.ink, radius);
  }

  /** A ring around [x, y]. */
  ring([px, py], color, radius) {
    const { pen } = this;
    pen.globalAlpha = 1;
    pen.beginPath();
    pen.arc(this.x(px), this.y(py), radius, 0, 2 * Math.PI);
    pen.lineWidth = 1.5;
    pen.strokeStyle = color;
    pen.stroke();
  }

  /** A Gaussian of standard deviation `width`, as a faint cloud; `color` has the form #rrggbb. */
  blob([px, py], color, width) {
    const { pen } = this, [x, y] = [this.x(px), this.y(py)];
    const radius = ((3 * width) / (2 * this.limit)) * this.side;
    const cloud = pen.createRadialGradient(x, y, 0, x, y, radius);
    for (let i = 0; i <= 12; i++) {
      const alpha = Math.round(128 * Math.exp(-((i / 4) ** 2) / 2)) * (i < 12);
      cloud.addColorStop(i / 12, color + alpha.toString(16).padStart(2, "0"));
    }
    pen.globalAlpha = 1;
    pen.fillStyle = cloud;
    pen.fillRect(x - radius, y - radius, 2 * radius, 2 * radius);
  }

  /** A line through points [x, y]. */
  line(corners, color, { width = 1, alpha = 1, dash = [] } = {}) {
    const { pen } = this;
    pen.strokeStyle = color;
    pen.globalAlpha = alpha;
    pen.lineWidth = width;
    pen.setLineDash(dash);
    pen.beginPath();
    for (const [px, py] of corners) pen.lineTo(this.x(px), this.y(py));
    pen.stroke();
    pen.setLineDash([]);
  }

  /** An arrow from [x, y] by [dx, dy]. */
  arrow([px, py], [dx, dy], color, { width = 1.2, alpha = 0.75 } = {}) {
    const { pen } = this;
    const [tx, ty] = [this.x(px + dx), this.y(py + dy)];
    const angle = Math.atan2(ty - this.y(py), tx - this.x(px));
    const length = Math.hypot(tx - this.x(px), ty - this.y(py));
    const head = Math.min(3 + 2.5 * width, length);
    this.line([[px, py], [px + dx, py + dy]], color, { width, alpha });
    pen.fillStyle = color;
    pen.beginPath();
    pen.moveTo(tx, ty);
    for (const side of [-0.45, 0.45])
      pen.lineTo(tx - head * Math.cos(angle + side), ty - head * Math.sin(angle + side));
    pen.fill();
  }
}

/** A function that calls `draw` with the next frame, once for all the calls until then. */
export function onceAFrame(draw) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      draw();
    });
  };
}

/** Call `redraw` when the page turns light or dark, or the element changes its size. */
export function onNewLook(element, redraw) {
  const look = () => {
    if (!element.isConnected) return;
    // The lists of a <select> are drawn by the browser: tell it which way the page is.
    const [r, g, b] = getComputedStyle(element).color.match(/[\d.]+/g).map(Number);
    element.style.colorScheme = r + g + b > 384 ? "dark" : "light"; // light text: a dark page
    redraw();
  };
  const size = new ResizeObserver(look);
  size.observe(element);
  const theme = new MutationObserver(look);
  for (const node of [document.documentElement, document.body])
    theme.observe(node, { attributes: true });
  const system = matchMedia("(prefers-color-scheme: dark)");
  system.addEventListener("change", look);
  addEventListener("resize", look); // and with it, the size of a pixel
  return () => {
    size.disconnect();
    theme.disconnect();
    system.removeEventListener("change", look);
    removeEventListener("resize", look);
  };
}
