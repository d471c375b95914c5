// The page: one photograph at a time goes to the worker, which computes; a new one takes the place of the old.

const MOST_PIXELS = 64e6;
const at = (id) => document.getElementById(id);
const options = Object.fromEntries(new URLSearchParams(location.search));
let worker, name;

function start() {
  worker?.terminate();
  worker = new Worker("worker.mjs", { type: "module" });
  worker.onmessage = ({ data }) => answers[data.kind](data);
  worker.onerror = (event) => answers.failed({ reason: event.message || "the worker could not be started" });
  worker.postMessage({ kind: "open", options });
  show({ status: "Loading the model …" });
}

function show({ status, busy = false, done = false }) {
  at("status").textContent = status;
  for (const id of ["progress", "cancel"]) at(id).hidden = !busy;
  for (const id of ["stage", "at", "save"]) at(id).hidden = !done;
}

const answers = {
  ready: ({ device }) => show({ status: `Ready (${device}).` }),
  progress: ({ share }) => { at("progress").value = share; },
  failed: ({ reason }) => show({ status: `This did not work: ${reason}` }),
  async done({ before, after, seconds }) {
    for (const [id, image] of [["before", before], ["after", after]]) {
      Object.assign(at(id), { width: image.width, height: image.height });
      at(id).getContext("2d").putImageData(image, 0, 0);
    }
    const file = await new Promise((resolve) => at("after").toBlob(resolve, "image/png"));
    if (!file) return answers.failed({ reason: "this browser cannot save an image of that size." });
    URL.revokeObjectURL(at("save").href);
    Object.assign(at("save"), { href: URL.createObjectURL(file), download: `${name}_restored.png` });
    show({ status: `${after.width} × ${after.height} in ${seconds.toFixed(1)} s.`, done: true });
  },
};

async function take(file) {
  if (!file) return;
  name = file.name.replace(/\.[^.]*$/, "");
  const scale = Number(at("scale").value);
  try {
    const bitmap = await createImageBitmap(file, { premultiplyAlpha: "none" });
    const { width, height } = bitmap;
    if (width * height * scale ** 2 > MOST_PIXELS)
      throw new Error(`${width} × ${height} enlarged ${scale} times is over ${MOST_PIXELS / 1e6} megapixels.`);
    const canvas = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
    canvas.drawImage(bitmap, 0, 0);
    at("progress").value = 0;
    show({ status: `Restoring ${file.name} …`, busy: true });
    worker.postMessage({ kind: "restore", image: canvas.getImageData(0, 0, width, height), scale });
  } catch (error) {
    answers.failed({ reason: error.name === "InvalidStateError" ? `${file.name} is no image.` : error.message });
  }
}

at("file").onchange = (event) => take(event.target.files[0]);
at("cancel").onclick = start;
at("at").oninput = (event) => at("stage").style.setProperty("--at", `${event.target.value}%`);
document.ondragover = (event) => { event.preventDefault(); at("drop").classList.add("over"); };
document.ondragleave = () => at("drop").classList.remove("over");
document.ondrop = (event) => {
  event.preventDefault();
  at("drop").classList.remove("over");
  take(event.dataTransfer.files[0]);
};
start();
