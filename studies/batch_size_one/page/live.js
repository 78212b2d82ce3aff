"use strict";
/* Figures that the network computes in the page. */

const MOST_PIXELS = 160000;

function liveFigures(data, live, source) {
  const engine = new Engine(live, source), pictures = new Map();
  const state = { log: live.strips[0].key };
  const listeners = [];

  async function pictureOf(key) {
    if (!pictures.has(key)) {
      const strip = live.strips.find((s) => s.key === key);
      const [gray, truth] = await Promise.all([grayOf(strip.gray), grayOf(strip.truth)]);
      pictures.set(key, { ...gray, truth: truth.gray, key, strip });
    }
    return pictures.get(key);
  }

  const hero = heroFigure(engine, data, live, state, pictureOf, pictures, () => listeners.forEach((each) => each()));
  const rest = [depthFigure, newFigure, widthFigure].map((make) => make(engine, data, live)), blank = blankFigure(engine);
  // White paper is shown on the log that shows it, or on the reader's own.
  const paper = live.strips.find((s) => s.key === "reverse") || live.strips[0];
  listeners.push(async () => {
    const picture = await pictureOf(state.log);
    rest.forEach((figure) => figure(picture));
    blank(picture.strip ? await pictureOf(paper.key) : picture);
  });
  listeners.push(hero);
  listeners.forEach((each) => each());
  window.study = { engine, pictureOf, state };
}

const HOW = {
  own: [{ name: "own first", k: 14 }, "own", "the log’s own statistics"],
  running: [{ name: "running", momentum: "0.01", corrected: false }, "running", "running statistics"],
  group: [{ name: "group" }, "group", "GroupNorm’s groups"],
};

function howOf(name, engine) {
  const [how, ink] = HOW[name];
  return [name === "own" ? { ...how, k: engine.norms.length } : how, ink];
}

function heroFigure(engine, data, live, state, pictureOf, pictures, changed) {
  const strip = new Strip(engine, $("hero").querySelector(".strip"));
  let way = "own";
  const draw = async () => {
    const picture = await pictureOf(state.log), [how, ink] = howOf(way, engine);
    strip.show(picture, how, ink, () => {
      // The other ways are computed while nobody waits, so that the switch is instant.
      let wait = 1;
      for (const other of Object.keys(HOW)) if (other !== way)
        engine.ask(`hero ${other}`, picture, howOf(other, engine)[0], () => {}, { urgency: -wait++ });
    }, 10);
    const { strip: about } = picture;
    $("hero-note").textContent = about
      ? `F1@3px of this drawn log: ${plain(about.f1.own)} with its own statistics, ${plain(about.f1.running)} with running ones, ${plain(about.f1.group)} by GroupNorm.`
      : `Your picture, ${picture.h} × ${picture.w} pixels of it, not resized. It stays in this page.`;
    $("hero-rule").hidden = !about;
    if (about)
      $("hero-rule").querySelector("p").textContent = `By rule, not by eye: running statistics cost ${about.why}; of the ${about.small} that are readable and small enough for this page, ` +
        `this log, ${about.name}, is the nearest to that. ${about.readable} of the ${about.logs} are readable: their own statistics find half of the curve or more, and half of the marks or more are right. ` +
        `Weights: seed ${live.seed}, BatchNorm 0.01 trained at rate ${live.rates.batch}, GroupNorm at ${live.rates.group}` +
        (live.chosen ? ", each its best." : "; which rates are best is not known before part A is scored.");
  };
  radios($("hero-how"), Object.entries(HOW).map(([key, [, kind, words]]) => [key, words, kind]), way, (v) => { way = v; draw(); });
  const names = { strong: "large effect", typical: "readable render", reverse: "reverse effect", like: "like the training" };
  const setLog = radios($("hero-log"), live.strips.map((s) => [s.key, names[s.key] || s.key]), state.log, (v) => { state.log = v; changed(); });
  const file = h("input", { type: "file", accept: "image/*", "aria-label": "Your own picture of a log" });
  $("hero-log").append(h("label", {}, file, h("span", {}, "your own …")));
  const take = async (blob) => {
    const bitmap = await createImageBitmap(blob).catch(() => null);
    if (!bitmap) { $("hero-note").textContent = "That is not a picture this browser can read: try PNG or JPEG."; return; }
    // A part, for time's sake, and never a smaller copy: curves are one to nine pixels wide.
    const w = Math.min(bitmap.width, 640), rows = Math.min(bitmap.height, Math.floor(MOST_PIXELS / w));
    const left = Math.floor((bitmap.width - w) / 2), top = Math.floor((bitmap.height - rows) / 2);
    const key = `yours ${Date.now()}`;
    pictures.set(key, { ...grayOfBitmap(bitmap, left, top, w, rows), key });
    state.log = key;
    setLog(key);
    changed();
  };
  file.addEventListener("change", () => file.files[0] && take(file.files[0]));
  const figure = $("hero");
  figure.addEventListener("dragover", (e) => { e.preventDefault(); figure.classList.add("drop"); });
  figure.addEventListener("dragleave", () => figure.classList.remove("drop"));
  figure.addEventListener("drop", (e) => {
    e.preventDefault();
    figure.classList.remove("drop");
    if (e.dataTransfer.files[0]) take(e.dataTransfer.files[0]);
  });
  $("hero-truth").addEventListener("change", (e) => { strip.truth = e.target.checked; if (strip.result) strip.paint(strip.result); });
  return draw;
}

