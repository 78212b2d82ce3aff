"use strict";
/* Figures of numbers that come from the rows. A colour has one meaning: teal the log's own statistics, orange
   running ones (pale: momentum 0.1), blue groups of channels, violet own in some norms and running in the rest. */

const $ = (id) => document.getElementById(id);
const SETS = {
  like: "scans like the training", renders: "renders", blank: "partly blank scans",
  real_bilevel: "real 1-bit scans", real_colour: "real colour logs", blank_cost: "what white paper costs", pages: "whole real pages",
  tall3200: "3,200 × 480", tall6400: "6,400 × 560", tall12800: "12,800 × 640",
};
const waiting = (p, data) => (p.scored ? "no seed is whole yet" : data.seeds.startsWith("interim") ? "not yet run" : "being trained");
const notRun = (box, part, data) => {
  const p = data.parts.find((each) => each.part === part);
  const some = p.scored ? `, ${p.scored} of ${p.planned} trainings scored` : "";
  box.replaceChildren(h("p", { class: "not-run" }, `Part ${part}, ${p.title}: ${waiting(p, data)}${some}.`));
};
const kindOf = (way) => (way === "own" ? "own" : way === "group" ? "group" : "running");

let radioGroups = 0;
/** Radio buttons: options [[value, words, class]]. The box gets them; change(value) is called. */
function radios(box, options, value, change, legend) {
  const name = `choice-${radioGroups++}`;
  if (legend && !box.querySelector("legend")) box.append(h("legend", {}, legend));
  for (const [each, words, kind] of options)
    box.append(h("label", {}, h("input", {
      type: "radio", name, value: each, checked: each === value, onchange: () => change(each) }),
    h("span", { class: kind || "" }, words)));
  return (to) => { for (const input of box.querySelectorAll("input")) input.checked = input.value === to; };
}

/** A slider over whole numbers: say(value) gives the words beside it. */
function slider(box, words, { min = 0, max, value, say, change }) {
  const output = h("output", {}, say(value));
  const input = h("input", { type: "range", min, max, step: 1, value, "aria-label": words,
    "aria-valuetext": say(value) });
  input.addEventListener("input", () => {
    output.textContent = say(Number(input.value));
    input.setAttribute("aria-valuetext", say(Number(input.value)));
    change(Number(input.value));
  });
  box.append(h("label", { class: "slider" }, h("span", {}, `${words} `, output), input));
  return (to) => { input.value = to; output.textContent = say(to); input.setAttribute("aria-valuetext", say(to)); };
}

/* --- First screen ----------------------------------------------------------------------------- */

function fact(data) {
  const parts = [];
  for (const set of ["like", "renders"]) {
    const d = data.pairs.find((p) => p.way === "m0.01" && p.against === "own" && p.set === set);
    const group = data.pairs.find((p) => p.way === "own" && p.against === "group" && p.set === set);
    if (d && group) parts.push(set === "like" ? " on drawn scans like the training " : "; on drawn renders ",
      h("b", { class: "own" }, plain(d.b)), " / ", h("b", { class: "running" }, plain(d.a)), " / ", h("b", { class: "group" }, plain(group.b)));
  }
  if (parts.length) $("fact").append("F1 with the log’s own / running / GroupNorm’s statistics:", ...parts, ` (${data.seeds}).`);
  const blank = data.family.find((f) => f.name === "H7");
  if (blank && blank.seeds) $("blank-fact").append(`Over all logs of which half and more is blank, own minus running: ${signed(blank.mean)} (95 % ${interval(blank)}).`);
}

