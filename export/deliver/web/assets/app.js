// The page: which backend runs, which image is shown, and what came out.

import * as view from "./view.js";

const { $ } = view;
const NAMES = { webgpu: "WebGPU", wasm: "WebAssembly" };

let model; // the content of model.json
let engine; // the worker that holds the loaded model
let shown = null; // the image on display, as a Blob
let started = 0; // how many loads began: an answer to an earlier one comes too late
let gpu = ""; // the name of the graphics processor

main().catch((error) => fail(`The page cannot start: ${error.message}`));

async function main() {
  $("unserved").remove();
  const answer = await fetch("model.json", { cache: "no-cache" });
  if (!answer.ok) throw new Error(`the server does not have model.json (status ${answer.status}). Copy the folder again.`);
  model = await answer.json();
  describe();
  view.showSamples(model.samples, pickSample);
  listen();
  const { missing, slow } = await lookForGpu();
  for (const radio of radios()) {
    radio.disabled = radio.value === "webgpu" && missing !== "";
    radio.onchange = () => load(radio.value, radio.value === "wasm" ? "WebAssembly was chosen." : "");
  }
  await load(missing || slow ? "wasm" : "webgpu", missing || slow);
}

/** Why WebGPU cannot run here (`missing`) or would be slower than WebAssembly (`slow`), in words; empty if not so. */
async function lookForGpu() {
  const no = (missing) => ({ missing, slow: "" });
  if (!isSecureContext) return no("browsers offer it on https and localhost only.");
  if (!navigator.gpu) return no("this browser does not have it.");
  try {
    const adapter = await navigator.gpu.requestAdapter();
    if (!adapter) return no("this browser has it but finds no graphics processor for it.");
    const { vendor, architecture, description, isFallbackAdapter } = adapter.info ?? {};
    gpu = description || [vendor, architecture].filter(Boolean).join(" ");
    const software = isFallbackAdapter || architecture === "swiftshader";
    return { missing: "", slow: software ? "the graphics processor here is software. You can choose it all the same." : "" };
  } catch (error) {
    return no(`asking for a graphics processor failed: ${error.message}`);
  }
}

/** Load the model for a backend. If WebGPU fails, WebAssembly takes over and the page says why. */
async function load(backend, why) {
  const turn = ++started;
  engine?.stop();
  engine = new Engine();
  view.setReady(false);
  view.showError(null);
  view.clearBars();
  $("empty").hidden = true;
  view.showFacts($("run-facts"), []);
  for (const radio of radios()) radio.checked = radio.value === backend;
  $("backend-now").textContent = `Loading for ${NAMES[backend]} …`;
  $("backend-why").textContent = why && `WebGPU is not used: ${why}`;
  view.showProgress(`Loading the model, ${view.size(model.files["model.onnx"].bytes)} …`, 0);
  try {
    const loaded = await engine.ask({ task: "load", backend, model }, (message) => {
      if (turn === started && message.progress < 1) view.showProgress($("loading-text").textContent, message.progress);
      else if (turn === started) view.showProgress("Starting the model …");
    });
    if (turn === started) await ready(backend, loaded);
  } catch (error) {
    if (turn !== started) return;
    if (backend === "webgpu") {
      await load("wasm", `it failed to run this model here (${error.message})`);
    } else {
      $("backend-now").textContent = "";
      fail(`The model cannot be loaded: ${error.message}`);
    }
  }
}

async function ready(backend, loaded) {
  view.showProgress(null);
  view.setReady(true);
  $("empty").hidden = false;
  const threads = loaded.threads === 1 ? "one thread" : `${loaded.threads} threads`;
  $("backend-now").textContent =
    backend === "wasm"
      ? `WebAssembly runs the model on the processor, ${threads}.`
      : `WebGPU runs every operator of the model on the graphics processor${gpu && ` (${gpu})`}.`;
  const { rel, allowed, passed } = loaded.check;
  const verdict = passed ? "passed" : "FAILED, do not trust the predictions here";
  view.showFacts($("run-facts"), [
    ["Runtime", model.runtime],
    ["Loading", `${view.duration(loaded.fetch_ms)} to fetch, ${view.duration(loaded.create_ms)} to start`],
    ["First run", `${view.duration(loaded.first_ms)}, with all that is done only once`],
    ["Check", `${verdict}: logits of a test image within ${rel.toExponential(1)} of ONNX Runtime's (${allowed.toExponential()} allowed)`],
  ]);
  if (!passed) view.showError(`The check failed: ${NAMES[backend]} computes other logits here than ONNX Runtime does.`);
  if (shown) await classify(shown);
}