function depthFigure(engine, data) {
  const box = $("depth-live"), strip = new Strip(engine, box.querySelector(".strip"));
  let k = 0, picture = null, none = null, here = null;
  const ink = () => (k === engine.norms.length ? "own" : k ? "mixed" : "running");
  const rows = depthRows(data, () => k);
  const again = chart($("contrast"), (width) => {
    const height = 260, left = 46, bottom = height - 46, right = width - 12, svg = frame(width, height, "Contrast at each norm");
    const lines = [[none, "running"], [here, ink()]].filter(([l]) => l);
    const all = lines.flatMap(([l]) => l), low = Math.min(0.25, ...all), high = Math.max(1.5, ...all);
    const n = engine.norms.length, x = linear([1, n], [left + 10, right - 10]);
    const scale = linear([Math.log(low), Math.log(high)], [bottom, 12]), y = (v) => scale(Math.log(v));
    for (const v of [0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5].filter((v) => v >= low * 0.99 && v <= high * 1.01)) {
      svg.append(h("line", { class: v === 1 ? "zero" : "grid", x1: left, x2: right, y1: y(v), y2: y(v) }));
      svg.append(text(left - 6, y(v) + 4, v, { class: "tick", "text-anchor": "end" }));
    }
    for (let i = 1; i <= n; i += width < 460 ? 2 : 1) svg.append(text(x(i), bottom + 16, i, { class: "tick", "text-anchor": "middle" }));
    svg.append(text((left + right) / 2, bottom + 36, width < 460 ? "norm, from ink to mask" : `norm, from the ink (1) through the core (${engine.live.networks.batch.about.widths.length * 2}) to the mask (${n})`, { class: "axis", "text-anchor": "middle" }));
    svg.targets = engine.norms.map((_, i) => column(x(i + 1), `norm ${i + 1}`,
      [["running statistics", "running", none], [`own statistics in the first ${k}`, ink(), k ? here : null]].map(([name, kind, line]) => [name, kind, line && { mean: line[i] }])));
    svg.append(h("rect", { class: "margin", x: left, y: 12, width: Math.max(0, k ? x(k) + 8 - left : 0), height: bottom - 12 }));
    for (const [line, kind] of lines) {
      svg.append(h("path", { class: `line ${kind}`, d: line.map((v, i) => `${i ? "L" : "M"}${x(i + 1)},${y(v)}`).join("") }));
      line.forEach((v, i) => svg.append(h("circle", { class: `dot ${kind}`, cx: x(i + 1), cy: y(v), r: 3.5 }, h("title", {}, `norm ${i + 1}: ${plain(v)}`))));
    }
    return svg;
  });
  const draw = () => {
    if (!picture) return;
    const wanted = picture.key;
    engine.ask("depth none", picture, { name: "own first", k: 0 }, ({ own }) => {
      if (picture.key === wanted) { none = engine.contrast(own); again(); }
    }, { urgency: 1 });
    strip.show(picture, { name: "own first", k }, ink(), ({ own }) => {
      here = engine.contrast(own);
      again();
      const last = here.length - 1, low = here.indexOf(Math.min(...here));
      $("contrast-readout").textContent = `With own statistics in ${k} of ${engine.norms.length} norms, ${percent(here[0])} of the contrast that ` +
        `the training had reaches norm 1, ${percent(here[last])} reaches norm ${last + 1}, and least, ${percent(here[low])}, norm ${low + 1}.`;
    });
    if (typeof rows === "function") rows();
  };
  slider(box.querySelector(".controls"), "Own statistics in the first", { max: engine.norms.length, value: 0,
    say: (v) => `${v} of ${engine.norms.length} norms`, change: (v) => { k = v; draw(); } });
  return (to) => { picture = to; none = here = null; draw(); };
}