function tradeoff(box, data) {
  const points = data.tradeoff, plot = box.querySelector(".plot"), says = box.querySelector(".readout");
  if (!points.length) return notRun(plot, "A", data);
  const kindOf = (p) => (p.depth || p.part === "F" ? "mixed" : p.fixed ? "running" : p.way.endsWith(" own") ? "own" : "group");
  const say = (p) => says.replaceChildren(h("b", { class: kindOf(p) }, p.label), h("br"),
    `${percent(p.renders.mean)} kept on renders (F1 ${plain(p.f1.like)} → ${plain(p.f1.renders)}), `,
    `${percent(p.blank.mean)} on blank paper. Learning rate ${p.rate}; `, seedsOf(p.renders.seeds, p.part === "D" || (p.part === "A" && p.rate <= 0.001) ? 12 : 3), ".",
    p.best ? h("span", { class: "touch" }, ` 95 %: ${interval(p.renders, percent)} on renders, ${interval(p.blank, percent)} on blank paper.`) : "");
  const path = points.filter((p) => p.depth).sort((a, b) => a.depth - b.depth);
  const main = points.filter((p) => p.best);
  chart(plot, (width) => {
    const height = Math.min(430, Math.max(300, width * 0.8)), left = 48, bottom = height - 46;
    const svg = frame(width, height, "Share of F1 kept on renders against share kept on blank paper");
    svg.setAttribute("role", "group"); // its points are reached by keys
    // Some pale points have few seeds and little to keep: the frame is that of the others.
    const framing = points.filter((p) => p.best || p.depth);
    const ends = (name) => framing.flatMap((p) => [p[name].mean, ...(p.best ? [p[name].low, p[name].high] : [])]);
    const x = linear([0, Math.max(0.8, ...ends("renders")) * 1.04], [left, width - 10]);
    const y = linear([Math.min(0.9, ...ends("blank")) - 0.03, Math.max(1.02, ...ends("blank")) + 0.02], [bottom, 18]);
    const outside = (p) => p.renders.mean > x.domain[1] || p.blank.mean < y.domain[0] || p.blank.mean > y.domain[1];
    yAxis(svg, y, left, width - 10, ticks(...y.domain, 5), percent);
    xAxis(svg, x, bottom, ticks(...x.domain, 5), percent, "of F1 kept on renders", { grid: bottom - 18 });
    svg.append(text(left, 8, "of F1 kept on blank paper", { class: "axis" }));
    if (path.length) {
      const all = [...main.filter((p) => p.way.endsWith(" m0.01")), ...path];
      svg.append(h("path", { class: "line mixed", d: all.map((p, i) => `${i ? "L" : "M"}${x(p.renders.mean)},${y(p.blank.mean)}`).join("") }));
    }
    svg.targets = points.filter((p) => !outside(p)).map((p) => ({ x: x(p.renders.mean), y: y(p.blank.mean), main: p.best, say: () => say(p) }));
    for (const p of points.filter((p) => !outside(p)).sort((a, b) => a.best - b.best || a.way.endsWith(" m0.01") - b.way.endsWith(" m0.01"))) {
      const kind = kindOf(p), cx = x(p.renders.mean), cy = y(p.blank.mean);
      if (p.best) {
        svg.append(h("line", { class: `whisker ${kind}`, x1: x(p.renders.low), x2: x(p.renders.high), y1: cy, y2: cy }));
        svg.append(h("line", { class: `whisker ${kind}`, x1: cx, x2: cx, y1: y(p.blank.low), y2: y(p.blank.high) }));
      }
      svg.append(h("circle", { class: `dot ${kind} ${p.best ? "" : "faint"}`, cx, cy, r: p.best ? 7 : 4, tabindex: p.best ? 0 : -1,
        role: "img", "aria-label": p.label, onfocus: () => say(p), onmouseenter: () => say(p), onclick: () => say(p) }, h("title", {}, p.label)));
    }
    // Names where there is room: fixed statistics left of their points, above and below the whiskers that they share.
    const fixed = main.filter((p) => p.fixed).sort((a, b) => b.blank.mean - a.blank.mean);
    for (const p of main) {
      const cx = x(p.renders.mean), cy = y(p.blank.mean), under = p === fixed.at(-1) && fixed.length > 1;
      const name = p.short.replace(", running", "").replace("own (InstanceNorm)", "InstanceNorm"), long = 8.4 * name.length;  // within the frame, on a phone, too
      svg.append(text(p.fixed ? Math.max(cx - 12, left + 4 + long) : Math.min(cx + 10, width - long), cy + (under ? 20 : -9), name,
        { class: `name ${kindOf(p)}`, "text-anchor": p.fixed ? "end" : "start" }));
    }
    return svg;
  });
  say(main.find((p) => !p.fixed) || points[0]);
  $("tradeoff-note").textContent = "Large: the best learning rate; pale: the other rates" + (points.some((p) => p.part === "B") ? " and other norms" : "") +
    (path.length ? "; violet line: own statistics in the first 1, 2, 3 … norms." : ".") +
    (points.length > points.filter((p) => p.best || p.depth).length ? " Points beyond the frame are left out." : "") +
    " The axes are not alike: right begins at nothing, up near all. Above 100 % a norm scores higher with blank paper than without. 1,600 steps; other norms 400." +
    (data.lengths?.x.length > 2 ? ` After ${data.lengths.x.at(-1).toLocaleString("en")} steps (three seeds) ${["running", "group", "own"].map((key) =>
      percent(data.lengths.lines.renders[key].at(-1).mean / data.lengths.lines.like[key].at(-1).mean)).join(", ")} are kept on renders (BatchNorm 0.01, GroupNorm, InstanceNorm).` : "");
}

