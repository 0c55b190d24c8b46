// Runs in the browser: does what steps.json asks for, one step after the other, and posts what came out.

const PAGE = "/page/";

const STEPS = { tensors, logits, use, fallback, open, outside };

const steps = await (await fetch("/steps.json")).json();
const results = {};
for (const { name, kind, ...given } of steps) {
  try {
    results[name] = { value: await STEPS[kind](given) };
  } catch (error) {
    results[name] = { error: String(error?.stack ?? error) };
  }
}
await fetch("/results", { method: "POST", body: JSON.stringify(results) });

/** The inputs made of images, as base64 of float32. */
async function tensors({ cases }) {
  const { decode } = await import(`${PAGE}decode.js`);
  const { preprocess } = await import(`${PAGE}preprocess.js`);
  const made = [];
  for (const { image, config } of cases) made.push(base64(preprocess(await decode(await blob(image)), config)));
  return made;
}

/** What the page's worker answers for images. */
async function logits({ page, backend, images }) {
  if (backend === "webgpu" && !(await navigator.gpu?.requestAdapter())) return { missing: true };
  const model = await (await fetch(`${page}model.json`)).json();
  const worker = new Worker(`${page}worker.js`, { type: "module" });
  try {
    const loaded = await ask(worker, { task: "load", backend, model });
    const found = [];
    for (const image of images) {
      const { tensor, ...rest } = await ask(worker, { task: "classify", image: await blob(image) });
      found.push({ ...rest, tensor: base64(tensor) });
    }
    return { loaded, found };
  } finally {
    worker.terminate();
  }
}

/** A visit: a sample, a broken file, an image of one's own dropped, the other backend. */
async function use({ page, own, gpu }) {
  const { frame, $ } = await visit(page);
  await until(() => $("#samples button:not(:disabled)"), "samples can be clicked");
  const before = look($);
  $("#samples button").click();
  await until(() => $("#latency").textContent, "a prediction");
  const sample = look($);
  drop(frame, new File(["no image"], "broken.png", { type: "image/png" }));
  await until(() => !$("#error").hidden, "an error");
  const broken = look($);
  drop(frame, new File([await blob(own)], "own.png", { type: "image/png" }));
  await until(() => $("#latency").textContent && $("#error").hidden, "a prediction");
  const dropped = look($);
  const label = $("#backends input[value=webgpu]");
  let other = null;
  if (gpu && !label.disabled) {
    label.click();
    await until(() => $("#latency").textContent && $("#backend-now").textContent.includes("every"), "WebGPU");
    other = look($);
  }
  const urls = frame.contentWindow.performance.getEntriesByType("resource").map(({ name }) => name);
  const wide = frame.contentDocument.documentElement.scrollWidth;
  frame.remove();
  return { before, sample, broken, dropped, other, urls, wide };
}

/** WebGPU chosen for a model that it cannot run. */
async function fallback({ page }) {
  const { frame, $ } = await visit(page);
  await until(() => $("#samples button:not(:disabled)"), "samples can be clicked");
  const radio = $("#backends input[value=webgpu]");
  if (radio.disabled) return null;
  radio.click();
  await until(() => $("#backend-why").textContent.includes("failed"), "a reason");
  await until(() => $("#samples button:not(:disabled)"), "samples can be clicked");
  const seen = { ...look($), chosen: $("#backends input:checked").value };
  frame.remove();
  return seen;
}

/** What a page says that cannot work. */
async function open({ page }) {
  const { frame, $ } = await visit(page);
  await until(() => !$("#error").hidden, "an error");
  const seen = look($);
  frame.remove();
  return seen;
}

/** Whether the page could send anything elsewhere. */
async function outside({ page, url }) {
  const { frame } = await visit(page);
  const from = async (window) => window.fetch(url, { mode: "no-cors" }).then(() => "sent", () => "refused");
  const answers = { here: await from(window), page: await from(frame.contentWindow) };
  frame.remove();
  return answers;
}

async function visit(page) {
  const frame = document.createElement("iframe");
  [frame.width, frame.height, frame.src] = [320, 640, `${page}index.html`];
  document.body.append(frame);
  await new Promise((resolve) => (frame.onload = resolve));
  return { frame, $: (selector) => frame.contentDocument.querySelector(selector) };
}

function drop(frame, file) {
  const dataTransfer = new frame.contentWindow.DataTransfer();
  dataTransfer.items.add(file);
  frame.contentWindow.dispatchEvent(new frame.contentWindow.DragEvent("drop", { dataTransfer, cancelable: true }));
}

/** The words on the page. */
function look($) {
  const text = (selector) => {
    const found = $(selector);
    return found && found.checkVisibility() ? found.innerText : "";
  };
  const ids = ["h1", "#subtitle", "#notice", "#error", "#empty", "#latency", "#backend-now", "#backend-why", "#run-facts"];
  const words = Object.fromEntries(ids.map((id) => [id.replace("#", ""), text(id)]));
  const bars = [...$("#bars").children].map((item) => ({
    name: item.querySelector(".name").textContent,
    share: item.querySelector(".share").textContent,
    width: item.querySelector(".fill").style.width,
  }));
  return { ...words, bars, model: text("#model-facts") };
}

function ask(worker, message) {
  return new Promise((resolve, reject) => {
    worker.onerror = (event) => reject(new Error(event.message));
    worker.onmessage = ({ data }) => {
      if (data.error !== undefined) reject(new Error(data.error));
      else if (data.result !== undefined) resolve(data.result);
    };
    worker.postMessage({ id: 0, ...message });
  });
}

async function until(condition, what) {
  const end = performance.now() + 90000;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function blob(name) {
  const answer = await fetch(name);
  if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
  return answer.blob();
}

function base64(values) {
  let text = "";
  for (const byte of new Uint8Array(values.buffer)) text += String.fromCharCode(byte);
  return btoa(text);
}
