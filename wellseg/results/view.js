"use strict";
// Tiles of two levels: 0 in full, 1 reduced by DATA.small. Only those near the view are in the page.
const FINE = 0.3;  // below so many screen pixels for a pixel of the scan, the reduced tiles do
const AHEAD = 0.6;  // load so many screens above and below the view
const LOADING = 3;  // tiles under way at once
const MOST_HEIGHT = 16e6;  // browsers draw no taller element
const CURVE = [230, 20, 40], DOUBT = [235, 140, 0], ON_DARK = [255, 85, 95];

const $ = (selector) => document.querySelector(selector);
const scroller = $("#scroller"), sheet = $("#sheet"), map = $("#map");
const { rows, columns } = DATA;
const count = (n) => Math.round(n).toLocaleString("en");
const between = (low, value, high) => Math.max(low, Math.min(high, value));

const state = { zoom: 1, fitted: true, threshold: DATA.threshold, overlay: true, doubt: false, inverted: false };
const tiles = new Map();  // name -> tile in the page

// ---- which tiles, and where ----------------------------------------------------------------------------

const level = () => (state.zoom * devicePixelRatio > FINE ? 0 : 1);

function wanted() {
  const found = [];
  const view = { top: scroller.scrollTop / state.zoom, left: (scroller.scrollLeft - sheet.offsetLeft) / state.zoom };
  const tall = scroller.clientHeight / state.zoom, wide = scroller.clientWidth / state.zoom;
  for (const which of level() ? [1] : [0, 1]) {  // reduced paper lies under the full one: seen while that loads
    const scale = which ? DATA.small : 1;
    const high = DATA.tile_rows * scale, broad = DATA.tile_columns * scale;
    const first = Math.floor(Math.max(0, view.top - AHEAD * tall) / high);
    const last = Math.floor(Math.min(rows - 1, view.top + (1 + AHEAD) * tall) / high);
    const from = Math.floor(Math.max(0, view.left) / broad);
    const to = Math.floor(between(0, view.left + wide, columns - 1) / broad);
    for (let row = first; row <= last; row++) {
      for (let column = from; column <= to; column++) {
        found.push({
          name: `${which}-${String(row).padStart(4, "0")}-${column}`, level: which, scale,
          top: row * high, left: column * broad,
          bottom: Math.min(rows, (row + 1) * high), right: Math.min(columns, (column + 1) * broad),
          distance: Math.abs((row + 0.5) * high - view.top - tall / 2) + (which ? 0.1 : 0),
        });
      }
    }
  }
  return found.sort((a, b) => a.distance - b.distance);
}

function arrange() {
  const near = wanted();
  const names = new Set(near.map((tile) => tile.name));
  for (const tile of tiles.values()) if (!names.has(tile.name)) drop(tile);
  let loading = [...tiles.values()].filter((tile) => !tile.done).length;
  for (const tile of near) {
    if (!tiles.has(tile.name) && loading < LOADING) {
      loading++;
      load(tile);
    }
  }
  for (const tile of tiles.values()) {
    place(tile);
    const curves = tile.level === level();
    if (curves && !tile.asked) ask(tile);
    if (tile.canvas) tile.canvas.hidden = !curves;
  }
}

function place(tile) {
  // Whole screen pixels, or the seams between tiles would shine through.
  const snap = (length) => Math.round(length * state.zoom * devicePixelRatio) / devicePixelRatio;
  const [top, left] = [snap(tile.top), snap(tile.left)];
  for (const element of [tile.img, tile.canvas]) {
    if (!element) continue;
    Object.assign(element.style, {
      top: `${top}px`, left: `${left}px`, zIndex: 1 - tile.level,
      width: `${snap(tile.right) - left}px`, height: `${snap(tile.bottom) - top}px`,
    });
  }
}

function load(tile) {
  tiles.set(tile.name, tile);
  tile.img = new Image();
  tile.img.alt = "";
  tile.img.draggable = false;
  tile.img.onload = () => { tile.done = true; soon(); };
  tile.img.onerror = () => { tile.img.onload(); $("#missing").hidden = false; };
  tile.img.src = `${DATA.folder}/${tile.name}.${DATA.jpegs.includes(tile.name) ? "jpg" : "png"}`;
  place(tile);
  $("#paper").append(tile.img);
}

// Probabilities come as scripts: pages from local files may run these, but not fetch anything.
function ask(tile) {
  tile.asked = true;
  const script = document.createElement("script");
  script.src = `${DATA.folder}/${tile.name}.js`;
  script.onload = () => script.remove();
  script.onerror = () => { script.remove(); $("#missing").hidden = false; };
  document.head.append(script);
}

