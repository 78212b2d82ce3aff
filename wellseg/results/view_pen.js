// What is drawn on the scan: a stroke of a curve, borders of tracks, depths.

const pens = ["draw", "tracks", "depth", "blank", "over", "under", "backup", "give", "piece"];  // buttons, and what is drawn
const stretches = { blank: "it is removed there", piece: "it becomes a curve of its own there", over: "it is beyond the right border there, and printed one track to the left", under: "it is beyond the left border there, and printed one track to the right", backup: "it is its backup, on a scale of ten times as much, and becomes a curve of its own", give: "its rows there become those of HEIR; where HEIR has rows there, too, the two change places" };
function draw(kind) {  // begin, or drop what was drawn: depths that were typed, or a stroke of three points, only if that is meant. Returns whether it was done
  const kept = { depth: String(pen?.points) !== pen?.had && "the depths as you gave them now", draw: pen?.points.length > 2 && `the ${pen.points.length} points of this stroke` }[pen?.kind];
  if (kept && !confirm(`Give up ${kept}? Done keeps them.`)) return false;
  pen = kind ? { points: [], kind, of: followed[alone]?.name, heir } : null;
  if (kind === "depth") pen.points = depths().logs.flatMap(({ points }) => points.map(([row, depth]) => [columns / 2, row, depth]));
  if (kind === "depth") pen.had = String(pen.points);
  $("#drawing").hidden = !kind;
  $("#done").hidden = kind in stretches;  // its second click ends it
  for (const each of pens) pressed(`#${each}`, kind === each);
  scroller.classList.toggle("drawing", Boolean(kind));
  sayPen();
  return true;
}

function sayPen() {
  offer();
  const own = pen?.gap?.name ?? followed[alone]?.name ?? "a new curve", here = pen?.points.length ? `, ${pen.points.length} so far` : "";
  const columnsOf = (line) => line.filter((_, k) => k % 2 === 0);
  const sides = original.flatMap(({ borders }) => borders ?? []), lean = Math.max(0, ...sides.map(columnsOf).map((all) => Math.max(...all) - Math.min(...all)));
  const slopes = (pen?.kind === "depth" ? sides : []).flatMap((line) => line.flatMap((y, k) => {  // over 1,000 rows and more
    const below = k % 2 ? line.findIndex((row, i) => i % 2 && row - y >= 1000) : -1;
    return below < 0 ? [] : [Math.abs((line[below - 1] - line[k - 1]) / (line[below] - y))];
  })).sort((a, b) => a - b);
  const apart = columns * (slopes[Math.floor(0.8 * slopes.length)] ?? 0), tilts = apart > 24 ? ` This sheet leans: a depth is printed up to ${count(Math.round(apart))} rows lower or higher at the other side of the paper. Those given hold near the columns that you click on.` : "";
  const leans = lean > 9 ? ` On this sheet the borders that were found wander by ${count(lean)} px; these will be straight.` : "";
  const way = { over: 1, under: -1 }[pen?.kind], isBackAgain = followed[alone]?.off?.some(([, , turns]) => turns * way < 0);  // as one that was found by mistake
  const what = pen?.kind === "tracks" ? `Click on the left and the right border of each track${here}: all tracks have these, in all rows.${leans}`
    : pen?.kind === "depth" ? `Click where a depth is printed${here}: two or more in each log, far apart. Where depth falls back, another log begins.${tilts}`
    : pen?.kind in stretches ? `Click on the first and on the last row of a stretch of ${own}${here}: ${stretches[pen.kind].replaceAll("HEIR", pen.heir)}.${isBackAgain ? " Where it is said to be beyond the other border, that is taken back." : ""}`
    : pen?.gap ? `Click along ${own} in the gap, where it bends${here}; its ends are given, and the line will follow the ink.`
    : `Click along ${own}${here}: where it bends; between two points the line will follow the ink.`;
  $("#pen").textContent = what;
  soon();
}

