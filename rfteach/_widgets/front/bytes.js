// Reading what Python sends: bytes, and floats in half precision.

/** Bytes from their base64 text. */
export function base64Bytes(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

/** Numbers from a DataView or bytes of half-precision floats (IEEE 754 binary16, little-endian). */
export function halfFloats(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const numbers = new Float32Array(bytes.byteLength / 2);
  for (let i = 0; i < numbers.length; i++) {
    const half = view.getUint16(2 * i, true);
    const sign = half & 0x8000 ? -1 : 1, exponent = (half >> 10) & 31, fraction = half & 1023;
    // exponent 0: too small to be written as 1.something; 31 would be infinity, which is never sent
    const size = exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24;
    numbers[i] = sign * size;
  }
  return numbers;
}

/** The points of a seed: every (seed + 1)-th of the pool, whose size is a prime, around and around. */
export function pickedPoints(pool, dim, seed, count) {
  const size = pool.length / dim, points = new Float32Array(dim * count);
  for (let i = 0; i < count; i++) {
    const row = ((i + 1) * (seed + 1)) % size;
    points.set(pool.subarray(dim * row, dim * (row + 1)), dim * i);
  }
  return points;
}