async function tile(name, deflated) {  // called by the scripts
  if (!tiles.has(name)) return;
  const bytes = Uint8Array.from(atob(deflated), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const values = new Uint8Array(await new Response(stream).arrayBuffer());
  const one = tiles.get(name);
  if (!one || one.values) return;
  one.values = values;
  one.columns = Math.ceil((one.right - one.left) / one.scale);
  one.rows = values.length / one.columns;
  one.canvas = document.createElement("canvas");
  one.canvas.hidden = one.level !== level();
  paint(one);
  place(one);
  $("#curves").append(one.canvas);
}

function drop(tile) {
  tiles.delete(tile.name);
  tile.img.onload = tile.img.onerror = null;
  tile.img.remove();
  tile.img.removeAttribute("src");
  if (!tile.canvas) return;
  tile.canvas.remove();
  tile.canvas.width = tile.canvas.height = 0;  // lets go of its memory now, not when it is collected
}

// ---- colours from probabilities ------------------------------------------------------------------------

let look = 0;  // number of the present colouring
let table = new Uint32Array(256);

function recolour() {
  const word = ([red, green, blue]) => ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
  const [low, high] = [255 * DATA.doubt_from, 255 * DATA.doubt_to];
  table = table.map((_, value) =>
    state.doubt && value > low && value < high ? word(DOUBT) : value > 255 * state.threshold ? word(CURVE) : 0);
  look++;
  soon();
}

// Seen from afar, pixels are taken two by two and the higher counts: no thin curve falls between them.
const step = (tile) => (state.zoom * devicePixelRatio * tile.scale <= 0.5 ? 2 : 1);

function paint(tile) {
  const { values, canvas } = tile;
  tile.look = look;
  tile.step = step(tile);
  const wide = Math.ceil(tile.columns / tile.step), tall = Math.ceil(tile.rows / tile.step);
  if (canvas.width !== wide || canvas.height !== tall) Object.assign(canvas, { width: wide, height: tall });
  const context = canvas.getContext("2d");
  const picture = context.createImageData(wide, tall);
  const pixels = new Uint32Array(picture.data.buffer);
  if (tile.step === 1) {
    for (let i = 0; i < pixels.length; i++) if (values[i]) pixels[i] = table[values[i]];
  } else {
    for (let y = 0, at = 0; y < tall; y++) {
      const upper = 2 * y * tile.columns, lower = 2 * y + 1 < tile.rows ? upper + tile.columns : upper;
      for (let x = 0; x < tile.columns; x += 2, at++) {
        const right = x + 1 < tile.columns ? x + 1 : x;
        const value = Math.max(values[upper + x], values[upper + right], values[lower + x], values[lower + right]);
        if (value) pixels[at] = table[value];
      }
    }
  }
  context.putImageData(picture, 0, 0);
}

function repaint() {
  const top = scroller.scrollTop / state.zoom, bottom = top + scroller.clientHeight / state.zoom;
  let hidden = 0;
  for (const one of tiles.values()) {
    if (!one.canvas || one.canvas.hidden || (one.look === look && one.step === step(one))) continue;
    const seen = one.bottom > top && one.top < bottom;
    if (seen || hidden++ === 0) paint(one);  // those in view now, one other at a time
  }
  if (hidden > 1) soon();
}

// ---- one frame -----------------------------------------------------------------------------------------

let asked = 0, settled = 0, note = "";
const percent = (share) => `${Math.round(100 * share)} %`;
const soon = () => { asked ||= requestAnimationFrame(frame); };

function frame() {
  asked = 0;
  arrange();
  repaint();
  drawLines();
  const top = between(0, scroller.scrollTop / state.zoom, rows);
  const bottom = Math.min(rows, top + scroller.clientHeight / state.zoom);
  const share = percent(state.zoom);
  const row = lookedAt(), off = ([first, last]) => Math.abs((first + last) / 2 - row);
  const seen = DATA.places.filter(([first, last]) => first < bottom && last > top);
  const place = DATA.places.indexOf(seen.sort((a, b) => off(a) - off(b))[0]);
  const doubt = place >= 0 && `doubt ${place + 1} of ${DATA.places.length}: ${percent(DATA.places[place][2])}`;
  const from = depth(top), to = depth(bottom);
  const depths = from && to ? `${from} to ${to}`.replace(/ \w+ to/, " to") : from ? `from ${from}` : to && `to ${to}`;
  $("#rows").textContent = [`rows ${count(top)} to ${count(bottom)} of ${count(rows)}`, depths, share, doubt, note].filter(Boolean).join("  ·  ");
  $("#before").disabled = beyond(-1) === undefined;
  $("#next").disabled = beyond(1) === undefined;
  document.querySelectorAll("#places button").forEach((button, i) => button.classList.toggle("here", i === place));
  clearTimeout(settled);
  settled = setTimeout(remember, 300);
  const tall = map.clientHeight;
  $("#here").style.top = `${between(0, (top / rows) * tall, tall - 6)}px`;
  $("#here").style.height = `${((bottom - top) / rows) * tall}px`;
  map.setAttribute("aria-valuemax", rows);
  map.setAttribute("aria-valuenow", Math.round(top));
  map.setAttribute("aria-valuetext", `row ${count(top)} of ${count(rows)}`);
}

function say(text) {
  note = text;
  soon();
  setTimeout(() => { if (note === text) say(""); }, 2500);
}

// Depth of a row, where --depth said it or nearly so.
function depth(row) {
  const log = (DATA.depth ?? []).find(({ reach }) => row >= reach[0] && row <= reach[1]);
  if (!log) return "";
  const { points } = log, unit = DATA.depth_unit;
  const last = points.length - 1, below = points.findIndex(([known]) => known > row);
  const [[row0, depth0], [row1, depth1]] = points.slice(below < 0 ? last - 1 : Math.max(0, below - 1));
  return `${(depth0 + ((row - row0) * (depth1 - depth0)) / (row1 - row0)).toFixed(1)} ${unit}`;
}

const middle = () => (scroller.scrollTop + scroller.clientHeight / 2) / state.zoom;

function remember() {  // the row in the address
  if (scroller.scrollTop || location.hash) history.replaceState(null, "", `#${Math.round(middle())}`);
}

// ---- the map of the whole depth ------------------------------------------------------------------------

const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

const curves = bytes(DATA.curves), paper = bytes(DATA.paper), lines = paper.length / DATA.cells;

// First and last cell (exclusive) with some ink, and a cell of margin.
const printed = (() => {
  const dark = Array.from({ length: DATA.cells }, (_, cell) => {
    let sum = 0;
    for (let line = 0; line < lines; line++) sum += 255 - paper[line * DATA.cells + cell];
    return sum / lines > 1;
  });
  const first = dark.indexOf(true), last = dark.lastIndexOf(true);
  return first < 0 ? [0, DATA.cells] : [Math.max(0, first - 1), Math.min(DATA.cells, last + 2)];
})();

function drawMap() {
  const { cells } = DATA;
  const dark = document.documentElement.dataset.theme === "dark";
  const small = new OffscreenCanvas(cells, lines), picture = new ImageData(cells, lines);
  for (let i = 0; i < cells * lines; i++) {
    const gray = dark ? 27 + 0.22 * (255 - paper[i]) : 255 - 0.3 * (255 - paper[i]);
    const share = Math.sqrt(curves[i] / 255) * 0.9;  // a curve crosses a cell within few rows
    for (let c = 0; c < 3; c++) picture.data[4 * i + c] = gray + share * ((dark ? ON_DARK : CURVE)[c] - gray);
    picture.data[4 * i + 3] = 255;
  }
  small.getContext("2d").putImageData(picture, 0, 0);
  const canvas = $("#map canvas"), context = canvas.getContext("2d");
  const wide = Math.round(map.clientWidth * devicePixelRatio), tall = Math.round(map.clientHeight * devicePixelRatio);
  Object.assign(canvas, { width: wide, height: tall });
  const bar = Math.round(wide * 0.12);
  context.imageSmoothingQuality = "high";
  context.drawImage(small, printed[0], 0, printed[1] - printed[0], lines, 0, 0, wide - bar, tall);
  const style = getComputedStyle(document.documentElement);
  context.fillStyle = style.getPropertyValue("--doubt");
  for (const [first, last] of DATA.places) {
    const y = ((first + last) / 2 / rows) * tall, size = bar * 0.6;
    context.beginPath();
    context.moveTo(wide - bar + 1, y);
    context.lineTo(wide, y - size);
    context.lineTo(wide, y + size);
    context.fill();
  }
}

let aim = null;  // the row that was last gone to, and how far down that has led

function goTo(row) {
  scroller.scrollTop = row * state.zoom - scroller.clientHeight / 2;
  aim = { row, top: scroller.scrollTop };
  soon();
}

// The row that is looked at: near the ends of the scan it is not in the middle.
function lookedAt() {
  if (aim && Math.abs(scroller.scrollTop - aim.top) < 2) return aim.row;
  if (scroller.scrollTop <= 0) return 0;
  return scroller.scrollTop >= scroller.scrollHeight - scroller.clientHeight - 1 ? rows : middle();
}

function pointed(event) {
  if (event.buttons & 1) goTo(((event.clientY - map.getBoundingClientRect().top) / map.clientHeight) * rows);
}
map.onpointerdown = (event) => { map.setPointerCapture(event.pointerId); pointed(event); };
map.onpointermove = pointed;

// The middle of the next place of doubt in a direction.
function beyond(direction) {
  const slack = 2 / state.zoom;  // scroll positions are rounded
  const centres = DATA.places.map(([first, last]) => (first + last) / 2);
  const here = lookedAt();
  return direction < 0 ? centres.findLast((row) => row < here - slack) : centres.find((row) => row > here + slack);
}

function jump(direction) {
  const row = beyond(direction);
  if (row === undefined) say(`no place of doubt ${direction > 0 ? "below" : "above"}`);
  else goTo(row);
}

// The list of the places, to tick off; the browser keeps the ticks.
const ticks = `wellseg ticks ${location.pathname}`;
const ticked = (() => { try { return new Set(JSON.parse(localStorage[ticks] ?? "[]")); } catch { return new Set(); } })();
for (const [first, last, share] of DATA.places) {
  const item = document.createElement("li"), tick = document.createElement("input"), go = document.createElement("button");
  Object.assign(tick, { type: "checkbox", checked: ticked.has(first) });
  tick.setAttribute("aria-label", `Row ${count(first)} seen`);
  tick.onchange = () => {
    ticked[tick.checked ? "add" : "delete"](first);
    try { localStorage[ticks] = JSON.stringify([...ticked]); } catch { /* no place to keep them */ }
  };
  go.textContent = [`row ${count(first)}`, depth(first), percent(share)].filter(Boolean).join("  ·  ");
  go.onclick = () => {
    goTo((first + last) / 2);
    if (innerWidth < 760) showList(false);
  };
  item.append(tick, go);
  $("#places ol").append(item);
}

// ---- whole curves --------------------------------------------------------------------------------------

const original = DATA.followed ?? [], lineCanvas = $("#lines"), scaleFields = document.querySelectorAll("#scale input");
let followed = original;  // with the corrections made here
let alone = -1;  // the curve that is seen by itself, or -1
let drawn = [];  // the path of each, where it is seen
let marked = -1;  // the row that was clicked on or gone to, or -1
let pen = null;  // what is being drawn: points, [column, row], of a stroke, or of the borders of tracks
// Far apart in hue, also from the next one in the list; those that come near again are darker or lighter.
const hue = (i) => `hsl(${Math.round((i * 137.5) % 360)} 85% ${[42, 28, 56][Math.floor(i / 6) % 3]}%)`;

function drawLines() {
  if (lineCanvas.hidden) return;
  const { clientWidth: wide, clientHeight: tall } = scroller, sharp = devicePixelRatio;
  Object.assign(lineCanvas, { width: wide * sharp, height: tall * sharp });
  Object.assign(lineCanvas.style, { width: `${wide}px`, height: `${tall}px` });
  const context = lineCanvas.getContext("2d"), zoom = state.zoom * sharp;
  const top = scroller.scrollTop / state.zoom, bottom = top + tall / state.zoom;
  context.setTransform(zoom, 0, 0, zoom, (sheet.offsetLeft - scroller.scrollLeft) * sharp, -scroller.scrollTop * sharp);
  context.lineJoin = "round";
  const trace = (path, line) => { for (let k = 0; k < line.length; k += 2) path[k ? "lineTo" : "moveTo"](line[k], line[k + 1] + 0.5); };
  const upright = (column) => [column + 0.5, top, column + 0.5, bottom];
  context.strokeStyle = getComputedStyle(document.documentElement).getPropertyValue("--accent");
  context.lineWidth = 1.5 / state.zoom;
  context.setLineDash([6 / state.zoom, 4 / state.zoom]);
  const borders = followed.flatMap((curve, i) => (alone < 0 || alone === i ? curve.borders ?? [] : []));
  for (const line of fix.tracks ? fix.tracks.flat().map(upright) : borders.map((border) => clip(border, top, bottom))) {
    const ruled = new Path2D();
    trace(ruled, line);
    context.lineDashOffset = line[1] ?? 0;  // dashes of several curves of a track lie on one another
    context.stroke(ruled);
  }
  context.setLineDash([]);
  drawn = followed.map(({ lines, place }, i) => {
    const path = new Path2D();
    if (alone >= 0 && alone !== i) return path;
    context.strokeStyle = hue(place ?? i);
    context.lineWidth = Math.max(1.5, 3 * state.zoom) / state.zoom;
    for (const line of lines) {
      if (line[1] > bottom || line[line.length - 1] < top) continue;
      trace(path, line);
    }
    context.stroke(path);
    return path;
  });
  context.strokeStyle = getComputedStyle(document.documentElement).getPropertyValue("--doubt");
  context.lineWidth = 2 / state.zoom;
  if (marked >= 0 && !pen) context.strokeRect(-9, marked - 12, columns + 18, 24);
  const path = new Path2D(), dot = 4 / state.zoom;
  for (const [x, y] of pen?.points ?? []) {
    if (pen.isTracks) trace(path, upright(x));
    else path.lineTo(x + 0.5, y + 0.5);
    context.strokeRect(x + 0.5 - dot, y + 0.5 - dot, 2 * dot, 2 * dot);
  }
  context.stroke(path);
}

function showWhole(on) {
  pressed("#whole", on);
  $("#followed").hidden = lineCanvas.hidden = !on;
  if (pen) draw(false);
  if (!on) isolate(-1);
  showOverlay(!on);
  if (state.fitted) fit();
  soon();
}

function isolate(which, row = -1) {
  alone = which;
  marked = row;
  for (const [list, place] of [["#each", alone], ["#uncertain", places.indexOf(row)]])
    document.querySelectorAll(`${list} button`).forEach((button, i) => button.setAttribute("aria-pressed", i === place));
  pen ? sayPen() : offer();
  soon();
}

// A click on a curve shows it alone; one beside all shows all again.
let down = [0, 0];
scroller.addEventListener("pointerdown", (event) => { down = [event.clientX, event.clientY]; });
scroller.addEventListener("click", (event) => {
  const moved = Math.hypot(event.clientX - down[0], event.clientY - down[1]) > 4;
  if (moved || lineCanvas.hidden) return;
  if (pen) return addPoint(event);
  const box = scroller.getBoundingClientRect(), context = lineCanvas.getContext("2d");
  const at = [event.clientX - box.left, event.clientY - box.top].map((place) => place * devicePixelRatio);
  for (const reach of [3, 8, 16]) {  // the nearest one
    context.lineWidth = reach / state.zoom;
    const which = drawn.findIndex((path) => context.isPointInStroke(path, ...at));
    if (which >= 0) return isolate(which, Math.floor((scroller.scrollTop + event.clientY - box.top) / state.zoom));
    if (reach === 16) isolate(-1);
  }
});

function listed(list, text, about, colour, go) {
  const item = document.createElement("li"), button = document.createElement("button"), small = document.createElement("small");
  if (colour) {
    const swatch = document.createElement("i");
    swatch.className = "swatch";
    swatch.style.setProperty("--c", colour);
    button.append(swatch);
  }
  small.textContent = about;
  button.append(text, small);
  button.onclick = go;
  item.append(button);
  $(list).append(item);
}

function listCurves() {
  $("#each").replaceChildren();
  followed.forEach((curve, i) => {
    const [first, last] = curve.rows;
    const scale = fix.scales[curve.name]?.replace(":", " to ").replaceAll(":", " ");
    listed("#each", curve.name, `${scale ? `${scale}, ` : ""}rows ${count(first)} to ${count(last)}, ${curve.about}`, hue(curve.place ?? i), () => {
      isolate(...(alone === i ? [-1] : [i, marked]));
      const top = scroller.scrollTop / state.zoom, tall = scroller.clientHeight / state.zoom;
      if (alone === i && (first > top + tall || last < top)) goTo(first + tall / 3);
    });
  });
}
const places = [...new Set(original.flatMap(({ uncertain }) => uncertain))].sort((a, b) => a - b);
function listPlaces() {  // rows where curves, by the names that they have now, may have changed places
  $("#uncertain").replaceChildren();
  for (const row of places) {
    const there = fix.parts.filter((_, i) => original[i]?.uncertain.includes(row)).map((parts) => parts.find(({ to }) => row <= to) ?? parts[0]);
    listed("#uncertain", `row ${count(row)}`, [...there.map(nameOf), depth(row)].filter(Boolean).join(", "), "", () => {
      isolate(-1, row);
      goTo(row);
    });
  }
}
$("#whole").hidden = !original.length;
$("#unsure").textContent = places.length ? "Uncertain identity" : "";

// ---- correcting them: a command for wellseg curves ------------------------------------------------------

// Each curve of the file, and behind them each stroke that was drawn here, is cut into parts; each part is of a curve
// as corrected, or of none (-1). tracks: those set here, or null.
const untouched = () => ({ names: original.map(({ name }) => name), parts: original.map(({ rows: [from, to] }, as) => [{ from, to, as }]), strokes: [], tracks: null, scales: scalesOf(original) });
// By the curve's name, as --scale has it: "0.2:2000:OHMM:log"; none: fractions of the track.
function scalesOf(curves) {
  return Object.fromEntries(curves.filter(({ scale }) => scale && scale[2] !== "FRAC")
    .map(({ name, scale: [left, right, unit, log] }) => [name, `${left}:${right}${unit && `:${unit}`}${log ? ":log" : ""}`]));
}
let fix = untouched();
const before = [];  // to go back to
const store = `corrections, strokes and scales of ${location.pathname}`, made = DATA.edits ?? 0;  // made: of these curves, by now
const those = JSON.stringify([made, ...original.map(({ name, rows, borders }) => [name, rows, borders])]);  // that ``fix`` is of

const scaled = JSON.stringify(scalesOf(original));  // what the files have
const bases = () => [...original, ...fix.strokes];  // what parts are of
const nameOf = ({ as }) => (as < 0 ? "" : fix.names[as]);

function clip(line, from, to) {  // its points in these rows
  const points = [];
  for (let k = 0; k < line.length; k += 2) {
    const [x, y, x1, y1] = line.slice(k, k + 4);
    if (y >= from && y <= to) points.push(x, y);
    for (const row of y1 < y ? [to, from] : [from, to]) if ((y - row) * (y1 - row) < 0) points.push(x + ((x1 - x) * (row - y)) / (y1 - y), row);
  }
  return points;
}

function compile() {  // the curves as corrected
  const found = new Map(), of = bases();
  fix.parts.forEach((parts, i) => {
    for (const part of parts.filter(({ as }) => as >= 0)) {
      const lines = of[i].lines.map((line) => clip(line, part.from, part.to)).filter((line) => line.length > 1);
      if (!lines.length) continue;  // a gap
      const one = found.get(nameOf(part)) ?? { name: nameOf(part), rows: [rows, 0], most: -1, place: part.as, lines: [], borders: [] };
      const seen = lines.flatMap((line) => line.filter((_, k) => k % 2)).reduce(([low, high], row) => [Math.min(low, row), Math.max(high, row)], [rows, 0]);
      one.rows = [Math.min(one.rows[0], seen[0]), Math.max(one.rows[1], seen[1])];
      if (seen[1] - seen[0] > one.most) Object.assign(one, { most: seen[1] - seen[0], about: of[i].about });
      one.lines.push(...lines);
      one.borders.push(...(of[i].borders ?? []));
      found.set(one.name, one);
    }
  });
  return [...found.values()];
}

function words() {  // of --edit
  const of = bases(), isUsed = (i) => i < original.length || fix.parts[i].some(({ as }) => as >= 0);
  const drawn = fix.strokes.filter((_, i) => isUsed(original.length + i))
    .map(({ name, lines: [line] }) => name + line.map((y, k) => (k % 2 ? `:${y}@${line[k - 1]}` : "")).join(""));
  return [...drawn, ...fix.parts.flatMap((parts, i) => {
    if (!isUsed(i)) return [];
    const runs = [];
    for (const part of parts) {
      const last = runs[runs.length - 1];
      if (last && last.name === nameOf(part)) last.to = part.to;
      else runs.push({ ...part, name: nameOf(part) });
    }
    const own = of[i].name;
    return runs.filter(({ name, from, to }) => name !== own && (i >= original.length || of[i].lines.some((line) => line[1] <= to && line[line.length - 1] >= from)))
      .map(({ from, to, name }) => `${own}${runs.length > 1 ? `:${from}-${to}` : ""}=${name}`);
  })];
}

function scales() {  // of curves that are there, words of --scale
  return followed.filter(({ name }) => fix.scales[name]).map(({ name }) => `${name}=${fix.scales[name]}`);
}

// The value of a curve at a place of the scan, by the borders of its track there; "" where it has none.
function valueAt({ name, borders = [] }, x, row) {
  for (let k = 0; k + 1 < borders.length; k += 2) {
    const [left, right] = [borders[k], borders[k + 1]].map((line) => {
      const next = line.findIndex((y, i) => i % 2 && i > 1 && y >= row);
      if (next < 0 || line[1] > row) return NaN;
      const [x0, y0, x1, y1] = line.slice(next - 3, next + 1);
      return x0 + ((x1 - x0) * (row - y0)) / Math.max(1, y1 - y0);
    });
    const share = (x - left) / (right - left);
    if (Number.isNaN(share)) continue;
    const [from, to, ...rest] = (fix.scales[name] ?? "0:1:of its track").split(":");
    const value = rest[rest.length - 1] === "log" ? from * (to / from) ** share : Number(from) + (to - from) * share;
    return `${name} ${value.toPrecision(4)} ${rest[0] && rest[0] !== "log" ? rest[0] : ""}`.trim();
  }
  return "";
}

const onWindows = /^Win/.test(navigator.platform);

function command(given) {
  let path = location.pathname;
  try { path = decodeURIComponent(path); } catch { /* a name that is not UTF-8 */ }
  const anew = fix.tracks && !given.length && !made && !isScaled();  // tracks alone: curves are followed by them, and named
  path = path.replace(/\.html$/, anew ? ".probability.tif" : ".curves.csv");
  const local = location.host ? `//${location.host}${path}` : path.replace(/^\/(?=[A-Za-z]:)/, "");  // of a share; of a drive
  const place = location.protocol === "file:" ? local : path.split("/").pop();
  const quoted = onWindows ? `"${place.replaceAll("/", "\\")}"` : `'${place.replaceAll("'", "'\\''")}'`;
  const tracks = fix.tracks ? ` --tracks ${fix.tracks.map((sides) => sides.join("-")).join(" ")}` : "";
  const scale = isScaled() ? ` --scale ${scales().join(" ") || "none"}` : "";
  return `wellseg curves ${quoted}${anew ? "" : ` --after ${made}`}${tracks}${scale}${given.length ? ` --edit ${given.join(" ")}` : ""}`;
}

// Whether --scale is to be given: the files have others, or the names have changed.
const isScaled = () => scales().sort().join() !== Object.entries(JSON.parse(scaled)).map((pair) => pair.join("=")).sort().join();

function correct(name, change) {  // name: of the curve that is seen alone then; change: edits ``fix``
  before.push(JSON.stringify(fix));
  change();
  refresh(name);
}

function refresh(name) {
  followed = compile();
  listCurves();
  listPlaces();
  isolate(followed.findIndex((curve) => curve.name === name), marked);
  const given = words();
  $("#edits").hidden = !given.length && !fix.tracks && !isScaled();
  $("#command").value = $("#edits").hidden ? "" : command(given);
  $("#long").hidden = !onWindows || $("#command").value.length < 8000;
  $("#anew").hidden = Boolean(given.length || made || !fix.tracks || isScaled());
  $("#copy").textContent = "Copy";
  try {  // for the page when it is loaded again
    localStorage.setItem(store, JSON.stringify({ those, made, given, fix, scaled, before: before.slice(-20) }));
  } catch { /* a browser that keeps nothing */ }
}

function offer() {  // what can be done with the curve that is seen alone
  const curve = followed[alone];
  $("#draw").textContent = pen && !pen.isTracks ? "End the stroke" : curve ? "Draw where it is missed" : "Draw a curve that is missed";
  $("#tracks").textContent = pen?.isTracks ? "These are the tracks" : "Set the tracks";
  $("#edit").hidden = !curve;
  $("#hint").hidden = Boolean(curve);
  if (!curve) return;
  const row = marked > curve.rows[0] && marked <= curve.rows[1] ? marked : -1;
  $("#name").value = curve.name;
  $("#name").setCustomValidity("");
  const [left = "", right = "", ...rest] = fix.scales[curve.name]?.split(":") ?? [];
  Object.assign($("#left"), { value: left }), Object.assign($("#right"), { value: right });
  $("#log").checked = rest[rest.length - 1] === "log";
  $("#unit").value = rest[0] && rest[0] !== "log" ? rest[0] : "";
  for (const field of scaleFields) field.setCustomValidity("");
  const track = (name) => name.split("_")[0];
  const others = followed.filter(({ name, lines }) => name !== curve.name && lines.some((line) => line[1] <= row && line[line.length - 1] >= row))
    .sort((a, b) => (track(b.name) === track(curve.name)) - (track(a.name) === track(curve.name)));
  $("#cut").textContent = row < 0 ? "Cut: click on the curve" : `Cut at row ${count(row)}`;
  $("#swap").textContent = row < 0 ? "Exchange from there on" : `Exchange from row ${count(row)} on`;
  $("#cut").disabled = row < 0;
  $("#swap").disabled = $("#other").disabled = row < 0 || !others.length;
  $("#other").hidden = $("#swap").disabled;
  $("#other").replaceChildren(...others.map(({ name }) => new Option(name)));
}

function split(row, ...names) {  // parts of these curves end above this row
  fix.parts = fix.parts.map((parts) => parts.flatMap((part) => names.includes(nameOf(part)) && part.from < row && part.to >= row
    ? [{ ...part, to: row - 1 }, { ...part, from: row }] : [part]));
}

function becomes(test, as) {
  for (const part of fix.parts.flat()) if (test(part)) part.as = as;
}

function rename(name) {
  const own = followed[alone].name;
  const join = followed.some((curve) => curve.name === name);
  if (join && !confirm(`${own} and ${name} become one curve. In rows of both, one of them is kept.`)) return offer();
  correct(name, () => {
    fix.names = fix.names.map((it) => (it === own ? name : it));
    const { [own]: scale, ...others } = fix.scales;
    fix.scales = scale ? { [name]: scale, ...others } : others;
  });
}

function remove() {
  if (alone < 0) return;
  const own = followed[alone].name;
  marked = -1;
  correct("", () => becomes((part) => nameOf(part) === own, -1));
}

function removeOrBack() {
  if (!pen) return remove();
  pen.points.pop();
  sayPen();
}

function cut() {
  const own = followed[alone].name, row = marked;
  let name = `${own.slice(0, 50)}_B`;
  while (fix.names.some((one) => one.toLowerCase() === name.toLowerCase())) name += "B";
  correct(own, () => {
    split(row, own);
    becomes((part) => nameOf(part) === own && part.from >= row, fix.names.push(name) - 1);
  });
}

function draw(on, isTracks = false) {  // begin, or drop what was drawn
  pen = on ? { points: [], isTracks } : null;
  $("#pen").hidden = $("#pens").hidden = !on;
  pressed("#draw", on && !isTracks);
  pressed("#tracks", on && isTracks);
  scroller.classList.toggle("drawing", on);
  sayPen();
}

function sayPen() {
  offer();
  const own = followed[alone]?.name ?? "a new curve", here = pen?.points.length ? `, ${pen.points.length} so far` : "";
  const columnsOf = (line) => line.filter((_, k) => k % 2 === 0);
  const lean = Math.max(0, ...original.flatMap(({ borders }) => borders ?? []).map(columnsOf).map((all) => Math.max(...all) - Math.min(...all)));
  const leans = lean > 9 ? ` On this sheet the borders that were found wander by ${count(lean)} px; these will be straight.` : "";
  const what = pen?.isTracks ? `Click on the left and the right border of each track${here}: all tracks have these, in all rows.${leans}`
    : `Click along ${own}${here}: where it bends; between two points the line will follow the ink.`;
  $("#pen").textContent = `${what} Enter ends it.`;
  soon();
}

function addPoint(event) {
  const box = sheet.getBoundingClientRect();
  const [column, row] = [event.clientX - box.left, event.clientY - box.top].map((place) => Math.floor(place / state.zoom));
  if (row < 0 || row >= rows || column < 0 || column >= columns) return;
  const [x, y] = pen.points[pen.points.length - 1] ?? [];
  const far = (Math.abs(x - column) + 60) * (Math.abs(y - row) + 60) > 3e6;  // wellseg curves looks for ink in no larger window
  if (!pen.isTracks && far) return say("that is too far from the last point: click one between");
  if (pen.isTracks || x !== column || y !== row) pen.points.push([column, row]);
  sayPen();
}

function endTracks() {
  const sides = pen.points.map(([column]) => column).sort((a, b) => a - b);
  if (sides.length % 2) {
    $("#pen").textContent = "Each track has two borders: one is missing.";
    return;
  }
  draw(false);
  const pairs = sides.flatMap((left, i) => (i % 2 || left === sides[i + 1] ? [] : [[left, sides[i + 1]]]));
  if (pairs.length) correct(followed[alone]?.name, () => { fix.tracks = pairs; });
}

function endStroke() {
  if (pen.isTracks) return endTracks();
  const { points } = pen;
  draw(false);
  if (points.length < 2) return;
  if (points[0][1] > points[points.length - 1][1]) points.reverse();
  const lines = points.map(([, row]) => row), from = Math.min(...lines), to = Math.max(...lines);
  const taken = new Set([...fix.names, ...bases().map((base) => base.name)].map((name) => name.toLowerCase()));
  let number = 1;
  while (taken.has(`drawn_${number}`)) number++;
  const base = `DRAWN_${number}`, name = followed[alone]?.name ?? base;
  correct(name, () => {
    for (const row of [from, to + 1]) split(row, name);
    becomes((part) => nameOf(part) === name && part.from >= from && part.to <= to, -1);
    const as = fix.names.indexOf(name);
    fix.strokes.push({ name: base, rows: [from, to], lines: [points.flat()], about: "drawn: its line will follow the ink" });
    fix.parts.push([{ from, to, as: as < 0 ? fix.names.push(name) - 1 : as }]);
  });
}

function swap(other) {  // the two change places from the marked row on
  const own = followed[alone].name, row = marked;
  correct(own, () => {
    split(row, own, other);
    const lower = fix.parts.flat().filter(({ from }) => from >= row).map((part) => [part, nameOf(part)]);
    for (const [part, name] of lower) {
      if (name === own) part.as = fix.names.indexOf(other);
      if (name === other) part.as = fix.names.indexOf(own);
    }
  });
}

$("#name").onchange = ({ target }) => {
  const same = followed.find(({ name }) => name.toLowerCase() === target.value.toLowerCase())?.name ?? target.value;
  const right = /^\w{1,60}$/.test(same) && !/^(DEPT|DEPTH|TIME|INDEX)$/i.test(same);
  target.setCustomValidity(right ? "" : "A name has letters A to Z, digits and _ alone, and is not that of a depth");
  if (target.reportValidity() && same !== followed[alone].name) rename(same);
};
function takeScale() {
  const [left, right, unit] = ["#left", "#right", "#unit"].map((id) => $(id).value.trim());
  const log = $("#log").checked, number = /^-?\d*\.?\d+$/, { name } = followed[alone];
  for (const field of scaleFields) field.setCustomValidity("");
  if (!left && !right && !unit) return name in fix.scales && correct(name, () => { delete fix.scales[name]; });
  if (!left || !right) return;  // the other one is still to come
  const fault = !number.test(left) ? ["#left", "A number, as in 0.2"] : !number.test(right) ? ["#right", "A number, as in 2000"]
    : Number(left) === Number(right) ? ["#right", "The two borders have the same value"]
    : log && Math.min(left, right) <= 0 ? ["#left", "On a logarithmic scale both are above 0"]
    : !/^[\w/%.-]{0,20}$/.test(unit) || /^log$|^frac$/i.test(unit) ? ["#unit", "A unit of letters, digits, / % . - alone"] : null;
  if (fault) {
    $(fault[0]).setCustomValidity(fault[1]);
    $(fault[0]).reportValidity();
    return;
  }
  const scale = `${left}:${right}${unit && `:${unit}`}${log ? ":log" : ""}`;
  if (scale !== fix.scales[name]) correct(name, () => { fix.scales[name] = scale; });
}
for (const field of scaleFields) {
  field.onchange = takeScale;
  field.oninput = () => field.setCustomValidity("");
  field.onkeydown = ({ key }) => { if (key === "Escape") offer(); if (key === "Enter") takeScale(); };
}
$("#name").oninput = ({ target }) => target.setCustomValidity("");
$("#name").onkeydown = ({ key, target }) => {
  if (key === "Escape") target.value = followed[alone].name;
  if (key === "Escape" || key === "Enter") target.blur();
};
// A click on the list would be lost where it first ends the writing of a name: the list is made anew.
$("#each").onmousedown = (event) => {
  const item = event.target.closest("li");
  if (document.activeElement !== $("#name") || !item) return;
  const { name } = followed[[...$("#each").children].indexOf(item)];
  event.preventDefault();
  $("#name").blur();
  const now = followed.findIndex((curve) => curve.name === name);
  if (now >= 0) isolate(now);
};
$("#remove").onclick = remove;
$("#cut").onclick = cut;
$("#back").onclick = removeOrBack;
$("#drop").onclick = () => draw(false);
for (const [id, isTracks] of [["#draw", false], ["#tracks", true]]) $(id).onclick = () => (pen?.isTracks === isTracks ? endStroke() : draw(true, isTracks));
$("#swap").onclick = () => swap($("#other").value);
$("#undo").onclick = () => {
  const { name } = followed[alone] ?? {};
  if (!before.length && !confirm("Take back all corrections that are left?")) return;
  fix = before.length ? JSON.parse(before.pop()) : untouched();
  refresh(name);
};
$("#copy").onclick = () => {
  $("#command").select();
  document.execCommand("copy");  // a page of a local file has no other clipboard everywhere
  $("#copy").textContent = "Copied";
};
listCurves();
listPlaces();
offer();

// ---- zoom ----------------------------------------------------------------------------------------------

function zoomTo(zoom, x = scroller.clientWidth / 2, y = scroller.clientHeight / 2) {
  const column = (scroller.scrollLeft + x - sheet.offsetLeft) / state.zoom, row = (scroller.scrollTop + y) / state.zoom;
  state.zoom = between(1 / 16, zoom, Math.min(8, MOST_HEIGHT / rows, MOST_HEIGHT / columns));
  Object.assign(sheet.style, { width: `${columns * state.zoom}px`, height: `${rows * state.zoom}px` });
  sheet.classList.toggle("pixels", state.zoom >= 3);
  scroller.scrollLeft = column * state.zoom + sheet.offsetLeft - x;
  scroller.scrollTop = row * state.zoom - y;
  soon();
}

function zoomBy(factor, x, y) {
  state.fitted = false;
  zoomTo(state.zoom * factor, x, y);
}

function fit() {  // to what is printed: many scans are mostly empty paper
  state.fitted = true;
  const [left, right] = printed.map((cell) => (cell / DATA.cells) * columns);
  zoomTo(Math.min(1, scroller.clientWidth / (right - left)));
  scroller.scrollLeft = ((left + right) * state.zoom - scroller.clientWidth) / 2;
}

scroller.addEventListener("wheel", (event) => {
  if (!event.ctrlKey) return;  // so do pinches on a touchpad come
  event.preventDefault();
  const box = scroller.getBoundingClientRect();
  zoomBy(Math.exp(-between(-60, event.deltaY, 60) / 150), event.clientX - box.left, event.clientY - box.top);
}, { passive: false });

// Dragging with the mouse moves the paper (fingers do so by themselves), two fingers zoom.
let grabbed = null;
scroller.onpointerdown = (event) => {
  const box = scroller.getBoundingClientRect();
  const onBars = event.clientX - box.left > scroller.clientWidth || event.clientY - box.top > scroller.clientHeight;
  if (event.pointerType !== "mouse" || event.button || onBars) return;
  grabbed = { x: event.clientX + scroller.scrollLeft, y: event.clientY + scroller.scrollTop };
  scroller.setPointerCapture(event.pointerId);
  scroller.classList.add("grabbed");
};
scroller.onpointerup = scroller.onpointercancel = () => { grabbed = null; scroller.classList.remove("grabbed"); };

let pinched = null;
function pinch(event) {
  if (event.touches.length !== 2) { pinched = null; return; }
  event.preventDefault();
  const [a, b] = event.touches, box = scroller.getBoundingClientRect();
  const now = { x: (a.clientX + b.clientX) / 2 - box.left, y: (a.clientY + b.clientY) / 2 - box.top,
    apart: Math.max(1, Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY)) };
  if (pinched) {
    zoomBy(now.apart / pinched.apart, pinched.x, pinched.y);
    scroller.scrollLeft += pinched.x - now.x;
    scroller.scrollTop += pinched.y - now.y;
  }
  pinched = now;
}
for (const kind of ["touchstart", "touchmove", "touchend"]) scroller.addEventListener(kind, pinch, { passive: false });

