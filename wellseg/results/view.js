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
const finger = matchMedia("(pointer: coarse)").matches, undoKey = finger ? "Undo" : "Ctrl Z";  // a phone has no keys: its buttons are named
const between = (low, value, high) => Math.max(low, Math.min(high, value));

const state = { zoom: 1, fitted: true, threshold: DATA.threshold, overlay: true, doubt: false, inverted: false };
const tiles = new Map();  // name -> tile in the page
let fix = null;  // corrections of curves: depths are asked for before the page has read them

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
  const stream = new Blob([bytes(deflated)]).stream().pipeThrough(new DecompressionStream("deflate"));
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
  const walked = isWalked() && walk(), at = walked && walked.indexOf(marked);
  const doubt = walked ? at >= 0 && `place to check ${at + 1} of ${walked.length}` : place >= 0 && `doubt ${place + 1} of ${DATA.places.length}: ${percent(DATA.places[place][2])}`;
  const from = depth(top), to = depth(bottom);
  const depths = from && to ? `${from} to ${to}`.replace(/ \w+ to/, " to") : from ? `from ${from}` : to && `to ${to}`;
  $("#rows").textContent = [`rows ${count(top)} to ${count(bottom)} of ${count(rows)}`, depths, share, doubt, note].filter(Boolean).join("  ·  ");
  $("#before").disabled = beyond(-1) === undefined;
  $("#next").disabled = beyond(1) === undefined;
  for (const [id, where, key] of [["before", "above", "P"], ["next", "below", "N"]]) $(`#${id}`).title = `${walked ? "Place to check" : "Place of doubt"} ${where} (${key})`;
  $("#list").title = `List of the places ${walked ? "to check" : "of doubt"} (L)`;
  $("#list").disabled = !walked && !DATA.places.length;
  for (const id of ["before", "list"]) $(`#${id}`).setAttribute("aria-label", $(`#${id}`).title.slice(0, -4));
  $("#next").textContent = walked ? `To check ${at < 0 ? "" : `${at + 1}/`}${walked.length}` : "Next doubt";
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
  if (finger) $("#point").textContent = "";  // they share a line there
  soon();
  setTimeout(() => { if (note === text) say(""); }, 2500);
}

// Depth of a row, where --depth said it, or it was said here, or nearly so.
function depth(row) {
  const { logs, unit } = depths(), log = logs.find(({ reach }) => row >= reach[0] && row <= reach[1]);
  if (!log) return "";
  const { points } = log;
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
  const marks = isWalked() ? walk().filter(isOpen).map((row) => [row, row]) : DATA.places;
  for (const [first, last] of marks) {
    const y = ((first + last) / 2 / rows) * tall, size = bar * 0.6;
    context.beginPath();
    context.moveTo(wide - bar + 1, y);
    context.lineTo(wide, y - size);
    context.lineTo(wide, y + size);
    context.fill();
  }
}

let aim = null;  // the row that was last gone to, and how far down that has led

function goTo(row, tall = scroller.clientHeight) {  // to the middle of so many pixels from the top
  scroller.scrollTop = row * state.zoom - tall / 2;
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

// The next uncertain row of curves, where these are shown, or the middle of the next place of doubt, in a direction. Below
// the last of these rows it is the first that is open: whoever has given depths is at the bottom of the scan.
function beyond(direction) {
  const centres = isWalked() ? walk() : DATA.places.map(([first, last]) => (first + last) / 2);
  const isAt = isWalked() && centres.includes(marked) && isInView(marked);
  const here = isAt ? marked : lookedAt(), slack = isAt ? 0 : 2 / state.zoom;  // scroll positions are rounded
  const above = (row) => row < here - slack;
  if (direction < 0) return centres.findLast(above);
  return centres.find((row) => row > here + slack) ?? (isWalked() ? centres.find((row) => above(row) && isOpen(row)) : undefined);
}

function jump(direction) {
  const row = beyond(direction);
  const what = isWalked() ? `place to check${alone < 0 ? "" : ` of ${followed[alone].name}`}` : "place of doubt";
  if (row === undefined) return say(`no ${what} ${direction > 0 ? "below" : "above"}`);
  if (direction > 0 && row < lookedAt()) say("there is none below: on from the top");
  isWalked() ? visit(row) : goTo(row);
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
