// A photograph through the exported graphs, in tiles that are blended as latents: vosr/inference/engine.py in short.

import { enlarge } from "./bicubic.mjs";

const GRAPHS = ["encode", "backbone", "decode"];
const SHARED = 4; // neighbouring tiles share a quarter of their side
const GREY = 0; // difference of channels up to which an image counts as grey

/** The three graphs of a folder, and their record. */
export async function openModel(runtime, folder, device) {
  const answer = await fetch(`${folder}/graphs.json`);
  if (!answer.ok) throw new Error(`there is no model in ${folder}: see README.md.`);
  const record = await answer.json();
  if (record.temperature !== 0 || record.color_fix !== "none")
    throw new Error("this page restores with models that start from no noise and need no colour correction.");
  const sessions = {};
  for (const name of GRAPHS)
    sessions[name] = await runtime.InferenceSession.create(`${folder}/${name}.onnx`, { executionProviders: [device] });
  return { runtime, record, sessions };
}

/** {before, after}: the photograph enlarged by Pillow's bicubic kernel, and restored; `tell` gets the share done. */
export async function restore({ runtime, record, sessions }, image, scale, tile, tell) {
  const [width, height] = [image.width, image.height].map((side) => Math.max(1, Math.round(side * scale)));
  const before = enlarge(image, width, height);
  const { factor, multiple, latent_channels: channels } = record;
  const [columns, rows] = [width, height].map((side) => reflected(side, padded(side, multiple, record.training_size)));
  const [wide, tall] = [columns.length / factor, rows.length / factor];
  const parts = tiles(tall, wide, Math.floor(Math.min(tile, record.largest_tile) / multiple) * (multiple / factor),
    multiple / factor);
  const tensor = (data, shape) => new runtime.Tensor("float32", data, shape);

  const total = new Float32Array(channels * tall * wide), weight = new Float32Array(tall * wide);
  for (const [i, part] of parts.entries()) {
    const [h, w] = [part.bottom - part.top, part.right - part.left];
    const cut = planes(before, rows, columns, part, factor);
    const { latent, tokens } = await sessions.encode.run({ lq: tensor(cut, [1, 3, h * factor, w * factor]) });
    const noise = tensor(new Float32Array(channels * h * w), [1, channels, h, w]);
    const { restored } = await sessions.backbone.run({ latent, tokens, noise });
    add(total, weight, await restored.getData(), part, tall, wide);
    tell((i + 1) / (parts.length + 1));
  }
  for (let i = 0; i < total.length; i++) total[i] /= weight[i % weight.length];

  const after = new ImageData(width, height);
  const side = parts[0].bottom - parts[0].top;
  for (const part of tiles(tall, wide, Math.max(side, parts[0].right - parts[0].left), multiple / factor, 0)) {
    const [h, w] = [part.bottom - part.top, part.right - part.left];
    const latent = new Float32Array(channels * h * w);
    for (let c = 0, to = 0; c < channels; c++)
      for (let y = part.top; y < part.bottom; y++, to += w)
        latent.set(total.subarray((c * tall + y) * wide + part.left, (c * tall + y) * wide + part.right), to);
    const decoded = await sessions.decode.run({ restored: tensor(latent, [1, channels, h, w]) });
    draw(after, await decoded.image.getData(), part, factor);
  }
  finish(image, before, after);
  tell(1);
  return { before, after };
}

function padded(side, multiple, least) {
  return Math.ceil(Math.max(side, least) / multiple) * multiple;
}

/** Which of `side` positions each of `length` positions shows. */
function reflected(side, length) {
  const period = Math.max(2 * (side - 1), 1);
  return Array.from({ length }, (_, i) => Math.min(i % period, period - (i % period), side - 1));
}

function roundEven(x) {
  const below = Math.floor(x);
  return x - below === 0.5 ? below + (below % 2) : Math.round(x);
}

function starts(length, side, overlap, step) {
  if (length <= side) return [0];
  const count = Math.ceil((length - overlap) / (side - overlap));
  const spread = (length - side) / (count - 1);
  return Array.from({ length: count }, (_, i) => roundEven((i * spread) / step) * step);
}

/** Rectangles of latent cells that cover tall x wide. */
function tiles(tall, wide, side, step, overlap = Math.floor(Math.floor(side / SHARED) / step) * step) {
  const [h, w] = [Math.min(side, tall), Math.min(side, wide)];
  return starts(tall, side, overlap, step).flatMap((top) =>
    starts(wide, side, overlap, step).map((left) => ({ top, left, bottom: top + h, right: left + w })));
}

/** A part of the enlarged image, padded by reflection, as planes of R, G, B in [0, 1]. */
function planes(image, rows, columns, part, factor) {
  const [h, w] = [(part.bottom - part.top) * factor, (part.right - part.left) * factor];
  const out = new Float32Array(3 * h * w);
  for (let y = 0; y < h; y++) {
    const line = rows[part.top * factor + y] * image.width;
    for (let x = 0; x < w; x++) {
      const from = 4 * (line + columns[part.left * factor + x]);
      for (let c = 0; c < 3; c++) out[(c * h + y) * w + x] = image.data[from + c] / 255;
    }
  }
  return out;
}

/** Gaussian weights of a tile's side, largest in its middle. */
function gaussian(length) {
  return Array.from({ length }, (_, i) => Math.exp(-0.5 * (((i + 0.5) / length - 0.5) / 0.2) ** 2));
}

function add(total, weight, values, part, tall, wide) {
  const [h, w] = [part.bottom - part.top, part.right - part.left];
  const [down, across] = [gaussian(h), gaussian(w)];
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      const importance = down[y] * across[x], cell = (part.top + y) * wide + part.left + x;
      weight[cell] += importance;
      for (let c = 0; c * tall * wide < total.length; c++)
        total[c * tall * wide + cell] += importance * values[(c * h + y) * w + x];
    }
  }
}

function draw(image, values, part, factor) {
  const [h, w] = [(part.bottom - part.top) * factor, (part.right - part.left) * factor];
  const [top, left] = [part.top * factor, part.left * factor];
  for (let y = 0; y < Math.min(h, image.height - top); y++)
    for (let x = 0; x < Math.min(w, image.width - left); x++)
      for (let c = 0; c < 3; c++)
        image.data[4 * ((top + y) * image.width + left + x) + c] = Math.round(values[(c * h + y) * w + x] * 255);
}

/** Alpha of the enlarged image; grey photographs stay grey. */
function finish(source, before, after) {
  let grey = true;
  for (let i = 0; i < source.data.length && grey; i += 4)
    grey = Math.max(Math.abs(source.data[i] - source.data[i + 1]), Math.abs(source.data[i + 2] - source.data[i + 1])) <= GREY;
  for (let i = 0; i < after.data.length; i += 4) {
    after.data[i + 3] = before.data[i + 3];
    if (grey) after.data.fill(0.299 * after.data[i] + 0.587 * after.data[i + 1] + 0.114 * after.data[i + 2], i, i + 3);
  }
}
