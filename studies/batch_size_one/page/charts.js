"use strict";
/* Small pieces for drawing: SVG elements, scales, axes, lines with bands, rows with a zero line. */

function h(tag, about = {}, ...children) {
  const svg = ["svg", "g", "path", "line", "rect", "circle", "text", "tspan", "title", "polygon"];
  const element = svg.includes(tag)
    ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(about)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat())
    if (child !== null && child !== undefined) element.append(child);
  return element;
}

const signed = (x, digits = 2) => {
  if (x === null || x === undefined) return "–";
  const said = Math.abs(x).toFixed(digits);
  return Number(said) === 0 ? said : (x < 0 ? "−" : "+") + said;
};
const plain = (x, digits = 2) => (x === null || x === undefined ? "–" : x.toFixed(digits).replace("-", "−"));
const percent = (x) => (x === null || x === undefined ? "–" : `${Math.round(100 * x)} %`);
const interval = (d, say = signed) => d.low === null ? "one seed" : `${say(d.low)} to ${say(d.high)}`;
const seedsOf = (n, planned) =>
  n >= planned ? `${planned} seeds` : `interim, ${n} of ${planned} seeds`;

function linear([a, b], [p, q]) {
  const f = (x) => p + ((x - a) / (b - a || 1)) * (q - p);
  f.domain = [a, b];
  return f;
}

/** Round values between a and b, about so many. */
function ticks(a, b, about = 5) {
  const raw = (b - a) / about, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= raw * 0.999);
  const found = [];
  for (let i = Math.ceil(a / step - 1e-9); i * step <= b + 1e-9; i++) found.push(i * step);
  return found;
}

const charts = [];
// On paper figures are drawn for its width, else their letters shrink with them.
for (const event of ["beforeprint", "afterprint"])
  addEventListener(event, () => {
    document.body.classList.toggle("printing", event === "beforeprint");
    for (const again of charts) again();
  });

/** A chart that is drawn anew when its box changes width: draw(width) -> svg, with targets where numbers can be
    touched for: see touchable. */
function chart(box, draw) {
  let last = 0;
  const again = () => {
    const width = Math.max(260, Math.floor(box.clientWidth));
    last = width;
    const svg = draw(width);
    box.replaceChildren(svg, ...touchable(svg));
  };
  new ResizeObserver(() => Math.floor(box.clientWidth) !== last && again()).observe(box);
  charts.push(again);
  again();
  return again;
}

/** What a pointer that hovers reads in titles, a finger reads in a line below. svg.targets: [{x, y, say}]; with x or y alone
    a whole column or row is touched, else the nearest point, of main ones sooner. say: words, or a function that tells them
    elsewhere. */
function touchable(svg) {
  const targets = svg.targets ?? [], reach = 30;
  if (!targets.length) return [];
  const [{ x, y, say }] = targets, { width, height } = svg.viewBox.baseVal;
  const hint = `Touch a ${x === undefined ? "row" : y === undefined ? "column" : "point"} for its numbers.`;
  const told = h("p", { class: "told", "aria-live": "polite" }, hint), mark = h("rect", { class: "touched" });
  let now = null;
  svg.addEventListener("click", (event) => {
    if (event.pointerType === "mouse") return;
    const box = svg.getBoundingClientRect(), scale = width / box.width;
    const away = (t) => (t.main ? -14 : 0) + Math.hypot(t.x === undefined ? 0 : t.x - (event.clientX - box.left) * scale, t.y === undefined ? 0 : t.y - (event.clientY - box.top) * scale);
    const nearest = targets.reduce((best, t) => (away(t) < away(best) ? t : best));
    now = away(nearest) > reach || nearest === now ? null : nearest;
    mark.remove();
    told.classList.toggle("now", Boolean(now));
    if (now) {
      const isPoint = now.x !== undefined && now.y !== undefined, size = isPoint ? 26 : 22;
      mark.setAttribute("rx", isPoint ? 13 : 0);
      for (const [name, at, most, length] of [["x", now.x, width, "width"], ["y", now.y, height, "height"]]) {
        mark.setAttribute(name, at === undefined ? 0 : at - size / 2);
        mark.setAttribute(length, at === undefined ? most : size);
      }
      svg.append(mark);
    }
    if (now && typeof now.say === "function") now.say();
    else told.replaceChildren(...(now ? [now.say].flat() : [hint]));
  });
  return typeof say === "function" ? [] : [told];
}

/** A target of a column: found [[name, kind, {mean, low, high} or null]]. */
function column(x, head, found, say = plain) {
  return { x, say: [h("b", {}, head), ...found.filter(([, , d]) => d).map(([name, kind, d]) => h("span", {}, h("b", { class: kind }, name),
    ` ${say(d.mean)}${d.low === undefined || d.low === d.high ? "" : ` [${interval(d, say)}]`}${dagger(d)}`))] };
}

/** Words in lines of so many letters at most. */
function wrap(words, most) {
  return words.split(" ").reduce((lines, word) => {
    const longer = lines.length ? `${lines.at(-1)} ${word}` : word;
    return lines.length && longer.length <= most ? [...lines.slice(0, -1), longer] : [...lines, word];
  }, []);
}