// ---- controls ------------------------------------------------------------------------------------------

const pressed = (id, on) => $(id).setAttribute("aria-pressed", on);

function showOverlay(on) {
  state.overlay = on;
  pressed("#overlay", on);
  $("#curves").hidden = $("#threshold").disabled = $("#opacity").disabled = $("#doubt").disabled = !on;
  $("#paper").classList.toggle("faded", on);
}
function showList(on) { pressed("#list", on); $("#places").hidden = !on; }
function markDoubt(on) { state.doubt = on; pressed("#doubt", on); recolour(); }
function invert(on) { state.inverted = on; pressed("#invert", on); document.body.classList.toggle("night", on); }
function setTheme(name) { document.documentElement.dataset.theme = name; invert(name === "dark"); drawMap(); }
function setThreshold(value) {
  state.threshold = between(0.04, value, 0.98);
  $("#threshold").value = state.threshold;
  $("output").textContent = state.threshold.toFixed(2);
  recolour();
}

const dark = matchMedia("(prefers-color-scheme: dark)");
const actions = {
  o: () => showOverlay(!state.overlay), d: () => markDoubt(!state.doubt), i: () => invert(!state.inverted),
  t: () => setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"),
  c: () => original.length && showWhole($("#followed").hidden), n: () => jump(1), p: () => jump(-1), l: () => showList($("#places").hidden), "+": () => zoomBy(1.25), "-": () => zoomBy(0.8), 0: fit,
  1: () => zoomBy(1 / devicePixelRatio / state.zoom), "?": () => $("dialog").showModal(),
  escape: () => (pen ? draw(false) : isolate(-1)), enter: endStroke, delete: removeOrBack, backspace: removeOrBack, r: () => !lineCanvas.hidden && !pen && draw(true), "[": () => setThreshold(state.threshold - 0.02), "]": () => setThreshold(state.threshold + 0.02),
};
const buttons = { overlay: "o", whole: "c", doubt: "d", invert: "i", theme: "t", next: "n", before: "p", list: "l", in: "+", out: "-", fit: "0", help: "?" };
for (const [id, key] of Object.entries(buttons)) $(`#${id}`).onclick = actions[key];
$("#threshold").oninput = (event) => setThreshold(Number(event.target.value));
$("#opacity").oninput = (event) => { $("#curves").style.opacity = event.target.value; };

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || $("dialog").open || event.target.matches("#name, #other, #command, #scale input")) return;
  const action = (event.key !== "Enter" || pen) && actions[{ "=": "+", "−": "-" }[event.key] ?? event.key.toLowerCase()];
  const screen = scroller.clientHeight * 0.9;
  const by = { PageDown: screen, PageUp: -screen, ArrowDown: 60, ArrowUp: -60, Home: -Infinity, End: Infinity, " ": screen }[event.key];
  const own = event.target === scroller || event.target.matches("input") || (event.key === " " && event.target.matches("button"));
  if (action) action();
  else if (by !== undefined && !own) scroller.scrollTop = between(0, scroller.scrollTop + by, scroller.scrollHeight);
  else return;
  event.preventDefault();
});