function newFigure(engine, data, live) {
  const box = $("new-live"), controls = box.querySelector(".controls"), strip = new Strip(engine, box.querySelector(".strip"));
  let n = 0, prior = 0, picture = null;
  const rows = newRows(data, () => n, () => String(prior));
  const draw = () => {
    rows();
    if (!picture) return;
    strip.show(picture, { name: "unlabelled", n, prior }, "running", () => {});
    $("new-readout").textContent = n === 0 ? "Running statistics, as the training left them."
      : `Statistics of ${n} unlabelled render${n > 1 ? "s" : ""}` + (prior
        ? `, and the training’s as ${prior} more: the old ones count ${percent(prior / (n + prior))}.` : "; nothing is left of the training’s.");
  };
  slider(controls, "Unlabelled renders", { max: live.unlabelled_logs, value: 0, say: String, change: (v) => { n = v; draw(); } });
  const priors = h("fieldset", {});
  controls.append(priors);
  radios(priors, [["0", "none"], ["4", "4 logs"], ["16", "16 logs"]], "0", (v) => { prior = Number(v); draw(); }, "Prior");
  return (to) => { picture = to; draw(); };
}

function blankFigure(engine) {
  const box = $("blank-live"), controls = box.querySelector(".controls"), strip = new Strip(engine, box.querySelector(".strip"));
  const shares = [0, 0.25, 0.5, 0.75];
  let share = 0, way = "own", picture = null;
  const draw = () => {
    if (!picture) return;
    const [how, ink] = howOf(way, engine);
    strip.show({ ...withBlank(picture, shares[share]), truth: picture.truth, shown: picture.h }, how, ink, () => {});
  };
  const ways = h("fieldset", { class: "switch" });
  controls.append(ways);
  radios(ways, Object.entries(HOW).map(([key, [, kind, words]]) => [key, words, kind]), way, (v) => { way = v; draw(); }, "Divide by");
  slider(controls, "White paper below", { max: 3, value: 0, say: (v) => `${100 * shares[v]} % of the rows`, change: (v) => { share = v; draw(); } });
  box.append(h("p", { class: "note" }, "The white rows are computed and not shown: this is the upper part, the log itself. Of the four logs of this page the one that shows it: look at “right”, false marks come with the paper. One log may differ from the mean above: on the other renders white paper costs InstanceNorm next to nothing."));
  return (to) => { picture = to; draw(); };
}

/* --- The article's instrument, with its missing half ------------------------------------------ */

function halfOr16(channels) {
  for (let groups = Math.max(1, Math.floor(channels / 16)); ; groups--) if (channels % groups === 0) return groups;
}

function ruleWords(c) {
  const g = halfOr16(c), size = c / g;
  const groups = `${g} group${g > 1 ? "s" : ""} of ${size} channel${size > 1 ? "s" : ""}`;
  if (c === 1) return `${groups}: the only place where LayerNorm, InstanceNorm and GroupNorm are the same.`;
  if (c < 16) return `${groups}: fewer than sixteen, so all share one mean. This is LayerNorm, and no channel keeps a scale of its own.`;
  if (g === 1) return `${groups}: one group again, LayerNorm, since sixteen ${c === 16 ? "is all there are" : `does not divide ${c} and two groups would be smaller than sixteen`}.`;
  return `${groups}${size === 16 ? "" : ": sixteen does not divide the width, so the groups are larger"}.`;
}

