// Computes beside the page's own thread, so that the page stays alive.

import { openModel, restore } from "./restore.mjs";

const RUNTIME = "./node_modules/onnxruntime-web/dist/";
let model, options;

async function open(given) {
  options = given;
  const kinds = navigator.gpu && options.device !== "wasm" ? ["webgpu", "wasm"] : ["wasm"];
  for (const device of kinds) {
    try {
      const runtime = await import(`${RUNTIME}ort.${device}.min.mjs`);
      model = await openModel(runtime, "model", device);
      return postMessage({ kind: "ready", device });
    } catch (error) {
      if (device === "wasm") throw error; // else the machine has no GPU that serves
    }
  }
}

async function run({ image, scale }) {
  if (!model) throw new Error("the model is not loaded yet.");
  const began = performance.now();
  const tell = (share) => postMessage({ kind: "progress", share });
  const { before, after } = await restore(model, image, scale, Number(options.tile) || 256, tell);
  const seconds = (performance.now() - began) / 1000;
  postMessage({ kind: "done", before, after, seconds }, [before.data.buffer, after.data.buffer]);
}

let queue = Promise.resolve();
onmessage = ({ data }) => {
  const work = () => (data.kind === "open" ? open(data.options) : run(data));
  queue = queue.then(work).catch((error) => postMessage({ kind: "failed", reason: error.message }));
};