scroller.onpointermove = (event) => {
  if (grabbed) scroller.scrollTo(grabbed.x - event.clientX, grabbed.y - event.clientY);
  const box = sheet.getBoundingClientRect();
  const row = Math.floor((event.clientY - box.top) / state.zoom), column = Math.floor((event.clientX - box.left) / state.zoom);
  const inside = row >= 0 && row < rows && column >= 0 && column < columns;
  const value = followed[alone] && valueAt(followed[alone], (event.clientX - box.left) / state.zoom, row);
  let text = [`row ${count(row)}, column ${count(column)}`, depth(row), value].filter(Boolean).join("  ·  ");
  for (const one of tiles.values()) {
    if (!one.values || one.level !== level() || row < one.top || row >= one.bottom || column < one.left || column >= one.right) continue;
    const value = one.values[Math.floor((row - one.top) / one.scale) * one.columns + Math.floor((column - one.left) / one.scale)];
    text += `: probability ${value ? (value / 255).toFixed(2) : "below 0.04"}`;
  }
  $("#point").textContent = inside ? text : "";
};
scroller.onpointerleave = () => { $("#point").textContent = ""; };

const many = DATA.places.length;
$("#about").textContent = [`${count(rows)} × ${count(columns)}`, DATA.dpi && `${Math.round(DATA.dpi)} dpi`, DATA.weights && `weights ${DATA.weights}`,
  DATA.turned && "turned upright"].filter(Boolean).join("  ·  ");
