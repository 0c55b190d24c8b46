// Loads the model and runs it, away from the page, which stays usable meanwhile.
//
// In:  {id, task: "load", backend, model} or {id, task: "classify", image: Blob}; `model` is the content of model.json.
// Out: {id, progress: 0..1}, {id, first: {...}} as soon as there is a prediction, {id, result: {...}} or {id, error}.

import { decode } from "./decode.js";
import { preprocess } from "./preprocess.js";

// Two builds of ONNX Runtime: the one that can wait for a GPU runs several times slower on the processor.
const BUILDS = {
  wasm: { api: "ort.wasm.min.js", glue: "ort-wasm-simd-threaded.js", binary: "ort-wasm-simd-threaded.wasm" },
  webgpu: {
    api: "ort.webgpu.min.js",
    glue: "ort-wasm-simd-threaded.asyncify.js",
    binary: "ort-wasm-simd-threaded.asyncify.wasm",
  },
};
// Runs behind a stated latency: this many, or fewer once this much time is spent.
const RUNS = 7;
const BUDGET_MS = 2000;

let ort, session, model;

self.onmessage = async ({ data }) => {
  const { id, task } = data;
  const say = (message) => self.postMessage({ id, ...message });
  try {
    const run = task === "load" ? load(data, say) : classify(data.image, say);
    say({ result: await run });
  } catch (error) {
    say({ error: error?.message || String(error) });
  }
};

async function load({ backend, model: record }, say) {
  model = record;
  const start = performance.now();
  const build = BUILDS[backend];
  const files = [`runtime/${build.binary}`, "model.onnx"];
  const sizes = files.map((name) => model.files[name].bytes);
  const done = files.map(() => 0);
  const total = sizes[0] + sizes[1];
  const fetches = files.map((name, i) =>
    fetchChecked(name, (bytes) => {
      done[i] = bytes;
      say({ progress: (done[0] + done[1]) / total });
    }),
  );
  const [binary, file] = await Promise.all(fetches);
  const threads = self.crossOriginIsolated ? Math.min(navigator.hardwareConcurrency || 1, 8) : 1;
  ort = await import(`./runtime/${build.api}`);
  ort.env.wasm.wasmBinary = binary;
  ort.env.wasm.wasmPaths = { mjs: new URL(`runtime/${build.glue}`, import.meta.url).href };
  ort.env.wasm.numThreads = backend === "wasm" ? threads : 1;
  const opened = performance.now();
  session = await ort.InferenceSession.create(file, {
    executionProviders: [backend],
    freeDimensionOverrides: { batch: 1 },
    // With WebGPU: every operator on the GPU, or an error; never some of them quietly on the processor.
    extra: backend === "webgpu" ? { session: { disable_cpu_ep_fallback: "1" } } : {},
    logSeverityLevel: 3,
  });
  const ready = performance.now();
  const first = await run(await tensorOf(await (await get(model.check.file)).blob()));
  return {
    threads: ort.env.wasm.numThreads,
    fetch_ms: opened - start,
    create_ms: ready - opened,
    first_ms: first.ms,
    check: compare(first.logits, model.check.logits, model.check.max_rel[backend]),
  };
}

async function classify(image, say) {
  const start = performance.now();
  const tensor = await tensorOf(image);
  const prepared = performance.now() - start;
  const first = await run(tensor);
  const prediction = { logits: Array.from(first.logits), prepare_ms: prepared };
  say({ first: prediction });
  const times = [first.ms];
  for (let spent = first.ms; times.length < RUNS && spent < BUDGET_MS; spent += times.at(-1)) {
    times.push((await run(tensor)).ms);
  }
  return { ...prediction, tensor, runs: times.length, median_ms: median(times) };
}

async function tensorOf(blob) {
  return preprocess(await decode(blob), model.preprocess);
}

async function run(values) {
  const input = new ort.Tensor("float32", values, [1, ...model.preprocess.input_size]);
  const start = performance.now();
  const { logits } = await session.run({ image: input });
  const data = await logits.getData();
  return { ms: performance.now() - start, logits: data };
}

/** How far this device is from what ONNX Runtime computed where the page was made, relative to the largest logit. */
function compare(found, expected, allowed) {
  const scale = Math.max(...expected.map(Math.abs), 1e-30);
  const rel = Math.max(...expected.map((value, i) => Math.abs(value - found[i]))) / scale;
  // Written so that NaN does not pass.
  return { rel, allowed, passed: rel <= allowed };
}

/** A file of the page, whole: its size, and its digest where the browser offers one (https or localhost). */
async function fetchChecked(name, onBytes) {
  const { bytes: size, sha256 } = model.files[name];
  const reader = (await get(`${name}?${sha256.slice(0, 12)}`)).body.getReader();
  const content = new Uint8Array(size);
  let filled = 0;
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    if (filled + part.value.length <= size) content.set(part.value, filled);
    filled += part.value.length;
    onBytes(filled);
  }
  if (filled !== size) throw new Error(`${name} should have ${size} bytes, ${filled} arrived. Copy the folder again.`);
  if (self.crypto?.subtle) {
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", content));
    const hex = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
    if (hex !== sha256) throw new Error(`${name} is not the file this page was made with. Copy the folder again.`);
  }
  return content;
}

async function get(name) {
  const answer = await fetch(new URL(name, import.meta.url));
  if (!answer.ok) throw new Error(`The server does not have ${name.split("?")[0]} (status ${answer.status}).`);
  return answer;
}

function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return sorted.length % 2 ? sorted[Math.floor(middle)] : (sorted[middle - 1] + sorted[middle]) / 2;
}
