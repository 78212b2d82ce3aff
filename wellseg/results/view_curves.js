// Whole curves: seen, listed, isolated.

const original = DATA.followed ?? [], lineCanvas = $("#lines");
let followed = original;  // with the corrections made here
let alone = -1;  // the curve that is seen by itself, or -1
let drawn = [];  // the path of each, where it is seen
let removed = -1;  // where the curve was in the list that was removed just now, or -1
let marked = -1;  // the row that was clicked on or gone to, or -1
// What is being drawn: kind, "draw", "tracks" or "depth", and points, [column, row], of a stroke or of borders of tracks,
// and [column, row, depth].
let pen = null;
// Far apart in hue, also from the next one in the list; those that come near again are darker or lighter, and all lighter on black paper.
const hue = (i) => `hsl(${Math.round((i * 137.5) % 360)} 85% ${[42, 28, 56][Math.floor(i / 6) % 3] + (state.inverted ? 20 : 0)}%)`;

const reaches = (line, from, to) => line[1] <= to && line.at(-1) >= from;  // whether it has points in these rows

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
  for (const line of fix.tracks ? fix.tracks.flat().map((side) => upright(side - 0.5)) : borders.map((border) => clip(border, top, bottom))) {
    const ruled = new Path2D();
    trace(ruled, line);
    context.lineDashOffset = line[1] ?? 0;  // dashes of several curves of a track lie on one another
    context.stroke(ruled);
  }
  context.setLineDash([]);
  const doubt = question(), pair = doubt && [doubt.curve, doubt.other];
  drawn = followed.map((curve, i) => {
    const path = new Path2D(), isSeen = alone < 0 || alone === i || pair?.includes(curve) || (pen?.kind === "give" && pen.heir === curve.name);
    for (const line of curve.lines) if (isSeen && reaches(line, top, bottom)) trace(path, line);
    return path;
  });
  context.lineWidth = Math.max(1.5, 3 * state.zoom) / state.zoom;
  const isFaint = (i) => doubt?.other && !pair.includes(followed[i]);
  const inks = (i) => {
    context.globalAlpha = isFaint(i) ? 0.3 : 1;
    context.strokeStyle = hue(followed[i].place ?? i);
    context.stroke(drawn[i]);
  };
  for (let i = 0; i < drawn.length; i++) inks(i);
  context.setLineDash([10 / state.zoom, 14 / state.zoom]);  // where curves lie on one another each is seen
  for (let i = drawn.length - 2; i >= 0; i--) if (!isFaint(i)) inks(i);
  context.setLineDash([]);
  context.globalAlpha = 1;
  context.strokeStyle = getComputedStyle(document.documentElement).getPropertyValue("--doubt");
  context.lineWidth = 2 / state.zoom;
  if (doubt) {  // a frame around the two
    const across = [doubt.curve, doubt.other].filter(Boolean).flatMap((curve) => doubt.at.map((row) => columnAt(curve, row)?.x)).filter((x) => x !== undefined);
    const left = Math.min(...across) - NEAR, above = marked - NEAR;
    context.strokeRect(left, above, Math.max(...across) + NEAR - left, Math.min(doubt.at.at(-1), marked + DPI) + NEAR - above);
  } else if (marked >= 0 && !pen) context.strokeRect(-9, marked - 12, columns + 18, 24);
  const path = new Path2D(), dot = 4 / state.zoom;
  for (const [x, y, depth] of pen ? [...pen.points, endsAt()].filter(Boolean) : []) {
    if (pen.kind === "tracks") trace(path, upright(x));
    else if (pen.kind !== "draw") trace(path, [0, y, columns, y]);
    else path.lineTo(x + 0.5, y + 0.5);
    context.strokeRect(x + 0.5 - dot, y + 0.5 - dot, 2 * dot, 2 * dot);
  }
  context.stroke(path);
  context.font = `bold ${14 / state.zoom}px sans-serif`;
  [context.fillStyle, context.strokeStyle] = ["--ink", "--panel"].map((name) => getComputedStyle(document.documentElement).getPropertyValue(name));
  context.lineWidth = 5 / state.zoom;  // around the digits: they stand on print and colours
  for (const [x, y, depth] of pen?.kind === "depth" ? pen.points : []) for (const write of ["strokeText", "fillText"]) context[write](depth, x + 3 * dot, y - dot);
}

