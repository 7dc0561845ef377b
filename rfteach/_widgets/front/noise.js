// Noise on the way: seeded normal numbers, and the step of rf.euler_maruyama that adds them.

/** Whole numbers from 0 to 2^32 - 1 in random order: sfc32 of PractRand (Doty-Humphrey). */
function wholes(seed, stream) {
  let [a, b, c, counter] = [0, seed, stream, 1];
  const next = () => {
    const sum = (a + b + counter++) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  };
  for (let i = 0; i < 12; i++) next(); // until near seeds have nothing in common
  return next;
}

/** A function that fills an array of even length with the next numbers of N(0, 1). */
export function normals(seed, stream) {
  const next = wholes(seed, stream);
  return (array) => {
    for (let i = 0; i < array.length; i += 2) { // the method of Box and Muller
      const radius = Math.sqrt(-2 * Math.log((next() + 1) / 2 ** 32)); // log of more than 0
      const angle = 2 * Math.PI * (next() / 2 ** 32);
      array[i] = radius * Math.cos(angle);
      array[i + 1] = radius * Math.sin(angle);
    }
    return array;
  };
}

/**
 * One step of dX = (v + g^2/2 score) dt + g dW, where the score is (t v - x) / (1 - t): the step for
 * `solve`. `g` is a function of the time, `fill` what normals() returned.
 */
export const noisyStep = (g, fill) =>
  function* (v, x, t0, t1) {
    const slope = yield* v(x, t0), y = fill(new Float32Array(x.length));
    const dt = t1 - t0, pull = g(t0) ** 2 / 2 / (1 - t0), kick = g(t0) * Math.sqrt(dt);
    for (let i = 0; i < x.length; i++)
      y[i] = x[i] + dt * (slope[i] + pull * (t0 * slope[i] - x[i])) + kick * y[i];
    return y;
  };