function widthFigure(engine, data, live) {
  const { widths, patch } = live.networks.batch.about, sizes = [["this", "this log"], ["3200x480", "3,200 × 480"], ["12800x640", "12,800 × 640"]];
  let c = widths.at(-1), size = "this", picture = null, kept = null;
  const controls = $("width-controls");
  const set = slider(controls, "Channels", { min: 1, max: 512, value: c, say: String, change: (v) => { c = v; draw(); } });
  const layers = h("fieldset", { class: "chips" });
  controls.append(layers);
  radios(layers, widths.map((w, i) => [String(w), `${w}, stage ${i + 1}`]), String(c), (v) => { c = Number(v); set(c); draw(); }, "Layers of this network");
  const chosen = h("fieldset", { class: "chips" });
  controls.append(chosen);
  radios(chosen, sizes, size, (v) => { size = v; draw(); }, "Log");
  const again = chart($("groups"), (width) => {
    const height = 240, left = 34, bottom = height - 40, svg = frame(width, height, "Groups by width");
    const x = linear([1, 512], [left, width - 10]), y = linear([0, 32], [bottom, 8]);
    yAxis(svg, y, left, width - 10, [0, 8, 16, 24, 32], String);
    xAxis(svg, x, bottom, [1, 64, 128, 256, 384, 512], String, "channels");
    // Widths that sixteen divides have the most groups; the others fall back, primes to one.
    let even = "", odd = "";
    for (let w = 1; w <= 512; w++)
      if (w % 16 === 0) even += `M${x(w)},${bottom}V${y(halfOr16(w))}`;
      else odd += `M${x(w) - 0.6},${y(halfOr16(w))}h1.2`;
    svg.append(h("path", { d: odd, style: "stroke: var(--group); stroke-width: 1.6; opacity: .45; fill: none" }));
    svg.append(h("path", { d: even, style: "stroke: var(--group); stroke-width: 4; opacity: .35; fill: none" }));
    for (const w of widths) svg.append(h("circle", { class: "dot group", cx: x(w), cy: y(halfOr16(w)), r: 4 }, h("title", {}, `a layer of ${w}`)));
    svg.append(h("line", { class: "marker", x1: x(c), x2: x(c), y1: 4, y2: bottom }));
    svg.append(h("circle", { class: "dot", cx: x(c), cy: y(halfOr16(c)), r: 6 }));
    return svg;
  });
  const channels = chart($("channels"), (width) => {
    const height = 250, left = 46, bottom = height - 42, svg = frame(width, height, "Spread of each channel over its running spread");
    if (!kept || kept.c !== c) return svg;
    const ratio = kept.ratio, groups = halfOr16(c);
    const low = Math.min(0.2, ...ratio), high = Math.max(2, ...ratio), scale = linear([Math.log(low), Math.log(high)], [bottom, 10]), y = (v) => scale(Math.log(v));
    const x = linear([0, c], [left, width - 8]);
    for (const v of [0.01, 0.03, 0.1, 0.3, 1, 3, 10].filter((v) => v >= low && v <= high)) {
      svg.append(h("line", { class: v === 1 ? "zero" : "grid", x1: left, x2: width - 8, y1: y(v), y2: y(v) }));
      svg.append(text(left - 6, y(v) + 4, v, { class: "tick", "text-anchor": "end" }));
    }
    for (let g = 0; g < groups; g += 2)
      svg.append(h("rect", { class: "margin", x: x((g * c) / groups), width: x(c / groups) - x(0), y: 10, height: bottom - 10 }));
    ratio.forEach((v, i) => svg.append(h("circle", { class: "dot own", cx: x(i + 0.5), cy: y(v), r: Math.max(2, 4 - c / 64) })));
    svg.append(text((left + width) / 2, bottom + 18, `${c} channels in ${groups} group${groups > 1 ? "s" : ""}${groups > 1 && width > 320 ? " (shaded in turn)" : ""}`, { class: "axis", "text-anchor": "middle" }));
    return svg;
  });
  const errors = chart($("error"), (width) => {
    const height = 250, left = 46, bottom = height - 42, svg = frame(width, height, "Error of a mean over the number of values");
    if (!kept || kept.c !== c || !kept.error.length) return svg;
    const most = kept.error.at(-1)[0], scale = linear([0, Math.log(most)], [left + 4, width - 12]), x = (v) => scale(Math.log(v));
    const y = linear([0, 1.05], [bottom, 8]);
    yAxis(svg, y, left, width - 12, [0, 0.25, 0.5, 0.75, 1], (v) => v.toFixed(2));
    for (const [n] of kept.error) svg.append(text(x(n), bottom + 16, n, { class: "tick", "text-anchor": "middle" }));
    svg.append(text((left + width) / 2, bottom + 36, "values, in squares", { class: "axis", "text-anchor": "middle" }));
    const alone = kept.error.map(([n], i) => `${i ? "L" : "M"}${x(n)},${y(1 / Math.sqrt(n))}`).join("");
    svg.append(h("path", { class: "line dashed", d: alone }), text(left + 8, y(0.06), "dashed: independent values", { class: "tick" }));
    svg.append(h("path", { class: "line own", d: kept.error.map(([n, e], i) => `${i ? "L" : "M"}${x(n)},${y(e)}`).join("") }));
    svg.targets = kept.error.map(([n, e]) => column(x(n), `${n} values`, [["this layer", "own", { mean: e }], ["independent values", "", { mean: 1 / Math.sqrt(n) }]]));
    for (const [n, e] of kept.error) svg.append(h("circle", { class: "dot own", cx: x(n), cy: y(e), r: 4 }));
    return svg;
  });
  const table = () => {
    const at = widths.indexOf(c);
    const g = halfOr16(c), head = h("tr", {}, ["", "channels in one mean", "values in one mean"].map((t, i) => h("th", { class: i ? "number" : "" }, t)));
    if (at < 0) {
      $("values").replaceChildren(h("p", { class: "not-run" }, `No layer of this network has ${c} channel${c > 1 ? "s" : ""}, so there is no map and no number of values. ` +
        `Its layers have ${widths.join(", ")}.`));
      return;
    }
    const [rows, columns] = size === "this" ? [picture.h, picture.w] : size.split("x").map(Number);
    const multiple = patch * 2 ** (widths.length - 1), cell = patch * 2 ** at;
    const H = (Math.ceil(rows / multiple) * multiple) / cell, W = (Math.ceil(columns / multiple) * multiple) / cell, n = H * W;
    const line = (kind, name, many) => h("tr", {}, h("td", { class: kind }, name), h("td", { class: "number" }, many), h("td", { class: "number" }, (many * n).toLocaleString("en")));
    $("values").replaceChildren(
      h("p", { class: "note" }, `Stage ${at + 1} of ${widths.length}: a map of ${H} × ${W} from a log of ${rows.toLocaleString("en")} × ${columns}.`),
      h("div", { class: "scroll" }, h("table", {}, h("thead", {}, head), h("tbody", {},
        line("own", "BatchNorm, one log a step; InstanceNorm", 1), line("group", "GroupNorm, half_or_16", c / g), line("", "LayerNorm over C, H, W", c)))),
      h("p", { class: "note" }, n === 1 ? "One value: its own mean, and no spread." :
        "With one value in a mean there is no spread to divide by: PyTorch’s BatchNorm stops (“expected more than 1 value per channel”), LayerNorm over one pixel still has its channels."));
  };
  function draw() {
    for (const input of layers.querySelectorAll("input")) input.checked = Number(input.value) === c;
    $("groups-readout").replaceChildren(h("b", {}, `${c} channel${c > 1 ? "s" : ""}: `), ruleWords(c));
    again();
    if (!picture) return;
    table();
    const at = widths.indexOf(c);
    $("error-title").hidden = at < 0;
    $("channels-title").textContent = at < 0 ? "" : `Spread of each channel in this log, over its running spread (second norm of stage ${at + 1})`;
    if (at < 0) { kept = null; channels(); errors(); return; }
    const norm = 2 * at + 1, wanted = `${picture.key}${c}`;
    engine.ask("width", picture, { name: "own first", k: engine.norms.length }, ({ own, kept: map }) => {
      if (wanted !== `${picture.key}${c}`) return;
      const running = engine.runningOf()[norm];
      kept = { c, ratio: Array.from(own[norm].variance, (v, i) => Math.sqrt((v + 1e-5) / (running.variance[i] + 1e-5))), error: windowErrors(map) };
      channels();
      errors();
    }, { keep: norm, urgency: 0 });
  }
  return (to) => { picture = to; draw(); };
}