/* --- Differences ------------------------------------------------------------------------------ */

function family(data) {
  const final = data.family.every((f) => f.word);
  const lines = data.family.map((f) => ({
    label: `${f.a} − ${f.b}`,
    note: `${f.name}, ${f.name === "H7" ? "half and more blank" : SETS[f.set]}` +
      (f.word ? `: ${f.word} (expected ${f.expected})` : `; expected: ${f.expected}`),
    more: f.seeds && !f.word ? seedsOf(f.seeds, 12) : null,
    dots: f.seeds ? [{ d: f, hollow: !final }] : [],
  }));
  $("family-state").textContent = final
    ? `All eight have all twelve seeds: words as pre-registered. Holm p of each: at most ${Math.max(...data.family.map((f) => f.p)).toFixed(4)}.`
    : data.family.every((f) => !f.seeds) ? "Not yet run: none of the eight has a seed that has all its rates."
    : "Interim: no word of the pre-registration may be used before all eight have twelve seeds. Hollow points may still move.";
  forest($("family"), lines, { label: "The eight pre-registered differences", left: 320 });
}

function pairs(data) {
  const kinds = { "m0.01": "running", "m0.01 corrected": "running", "m0.1": "soft", own: "own" };
  for (const [id, against] of [["pairs-own", "own"], ["pairs-group", "group"]]) {
    const found = data.pairs.filter((p) => p.against === against && (against === "group" || p.way !== "m0.01 corrected"));
    if (!found.length) { notRun($(id), "A", data); continue; }
    const rows = [...new Set(found.map((p) => p.set))].map((set) => {
      const here = found.filter((p) => p.set === set);
      return { label: SETS[set], note: `${here[0].logs} logs, ${seedsOf(here[0].seeds, 12)}`,
        dots: here.map((p) => ({ d: p, kind: kinds[p.way], hollow: p.way === "m0.01 corrected", name: p.label })) };
    });
    forest($(id), rows, { label: "Paired differences", left: 280 });
  }
}

/* --- Momentum and steps ----------------------------------------------------------------------- */

function heat(value) {
  const most = 0.5, share = Math.min(1, Math.abs(value) / most) ** 0.75;
  const ink = value < 0 ? "var(--running)" : "var(--own)";
  return `color-mix(in oklab, ${ink} calc(${share.toFixed(2)} * var(--heat)), var(--card))`;
}

