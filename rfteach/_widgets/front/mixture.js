// Data of round Gaussians in the plane, { means, stds, weights }, and noise N(0, I): the exact flow of
// them, steered as rf.steered does it, and the posterior. Formulas: chapter 16 of the book.
//
// A goal is { angle, measured, error, pull, scale }: the coordinate along the direction of the angle
// was measured, with an error of that standard deviation, and `pull` names one of SPREADS.

const EARLIEST = 0.01; // before this time, the pull is that at this time

/** What is added to the variance of the error: `own` is that of the end along the direction, at t. */
const SPREADS = {
  naive: () => 0,
  "by time": (t) => (1 - t) ** 2 / ((1 - t) ** 2 + t ** 2),
  jacobian: (t, own) => own,
};

/** The unit vector of an angle in degrees. */
export const direction = (angle) =>
  [Math.cos((angle * Math.PI) / 180), Math.sin((angle * Math.PI) / 180)];

/**
 * A function of the place, which returns four numbers: the mean of X1 given X_t = x, and its
 * covariance times [h, k]. They stay until it is called again.
 */
function endsAt({ means, stds, weights }, t, [h, k]) {
  const kinds = means.map(([a, b], i) => {
    const variance = (1 - t) ** 2 + (t * stds[i]) ** 2; // of X_t
    const share = (t * stds[i] ** 2) / variance; // of an offset of X_t that is one of X1
    const rest = (stds[i] * (1 - t)) ** 2 / variance; // the variance of X1 that x leaves open
    return { a, b, variance, share, rest, log: Math.log(weights[i] / variance) };
  });
  const count = kinds.length, logs = new Float64Array(count), found = new Float64Array(4);
  return (x, y) => { // plain loops: they run a million times while the reader drags
    let top = -Infinity;
    for (let i = 0; i < count; i++) {
      const { a, b, variance, log } = kinds[i], p = x - t * a, q = y - t * b;
      logs[i] = log - (p * p + q * q) / (2 * variance);
      if (logs[i] > top) top = logs[i];
    }
    let total = 0, u = 0, v = 0, rests = 0, du = 0, dv = 0;
    for (let i = 0; i < count; i++) {
      const { a, b, share, rest } = kinds[i], weight = Math.exp(logs[i] - top);
      const p = a + share * (x - t * a), q = b + share * (y - t * b); // its mean of X1
      const along = weight * (h * p + k * q);
      total += weight;
      u += weight * p;
      v += weight * q;
      rests += weight * rest;
      du += along * p;
      dv += along * q;
    }
    const along = (h * u + k * v) / total;
    found[0] = u / total;
    found[1] = v / total;
    found[2] = (h * rests + du - along * u) / total;
    found[3] = (k * rests + dv - along * v) / total;
    return found;
  };
}

/**
 * The steered velocity at a time before 1, as a function that writes it for the points x into `out`.
 * The derivative of the mean of X1 by x is t / (1 - t)^2 times the covariance: so it needs no other.
 */
export function steeredVelocity(mixture, { angle, measured, error, pull, scale }, t) {
  const [h, k] = direction(angle), late = Math.max(t, EARLIEST);
  const ends = endsAt(mixture, late, [h, k]), early = t < late && endsAt(mixture, t, [h, k]);
  return (points, out) => {
    for (let i = 0; i < points.length; i += 2) {
      const x = points[i], y = points[i + 1], found = ends(x, y), du = found[2], dv = found[3];
      const variance = error ** 2 + SPREADS[pull](late, h * du + k * dv);
      const surprise = measured - h * found[0] - k * found[1];
      const strength = (scale * surprise) / (variance * (1 - late));
      const now = early ? early(x, y) : found;
      out[i] = (now[0] - x) / (1 - t) + strength * du;
      out[i + 1] = (now[1] - y) / (1 - t) + strength * dv;
    }
    return out;
  };
}

/** The cloud after 0, 1, ..., N Euler steps. It pauses after each step; see inSlices. */
export function* steeredFlow(mixture, goal, start, steps) {
  const states = [start];
  for (let n = 0; n < steps; n++) {
    const from = states[n], to = new Float64Array(from.length);
    steeredVelocity(mixture, goal, n / steps)(from, to);
    for (let i = 0; i < to.length; i++) to[i] = from[i] + to[i] / steps;
    states.push(to);
    yield;
  }
  return states;
}

/**
 * Points of the law of X1 given the measurement, each made of four numbers of N(0, 1): two choose its
 * component, two its place there. Along the direction a component is narrower, and nearer the value.
 */
export function posteriorPoints({ means, stds, weights }, { angle, measured, error }, numbers) {
  const [h, k] = direction(angle), count = numbers.length / 4, points = new Float64Array(2 * count);
  const kinds = means.map(([a, b], i) => {
    const misfit = measured - h * a - k * b, variance = stds[i] ** 2 + error ** 2;
    const log = Math.log(weights[i]) - misfit ** 2 / (2 * variance) - Math.log(variance) / 2;
    const moved = (stds[i] ** 2 / variance) * misfit;
    const narrow = (stds[i] * error) / Math.sqrt(variance);
    return { a: a + moved * h, b: b + moved * k, width: stds[i], narrow, log };
  });
  const top = Math.max(...kinds.map(({ log }) => log));
  const fits = kinds.map(({ log }) => Math.exp(log - top));
  const total = fits.reduce((sum, fit) => sum + fit);
  for (let i = 0; i < count; i++) {
    const [c, d, e, f] = numbers.subarray(4 * i, 4 * i + 4);
    let kind = 0, rest = total * Math.exp(-(c * c + d * d) / 2); // uniform between 0 and the total
    while (rest > fits[kind] && kind < kinds.length - 1) rest -= fits[kind++];
    const { a, b, width, narrow } = kinds[kind], along = narrow * e, across = width * f;
    points[2 * i] = a + along * h - across * k;
    points[2 * i + 1] = b + along * k + across * h;
  }
  return points;
}

/** Mean and standard deviation of the points along the direction of the angle. */
export function meanAndWidth(points, angle) {
  const [h, k] = direction(angle), count = points.length / 2;
  let sum = 0, squares = 0;
  for (let i = 0; i < points.length; i += 2) sum += h * points[i] + k * points[i + 1];
  for (let i = 0; i < points.length; i += 2)
    squares += (h * points[i] + k * points[i + 1] - sum / count) ** 2;
  return [sum / count, Math.sqrt(squares / (count - 1))];
}
