"use strict";
/* Pictures, statistics, and the worker that runs the networks: one job at a time, the newest wish
   of each figure first. Masks are kept, so going back is instant. */

const fromBase64 = (words) => Uint8Array.from(atob(words), (c) => c.charCodeAt(0));

async function grayOf(png) {
  const bitmap = await createImageBitmap(new Blob([fromBase64(png)], { type: "image/png" }));
  return grayOfBitmap(bitmap, 0, 0, bitmap.width, bitmap.height);
}

/** uint8 gray of a part of a picture, light colours as ink: wellseg/scan/pictures.py, to_gray. */
function grayOfBitmap(bitmap, left, top, w, rows) {
  const canvas = h("canvas", { width: w, height: rows });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white";
  context.fillRect(0, 0, w, rows);
  context.drawImage(bitmap, -left, -top);
  const { data } = context.getImageData(0, 0, w, rows), gray = new Uint8Array(w * rows);
  for (let i = 0, p = 0; i < gray.length; i++, p += 4) {
    const r = data[p], g = data[p + 1], b = data[p + 2];
    const strong = Math.max(0, Math.max(r, g, b) - Math.min(r, g, b) - 96);
    gray[i] = Math.max(0, Math.round(0.299 * r + 0.587 * g + 0.114 * b) - strong);
  }
  return { gray, h: rows, w };
}

/** White paper below, until it is that share of the rows. */
function withBlank(picture, share) {
  if (!share) return picture;
  const rows = Math.round((picture.h * share) / (1 - share));
  const gray = new Uint8Array((picture.h + rows) * picture.w).fill(255);
  gray.set(picture.gray);
  return { gray, h: picture.h + rows, w: picture.w, key: `${picture.key}+${share}` };
}