async function classify(image) {
  shown = image;
  const current = engine;
  const stale = () => current !== engine || image !== shown;
  view.showError(null);
  view.showProgress("Classifying …");
  try {
    const result = await current.ask({ task: "classify", image }, ({ first }) => {
      if (!first || stale()) return;
      view.showProgress(null);
      view.showBars(first.logits, model.labels);
      $("latency").textContent = "";
    });
    if (stale()) return;
    const runs = result.runs === 1 ? "one run" : `median of ${result.runs} runs`;
    $("latency").textContent =
      `${view.duration(result.median_ms)} for one image, ${runs}; ` +
      `${view.duration(result.prepare_ms)} to read and resize it.`;
  } catch (error) {
    if (stale()) return;
    shown = null;
    view.showProgress(null);
    view.clearBars();
    view.hidePreview();
    view.showError(error.message);
  }
}

function pick(image, source, button = null) {
  view.markSample(button);
  view.showPreview(source);
  return classify(image);
}

async function pickSample(sample, button) {
  try {
    const answer = await fetch(sample.file);
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    await pick(await answer.blob(), sample.file, button);
  } catch (error) {
    view.showError(`The sample cannot be fetched: ${error.message}`);
  }
}

function pickOwn(file) {
  if (!file || $("file").disabled) return;
  pick(file, URL.createObjectURL(file));
}

/** File picker, drag and drop anywhere on the page, and paste. */
function listen() {
  $("file").onchange = () => {
    pickOwn($("file").files[0]);
    $("file").value = ""; // the same file may be chosen again
  };
  const over = (on) => $("drop").classList.toggle("over", on);
  addEventListener("dragover", (event) => {
    event.preventDefault();
    over(true);
  });
  addEventListener("dragleave", (event) => over(event.relatedTarget !== null));
  addEventListener("drop", (event) => {
    event.preventDefault();
    over(false);
    pickOwn(event.dataTransfer.files[0]);
  });
  addEventListener("paste", (event) => pickOwn(event.clipboardData.files[0]));
}

function describe() {
  const classes = model.check.logits.length;
  const [channels, height, width] = model.preprocess.input_size;
  $("subtitle").textContent =
    `Sorts an image into one of ${classes} classes, in your browser. No image leaves this device.`;
  const notes = [];
  if (!model.published) {
    notes.push("These weights are not among those salu-zoo publishes. If the model was exported untrained, it predicts at random.");
  }
  if (model.labels.length === 0) notes.push("The file does not name its classes, so they appear as numbers.");
  $("notice").textContent = notes.join(" ");
  $("notice").hidden = notes.length === 0;
  const { bytes, sha256 } = model.files["model.onnx"];
  view.showFacts($("model-facts"), [
    ["Name", model.name],
    ["Trained on", model.trained_on || "not recorded"],
    ["Measured", model.measured],
    ["Input", `${width} × ${height} pixels, ${channels === 1 ? "grey" : "colour"}; any image is resized and cut`],
    ["Size", `${(model.weights / 1e6).toFixed(2)} million weights, ${view.size(bytes)} in float32`],
    ["Licence", model.license || "not stated in the file"],
    ["File", `SHA-256 ${sha256.slice(0, 16)}…, opset ${model.opset}`],
    ["Made with", model.made_with],
  ]);
}

function fail(text) {
  view.showProgress(null);
  view.showError(text);
}

function radios() {
  return document.querySelectorAll("input[name=backend]");
}

/** A worker, asked and answered by number. */
class Engine {
  #worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
  #asked = new Map();
  #next = 0;

  constructor() {
    this.#worker.onmessage = ({ data: { id, result, error, ...news } }) => {
      const { resolve, reject, onNews } = this.#asked.get(id);
      if (error !== undefined) reject(new Error(error));
      else if (result !== undefined) resolve(result);
      else onNews(news);
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      const problem = new Error(event.message || "worker.js cannot be started. Copy the folder again.");
      for (const { reject } of this.#asked.values()) reject(problem);
    };
  }

  ask(message, onNews) {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#asked.set(id, { resolve, reject, onNews });
      this.#worker.postMessage({ id, ...message });
    });
  }

  stop() {
    this.#worker.terminate();
  }
}