function addPoint(event) {
  const box = sheet.getBoundingClientRect();
  const [column, row] = [event.clientX - box.left, event.clientY - box.top].map((place) => Math.floor(place / state.zoom));
  if (row < 0 || row >= rows || column < 0 || column >= columns) return;
  if (pen.kind === "depth") return addDepth(column, row);
  if (pen.kind in stretches && event.detail > 1) return;  // a double click is one end, not both
  const isStroke = pen.kind === "draw", [x, y] = pen.points.at(-1) ?? [], far = isFar([x, y], [column, row]);
  const lines = [...pen.points.map((point) => point[1]), row, ...(endsAt([[column, row]]) ?? []).slice(1)], turns = (way) => lines.some((line, i) => i && way * (line - lines[i - 1]) < 0);
  if (isStroke && turns(1) && turns(-1)) return say("a stroke goes down, or up: end this one, and draw the rest as another");
  if (isStroke && far) return say("that is too far from the last point: click one between");
  if (!isStroke || x !== column || y !== row) pen.points.push([column, row]);
  if (pen.kind in stretches && pen.points.length > 1) return endStretch();
  sayPen();
}

// Where a stroke in a gap ends, [column, row]: where the curve goes on, unless it was drawn to there or beyond.
const endsAt = (more = []) => (pen?.until && [...pen.points, ...more].every(([, row]) => row < pen.until[1]) ? pen.until : undefined);
const isFar = ([x, y], [column, row]) => (Math.abs(x - column) + 60) * (Math.abs(y - row) + 60) > 3e6;  // wellseg curves looks for ink in no larger window

function addDepth(column, row, wrong = "", typed = "") {
  const off = (point) => Math.abs(point[1] - row), near = pen.points.filter((point) => off(point) * state.zoom < 8).sort((a, b) => off(a) - off(b))[0];
  if (near) row = near[1];  // its line was clicked on: it is given anew, or taken back
  const others = pen.points.filter((point) => point !== near), now = pen.unit ?? (depths().unit || "ft");
  const given = prompt(`${wrong}Depth printed at row ${count(row)}, in ${now} (or with its unit: 1325 m)${near ? "; none: it is taken back" : ""}`, typed || (near?.[2] ?? ""));
  if (near && given?.trim() === "") pen.points = others;
  if (!given?.trim()) return sayPen();
  const [, number, unit] = given.trim().match(/^(-?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?)\s*(ft|m)?$/i) ?? [];
  if (!number) return addDepth(column, row, "That is no depth, as 4,350.5 or 1325 m are. ", given);
  if (unit && unit.toLowerCase() !== now && others.length) return addDepth(column, row, `The other depths are in ${now}. `, given);
  pen.unit = unit?.toLowerCase() ?? now;
  pen.points = [...others, [column, row, Number(number.replaceAll(",", ""))]];
  sayPen();
}

function endDepth() {
  const unit = pen.unit ?? (depths().unit || "ft"), points = pen.points.map(([, row, depth]) => [row, depth]).sort((a, b) => a[0] - b[0]);
  const known = fix.depth ?? JSON.parse(placed) ?? { logs: [] }, begins = known.logs.map(([[row]]) => row), logs = [];
  for (const point of points) {  // another log begins where depth falls back, or where one did before
    const last = logs.at(-1), falls = last && point[1] <= last.at(-1)[1];
    if (!last || falls || (last.length > 1 && begins.includes(point[0]))) logs.push([point]);
    else last.push(point);
  }
  const short = logs.find((log) => log.length === 1);
  if (short) {
    $("#pen").textContent = `Two depths are needed in each log, or more: row ${count(short[0][0])} has ${short[0][1]} alone. If that is wrong, take it back.`;
    return;
  }
  const bends = logs.flatMap((log) => log.slice(1, -1).map(([row, depth], i) => {
    const [[row0, depth0], [row1, depth1]] = [log[i], log[i + 2]];
    return [row, ((depth1 - depth) / (row1 - row)) / ((depth - depth0) / (row - row0))];
  })).filter(([, bend]) => Math.abs(Math.log(bend)) > 0.1);  // as wellseg curves says
  if (bends.length && !confirm(`From row ${count(bends[0][0])} on a row is ${bends[0][1].toFixed(2)} times as deep as above it. Is that as printed, and no depth mistyped?`)) return;
  const said = logs.map((log) => `rows ${[log[0], log.at(-1)].map(([row]) => count(row)).join(" to ")}: ${log[0][1]} to ${log.at(-1)[1]} ${unit}`);
  if (logs.length > Math.max(1, begins.length) && !confirm(`${logs.length} logs, as depth falls back between them?\n${said.join("\n")}`)) return;
  pen = null;
  draw();
  if (JSON.stringify(logs) !== JSON.stringify(known.logs) || (logs.length && unit !== known.unit)) correct(followed[alone]?.name, () => { fix.depth = { logs, unit }; });
}

