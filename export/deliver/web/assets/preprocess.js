// An image's pixels to the model's input, bit for bit as `zoo.Preprocess` makes it with Pillow, torchvision and timm.
//
// An image here is {width, height, channels, data}: bytes, row by row, the channels of a pixel side by side.

// Pillow keeps filter weights as whole numbers with this many bits behind the point.
const BITS = 22;

// Per interpolation: the radius in pixels of the finer grid, and the weight at distance x.
const FILTERS = {
  box: [0.5, (x) => (x > -0.5 && x <= 0.5 ? 1 : 0)],
  bilinear: [1, (x) => Math.max(0, 1 - Math.abs(x))],
  hamming: [1, hamming],
  bicubic: [2, bicubic],
  lanczos: [3, (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0)],
};

/** RGBA pixels as the model's colour mode: three channels RGB, or one of grey; transparency is dropped. */
export function toChannels({ width, height, data }, channels) {
  const out = new Uint8ClampedArray(width * height * channels);
  for (let from = 0, to = 0; from < data.length; from += 4) {
    if (channels === 3) {
      out[to++] = data[from];
      out[to++] = data[from + 1];
      out[to++] = data[from + 2];
    } else {
      out[to++] = (data[from] * 19595 + data[from + 1] * 38470 + data[from + 2] * 7471 + 0x8000) >> 16;
    }
  }
  return { width, height, channels, data: out };
}

/**
 * The model's input of one image: Float32Array of channels x height x width.
 * `config` is `Preprocess.to_dict()` with `tall_first`, which says what the Pillow at hand does.
 */
export function preprocess(rgba, config) {
  const [channels, height, width] = config.input_size;
  const image = toChannels(rgba, channels);
  const wanted = resizedSize(image.width, image.height, config);
  const fill = config.crop_mode === "border" ? config.mean.map((v) => roundHalfEven(255 * v)) : config.mean.map(() => 0);
  const resized = resize(image, ...wanted, config.interpolation, config.tall_first);
  const cut = cropOrPad(resized, width, height, fill);
  return normalise(cut, config.mean, config.std);
}

/** Width and height an image is resized to before the crop; see timm's evaluation transform. */
export function resizedSize(width, height, config) {
  const [, rows, columns] = config.input_size;
  const [tall, wide] = [Math.floor(rows / config.crop_pct), Math.floor(columns / config.crop_pct)];
  if (config.crop_mode === "squash") return [wide, tall];
  if (config.crop_mode === "center" && wide === tall) {
    const long = Math.trunc((tall * Math.max(width, height)) / Math.min(width, height));
    return width <= height ? [tall, long] : [long, tall];
  }
  const ratios = [height / tall, width / wide];
  const ratio = config.crop_mode === "border" ? Math.max(...ratios) : Math.min(...ratios);
  return [roundHalfEven(width / ratio), roundHalfEven(height / ratio)];
}

/**
 * Pillow's `Image.resize` for 8-bit channels: first along the rows, then along the columns. From Pillow 13 on
 * (`tallFirst`) the other way round where the height shrinks by more than twice as many pixels as the width.
 */
export function resize(image, width, height, interpolation, tallFirst = false) {
  if (width < 1 || height < 1) throw new Error(`The image is too narrow: resized, it would have ${width} x ${height} pixels.`);
  if (interpolation === "nearest") return resizeNearest(image, width, height);
  const rows = (given) => (given.width === width ? given : resizeRows(given, width, interpolation));
  const columns = (given) => (given.height === height ? given : resizeColumns(given, height, interpolation));
  const shrinks = image.height - height;
  return tallFirst && shrinks > 0 && shrinks > 2 * (image.width - width) ? rows(columns(image)) : columns(rows(image));
}

function resizeRows(image, width, interpolation) {
  const { height, channels, data } = image;
  const out = new Uint8ClampedArray(width * height * channels);
  const taps = weights(image.width, width, interpolation);
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const { first, values } = taps[x];
      const start = (y * image.width + first) * channels;
      for (let c = 0; c < channels; c++) {
        let sum = 1 << (BITS - 1);
        for (let k = 0, from = start + c; k < values.length; k++, from += channels) {
          sum = (sum + Math.imul(data[from], values[k])) | 0;
        }
        out[to++] = sum >> BITS; // the array clips to 0..255
      }
    }
  }
  return { width, height, channels, data: out };
}

