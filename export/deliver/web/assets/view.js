// What the page shows; it knows nothing of workers and models.

const TOP = 5;

export const $ = (id) => document.getElementById(id);

/** Shares of all classes from their logits. */
export function softmax(logits) {
  const largest = Math.max(...logits);
  const powers = logits.map((value) => Math.exp(value - largest));
  const total = powers.reduce((sum, value) => sum + value, 0);
  return powers.map((value) => value / total);
}

/** Name of a class by its number. */
export function className(labels, index) {
  return labels[index] ?? `class ${index}`;
}

/** A time with its unit, to two or three figures. */
export function duration(ms) {
  if (ms >= 999.5) return `${(ms / 1000).toFixed(ms < 9995 ? 2 : 1)} s`;
  return `${ms.toFixed(ms < 9.95 ? 1 : 0)} ms`;
}

export function size(bytes) {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

export function showProgress(text, share = null) {
  $("loading").hidden = text === null;
  if (text === null) return;
  // The words change rarely, so that a screen reader does not count along.
  if ($("loading-text").textContent !== text) $("loading-text").textContent = text;
  if (share === null) $("loading-bar").removeAttribute("value");
  else $("loading-bar").value = share;
}

export function showError(text) {
  $("error").hidden = text === null;
  $("error").textContent = text ?? "";
}

/** The five likeliest classes as bars. */
export function showBars(logits, labels) {
  const shares = softmax(logits);
  const order = shares.map((_, i) => i).sort((a, b) => shares[b] - shares[a]);
  $("bars").replaceChildren(...order.slice(0, TOP).map((index) => bar(className(labels, index), shares[index])));
  $("empty").hidden = true;
  $("result").hidden = false;
  // On a phone the bars are below the picture.
  $("prediction-card").scrollIntoView({ block: "nearest" });
}

export function clearBars() {
  $("result").hidden = true;
  $("bars").replaceChildren();
  $("latency").textContent = "";
}

function bar(name, share) {
  const [track, fill] = [element("div", "", "track"), element("div", "", "fill")];
  fill.style.width = `${100 * share}%`;
  track.append(fill);
  const item = element("li");
  item.append(element("span", name, "name"), element("span", percent(share), "share"), track);
  return item;
}

function percent(share) {
  return share > 0 && share < 0.0005 ? "< 0.1 %" : `${(100 * share).toFixed(1)} %`;
}

/** Rows of a term and what it is; rows without a value are left out. */
export function showFacts(list, rows) {
  list.replaceChildren(
    ...rows
      .filter(([, value]) => value)
      .map(([term, value]) => {
        const row = element("div");
        row.append(element("dt", term), element("dd", value));
        return row;
      }),
  );
}

export function showPreview(source) {
  const image = $("preview");
  const old = image.src;
  image.onload = () => image.classList.toggle("small", Math.max(image.naturalWidth, image.naturalHeight) < 100);
  image.src = source;
  image.alt = "The image that is classified";
  image.hidden = false;
  $("invitation").hidden = true;
  if (old.startsWith("blob:")) URL.revokeObjectURL(old);
}

export function hidePreview() {
  $("preview").hidden = true;
  $("invitation").hidden = false;
}

/** A button with a picture for every sample; `onPick` gets the sample and the button. */
export function showSamples(samples, onPick) {
  $("samples-block").hidden = samples.length === 0;
  $("samples").replaceChildren(
    ...samples.map((sample) => {
      const button = element("button");
      const image = element("img");
      [image.src, image.alt, image.loading] = [sample.file, sample.title, "lazy"];
      [button.type, button.title, button.disabled] = ["button", sample.title, true];
      button.setAttribute("aria-pressed", "false");
      button.append(image);
      button.onclick = () => onPick(sample, button);
      const item = element("li");
      item.append(button);
      return item;
    }),
  );
}

/** Which sample is shown; null for an image of the visitor's own. */
export function markSample(chosen) {
  for (const button of $("samples").querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(button === chosen));
  }
}

/** Whether images can be chosen now. */
export function setReady(ready) {
  $("file").disabled = !ready;
  for (const button of $("samples").querySelectorAll("button")) button.disabled = !ready;
}

function element(name, text = "", className = "") {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  if (className) made.className = className;
  return made;
}