function endTracks() {
  const sides = pen.points.map(([column]) => column).sort((a, b) => a - b);
  if (sides.length % 2) {
    $("#pen").textContent = "Each track has two borders: one is missing.";
    return;
  }
  const clicked = pen.points.flatMap(([column], i) => (i % 2 ? [[pen.points[i - 1][0], column]] : []));
  if (clicked.every(([left, right]) => left <= right) && clicked.some(([left, right], i) => clicked.some(([from, to], k) => k !== i && from < right && left < to))) {
    $("#pen").textContent = "Two of these tracks lie over one another, which tracks cannot: give those of one printed scale now, and of others later.";
    return;
  }
  draw();
  const pairs = sides.flatMap((left, i) => (i % 2 || left === sides[i + 1] ? [] : [[left + 0.5, sides[i + 1] + 0.5]]));  // middles of pixels
  if (pairs.length) correct(followed[alone]?.name, () => { fix.tracks = pairs; });
}

function blank(name, from, to) {  // these rows of a curve are nobody's
  for (const row of [from, to + 1]) split(row, name);
  becomes((part) => nameOf(part) === name && part.from >= from && part.to <= to, -1);
}

const offAt = ({ off = [] }, row) => off.find(([first, last]) => first <= row && row <= last)?.[2] ?? 0;  // tracks aside
function leaveScale(name, from, to, tracks) {  // these rows are printed so many tracks aside, to the left
  for (const row of [from, to + 1]) split(row, name);
  for (const part of fix.parts.flat()) {
    if (nameOf(part) === name && part.from >= from && part.to <= to) part.off = Math.max(-9, Math.min(9, (part.off ?? 0) + tracks));
  }
}

// The number of the name of a curve's backup, -1: it has none; a scale's word with ten times its values.
const backupName = (name) => `${name.slice(0, 56)}_X10`;
const backupOf = (name) => fix.names.findIndex((one) => one.toLowerCase() === backupName(name).toLowerCase());
function tenfold(word) {
  const { left, right, ...rest } = scaleOf(word), ten = (value) => Number((10 * value).toPrecision(9));
  return word && scaleWord({ left: ten(left), right: ten(right), ...rest });
}

function takeBackup(name) {  // the number of the name of its backup, of ten times its scale
  const known = backupOf(name), as = known < 0 ? fix.names.push(backupName(name)) - 1 : known;
  if (!fix.scales[fix.names[as]]) Object.assign(fix.scales, scalesAs(name, fix.names[as], tenfold));
  return as;
}

function backUp(name, from, to) {  // these rows are of another curve, on ten times its scale
  for (const row of [from, to + 1]) split(row, name);
  const as = takeBackup(name);
  becomes((part) => nameOf(part) === name && part.from >= from && part.to <= to, as);
}