function momentumMap(data) {
  const map = data.map;
  if (!map) return notRun($("map"), "A", data);
  const best = String(data.rates["batch_momenta m0.01"]);
  const now = { set: "like", rate: map.rates.includes(best) ? best : map.rates[0], corrected: false,
    momentum: 1, stop: Math.min(2, map.stops.length - 1) };
  const wayOf = (m) => `m${map.momenta[m]}` + (now.corrected && !["1.0", "cumulative"].includes(map.momenta[m]) ? " corrected" : "");
  const cellOf = (m, s) => map.cells[`${now.set}|${now.rate}|${map.stops[s]}|${wayOf(m)}`];
  const words = { "1.0": "1 (the last log)", cumulative: "cumulative" };
  const momentumWords = (m) => words[map.momenta[m]] || map.momenta[m];
  const stopWords = (s) => map.stops[s].replace(" constant", s >= map.stops.length - 2 ? ", constant" : "").replace(" annealed", ", annealed");
  const controls = $("map-controls");
  const sets = h("fieldset", {}), rates = h("fieldset", {});
  controls.append(sets, rates);
  radios(sets, [["like", "like the training"], ["renders", "renders"]], now.set, (v) => { now.set = v; draw(); }, "Logs");
  radios(rates, map.rates.map((r) => [r, r]), now.rate, (v) => { now.rate = v; draw(); }, "Learning rate");
  controls.append(h("label", { class: "check" }, h("input", { type: "checkbox", id: "map-corrected",
    onchange: (e) => { now.corrected = e.target.checked; draw(); } }), " start corrected: ÷ (1 − (1 − m)ⁿ)"));
  const setMomentum = slider(controls, "Momentum", { max: map.momenta.length - 1, value: now.momentum,
    say: momentumWords, change: (v) => { now.momentum = v; draw(); } });
  const setStop = slider(controls, "Steps", { max: map.stops.length - 1, value: now.stop, say: stopWords,
    change: (v) => { now.stop = v; draw(); } });
  let again = null, lines = null;
  function draw() {
    $("map-title").textContent = `Running minus own statistics, F1 on ${SETS[now.set]}, learning rate ${now.rate}; orange: running ones are behind`;
    again(); lines(); readout();
  }
  function readout() {
    const m = map.momenta[now.momentum], c = cellOf(now.momentum, now.stop), steps = parseInt(map.stops[now.stop], 10);
    const number = Number(m), left = m === "cumulative" ? 0 : (1 - number) ** steps;
    const memory = m === "cumulative" ? "This buffer is the mean of every log since the start."
      : number === 1 ? "This buffer is the last log, whole."
        : `After ${steps} steps ${left < 0.0005 ? "nothing" : `${(100 * left).toFixed(left < 0.1 ? 1 : 0)} %`} of this buffer is its start` +
          `${now.corrected ? ", which is taken out" : ""}; it looks back over about ${Math.round(1 / number)} logs.`;
    $("map-readout").replaceChildren(...(c ? [
      h("b", {}, `${signed(c[0])} `), `(95 % ${signed(c[1])} to ${signed(c[2])}): F1 `, h("b", { class: "running" }, plain(c[3])), " with running statistics, ",
      h("b", { class: "own" }, plain(c[4])), " with the log’s own", ...(c[5] === null ? [] : [", ", h("b", { class: "group" }, plain(c[5])), " for GroupNorm"]),
      `. ${c[7]} logs, ${seedsOf(c[6], Number(now.rate) > 0.001 ? 3 : 12)}. `] : ["Not yet run. "]), memory);
  }
  again = chart($("map"), (width) => {
    const left = width < 460 ? 76 : 84, top = 6, cw = (width - left) / map.stops.length, ch = 44, height = top + ch * map.momenta.length + 56;
    const svg = frame(width, height, "Heat map of momentum and steps");
    map.momenta.forEach((_, m) => {
      const y = top + m * ch;
      svg.append(text(left - 8, y + ch / 2 + 4, words[map.momenta[m]] ? map.momenta[m].replace("1.0", "1") : map.momenta[m], { class: "tick", "text-anchor": "end" }));
      map.stops.forEach((_, s) => {
        const c = cellOf(m, s), here = m === now.momentum && s === now.stop;
        svg.append(h("rect", { class: `cell ${here ? "now" : ""}`, x: left + s * cw + 1, y: y + 1, width: cw - 2, height: ch - 2,
          style: `fill: ${c ? heat(c[0]) : "none"}`, onclick: () => { now.momentum = m; now.stop = s; setMomentum(m); setStop(s); draw(); } }));
        svg.append(text(left + (s + 0.5) * cw, y + ch / 2 + 4, c ? signed(c[0]).replace("0.", ".") : "·",
          { "text-anchor": "middle", style: `pointer-events: none; font-size: ${cw < 34 ? 11 : 12}px` }));
      });
    });
    map.stops.forEach((stop, s) => {
      const [steps, kind] = stop.split(" "), last = s >= map.stops.length - 2;
      svg.append(text(left + (s + 0.5) * cw, height - 36, steps, { class: "tick", "text-anchor": "middle" }));
      if (last) svg.append(text(left + (s + 0.5) * cw, height - 22, kind === "annealed" ? "to 0" : "level", { class: "tick", "text-anchor": "middle" }));
    });
    svg.append(text(left + (width - left) / 2, height - 4, width < 460 ? "steps" : "steps; the rate stays level, or goes down to 0 at the end", { class: "axis", "text-anchor": "middle" }));
    return svg;
  });
  lines = chart($("map-lines"), (width) => {
    const height = 250, left = 40, bottom = height - 40, svg = frame(width, height, "F1 over steps"), side = width < 460 ? 98 : 90;
    const stops = map.stops.map((s, i) => [i, parseInt(s, 10)]).slice(0, map.stops.length);
    const x = linear([0, map.stops.length - 1], [left + 8, width - side]), y = linear([0, 1], [bottom, 10]);
    yAxis(svg, y, left, width - side, [0, 0.25, 0.5, 0.75, 1], (v) => v.toFixed(2));
    xAxis(svg, (v) => x(v), bottom, [], String, null);
    for (const [i, s] of stops) if (width > 460 || i % 2 === 0) svg.append(text(x(i), bottom + 16, i === stops.length - 1 ? "to 0" : s, { class: "tick", "text-anchor": "middle" }));
    svg.append(text((left + width - side) / 2, bottom + 34, "steps", { class: "axis", "text-anchor": "middle" }));
    svg.append(h("line", { class: "marker", x1: x(now.stop), x2: x(now.stop), y1: 6, y2: bottom }));
    const ends = [], ways = [[5, "group", "GroupNorm"], [4, "own", "own"], [3, "running", "running"]];
    svg.targets = stops.map(([i]) => column(x(i), `steps: ${stopWords(i)}`, ways.map(([at, kind, name]) => {
      const c = cellOf(now.momentum, i);
      return [name, kind, c && c[at] !== null ? { mean: c[at] } : null];
    })));
    for (const [at, kind, name] of ways) {
      const points = stops.map(([i]) => [i, cellOf(now.momentum, i)]).filter(([, c]) => c && c[at] !== null).map(([i, c]) => [i, { mean: c[at], low: null }]);
      bandLine(svg, points, x, y, kind);
      if (points.length) ends.push([y(points.at(-1)[1].mean), kind, name]);
    }
    ends.sort((a, b) => a[0] - b[0]);
    let free = -99;
    for (const [at, kind, name] of ends) {
      free = Math.max(at + 4, free + 15);
      svg.append(text(width - side + 8, free, name, { class: `name ${kind}` }));
    }
    return svg;
  });
  draw();
}

