"use strict";
/* The study's residual UNet (wellseg/net/resunet.py) in plain JavaScript, for one picture at a time.

   A map is {c, h, w, data}: c planes of (h + 2) x (w + 2) float32 with a border of zeros, so that a
   3x3 convolution needs no special case at the edges. Sums are taken in double precision.
   `tests/test_study_page.py` holds its logits against PyTorch's. */

function makeMap(c, h, w) {
  return { c, h, w, data: new Float32Array(c * (h + 2) * (w + 2)) };
}

/** IEEE half precision, little endian -> Float32Array. */
function decodeHalves(buffer) {
  const halves = new Uint16Array(buffer);
  const out = new Float32Array(halves.length);
  for (let i = 0; i < halves.length; i++) {
    const bits = halves[i], exponent = (bits >> 10) & 31, fraction = bits & 1023;
    const size = exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24;
    out[i] = bits & 0x8000 ? -size : size;
  }
  return out;
}

/** weight (out, in, 3, 3), no bias. Four output channels and two columns at a time, so that most
    of what is read from memory is used several times. */
function conv3x3(x, weight, cOut) {
  const { c: cIn, h, w, data } = x;
  const y = makeMap(cOut, h, w);
  const out = y.data, row = w + 2, plane = row * (h + 2);
  const packed = new Float64Array(cIn * 36);
  for (let o = 0; o < cOut; o += 4) {
    for (let i = 0; i < cIn; i++)
      for (let t = 0; t < 9; t++)
        for (let j = 0; j < 4; j++)
          packed[(i * 9 + t) * 4 + j] = weight[((o + j) * cIn + i) * 9 + t];
    const first = o * plane;
    for (let r = 0; r < h; r++) {
      for (let s = 0; s < w; s += 2) {
        let a0 = 0, a1 = 0, b0 = 0, b1 = 0, c0 = 0, c1 = 0, d0 = 0, d1 = 0;
        for (let i = 0, at = r * row + s, p = 0; i < cIn; i++, at += plane) {
          for (let dy = 0, q = at; dy < 3; dy++, q += row, p += 12) {
            const x0 = data[q], x1 = data[q + 1], x2 = data[q + 2], x3 = data[q + 3];
            let k0 = packed[p], k1 = packed[p + 1], k2 = packed[p + 2], k3 = packed[p + 3];
            a0 += k0 * x0; a1 += k0 * x1; b0 += k1 * x0; b1 += k1 * x1;
            c0 += k2 * x0; c1 += k2 * x1; d0 += k3 * x0; d1 += k3 * x1;
            k0 = packed[p + 4]; k1 = packed[p + 5]; k2 = packed[p + 6]; k3 = packed[p + 7];
            a0 += k0 * x1; a1 += k0 * x2; b0 += k1 * x1; b1 += k1 * x2;
            c0 += k2 * x1; c1 += k2 * x2; d0 += k3 * x1; d1 += k3 * x2;
            k0 = packed[p + 8]; k1 = packed[p + 9]; k2 = packed[p + 10]; k3 = packed[p + 11];
            a0 += k0 * x2; a1 += k0 * x3; b0 += k1 * x2; b1 += k1 * x3;
            c0 += k2 * x2; c1 += k2 * x3; d0 += k3 * x2; d1 += k3 * x3;
          }
        }
        const to = first + (r + 1) * row + s + 1;
        out[to] = a0; out[to + plane] = b0; out[to + 2 * plane] = c0; out[to + 3 * plane] = d0;
        if (s + 1 < w) {
          out[to + 1] = a1; out[to + plane + 1] = b1;
          out[to + 2 * plane + 1] = c1; out[to + 3 * plane + 1] = d1;
        }
      }
    }
  }
  return y;
}

/** weight (out, in), bias (out) or null; out a multiple of 4. */
function conv1x1(x, weight, cOut, bias) {
  const { c: cIn, h, w, data } = x;
  const y = makeMap(cOut, h, w);
  const out = y.data, row = w + 2, plane = row * (h + 2);
  for (let o = 0; o < cOut; o += 4) {
    const first = o * plane, k = o * cIn;
    for (let r = 1; r <= h; r++) {
      for (let at = r * row + 1, end = at + w; at < end; at++) {
        let a = 0, b = 0, c = 0, d = 0;
        for (let i = 0, q = at; i < cIn; i++, q += plane) {
          const v = data[q];
          a += weight[k + i] * v; b += weight[k + cIn + i] * v;
          c += weight[k + 2 * cIn + i] * v; d += weight[k + 3 * cIn + i] * v;
        }
        out[first + at] = a + (bias ? bias[o] : 0);
        out[first + plane + at] = b + (bias ? bias[o + 1] : 0);
        out[first + 2 * plane + at] = c + (bias ? bias[o + 2] : 0);
        out[first + 3 * plane + at] = d + (bias ? bias[o + 3] : 0);
      }
    }
  }
  return y;
}