const shown = `whole curves of ${location.pathname}`;  // what was shown last: 1, or 0, the mask
function showWhole(on) {
  if (pen && !draw()) return;
  try { localStorage.setItem(shown, on ? 1 : 0); } catch { /* a browser that keeps nothing */ }
  pressed("#whole", on);
  if (on && places.length) showList(false);  // that of the mask: L leads to the places to check now
  $("#followed").hidden = lineCanvas.hidden = !on;
  isolate(-1);
  showOverlay(!on);
  if (state.fitted) fit();
  soon();
}

function isolate(which, row = -1) {
  if (which >= 0 && which !== alone && matchMedia("(max-width: 600px)").matches) $("#followed").scrollTop = 0;  // to what can be done with it
  alone = which;
  removed = -1;
  marked = row;
  document.querySelectorAll("#each button").forEach((button, i) => button.setAttribute("aria-pressed", i === alone));
  listPlaces();
  if (pen?.kind in stretches && pen.of !== followed[alone]?.name) draw();  // the first click was for another
  pen ? sayPen() : offer();
  soon();
}

// A click on a curve shows it alone, one more there the next one that lies there; one beside all shows all again.
let down = [0, 0, 4];
let met = { curves: [], row: 0, column: 0 };  // by the last click
scroller.addEventListener("pointerdown", (event) => { down = [event.clientX, event.clientY, event.pointerType === "mouse" ? 4 : 16]; });  // a finger rolls while it taps
scroller.addEventListener("click", (event) => {
  const moved = Math.hypot(event.clientX - down[0], event.clientY - down[1]) > down[2];
  if (moved || lineCanvas.hidden) return;
  if (pen) return addPoint(event);
  const box = scroller.getBoundingClientRect(), context = lineCanvas.getContext("2d");
  const at = [event.clientX - box.left, event.clientY - box.top].map((place) => place * devicePixelRatio);
  const row = (scroller.scrollTop + event.clientY - box.top) / state.zoom, column = (scroller.scrollLeft + event.clientX - box.left) / state.zoom;
  const show = (curve) => isolate(followed.indexOf(curve), Math.floor(row)), k = met.curves.indexOf(followed[alone]);
  if (k >= 0 && Math.hypot(row - met.row, column - met.column) * state.zoom <= down[2]) return show(met.curves[(k + 1) % met.curves.length]);
  for (const reach of [3, 8, 16, ...(down[2] > 4 ? [24, 40] : [])]) {  // the nearest one; a finger is broad
    context.lineWidth = reach / state.zoom;
    met = { curves: followed.filter((_, i) => context.isPointInStroke(drawn[i], ...at)), row, column };
    if (met.curves.length) return show(met.curves[0]);
  }
  isolate(-1);
});

function swatch(colour) {
  const mark = document.createElement("i");
  mark.className = "swatch";
  mark.style.setProperty("--c", colour);
  return mark;
}

function listed(list, text, about, colour, go) {
  const item = document.createElement("li"), button = document.createElement("button"), small = document.createElement("small");
  small.append(...about.split(/(#[\da-f]{6})\b/).flatMap((it, k) => (k % 2 ? ["ink\u00a0", swatch(it)] : it)));
  button.append(...(colour ? [swatch(colour)] : []), text, small);
  button.onclick = go;
  item.append(button);
  $(list).append(item);
  return item;
}

function listCurves() {
  $("#each").replaceChildren(...(followed.length ? [] : ["There is no curve: draw those that you see."]));
  followed.forEach((curve, i) => {
    const [first, last] = curve.rows;
    const scale = fix.scales[curve.name]?.replace(":", " to ").replaceAll(":", " ").concat(", ") ?? "";
    const from = depth(first), to = depth(last), where = from && to ? `${parseFloat(from)} to ${to}` : `rows ${count(first)} to ${count(last)}`;
    listed("#each", curve.name, `${scale}${where}, ${curve.about}`, hue(curve.place ?? i), () => {
      isolate(...(alone === i ? [-1] : [i, marked]));
      const top = scroller.scrollTop / state.zoom, tall = scroller.clientHeight / state.zoom;
      if (alone === i && (first > top + tall || last < top)) goTo(first + tall / 3);
    }).firstChild.setAttribute("aria-pressed", i === alone);
  });
}
