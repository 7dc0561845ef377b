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

/** The module made from layer.wat, or null where SIMD is missing. */
export function simdModule() {
  const bytes = base64Bytes(LAYER_WASM);
  return WebAssembly.validate(bytes) ? new WebAssembly.Module(bytes) : null;
}

/** layer.wat in JavaScript, on floats `m`; addresses are in bytes, as there. */
function plainLayer(m, x, w, y, inputs, outputs, silu) {
  const act = (a) => (silu ? a / (1 + Math.exp(-a)) : a);
  (x >>= 2), (w >>= 2), (y >>= 2);
  for (let j = 0; j < outputs; j += 4, w += 4 * (inputs + 1)) {
    for (let point = 0; point < BLOCK; point += 2) {
      let [a0, a1, a2, a3] = [m[w], m[w + 1], m[w + 2], m[w + 3]];
      let [b0, b1, b2, b3] = [a0, a1, a2, a3];
      for (let k = 0, p = x + point, q = w + 4; k < inputs; k++, p += BLOCK, q += 4) {
        const a = m[p], b = m[p + 1];
        const w0 = m[q], w1 = m[q + 1], w2 = m[q + 2], w3 = m[q + 3];
        a0 += w0 * a, a1 += w1 * a, a2 += w2 * a, a3 += w3 * a;
        b0 += w0 * b, b1 += w1 * b, b2 += w2 * b, b3 += w3 * b;
      }
      let to = y + j * BLOCK + point;
      for (const [a, b] of [[a0, b0], [a1, b1], [a2, b2], [a3, b3]]) {
        m[to] = act(a), m[to + 1] = act(b);
        to += BLOCK;
      }
    }
  }
}

export class Network {
  /**
   * @param bytes the weights in half precision: for each layer the matrix (outputs, inputs), then
   *   the biases, as PyTorch keeps them
   * @param sizes the units of each layer, from the 3 inputs (x, y, t) to the 2 outputs
   * @param module what simdModule() returned
   */
  constructor(bytes, sizes, module) {
    const weights = halfFloats(bytes);
    const widest = Math.max(...sizes.map(FOURS));
    this.x = 0; // where a layer's inputs and outputs lie; they take turns
    this.y = widest * ROW;
    this.layers = [];
    let address = 2 * widest * ROW;
    for (let l = 0; l + 1 < sizes.length; l++) {
      const inputs = l === 0 ? sizes[0] : FOURS(sizes[l]), outputs = FOURS(sizes[l + 1]);
      this.layers.push({ address, inputs, outputs, silu: l + 2 < sizes.length });
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

  /** Write v(x, t) into `out` for the points first..last; both hold x1, y1, x2, y2, ... */
  velocity(points, t, out, first = 0, last = points.length / 2) {
    const { memory } = this;
    for (let start = first; start < last; start += BLOCK) {
      const count = Math.min(BLOCK, last - start);
      let [x, y] = [this.x, this.y];
      for (let i = 0; i < count; i++) {
        memory[x / 4 + i] = points[2 * (start + i)];
        memory[x / 4 + BLOCK + i] = points[2 * (start + i) + 1];
      }
      memory.fill(t, x / 4 + 2 * BLOCK, x / 4 + 3 * BLOCK);
      for (const { address, inputs, outputs, silu } of this.layers) {
        this.layer(x, address, y, inputs, outputs, silu);
        [x, y] = [y, x];
      }
      for (let i = 0; i < count; i++) {
        out[2 * (start + i)] = memory[x / 4 + i];
        out[2 * (start + i) + 1] = memory[x / 4 + BLOCK + i];
      }
    }
  }
}