/** Mean and biased variance of each channel: the statistics that this picture has by itself. */
function moments(x) {
  const { c, h, w, data } = x, row = w + 2, plane = row * (h + 2), n = h * w;
  const mean = new Float64Array(c), variance = new Float64Array(c);
  for (let i = 0; i < c; i++) {
    let sum = 0, square = 0;
    for (let r = 1; r <= h; r++)
      for (let at = i * plane + r * row + 1, end = at + w; at < end; at++) sum += data[at];
    const centre = sum / n;
    for (let r = 1; r <= h; r++)
      for (let at = i * plane + r * row + 1, end = at + w; at < end; at++) {
        const away = data[at] - centre;
        square += away * away;
      }
    mean[i] = centre;
    variance[i] = square / n;
  }
  return { mean, variance, count: n };
}

/** Moments of groups of neighbouring channels, given to each channel of its group. */
function ofGroups({ mean, variance, count }, groups) {
  const size = mean.length / groups;
  const out = { mean: new Float64Array(mean.length), variance: new Float64Array(mean.length), count };
  for (let g = 0; g < groups; g++) {
    let m = 0, v = 0;
    for (let i = g * size; i < (g + 1) * size; i++) m += mean[i] / size;
    for (let i = g * size; i < (g + 1) * size; i++) v += (variance[i] + (mean[i] - m) ** 2) / size;
    out.mean.fill(m, g * size, (g + 1) * size);
    out.variance.fill(v, g * size, (g + 1) * size);
  }
  return out;
}

/** In place: (x - mean) / sqrt(variance + eps) * weight + bias, plus another map, then ReLU. */
function normalise(x, { mean, variance }, weight, bias, plus) {
  const { c, h, w, data } = x, row = w + 2, plane = row * (h + 2);
  for (let i = 0; i < c; i++) {
    const scale = weight[i] / Math.sqrt(variance[i] + 1e-5), shift = bias[i] - mean[i] * scale;
    for (let r = 1; r <= h; r++)
      for (let at = i * plane + r * row + 1, end = at + w; at < end; at++) {
        const v = data[at] * scale + shift + (plus ? plus.data[at] : 0);
        data[at] = v > 0 ? v : 0;
      }
  }
}

function maxPool(x) {
  const y = makeMap(x.c, x.h / 2, x.w / 2), { data } = x, row = x.w + 2, plane = row * (x.h + 2);
  for (let i = 0, to; i < y.c; i++)
    for (let r = 0; r < y.h; r++) {
      to = i * (y.w + 2) * (y.h + 2) + (r + 1) * (y.w + 2) + 1;
      for (let s = 0, q = i * plane + (2 * r + 1) * row + 1; s < y.w; s++, q += 2)
        y.data[to + s] = Math.max(data[q], data[q + 1], data[q + row], data[q + row + 1]);
    }
  return y;
}

/** Each pixel of x doubled both ways, plus y, in place of y's values in a new map. */
function upsampleAdd(x, y) {
  const out = makeMap(y.c, y.h, y.w), row = y.w + 2, plane = row * (y.h + 2);
  for (let i = 0; i < y.c; i++)
    for (let r = 0; r < y.h; r++) {
      const from = i * (x.w + 2) * (x.h + 2) + ((r >> 1) + 1) * (x.w + 2) + 1;
      const to = i * plane + (r + 1) * row + 1;
      for (let s = 0; s < y.w; s++) out.data[to + s] = y.data[to + s] + x.data[from + (s >> 1)];
    }
  return out;
}

/** Gray uint8 (h, w), 0 ink to 255 paper -> ink, padded to whole coarsest cells, 2 x 2 folded into
    channels as torch.pixel_unshuffle does. */
function fold({ gray, h, w }, patch, multiple) {
  const up = (n) => Math.ceil(n / multiple) * multiple;
  const x = makeMap(patch * patch, up(h) / patch, up(w) / patch);
  const row = x.w + 2, plane = row * (x.h + 2);
  for (let r = 0; r < h; r++)
    for (let s = 0; s < w; s++) {
      const channel = (r % patch) * patch + (s % patch);
      const at = channel * plane + (Math.floor(r / patch) + 1) * row + Math.floor(s / patch) + 1;
      x.data[at] = 1 - gray[r * w + s] / 255;
    }
  return x;
}

