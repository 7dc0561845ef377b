// Following a velocity from t = 0 to t = 1, and measuring what came of it. The functions with a star
// pause (`yield`) every few milliseconds, so that the page can answer in between; see inSlices.

const CHUNK = 3e6; // weights times points between two pauses: about a millisecond

/** v(x, t) for a whole cloud, into `out`. */
function* evaluate(network, points, t, out) {
  const count = points.length / network.dim, chunk = 8 * Math.ceil(CHUNK / network.size / 8); // blocks of 8
  for (let first = 0; first < count; first += chunk) {
    network.velocity(points, t, out, first, Math.min(first + chunk, count));
    yield;
  }
}

/** x + dt v */
function moved(x, dt, v) {
  const y = new Float32Array(x.length);
  for (let i = 0; i < x.length; i++) y[i] = x[i] + dt * v[i];
  return y;
}

const STEP = {
  *Euler(v, x, t0, t1) {
    return moved(x, t1 - t0, yield* v(x, t0));
  },
  *Heun(v, x, t0, t1) {
    const k0 = yield* v(x, t0);
    const k1 = yield* v(moved(x, t1 - t0, k0), t1);
    for (let i = 0; i < k0.length; i++) k0[i] = (k0[i] + k1[i]) / 2;
    return moved(x, t1 - t0, k0);
  },
};

/**
 * Solve dZ/dt = v(Z, t). Returns { states: the cloud after 0, 1, ..., N steps, evaluations: the calls
 * of the network (NFE), milliseconds: computing time of a step }. "one step" is Euler's method with
 * N = 1, whatever N is set. Or pass a step of your own, as noise.js has it.
 */
export function* solve(network, start, solver, steps, step = STEP[solver] ?? STEP.Euler) {
  const count = solver === "one step" ? 1 : steps;
  const states = [start];
  let evaluations = 0, milliseconds = 0;
  function* v(x, t) {
    evaluations++;
    const out = new Float32Array(x.length);
    for (const call = evaluate(network, x, t, out); ; yield) {
      const before = performance.now();
      const { done } = call.next();
      milliseconds += performance.now() - before;
      if (done) return out;
    }
  }
  for (let i = 0; i < count; i++) states.push(yield* step(v, states[i], i / count, (i + 1) / count));
  return { states, evaluations, milliseconds: milliseconds / count };
}

/** Where a path is at time t: on the straight piece between two states. */
export function stateAt(states, t) {
  const steps = states.length - 1, k = Math.min(Math.floor(t * steps), steps - 1), part = t * steps - k;
  const [a, b] = [states[k], states[k + 1]];
  return a.map((from, i) => from + part * (b[i] - from));
}

/** S = mean over steps and points of |(Z1 - Z0) - v|^2; null for one step, which is always straight. */
export function* straightness(states) {
  const steps = states.length - 1, [start, end] = [states[0], states[steps]];
  if (steps < 2) return null;
  let total = 0;
  for (let k = 0; k < steps; k++) {
    const [a, b] = [states[k], states[k + 1]];
    for (let i = 0; i < end.length; i++) total += (end[i] - start[i] - steps * (b[i] - a[i])) ** 2;
    yield;
  }
  return total / steps / (end.length / 2);
}

/** The sum of |a_i - b_j| over all pairs. */
function* sumOfDistances(a, b) {
  let total = 0;
  for (let i = 0; i < a.length; i += 2) {
    for (let j = 0; j < b.length; j += 2)
      total += Math.sqrt((a[i] - b[j]) ** 2 + (a[i + 1] - b[j + 1]) ** 2);
    if (i % 256 === 0) yield;
  }
  return total;
}

/** The mean distance between two different points of a cloud. */
export function* spread(a) {
  const n = a.length / 2;
  return (yield* sumOfDistances(a, a)) / (n * (n - 1));
}

/** 2 E|A - B| - E|A - A'| - E|B - B'|, without bias; `spreadB` is spread(b), which stays the same. */
export function* energyDistance(a, b, spreadB) {
  const between = (yield* sumOfDistances(a, b)) / ((a.length / 2) * (b.length / 2));
  return 2 * between - (yield* spread(a)) - spreadB;
}

/** Run a function with a star to its end, at once. */
export function atOnce(job) {
  for (;;) {
    const { done, value } = job.next();
    if (done) return value;
  }
}

const SLICE = 8; // milliseconds, half of a frame

/** Run it in slices, with the page's own work in between; returns a function that stops it. */
export function inSlices(job, finished) {
  const { port1, port2 } = new MessageChannel(); // setTimeout would wait for 4 ms each time
  const stop = () => port1.close();
  port1.onmessage = () => {
    const until = performance.now() + SLICE;
    let next;
    do next = job.next();
    while (!next.done && performance.now() < until);
    if (!next.done) return port2.postMessage(null);
    stop();
    finished(next.value);
  };
  port2.postMessage(null);
  return stop;
}