$("#list").disabled = !many;
$("#folder").textContent = DATA.folder_name;
$("#meaning").textContent = `Doubt is the share of pixels with a probability between ${DATA.doubt_from} and ${DATA.doubt_to} among all that are ` +
  `above ${DATA.doubt_from}. Places of doubt are the stretches of ${DATA.place_rows} rows where it is largest (${many} here). ` +
  "The edges of sure curves are in doubt, too: doubt says where to look, not what is wrong.";
scroller.addEventListener("scroll", soon, { passive: true });
dark.onchange = () => setTheme(dark.matches ? "dark" : "light");
new ResizeObserver(() => { if (state.fitted) fit(); drawMap(); soon(); }).observe(document.body);

setTheme(dark.matches ? "dark" : "light");
setThreshold(DATA.threshold);
$("#curves").style.opacity = $("#opacity").value;
fit();
try {  // corrections that were not yet made when the page was left
  const kept = JSON.parse(localStorage.getItem(store));
  if (kept?.those === those) {
    fix = kept.fix;
    if (kept.scaled !== scaled) fix.scales = { ...fix.scales, ...scalesOf(original) };
    before.push(...(kept.before ?? []));
    refresh("");
    if (words().length || fix.tracks || isScaled()) showWhole(true);
  } else if (made > kept?.made) {  // corrections on the page after the command was copied
    const left = kept.given.filter((word) => !(DATA.done ?? []).includes(word));
    if (left.length) $("#lost").textContent = `The command did not have these: make them again. ${left.join(", ")}`;
    else localStorage.removeItem(store);
    showWhole(true);
  }
} catch { /* a browser that keeps nothing */ }
// NAME.html#12345 begins at that row.
(onhashchange = () => { const row = Number(location.hash.slice(1)); if (row) goTo(row); })();
