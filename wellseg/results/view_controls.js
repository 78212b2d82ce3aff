// Zoom, keys and buttons; and the start.

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

const pressed = (id, on) => $(id).setAttribute("aria-pressed", on);

function showOverlay(on) {
  state.overlay = on;
  pressed("#overlay", on);
  $("#curves").hidden = $("#threshold").disabled = $("#doubt").disabled = !on;
  $("#opacity").disabled = !on && lineCanvas.hidden;
  $("#paper").classList.toggle("faded", on);
}
function showList(on) { pressed("#list", on); $("#places").hidden = !on; }
function markDoubt(on) { state.doubt = on; pressed("#doubt", on); recolour(); }
function invert(on) {
  state.inverted = on;
  pressed("#invert", on);
  document.body.classList.toggle("night", on);
  listCurves();  // in their colours there
  showQuestion();
  soon();
}
function setTheme(name) { document.documentElement.dataset.theme = name; invert(name === "dark"); drawMap(); }
function setThreshold(value) {
  state.threshold = between(0.04, value, 0.98);
  $("#threshold").value = state.threshold;
  $("output").textContent = state.threshold.toFixed(2);
  recolour();
}

const bare = (on) => $("main").classList.toggle("bare", on);  // the paper alone, while H is held
addEventListener("keyup", (event) => event.key.toLowerCase() === "h" && bare(false));
addEventListener("blur", () => bare(false));
function toCurve(by) {  // of the list; after one was removed on from there
  const from = alone >= 0 ? alone : removed < 0 ? Math.min(0, -by) : removed - (by > 0);
  if (followed.length && !lineCanvas.hidden && !pen) $("#each").children[(from + by + followed.length) % followed.length].firstChild.click();
}

const dark = matchMedia("(prefers-color-scheme: dark)");
const actions = {
  o: () => showOverlay(!state.overlay), d: () => markDoubt(!state.doubt), i: () => invert(!state.inverted),
  t: () => setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"),
  c: () => DATA.followed && showWhole($("#followed").hidden), n: () => jump(1), p: () => jump(-1), l: () => (isWalked() ? toList() : showList($("#places").hidden)), h: () => bare(true), ",": () => toCurve(-1), ".": () => toCurve(1), "+": () => zoomBy(1.25), "-": () => zoomBy(0.8), 0: fit,
  1: () => zoomBy(1 / devicePixelRatio / state.zoom), "?": () => { $("dialog").showModal(); $("dialog").scrollTop = 0; },
  f2: () => followed[alone] && $("#name").select(), escape: () => (pen ? draw() : isolate(-1)), enter: endStroke, delete: removeOrBack, backspace: () => pen && removeOrBack(), k: () => answer("right"), x: () => answer("exchange"), a: () => answer("cut"), j: () => answer("join"), b: () => answer("beyond"), u: () => answer("backup"), e: () => answer("remove"),
  r: () => !lineCanvas.hidden && !pen && (question()?.kind === "gap" && isInView(marked) && isOpen(marked) ? answer("draw") : draw("draw")), "[": () => setThreshold(state.threshold - 0.02), "]": () => setThreshold(state.threshold + 0.02),
};
const buttons = { former: ",", following: ".", overlay: "o", whole: "c", doubt: "d", invert: "i", theme: "t", next: "n", before: "p", list: "l", in: "+", out: "-", fit: "0", help: "?" };
for (const [id, key] of Object.entries(buttons)) $(`#${id}`).onclick = actions[key];
$("#threshold").oninput = (event) => setThreshold(Number(event.target.value));
($("#opacity").oninput = () => { $("#curves").style.opacity = lineCanvas.style.opacity = $("#opacity").value; })();

addEventListener("keydown", (event) => {
  const isWriting = event.target.matches("input:not([type=range], [type=checkbox]), textarea");
  const isCtrl = (event.ctrlKey || event.metaKey) && !event.altKey && !isWriting && !$("dialog").open, key = event.key.toLowerCase();
  const isUndo = isCtrl && key === "z" && !event.shiftKey, isRedo = isCtrl && (key === "y" || (key === "z" && event.shiftKey));
  if (isUndo || isRedo) event.preventDefault();  // Ctrl Y leads elsewhere in some browsers
  if (isUndo) return pen ? removeOrBack() : $("#undo").click();
  if (isRedo) return pen || $("#redo").click();
  if (event.ctrlKey || event.metaKey || event.altKey || $("dialog").open || (key !== "f2" && event.target.matches("#name, #other, #mate, #command, #scale input:not(#log)"))) return;
  const action = (event.key !== "Enter" || (pen && event.target !== $("#drop"))) && actions[{ "=": "+", "−": "-" }[event.key] ?? event.key.toLowerCase()];
  const screen = scroller.clientHeight * 0.9;
  const by = { PageDown: screen, PageUp: -screen, ArrowDown: 60, ArrowUp: -60, Home: -Infinity, End: Infinity, " ": screen }[event.key];
  const own = event.target === scroller || event.target.matches("input, select") || (event.key === " " && event.target.matches("button"));
  if (action) action();
  else if (by !== undefined && !own) scroller.scrollTop = between(0, scroller.scrollTop + by, scroller.scrollHeight);
  else return;
  event.preventDefault();
});

