// Two kinds of pairs, A and B, as many of each: kind k leads from around starts[k] to around
// ends[k]. Each end is blurred by a Gaussian of the width `blur`. Formulas: chapter 2 of the book.

const COUNT = 12; // paths for each kind
const STEPS = 60;

/** The point at time t of the straight line from a to b. */
export const between = (a, b, t) => [(1 - t) * a[0] + t * b[0], (1 - t) * a[1] + t * b[1]];

/** The standard deviation of X_t within a kind, in each coordinate. */
export const width = (blur, t) => blur * Math.hypot(1 - t, t);

/** At the place x: the mean velocity and the weight of each kind, and the mean of both. */
export function meanVelocity({ starts, ends, blur }, x, t) {
  const slope = (2 * t - 1) / ((1 - t) ** 2 + t ** 2);
  const kinds = starts.map((a, k) => {
    const b = ends[k], center = between(a, b, t);
    const offset = [x[0] - center[0], x[1] - center[1]];
    return {
      velocity: [b[0] - a[0] + slope * offset[0], b[1] - a[1] + slope * offset[1]],
      distance: Math.hypot(...offset) / width(blur, t), // in standard deviations
    };
  });
  const [A, B] = kinds;
  A.weight = 1 / (1 + Math.exp((A.distance ** 2 - B.distance ** 2) / 2)); // a softmax of two
  B.weight = 1 / (1 + Math.exp((B.distance ** 2 - A.distance ** 2) / 2));
  return { kinds, velocity: [0, 1].map((i) => A.weight * A.velocity[i] + B.weight * B.velocity[i]) };
}

/** Where the two lines meet on paper, and at which time each kind is there; null if they do not. */
export function meeting({ starts, ends }) {
  const cross = (u, v) => u[0] * v[1] - u[1] * v[0];
  const minus = (u, v) => [u[0] - v[0], u[1] - v[1]];
  const [A, B] = starts.map((a, k) => minus(ends[k], a)), gap = minus(starts[1], starts[0]);
  const area = cross(A, B);
  if (Math.abs(area) < 1e-9) return null; // parallel: nowhere, or at many places
  const times = [cross(gap, B) / area, cross(gap, A) / area];
  if (times.some((t) => !(t >= 0 && t <= 1))) return null;
  return { place: between(starts[0], ends[0], times[0]), times };
}

/** Paths of the flow of the mean velocity, [x, y] at STEPS + 1 times each, by the Runge-Kutta method. */
export function flowPaths(pairs) {
  const v = (x, t) => meanVelocity(pairs, x, t).velocity, h = 1 / STEPS;
  const plus = (x, u, step) => [x[0] + step * u[0], x[1] + step * u[1]];
  return pairs.starts.flatMap((start, kind) =>
    Array.from({ length: COUNT }, (_, i) => {
      // Spread like a Gaussian: the quantiles of its radius, each turned by the golden angle.
      const radius = pairs.blur * Math.sqrt(-2 * Math.log(1 - (i + 0.5) / COUNT)), angle = 2.4 * i;
      const path = [plus(start, [Math.cos(angle), Math.sin(angle)], radius)];
      for (let n = 0; n < STEPS; n++) {
        const x = path[n], t = n * h;
        const k1 = v(x, t), k2 = v(plus(x, k1, h / 2), t + h / 2);
        const k3 = v(plus(x, k2, h / 2), t + h / 2), k4 = v(plus(x, k3, h), t + h);
        path.push([0, 1].map((j) => x[j] + (h / 6) * (k1[j] + 2 * k2[j] + 2 * k3[j] + k4[j])));
      }
      return { kind, path };
    }));
}

/** How many of the paths end nearer to the end of the other kind than to that of their own. */
export function countRewired({ ends }, paths) {
  const far = ([x, y], [u, w]) => Math.hypot(x - u, y - w);
  return paths.filter(({ kind, path }) =>
    far(path.at(-1), ends[1 - kind]) < far(path.at(-1), ends[kind])).length;
}