/* --- Lines of part D -------------------------------------------------------------------------- */

function differenceLines(box, series, { xs, xTitle, label, xFormat = String, log = false, marker, height = 260 }) {
  return chart(box, (width) => {
    const left = 46, bottom = height - 42, right = width - 118, svg = frame(width, height, label);
    const all = series.flatMap((s) => [...s.line, s.flat]);
    const y = linear(range(all, 0.05), [bottom, 8]);
    const t = log ? (v) => Math.log2(v + 0.5) : (v) => v;
    const scale = linear([t(xs[0]), t(xs.at(-1))], [left + 6, right]), x = (v) => scale(t(v));
    x.domain = [xs[0], xs.at(-1)];
    yAxis(svg, y, left, right, ticks(...y.domain, 5), (v) => signed(v, 1).replace(/^0.0$/, "0"));
    const shown = xs.filter((v, i) => log || width > 460 || i % 2 === 0);
    xAxis(svg, x, bottom, shown, xFormat, null);
    svg.append(text((left + right) / 2, bottom + 34, xTitle, { class: "axis", "text-anchor": "middle" }));
    const at = marker ? marker() : null;
    if (at !== null) svg.append(h("line", { class: "marker", x1: x(at), x2: x(at), y1: 4, y2: bottom }));
    svg.targets = xs.map((v) => column(x(v), `${xTitle}: ${xFormat(v)}`, series.map((s) => [s.name, `${s.kind} ${s.name}`, s.line[s.xs.indexOf(v)] ?? null]), signed));
    const ends = [];
    for (const s of series) {
      if (s.flat) svg.append(h("line", { class: `line dashed ${s.kind}`, x1: left, x2: right, y1: y(s.flat.mean), y2: y(s.flat.mean) }));
      bandLine(svg, s.xs.map((v, i) => [v, s.line[i]]), x, y, s.kind);
      const last = s.line.filter(Boolean).at(-1);
      if (last) ends.push([y(last.mean) + 4, s.kind, s.name]);
      if (s.flat) ends.push([y(s.flat.mean) + 4, s.kind, s.flatName]);
    }
    ends.sort((a, b) => a[0] - b[0]);
    let free = -99;
    for (const [where, kind, name] of ends) {
      free = Math.max(where, free + 15);
      svg.append(text(right + 8, free, name, { class: `name ${kind}` }));
    }
    return svg;
  });
}