function frame(width, height, label) {
  return h("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label });
}

function text(x, y, value, about = {}) {
  return h("text", { x, y, ...about }, value);
}

function xAxis(svg, x, y, values, format, title, { bottom = 34, grid = 0 } = {}) {
  for (const v of values) {
    if (grid) svg.append(h("line", { class: "grid", x1: x(v), x2: x(v), y1: y - grid, y2: y }));
    svg.append(text(x(v), y + 16, format(v), { class: "tick", "text-anchor": "middle" }));
  }
  if (title) {
    const middle = (x(x.domain[0]) + x(x.domain[1])) / 2;
    svg.append(text(middle, y + bottom, title, { class: "axis", "text-anchor": "middle" }));
  }
}

function yAxis(svg, y, x0, x1, values, format) {
  for (const v of values) {
    svg.append(h("line", { class: v === 0 ? "zero" : "grid", x1: x0, x2: x1, y1: y(v), y2: y(v) }));
    svg.append(text(x0 - 6, y(v) + 4, format(v), { class: "tick", "text-anchor": "end" }));
  }
}

/** points: [[x, {mean, low, high}]] in the charts' own units. */
function bandLine(svg, points, x, y, kind) {
  const there = points.filter(([, d]) => d);
  if (!there.length) return;
  if (there[0][1].low !== undefined && there[0][1].low !== null) {
    const up = there.map(([v, d]) => `${x(v)},${y(d.high)}`);
    const down = there.map(([v, d]) => `${x(v)},${y(d.low)}`).reverse();
    svg.append(h("polygon", { class: `band ${kind}`, points: [...up, ...down].join(" ") }));
  }
  const path = there.map(([v, d], i) => `${i ? "L" : "M"}${x(v)},${y(d.mean)}`).join("");
  svg.append(h("path", { class: `line ${kind}`, d: path }));
  for (const [v, d] of there) svg.append(h("circle", { class: `dot ${kind}`, cx: x(v), cy: y(d.mean), r: 3 }));
}

function range(differences, least = 0.1) {
  const all = differences.filter(Boolean).flatMap((d) => [d.low ?? d.mean, d.high ?? d.mean, d.mean]);
  const low = Math.min(-least, ...all), high = Math.max(least, ...all), room = 0.06 * (high - low);
  return [low - room, high + room];
}

/** Rows of differences with a zero line. rows: [{label, note, dots: [{d, kind, name}]}]; a legend where dots have
    names. */
function forest(box, rows, { label, margin = 0.03, left = 300 } = {}) {
  const named = new Map(), all = rows.flatMap(({ dots }) => dots);
  for (const { name, ...about } of all) if (name) named.set(name, about);
  const plot = h("div"), sure = all.some(({ d }) => d.low !== null);
  box.replaceChildren(named.size > 1 ? legend(named) : "", plot, daggers(all.map(({ d }) => d)));
  const xTitle = `difference of F1${all.length ? (sure ? "; bar: 95 % interval" : "; one seed, no interval") : ""}`;
  return chart(plot, (width) => {
    const narrow = width < left + 360, step = narrow ? 24 : 15;  // a finger's height
    const x0 = narrow ? 8 : Math.min(left, width * 0.46), x1 = width - (narrow ? 8 : 168);
    const notes = rows.map(({ note, more }) => (!note ? [] : narrow ? wrap(note, width / 6.5) : [more ? `${note}; ${more}` : note]));
    const labels = rows.map(({ label: words }) => (narrow ? wrap(words, width / 7.2) : [words]));
    const heads = notes.map((lines, i) => (narrow ? 10 + 16 * (labels[i].length + lines.length) : 0));
    const heights = rows.map(({ dots, note }, i) =>
      heads[i] + Math.max(narrow ? 22 : note ? 38 : 26, 12 + step * Math.max(1, dots.length)));
    const total = heights.reduce((a, b) => a + b, 0), bottom = total + 4;
    const svg = frame(width, bottom + 42, label);
    const x = linear(range(rows.flatMap(({ dots }) => dots.map(({ d }) => d)), 0.08), [x0, x1]);
    if (margin) svg.append(h("rect", {
      class: "margin", x: x(-margin), width: x(margin) - x(-margin), y: 0, height: bottom }));
    const zero = (v) => signed(v, Math.abs(v * 10 - Math.round(v * 10)) > 1e-6 ? 2 : 1).replace(/^0.0+$/, "0");
    xAxis(svg, x, bottom, ticks(...x.domain, narrow ? 4 : 6), zero, xTitle, { grid: bottom });
    const isLeft = (d) => x(d.mean) < width / 2;  // and its numbers to the right of it: with the interval where there is room beside the bars and zero
    const isFree = (d) => (isLeft(d) ? width - Math.max(x(0), x(d.high ?? d.mean)) : Math.min(x(0), x(d.low ?? d.mean))) > 160;
    let top = 0;
    svg.targets = [];
    rows.forEach(({ label: words, note, dots }, i) => {
      const head = heads[i], room = heights[i] - head, isRoom = !narrow || dots.every(({ d }) => isFree(d));
      if (i) svg.append(h("line", { class: "grid", x1: 0, x2: width, y1: top, y2: top }));
      svg.append(h("line", { class: "zero", x1: x(0), x2: x(0), y1: top + head, y2: top + heights[i] }));
      const lineY = narrow ? top + 18 : top + heights[i] / 2 + (note ? -3 : 4);
      labels[i].forEach((line, k) => svg.append(text(0, lineY + 16 * k, line, { class: "row" })));
      notes[i].forEach((line, k) => svg.append(text(0, lineY + 16 * (labels[i].length + k), line, { class: "tick" })));
      if (!dots.length) svg.append(text(x(0) + 8, top + head + room / 2 + 4, "not yet run", { class: "tick" }));
      dots.forEach(({ d, kind = "", hollow, faint, name }, j) => {
        const y = top + head + room / 2 + (j - (dots.length - 1) / 2) * step;
        const about = `${words}${name ? `, ${name}` : ""}: ${signed(d.mean)} [${interval(d)}]`;
        svg.targets.push({ y, say: about + dagger(d) });
        if (d.low !== null)
          svg.append(h("line", { class: `whisker ${kind} ${faint || ""}`, x1: x(d.low), x2: x(d.high), y1: y, y2: y }));
        svg.append(h("circle", { class: `dot ${kind} ${hollow ? "hollow" : ""} ${faint || ""}`, cx: x(d.mean), cy: y, r: 4.5 }, h("title", {}, about)));
        // On a phone the number stands where there is room, beside the bar.
        const at = narrow ? (isLeft(d) ? [width, "end"] : [0, "start"]) : [x1 + 12, "start"];
        const said = `${signed(d.mean)}${dagger(d)}` + (d.low === null || !isRoom ? "" : `  [${interval(d)}]`);
        svg.append(text(at[0], y + 4, said, { class: "tick number", "text-anchor": at[1] }));
      });
      top += heights[i];
    });
    return svg;
  });
}

function legend(named) {
  return h("p", { class: "legend" }, [...named].map(([name, { kind = "", faint = "", hollow }]) =>
    h("span", {}, h("i", { class: `key ${kind} ${faint} ${hollow ? "hollow" : ""}` }), name)));
}

const dagger = (d) => (d.diverged ? " †" : "");

/** What the dagger means, where one of these has it. */
function daggers(all) {
  return all.some((d) => d && d.diverged)
    ? h("p", { class: "note" }, "† A training in it diverged, as the plan calls it: its loss ended higher than it began. Its scores are as they are.") : "";
}

/** F1 of several lines over an axis of words, "|" between their lines. lines: [{name, kind, hollow, line: [{mean,
    low, high} or null]}]. Bars stand side by side, so that none hides another. */
function levels(box, x, lines, { label, xTitle, high, bottom: below = 44 }) {
  return chart(box, (width) => {
    const height = 206 + below, left = 34, bottom = height - below, right = width - 8, svg = frame(width, height, label);
    const at = linear([0, x.length - 1], [left + 40, right - 40]), y = linear([0, high], [bottom, 14]), apart = Math.min(6, (width - 122) / (8 * (x.length - 1)));
    yAxis(svg, y, left, right, ticks(0, high, 4), (v) => String(Number(v.toFixed(2))));
    x.forEach((words, i) => String(words).split("|").forEach((word, j) =>
      svg.append(text(at(i), bottom + 16 + 14 * j, word, { class: "tick", "text-anchor": "middle" }))));
    svg.append(text((left + right) / 2, height - 6, xTitle, { class: "axis", "text-anchor": "middle" }));
    const head = xTitle.includes(";") ? `${xTitle.split(";")[0]}: ` : "";
    svg.targets = x.map((words, i) => column(at(i), head + String(words).replace("|", head ? ", " : " "), lines.map(({ name, kind, line }) => [name, kind, line[i]])));
    lines.forEach(({ name, kind, hollow, line }, j) => {
      const points = line.map((d, i) => [at(i) + (j - (lines.length - 1) / 2) * apart, d]).filter(([, d]) => d);
      svg.append(h("path", { class: `line ${kind} ${hollow ? "dashed" : ""}`, d: points.map(([v, d], i) => `${i ? "L" : "M"}${v},${y(d.mean)}`).join("") }));
      for (const [v, d] of points) {
        if (d.low !== null) svg.append(h("line", { class: `whisker ${kind}`, x1: v, x2: v, y1: y(d.low), y2: y(d.high) }));
        svg.append(h("circle", { class: `dot ${kind} ${hollow ? "hollow" : ""}`, cx: v, cy: y(d.mean), r: 4 },
          h("title", {}, `${name}: ${plain(d.mean)} [${interval(d, plain)}]${dagger(d)}`)));
        if (d.diverged) svg.append(text(v - 3, y(d.mean) - 9, "†"));
      }
    });
    return svg;
  });
}