function resizeColumns(image, height, interpolation) {
  const { width, channels, data } = image;
  const stride = width * channels;
  const out = new Uint8ClampedArray(stride * height);
  const taps = weights(image.height, height, interpolation);
  for (let y = 0; y < height; y++) {
    const { first, values } = taps[y];
    for (let x = 0; x < stride; x++) {
      let sum = 1 << (BITS - 1);
      for (let k = 0, from = first * stride + x; k < values.length; k++, from += stride) {
        sum = (sum + Math.imul(data[from], values[k])) | 0;
      }
      out[y * stride + x] = sum >> BITS;
    }
  }
  return { width, height, channels, data: out };
}

/** For each pixel of the result: the first pixel it is made of, and whole-number weights of that and the next ones. */
function weights(size, wanted, interpolation) {
  const [radius, filter] = FILTERS[interpolation];
  const scale = size / wanted;
  const spread = Math.max(scale, 1); // a smaller result averages over more pixels
  return Array.from({ length: wanted }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - radius * spread + 0.5));
    const last = Math.min(size, Math.trunc(centre + radius * spread + 0.5));
    // Pillow multiplies by the inverse; a division would round differently.
    const raw = Array.from({ length: last - first }, (_, k) => filter((k + first - centre + 0.5) * (1 / spread)));
    const total = raw.reduce((sum, value) => sum + value, 0);
    return { first, values: Int32Array.from(raw, (value) => fixed(total === 0 ? value : value / total)) };
  });
}

function resizeNearest(image, width, height) {
  const { channels, data } = image;
  const [columns, rows] = [nearestOf(image.width, width), nearestOf(image.height, height)];
  const out = new Uint8ClampedArray(width * height * channels);
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = (rows[y] * image.width + columns[x]) * channels;
      for (let c = 0; c < channels; c++) out[to++] = data[from + c];
    }
  }
  return { width, height, channels, data: out };
}

function nearestOf(size, wanted) {
  const scale = size / wanted;
  const out = [];
  // Pillow adds the scale again and again, and so do the last bits here.
  for (let i = 0, at = scale * 0.5; i < wanted; i++, at += scale) out.push(Math.min(Math.trunc(at), size - 1));
  return out;
}

/** The centre of an image, filled up where the image is smaller. */
export function cropOrPad(image, width, height, fill) {
  const { channels, data } = image;
  const [left, top] = [offset(image.width, width), offset(image.height, height)];
  const out = new Uint8ClampedArray(width * height * channels);
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [row, column] = [y + top, x + left];
      const inside = row >= 0 && row < image.height && column >= 0 && column < image.width;
      const from = (row * image.width + column) * channels;
      for (let c = 0; c < channels; c++) out[to++] = inside ? data[from + c] : fill[c];
    }
  }
  return { width, height, channels, data: out };
}

/** Where the crop starts; below zero where the image is padded, with the larger half behind. */
function offset(size, wanted) {
  return size < wanted ? -Math.floor((wanted - size) / 2) : roundHalfEven((size - wanted) / 2);
}

/** (pixel / 255 - mean) / std in float32 steps, channel by channel. */
function normalise({ width, height, channels, data }, mean, std) {
  const f = Math.fround;
  const out = new Float32Array(channels * width * height);
  for (let c = 0, to = 0; c < channels; c++) {
    const table = Array.from({ length: 256 }, (_, v) => f(f(f(v / 255) - f(mean[c])) / f(std[c])));
    for (let from = c; from < data.length; from += channels) out[to++] = table[data[from]];
  }
  return out;
}

function fixed(weight) {
  return Math.trunc((weight < 0 ? -0.5 : 0.5) + weight * 2 ** BITS);
}

/** Python's `round`: a half goes to the even neighbour. */
function roundHalfEven(x) {
  const low = Math.floor(x);
  const over = x - low;
  return over > 0.5 || (over === 0.5 && low % 2 !== 0) ? low + 1 : low;
}

function bicubic(x) {
  const a = -0.5;
  const d = Math.abs(x);
  if (d < 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? (((d - 5) * d + 8) * d - 4) * a : 0;
}

function hamming(x) {
  const d = Math.abs(x);
  if (d === 0) return 1;
  if (d >= 1) return 0;
  const angle = d * Math.PI;
  return (Math.sin(angle) / angle) * (0.54 + 0.46 * Math.cos(angle));
}

function sinc(x) {
  return x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI);
}