function depthRows(data, marker) {
  if (!data.depth) { notRun($("depth-rows"), "D", data); return () => {}; }
  const kinds = { like: "gray", renders: "", blank: "gray dashed" }, zero = { mean: 0, low: 0, high: 0 };
  const series = Object.entries(data.depth).map(([set, d]) => ({
    name: { like: "like", renders: "renders", blank: "partly blank" }[set], kind: kinds[set], xs: [0, ...d.x], line: [zero, ...d.line] }));
  return differenceLines($("depth-rows"), series, { xs: [...new Set(series.flatMap((s) => s.xs))].sort((a, b) => a - b),
    xTitle: "norms with own statistics", label: "F1 gained over depth", marker });
}

function newRows(data, marker, prior) {
  if (!data.unlabelled) { notRun($("new-rows"), "D", data); return () => {}; }
  $("new-title").textContent = "F1 gained over running statistics of the training, over all logs; dashed: each log’s own";
  const kinds = { renders: "", real_colour: "gray" }, zero = { mean: 0, low: 0, high: 0 };
  const box = h("div");
  $("new-rows").append(box);
  return () => {
    const series = Object.entries(data.unlabelled).filter(([, d]) => d.priors[prior()]).map(([set, d]) => ({
      name: { renders: "renders", real_colour: "real colour" }[set], kind: kinds[set], flat: d.own, flatName: "own",
      xs: [0, ...d.priors[prior()].x], line: [zero, ...d.priors[prior()].line] }));
    if (series.length) differenceLines(box, series, { xs: series[0].xs, log: true, xTitle: "unlabelled logs", label: "F1 gained over unlabelled logs", marker });
  };
}