function tellPoint(event) {
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
  $("#point").textContent = inside && !(finger && note) ? text : "";
}
let pointer = null;  // where the mouse is: the wheel moves the paper below it
const forgetPoint = () => { $("#point").textContent = ""; pointer = null; };
scroller.onpointermove = (event) => event.pointerType !== "touch" && tellPoint(pointer = event);
scroller.onpointerleave = (event) => event.pointerType !== "touch" && forgetPoint();
// A finger tells by a tap, until the paper is moved; it has no Esc, and no place for all controls.
if (finger) scroller.addEventListener("click", tellPoint);
if (finger) scroller.addEventListener("scroll", forgetPoint, { passive: true });
$("#more").onclick = () => pressed("#more", $("header").classList.toggle("more"));
$("#away").onclick = $("#all").onclick = actions.escape;
$("#regret").onclick = () => $("#undo").click();

$("#about").textContent = [`${count(rows)} × ${count(columns)}`, DATA.dpi && `${Math.round(DATA.dpi)} dpi`, DATA.weights && `weights ${DATA.weights}`,
  DATA.turned && "turned by its file, shown as stored"].filter(Boolean).join("  ·  ");
$("#folder").textContent = DATA.folder_name;
$("#meaning").textContent = `Doubt is the share of pixels with a probability between ${DATA.doubt_from} and ${DATA.doubt_to} among all that are ` +
  `above ${DATA.doubt_from}. Places of doubt are the stretches of ${DATA.place_rows} rows where it is largest (${DATA.places.length} here). ` +
  "The edges of sure curves are in doubt, too: doubt says where to look, not what is wrong.";
scroller.addEventListener("scroll", () => { soon(); if (pointer) tellPoint(pointer); }, { passive: true });
dark.onchange = () => setTheme(dark.matches ? "dark" : "light");
const sizes = new ResizeObserver(() => { if (state.fitted) fit(); drawMap(); soon(); });
for (const box of [document.body, map]) sizes.observe(box);  // on a phone the map is as tall as the curves' panel leaves it

setTheme(dark.matches ? "dark" : "light");
setThreshold(DATA.threshold);
fit();
let opensWhole = followed.length > 0;  // who asked for curves sees them first
try {  // corrections that were not yet made when the page was left
  const kept = JSON.parse(localStorage.getItem(store));
  const has = [...(DATA.done ?? []), ...wordsOf(scaled), depthWord(JSON.parse(placed) ?? { logs: [] })];
  if (kept?.those === those) {
    const renew = (then) => ({ ...then, scales: scalesSince(then.scales, kept.scaled), depth: kept.placed === placed ? then.depth : null });
    fix = renew(kept.fix);
    before.push(...kept.before.map((text) => JSON.stringify(renew(JSON.parse(text)))));
    after = (kept.after ?? []).map((text) => JSON.parse(text)).map((then) => JSON.stringify({ ...then, fix: renew(then.fix) }));
    copied = kept.copied ?? [];
    lost = kept.lost.filter((word) => !has.includes(word));
    refresh("");
  } else if (kept) {  // corrections after the command was copied, or of curves that were followed anew since
    const wasRun = ({ given, edits }) => given.length && made === kept.made + edits && given.every((word) => has.includes(word));
    const run = kept.copied?.findLast(wasRun), since = run && madeSince(run.fix, kept.fix);
    if (since) fix = since;
    else if (kept.placed === placed) fix.depth = kept.fix.depth;  // of the scan's rows
    lost = [...kept.lost, ...(since ? [] : [...kept.given, ...kept.units])].filter((word) => !has.includes(word) && !depthWords().includes(word));
    if (since) for (const [row, it] of Object.entries(answers)) if (it.edits === kept.made && run.answers[row]?.at === undefined) it.edits = made;  // Undo reopens it
    reopen(({ edits }) => !since && lost.length && edits === kept.made);
    refresh("");
  }
  opensWhole = !$("#edits").hidden || lost.length > 0 || (opensWhole && localStorage.getItem(shown) !== "0");
} catch { /* a browser that keeps nothing */ }
if (opensWhole) showWhole(true);
// NAME.html#12345 begins at that row.
(onhashchange = () => { const row = Number(location.hash.slice(1)); if (row) goTo(row); })();
