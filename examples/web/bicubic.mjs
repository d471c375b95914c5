// Pillow's bicubic enlargement of 8-bit images (a = -0.5, two passes, fixed point): the model is trained on it.

const BITS = 22; // of the coefficients' fractions
const SUPPORT = 2;

function kernel(x) {
  const a = -0.5;
  x = Math.abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

/** First source position and whole-number weights of each of `size` positions over `length`. */
function weights(length, size) {
  const step = length / size;
  return Array.from({ length: size }, (_, i) => {
    const centre = (i + 0.5) * step;
    const first = Math.max(0, Math.trunc(centre - SUPPORT + 0.5));
    const end = Math.min(length, Math.trunc(centre + SUPPORT + 0.5));
    const raw = Array.from({ length: end - first }, (_, j) => kernel(first + j - centre + 0.5));
    const sum = raw.reduce((a, b) => a + b, 0);
    return { first, values: raw.map((w) => Math.trunc((w / sum) * 2 ** BITS + (w < 0 ? -0.5 : 0.5))) };
  });
}

/** One pass: positions of an axis are `stride` apart in memory, its lines `across`. */
function pass(source, target, axis, lines, from, to) {
  for (let i = 0; i < axis.length; i++) {
    const { first, values } = axis[i];
    for (let line = 0; line < lines; line++) {
      for (let channel = 0; channel < 4; channel++) {
        let sum = 1 << (BITS - 1);
        for (let j = 0; j < values.length; j++)
          sum += source[(first + j) * from.stride + line * from.across + channel] * values[j];
        target[i * to.stride + line * to.across + channel] = Math.min(255, Math.max(0, sum >> BITS));
      }
    }
  }
}

/** An ImageData enlarged to width x height. */
export function enlarge(image, width, height) {
  const row = 4 * image.width;
  let pixels = image.data;
  if (width !== image.width) {
    const wide = new Uint8ClampedArray(4 * width * image.height);
    const from = { stride: 4, across: row }, to = { stride: 4, across: 4 * width };
    pass(pixels, wide, weights(image.width, width), image.height, from, to);
    pixels = wide;
  }
  if (height !== image.height) {
    const tall = new Uint8ClampedArray(4 * width * height);
    const along = { stride: 4 * width, across: 4 };
    pass(pixels, tall, weights(image.height, height), width, along, along);
    pixels = tall;
  }
  return new ImageData(pixels === image.data ? pixels.slice() : pixels, width, height);
}