// These rows of a curve are another one's. Where that one has rows there, too, the two change places, or, if these are
// few, as where a click was beside the end of a gap, both stay as they are. Returns what was done.
function give(name, heir, from, to) {
  const inked = (own) => followed.find((curve) => curve.name === own).lines.map((line) => clip(line, from, to)).filter((line) => line.length > 1);
  const [mine, its] = [name, heir].map(inked), [both, all] = sharedRows({ lines: mine }, { lines: its });
  const isExchange = 2 * both > all, isHere = (part) => part.from >= from && part.to <= to, [own, other] = [name, heir].map((it) => fix.names.indexOf(it));
  for (const row of [from, to + 1]) split(row, name, heir);
  if (!isExchange) for (const line of its) for (const row of [Math.ceil(line[1]), Math.floor(line.at(-1)) + 1]) split(row, name);
  const isTaken = (part) => its.some((line) => line[1] <= part.to && line.at(-1) >= part.from);
  const becoming = fix.parts.flat().filter(isHere).map((part) => [part, nameOf(part)]);
  for (const [part, now] of becoming) {
    if (now === name && (isExchange || !isTaken(part))) part.as = other;
    else if (now === heir && isExchange) part.as = own;
  }
  for (const [part, now] of becoming) if (nameOf(part) !== now) goOnAsBeside(part);
  return isExchange ? `${name} and ${heir} have changed places from row ${count(from)} to ${count(to)}` : `${name} is ${heir} from row ${count(from)} to ${count(to)}${both ? `, but for ${count(both)} rows that this has` : ""}`;
}

// A part that became another curve's is as far off the scale as that is above and below it, if its values go on so: in a
// stretch off the scale two that change places each keep theirs.
function goOnAsBeside(part) {
  const ends = seams(nameOf(part)).filter(({ upper, lower }) => (upper.part === part) !== (lower.part === part)).map(({ upper, lower }) => {
    const [mine, its] = upper.part === part ? [upper, lower] : [lower, upper];
    const placeIn = (it) => (it === upper ? it.line.slice(-2) : it.line), [share, had, beside, turns] = [mine, its].flatMap((it) => [shareAt(it, ...placeIn(it)), turnsAt(it, placeIn(it)[1])]);
    return { turns, more: turns - had, apart: share + had - beside - turns };
  });
  const [{ turns, more } = {}] = ends, sum = (by) => ends.reduce((all, { apart }) => all + Math.abs(apart + by), 0);
  if (more && ends.every((it) => it.turns === turns && it.more === more) && sum(more) + 0.5 < sum(0)) part.off = (part.off ?? 0) + more || undefined;
}

function endStretch() {
  const [from, to] = pen.points.map(([, row]) => row).sort((a, b) => a - b), { kind, heir } = pen, curve = followed[alone];
  draw();
  if (!curve) return;
  if (!curve.lines.some((line) => reaches(line, from, to))) return say(`${curve.name} has no rows from ${count(from)} to ${count(to)}`);
  const { [kind]: change = leaveScale } = { blank, backup: backUp, piece: takeOut }, name = curve.name;
  correct(name, () => (kind === "give" ? say(`${give(name, heir, from, to)}: ${undoKey} takes it back`) : change(name, from, to, kind === "over" ? 1 : -1)));
}

function endStroke() {
  if (pen.kind !== "draw") return ({ tracks: endTracks, depth: endDepth }[pen.kind] ?? draw)();
  const { points, gap } = pen, until = endsAt();
  if (until) {
    if (points.length && isFar(points.at(-1), until)) return say("that is too far from where it goes on: click a point between");
    points.push(until);
  }
  pen = null;
  draw();
  if (points.length < 2) return;
  if (points[0][1] > points.at(-1)[1]) points.reverse();
  const lines = points.map(([, row]) => row), from = Math.min(...lines), to = Math.max(...lines);
  const taken = new Set([...fix.names, ...bases().map((base) => base.name)].map((name) => name.toLowerCase()));
  let number = 1;
  while (taken.has(`drawn_${number}`)) number++;
  const base = `DRAWN_${number}`, name = gap?.name || (followed[alone]?.name ?? base);
  const [off, below] = [from, to].map((row) => offAt(followed.find((curve) => curve.name === name) ?? {}, row));  // as the curve is at both its ends
  correct(gap ? followed[alone]?.name : name, () => {
    blank(name, from, to);
    const as = fix.names.indexOf(name);
    fix.strokes.push({ name: base, rows: [from, to], lines: [points.flat()], about: "drawn: its line will follow the ink" });
    fix.parts.push([{ from, to, as: as < 0 ? fix.names.push(name) - 1 : as, off: (gap ? gap.off : off === below && off) || undefined }]);
  });
  if (!gap) return;
  noteAnswer(gap.row, "drawn", from);
  showQuestion();
  say(`drawn: ${undoKey} takes it back`);
}
