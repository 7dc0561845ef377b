// A trained VelocityMLP in the browser: v(x, t) for many points, by WebAssembly SIMD where there is
// any, else by plain JavaScript.
//
// Points go through in blocks of 8. In memory a value of a block is a row of 8 floats, one per point.
// The weights of a layer lie in the order in which they are used: for each group of 4 outputs the 4
// biases, then for each input 4 weights. Missing outputs of the last group are filled with zeros.

import { base64Bytes, halfFloats } from "./bytes.js";
import { LAYER_WASM } from "./layer_wasm.js";

const BLOCK = 8;
const ROW = 4 * BLOCK; // bytes
const FOURS = (n) => 4 * Math.ceil(n / 4);

/** The module made from layer.wat, or null where it cannot run. */
export function simdModule() {
  try {
    return new WebAssembly.Module(base64Bytes(LAYER_WASM));
  } catch {
    return null; // an old browser, or one that forbids WebAssembly
  }
}

const single = Math.fround;
const [LOG2E, LN2_HIGH, LN2_LOW] = [1.44269504, 0.693359375, -2.1219444e-4].map(single);
const SERIES = [1 / 720, 1 / 120, 1 / 24, 1 / 6, 1 / 2, 1, 1].map(single); // of e^r
const ROUND = 1.5 * 2 ** 23; // adding it leaves no bits for a fraction

/** $silu of layer.wat. */
function silu(x) {
  const z = Math.max(-87, Math.min(87, -x));
  const n = single(single(single(z * LOG2E) + ROUND) - ROUND);
  const r = single(single(z - single(n * LN2_HIGH)) - single(n * LN2_LOW));
  let e = SERIES[0];
  for (let k = 1; k < 7; k++) e = single(SERIES[k] + single(r * e));
  return single(x / single(1 + single(e * 2 ** n)));
}

/**
 * The layer of layer.wat, on floats `m`; addresses are in bytes, as there. All is rounded to single
 * precision in the same order, so the results are the same to the last bit.
 */
function plainLayer(m, x, w, y, inputs, outputs, hidden) {
  (x >>= 2), (w >>= 2), (y >>= 2);
  for (let j = 0; j < outputs; j += 4, w += 4 * (inputs + 1)) {
    for (let point = 0; point < BLOCK; point += 2) {
      let a0 = m[w], a1 = m[w + 1], a2 = m[w + 2], a3 = m[w + 3];
      let b0 = a0, b1 = a1, b2 = a2, b3 = a3;
      for (let k = 0, p = x + point, q = w + 4; k < inputs; k++, p += BLOCK, q += 4) {
        const a = m[p], b = m[p + 1];
        const w0 = m[q], w1 = m[q + 1], w2 = m[q + 2], w3 = m[q + 3];
        a0 = single(a0 + single(w0 * a)), b0 = single(b0 + single(w0 * b));
        a1 = single(a1 + single(w1 * a)), b1 = single(b1 + single(w1 * b));
        a2 = single(a2 + single(w2 * a)), b2 = single(b2 + single(w2 * b));
        a3 = single(a3 + single(w3 * a)), b3 = single(b3 + single(w3 * b));
      }
      const sums = [a0, b0, a1, b1, a2, b2, a3, b3];
      for (let i = 0; i < 8; i++)
        m[y + (j + (i >> 1)) * BLOCK + point + (i & 1)] = hidden ? silu(sums[i]) : sums[i];
    }
  }
}

export class Network {
  /**
   * @param bytes the weights in half precision: for each layer the matrix (outputs, inputs), then
   *   the biases, as PyTorch keeps them
   * @param sizes the units of each layer, from the inputs (the coordinates, t, and a 1 in the place
   *   of the label, if it takes one) to the outputs, one for each coordinate
   * @param module what simdModule() returned
   */
  constructor(bytes, sizes, module) {
    const weights = halfFloats(bytes);
    this.size = weights.length;
    this.dim = sizes.at(-1);
    this.classes = sizes[0] - this.dim - 1;
    const widest = Math.max(...sizes.map(FOURS));
    this.x = 0; // where a layer's inputs and outputs lie; they take turns
    this.y = widest * ROW;
    this.layers = [];
    let address = 2 * widest * ROW;
    for (let l = 0; l + 1 < sizes.length; l++) {
      const inputs = l === 0 ? sizes[0] : FOURS(sizes[l]), outputs = FOURS(sizes[l + 1]);
      this.layers.push({ address, inputs, outputs, hidden: l + 2 < sizes.length });
      address += 4 * outputs * (inputs + 1);
    }
    if (module) {
      const { memory, layer } = new WebAssembly.Instance(module).exports;
      memory.grow(Math.ceil(address / 65536));
      this.memory = new Float32Array(memory.buffer);
      this.layer = layer;
    } else {
      this.memory = new Float32Array(address / 4);
      this.layer = plainLayer.bind(null, this.memory);
    }
    this.#place(weights, sizes);
  }

  /** Put the weights where the layers look for them. */
  #place(weights, sizes) {
    let from = 0;
    this.layers.forEach(({ address, inputs }, l) => {
      const [n, m] = [sizes[l], sizes[l + 1]];
      for (let j = 0; j < m; j++) {
        const group = address / 4 + (j >> 2) * 4 * (inputs + 1) + (j & 3);
        this.memory[group] = weights[from + n * m + j];
        for (let k = 0; k < n; k++) this.memory[group + 4 * (k + 1)] = weights[from + j * n + k];
      }
      from += (n + 1) * m;
    });
  }

  /** Write v(x, t) into `out` for the points first..last; both hold one point after another. */
  velocity(points, t, out, first = 0, last = points.length / this.dim, labels = null) {
    const { memory, dim, classes } = this;
    for (let start = first; start < last; start += BLOCK) {
      const count = Math.min(BLOCK, last - start);
      let [x, y] = [this.x, this.y];
      for (let i = 0; i < count; i++)
        for (let k = 0; k < dim; k++) memory[x / 4 + k * BLOCK + i] = points[dim * (start + i) + k];
      const clock = x / 4 + dim * BLOCK;
      memory.fill(t, clock, clock + BLOCK);
      memory.fill(0, clock + BLOCK, clock + (1 + classes) * BLOCK);
      for (let i = 0; i < count && classes; i++)
        memory[clock + (1 + labels[start + i]) * BLOCK + i] = 1;
      for (const { address, inputs, outputs, hidden } of this.layers) {
        this.layer(x, address, y, inputs, outputs, hidden);
        [x, y] = [y, x];
      }
      for (let i = 0; i < count; i++)
        for (let k = 0; k < dim; k++) out[dim * (start + i) + k] = memory[x / 4 + k * BLOCK + i];
    }
  }

  /** The velocity of these points with these labels, one for each. */
  labeled(labels) {
    const velocity = (points, t, out, first, last) =>
      this.velocity(points, t, out, first, last, labels);
    return { size: this.size, dim: this.dim, velocity };
  }
}