/** For squares of n values: how far their means lie from the whole map's, in the channel's standard
    deviations, root mean square over squares and then the median channel. -> [[n, error]]. */
function windowErrors({ c, h: rows, w: columns, data }) {
  const row = columns + 2, plane = row * (rows + 2), out = [];
  for (let side = 1; side <= Math.min(rows, columns); side *= 2) {
    const errors = [];
    for (let i = 0; i < c; i++) {
      let sum = 0, square = 0, windows = 0, all = 0, all2 = 0, n = 0;
      for (let r = 0; r + side <= rows; r += side)
        for (let s = 0; s + side <= columns; s += side) {
          let mean = 0;
          for (let y = 0; y < side; y++)
            for (let x = 0; x < side; x++) {
              const v = data[i * plane + (r + y + 1) * row + s + x + 1];
              mean += v; all += v; all2 += v * v; n++;
            }
          mean /= side * side;
          sum += mean; square += mean * mean; windows++;
        }
      const variance = all2 / n - (all / n) ** 2;
      if (variance > 1e-12 && windows > 1) errors.push(Math.sqrt(Math.max(0, square / windows - (sum / windows) ** 2) / variance));
    }
    if (errors.length) out.push([side * side, errors.sort((a, b) => a - b)[errors.length >> 1]]);
  }
  return out;
}