class Network {
  /** about: {patch, widths, groups: of each norm, or null for BatchNorm, tensors: [[name, size]]};
      values: Float32Array of all tensors, one after the other. */
  constructor(about, values) {
    this.about = about;
    this.tensors = new Map();
    let at = 0;
    for (const [name, size] of about.tensors) {
      this.tensors.set(name, values.subarray(at, at + size));
      at += size;
    }
    const { widths } = about, below = widths.slice(1).reverse(), here = widths.slice(0, -1).reverse();
    this.blocks = widths.map((c, i) => ({ name: `encoder.${i}`, c, pool: i > 0 }));
    here.forEach((c, i) => this.blocks.push({ name: `decoder.${i}`, c, lateral: i, from: below[i] }));
    this.norms = this.blocks.flatMap(({ name, c }) =>
      [1, 2].map((n) => ({ name: `${name}.norm${n}`, channels: c })));
    this.kept = new Map();
  }

  get(name) {
    return this.tensors.get(name);
  }

  /** picture: {gray, h, w, key}. statistics: of each norm {mean, variance}, or null for the
      picture's own. keep: the number of a norm whose input is wanted, too.
      -> {logits (h, w), own: moments of each norm's input, kept}. */
  run(picture, statistics, keep = -1) {
    const own = [];
    let state = { x: null, skips: [], own }, start = 0;
    // Blocks that divide by the picture's own statistics begin alike, whatever comes behind.
    const prefix = statistics.findIndex((each) => each !== null);
    const reusable = keep < 0 ? (prefix < 0 ? statistics.length : prefix) >> 1 : 0;
    const cache = this._cacheOf(picture.key);
    for (let b = Math.min(reusable, this.blocks.length); b > 0; b--)
      if (cache[b]) {
        state = { x: cache[b].x, skips: [...cache[b].skips], own: [...cache[b].own] };
        start = b;
        break;
      }
    let { x, skips } = state, kept = null;
    const found = state.own;
    if (!x) x = fold(picture, this.about.patch, this.about.patch * 2 ** (this.about.widths.length - 1));
    for (let b = start; b < this.blocks.length; b++) {
      const { name, c, pool, lateral } = this.blocks[b];
      if (pool) x = maxPool(x);
      if (lateral !== undefined) {
        if (lateral === 0) skips = skips.slice(0, -1);
        x = upsampleAdd(conv1x1(x, this.get(`lateral.${lateral}.weight`), c, null), skips.at(-1));
        skips = skips.slice(0, -1);
      }
      const shortcut = this.get(`${name}.shortcut.weight`);
      const plus = shortcut ? conv1x1(x, shortcut, c, null) : x;
      let y = conv3x3(x, this.get(`${name}.conv1.weight`), c);
      if (keep === 2 * b) kept = { ...y, data: y.data.slice() };
      this._norm(y, 2 * b, statistics, found, null);
      y = conv3x3(y, this.get(`${name}.conv2.weight`), c);
      if (keep === 2 * b + 1) kept = { ...y, data: y.data.slice() };
      this._norm(y, 2 * b + 1, statistics, found, plus);
      x = y;
      if (lateral === undefined) skips = [...skips, x];
      if (b + 1 <= reusable) cache[b + 1] = { x, skips, own: [...found] };
    }
    return { logits: this._unfold(x, picture), own: found, kept };
  }

  _norm(y, number, statistics, found, plus) {
    const { name } = this.norms[number], { groups } = this.about, here = moments(y);
    found.push(here);
    const used = groups ? ofGroups(here, groups[number]) : statistics[number] || here;
    normalise(y, used, this.get(`${name}.weight`), this.get(`${name}.bias`), plus);
  }

  _unfold(x, { h, w }) {
    const { patch } = this.about, row = x.w + 2, plane = row * (x.h + 2);
    const z = conv1x1(x, this.get("head.weight"), patch * patch, this.get("head.bias"));
    const logits = new Float32Array(h * w);
    for (let r = 0; r < h; r++)
      for (let s = 0; s < w; s++) {
        const channel = (r % patch) * patch + (s % patch);
        logits[r * w + s] =
          z.data[channel * plane + (Math.floor(r / patch) + 1) * row + Math.floor(s / patch) + 1];
      }
    return logits;
  }

  /** What blocks left of the last two pictures. */
  _cacheOf(key) {
    const cache = this.kept.get(key) || [];
    this.kept.delete(key);
    this.kept.set(key, cache);
    if (this.kept.size > 2) this.kept.delete(this.kept.keys().next().value);
    return cache;
  }
}

/* --- As a worker: {networks} once, then a job at a time ------------------------------------- */

const networks = {};

function answer({ data }) {
  if (data.networks) {
    for (const [name, { about, halves }] of Object.entries(data.networks))
      networks[name] = new Network(about, decodeHalves(halves));
    return;
  }
  const { id, network, picture, statistics, keep } = data;
  const before = performance.now();
  const { logits, own, kept } = networks[network].run(picture, statistics, keep);
  self.postMessage({ id, logits, own, kept, ms: performance.now() - before }, [logits.buffer]);
}

if (typeof WorkerGlobalScope !== "undefined") self.onmessage = answer;