class Engine {
  constructor(live, source) {
    this.live = live;
    const about = live.networks.batch.about;
    this.norms = [];
    const { widths } = about;
    widths.forEach((c, i) => this.norms.push(...[1, 2].map((n) => ({ stage: `encoder ${i + 1}`, c, n, depth: i }))));
    widths.slice(0, -1).reverse().forEach((c, i) =>
      this.norms.push(...[1, 2].map((n) => ({ stage: `decoder ${i + 1}`, c, n, depth: widths.length - 2 - i }))));
    const floats = new Float32Array(fromBase64(live.running).buffer);
    const size = 2 * this.norms.reduce((sum, { c }) => sum + c, 0);
    this.running = live.momenta.map((_, i) => this._split(floats.subarray(i * size, (i + 1) * size)));
    const halves = decodeHalves(fromBase64(live.unlabelled).buffer);
    this.unlabelled = Array.from({ length: live.unlabelled_logs }, (_, i) =>
      this._split(halves.subarray(i * size, (i + 1) * size)).map(({ mean, variance }) =>
        ({ mean, variance: variance.map((sd) => sd * sd) })));
    this.cache = new Map();
    this.wishes = new Map();
    this.busy = null;
    this.worker = new Worker(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
    this.worker.onmessage = ({ data }) => this._answered(data);
    this.worker.onerror = (event) => console.error(event.message);
    const networks = {};
    for (const [name, each] of Object.entries(live.networks))
      networks[name] = { about: each.about, halves: fromBase64(each.halves).buffer };
    this.worker.postMessage({ networks });
  }

  _split(values) {
    let at = 0;
    return this.norms.map(({ c }) => {
      const pair = { mean: Float64Array.from(values.subarray(at, at + c)),
        variance: Float64Array.from(values.subarray(at + c, at + 2 * c)) };
      at += 2 * c;
      return pair;
    });
  }

  /** Running statistics of a momentum; corrected: without what is left of mean 0 and variance 1. */
  runningOf(momentum = "0.01", corrected = false) {
    const found = this.running[this.live.momenta.indexOf(momentum)];
    if (!corrected || momentum === "cumulative") return found;
    const start = (1 - Number(momentum)) ** this.live.observed;
    return found.map(({ mean, variance }) => ({
      mean: mean.map((m) => m / (1 - start)), variance: variance.map((v) => (v - start) / (1 - start)) }));
  }

  /** Statistics over n unlabelled logs, each counting the same, and so many more that have the
      running ones (studies/batch_size_one/recalibrate.py, precise). */
  unlabelledOf(n, prior = 0) {
    const before = this.runningOf();
    if (n === 0) return before;
    const logs = this.unlabelled.slice(0, n), total = n + prior;
    return before.map(({ mean, variance }, i) => {
      const m = mean.map((v, c) => (prior * v + logs.reduce((s, log) => s + log[i].mean[c], 0)) / total);
      const v = variance.map((old, c) => {
        let sum = prior * (old + (mean[c] - m[c]) ** 2);
        for (const log of logs) sum += log[i].variance[c] + (log[i].mean[c] - m[c]) ** 2;
        return sum / total;
      });
      return { mean: m, variance: v };
    });
  }

  ownFirst(k) {
    return this.runningOf().map((each, i) => (i < k ? null : each));
  }

  /** how: {name: "own first", k} | {name: "running", momentum, corrected} | {name: "unlabelled",
      n, prior} | {name: "group"}. */
  _job(picture, how, keep) {
    let { name } = how, statistics = null;
    if (name === "own first") statistics = this.ownFirst(how.k);
    else if (name === "running") statistics = this.runningOf(how.momentum, how.corrected);
    else if (name === "unlabelled") statistics = this.unlabelledOf(how.n, how.prior);
    else statistics = this.norms.map(() => null);
    return { network: name === "group" ? "group" : "batch", picture, statistics, keep };
  }

  /** Ask for {mask, logits, own, kept, ms}; done(result) is called at once or when it is there, unless
      the same owner asked for something else meanwhile. Owners are served in order of urgency. */
  ask(owner, picture, how, done, { urgency = 0, keep = -1 } = {}) {
    const key = [picture.key, ...Object.values(how), keep].join("|");
    const known = this.cache.get(key);
    this.wishes.delete(owner);
    if (known) return done(known);
    this.wishes.set(owner, { key, done, urgency, job: () => this._job(picture, how, keep) });
    this._next();
  }

  _next() {
    if (this.busy || !this.wishes.size) return;
    const [owner, wish] = [...this.wishes].sort((a, b) => b[1].urgency - a[1].urgency)[0];
    this.busy = { owner, ...wish };
    this.worker.postMessage({ id: wish.key, ...wish.job() });
  }

  _answered({ logits, own, kept, ms }) {
    const { key } = this.busy, mask = new Uint8Array(logits.length);
    for (let i = 0; i < mask.length; i++) mask[i] = logits[i] > 0 ? 1 : 0;
    const result = { mask, own, kept, ms, logits };
    this.cache.set(key, result);
    if (this.cache.size > 120) this.cache.delete(this.cache.keys().next().value);
    this.busy = null;
    for (const [owner, wish] of [...this.wishes])
      if (wish.key === key) {
        this.wishes.delete(owner);
        wish.done(result);
      }
    this._next();
  }

  /** What the contrast at each norm's entrance is, over what running statistics expect: the
      geometric mean over channels. */
  contrast(own) {
    return this.runningOf().map(({ variance }, i) => {
      let sum = 0;
      for (let c = 0; c < variance.length; c++)
        sum += Math.log((own[i].variance[c] + 1e-5) / (variance[c] + 1e-5)) / 2;
      return Math.exp(sum / variance.length);
    });
  }
}

/** Which pixels lie within so many of a marked one, by rows and then columns (a square). */
function near(marks, h, w, reach = 3) {
  const rows = new Uint8Array(h * w), out = new Uint8Array(h * w);
  for (let r = 0; r < h; r++)
    for (let s = 0; s < w; s++)
      if (marks[r * w + s])
        rows.fill(1, r * w + Math.max(0, s - reach), r * w + Math.min(w, s + reach + 1));
  for (let s = 0; s < w; s++)
    for (let r = 0; r < h; r++)
      if (rows[r * w + s])
        for (let t = Math.max(0, r - reach); t <= Math.min(h - 1, r + reach); t++) out[t * w + s] = 1;
  return out;
}
