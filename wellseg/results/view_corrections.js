// Correcting curves: a command for wellseg curves.

// Each curve of the file, and behind them each stroke that was drawn here, is cut into parts; each part is of a curve
// as corrected, or of none (-1), and ``off`` so many tracks more than in the file (0 if absent). tracks, depth ({ logs, unit }, a list of [row, depth] for each log): those set here, or null.
const untouched = () => ({ names: original.map(({ name }) => name), parts: original.map(({ rows: [from, to] }, as) => [{ from, to, as }]), strokes: [], tracks: null, depth: null, scales: scalesOf(original) });
fix = untouched();
const before = [];  // to go back to
let after = [];  // what was taken back since, and may be made again: ``fix``, and answers at places to check
let lost = [];  // words that a command did not have
let copied = [];  // ``fix``, its words, how many of them are of --edit, and answers, as commands were copied, the last ones: one of these may have been run since
const store = `corrections, strokes, scales and logs of ${location.pathname}`, made = DATA.edits ?? 0;  // made: of these curves, by now
// Of which curves a command is, for wellseg curves: their names and rows.
const mark = [...original.map(({ name, rows }) => `${name} ${rows}`).join()].reduce((sum, letter) => (31 * sum + letter.charCodeAt(0)) % 1000003, 0);
const those = JSON.stringify([made, ...original.map(({ name, rows, borders }) => [name, rows, borders])]);  // that ``fix`` is of

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
      const one = found.get(nameOf(part)) ?? { name: nameOf(part), rows: [rows, 0], most: -1, place: part.as, lines: [], borders: [], off: [], drawn: [] };
      const seen = lines.flatMap((line) => line.filter((_, k) => k % 2)).reduce(([low, high], row) => [Math.min(low, row), Math.max(high, row)], [rows, 0]);
      one.rows = [Math.min(one.rows[0], seen[0]), Math.max(one.rows[1], seen[1])];
      if (seen[1] - seen[0] > one.most) Object.assign(one, { most: seen[1] - seen[0], about: of[i].about, track: of[i].track, beyond: of[i].beyond, colour: of[i].colour });
      one.lines.push(...lines);
      if (i >= original.length) one.drawn.push([part.from, part.to]);
      if (of[i].track !== 0) one.borders.push(...(of[i].borders ?? []).map((line) => clip(line, part.from, part.to)));
      const off = part.off ?? 0, had = (of[i].off ?? []).filter(([from, to]) => from <= part.to && to >= part.from);
      one.off.push(...had.map(([from, to, turns]) => [Math.max(from, part.from), Math.min(to, part.to), turns + off]));
      if (off) one.off.push([part.from, part.to, off]);  // where it had none: the first of a row holds
      found.set(one.name, one);
    }
  });
  return [...found.values()];
}

function words() {  // of --edit
  const of = bases(), isUsed = (i) => i < original.length || fix.parts[i].some(({ as }) => as >= 0);
  const drawn = fix.strokes.filter((_, i) => isUsed(original.length + i))
    .map(({ name, lines: [line] }) => name + line.map((y, k) => (k % 2 ? `:${y}@${line[k - 1]}` : "")).join(""));
  const off = fix.parts.flatMap((parts, i) => parts.filter(({ off, as, from, to }) => off && as >= 0 && of[i].lines.some((line) => reaches(line, from, to)))
    .map(({ from, to, off }) => `${of[i].name}:${from}-${to}${off > 0 ? "+" : ""}${off}`));
  return [...drawn, ...off, ...fix.parts.flatMap((parts, i) => {
    if (!isUsed(i)) return [];
    const runs = [];
    for (const part of parts) {
      if (runs.at(-1)?.name === nameOf(part)) runs.at(-1).to = part.to;
      else runs.push({ ...part, name: nameOf(part) });
    }
    const own = of[i].name;
    return runs.filter(({ name, from, to }) => name !== own && (i >= original.length || of[i].lines.some((line) => reaches(line, from, to))))
      .map(({ from, to, name }) => `${own}${runs.length > 1 ? `:${from}-${to}` : ""}=${name}`);
  })];
}

const onWindows = /^Win/.test(navigator.platform);

const isAnew = (given) => Boolean(fix.tracks) && !given.length && !made && !isScaled();  // tracks alone: curves are followed by them, and named

const trackWords = () => (fix.tracks ? [`--tracks ${fix.tracks.map((sides) => sides.join("-")).join(" ")}`] : []);

function command(given) {
  let path = location.pathname;
  try { path = decodeURIComponent(path); } catch { /* a name that is not UTF-8 */ }
  const anew = isAnew(given);
  path = path.replace(/\.html$/, anew ? ".probability.tif" : ".curves.csv");
  const local = location.host ? `//${location.host}${path}` : path.replace(/^\/(?=[A-Za-z]:|\/\/)/, "");  // of a share; of a drive, or of a share in Firefox
  const place = location.protocol === "file:" ? local : path.split("/").pop();
  const isKept = !/[$`%“”„]/.test(place);  // in double quotes, by PowerShell and cmd: else as a URL has it
  const forWindows = isKept ? place.replaceAll("/", "\\") : `file:${encodeURI(place).replaceAll("$", "%24")}`;
  const quoted = onWindows ? `"${forWindows}"` : `'${place.replaceAll("'", "'\\''")}'`;
  const units = [...trackWords(), ...depthWords(), ...scaleWords()].map((word) => ` ${word}`).join("");
  return `wellseg curves ${quoted}${anew ? "" : ` --after ${made}-${mark}`}${units}${given.length ? ` --edit ${given.join(" ")}` : ""}`;
}

function correct(name, change) {  // name: of the curve that is seen alone then; change: edits ``fix``
  before.push(JSON.stringify(fix));
  after = [];
  change();
  refresh(name);
}

function refresh(name) {
  followed = compile();
  listCurves();
  isolate(followed.findIndex((curve) => curve.name === name), marked);
  const given = words();
  $("#edits").hidden = !given.length && !fix.tracks && !isScaled() && !isDepthNew();
  $("#command").value = $("#edits").hidden ? "" : command(given);
  const long = $("#command").value.length;
  $("#long").hidden = !onWindows || long < 8000;
  $("#long").textContent = long < 32000 ? "It is too long for cmd: use PowerShell." : "It is too long for Windows: Undo some, copy and run the rest, Redo them, and load the page again.";
  $("#anew").hidden = !isAnew(given);
  $("#copy").disabled = $("#edits").hidden;
  $("#undo").disabled = $("#edits").hidden && !before.length;
  $("#redo").disabled = !after.length;
  $("#steps").hidden = $("#undo").disabled && $("#redo").disabled;
  $("#copy").textContent = "Copy";
  $("#lost").textContent = lost.length ? `These corrections were not made: make them again, or click here to forget them. ${lost.join(", ")}` : "";
  keep(given);
}

function keep(given) {  // for the page when it is loaded again
  try {
    localStorage.setItem(store, JSON.stringify({ those, made, given, fix, copied, scaled, placed, lost, units: [...trackWords(), ...depthWords(), ...scales().filter((word) => !wordsOf(scaled).includes(word))], before: before.slice(-20), after: after.slice(-20) }));
  } catch { $("#lost").textContent += " This browser keeps no corrections: run the command before you leave the page."; }  // its store is full, or closed
}
addEventListener("storage", ({ key }) => key === store && location.reload());  // corrected in another tab: what is written here later has those, too

$("#command").addEventListener("copy", () => {  // by the button, or by hand
  const given = words();
  if (!isAnew(given)) copied = [...copied.slice(-2), JSON.parse(JSON.stringify({ fix, edits: given.length, given: [...given, ...trackWords()], answers }))];
  keep(given);
});

// Of the corrections ``then`` those that were made since ``run``, of which the curves are by now; null: they cannot be told apart.
function madeSince(run, then) {
  const strokes = run.strokes.length, isSame = (one, other) => JSON.stringify(one) === JSON.stringify(other);
  if (!isSame(then.strokes.slice(0, strokes), run.strokes)) return null;
  const now = { ...untouched(), strokes: then.strokes.slice(strokes), scales: scalesSince(then.scales, run.scales) };
  for (const kind of ["tracks", "depth"]) if (!isSame(then[kind], run[kind])) now[kind] = then[kind];
  const numberAs = (as) => (as < 0 ? -1 : now.names.includes(then.names[as]) ? now.names.indexOf(then.names[as]) : now.names.push(then.names[as]) - 1);
  const all = run.parts.flatMap((parts, i) => parts.flatMap((was) => then.parts[i].map((is) => (
    { was, is, from: Math.max(was.from, is.from), to: Math.min(was.to, is.to), off: (is.off ?? 0) - (was.off ?? 0) }))).filter(({ from, to }) => from <= to));
  if (all.some(({ was, is }) => was.as < 0 && is.as >= 0)) return null;  // what the files have no more was taken back
  now.parts = original.map(({ name, rows: [from, to] }, as) => {
    const its = all.filter(({ was }) => was.as >= 0 && run.names[was.as] === name).map(({ is, off, ...rows }) => ({ ...rows, as: numberAs(is.as), off: off || undefined }));
    const isOne = its.every((one) => one.as === its[0].as && one.off === its[0].off);  // also between its pieces
    const cut = (parts, one) => parts.flatMap((part) => [{ ...part, to: Math.min(part.to, one.from - 1) },
      { from: Math.max(part.from, one.from), to: Math.min(part.to, one.to), as: one.as, off: one.off }, { ...part, from: Math.max(part.from, one.to + 1) }]).filter((part) => part.from <= part.to);
    return (isOne ? its.slice(0, 1).map((one) => ({ ...one, from, to })) : its).reduce(cut, [{ from, to, as }]);
  });
  now.parts.push(...then.parts.slice(run.parts.length).map((parts) => parts.map((part) => ({ ...part, as: numberAs(part.as) }))));
  return now;
}

// How far the work is, and whether curves lie where no depth is known.
function showSteps() {
  const named = followed.filter(({ name }) => isGiven(name)).length, all = walk(""), checked = all.filter((row) => !isOpen(row)).length;
  const tall = (sum, { rows: [first, last] }) => sum + last - first + 1, isTracked = followed.filter(({ track }) => track).reduce(tall, 0) > 0.75 * followed.reduce(tall, 0);
  const isDone = { depth: depths().logs.length, tracks: fix.tracks || isTracked, given: named && named === followed.length, checked: checked === all.length };
  $("#given").textContent = ` (${named} of ${followed.length} named)`;
  $("#checked").textContent = ` (${checked} of ${all.length})`;
  for (const [id, is] of Object.entries(isDone)) $(`#${id}`).closest(".step").classList.toggle("done", Boolean(is));
  for (const [id, number] of [["depth", 1], ["tracks", 2]]) $(`#${id}`).dataset.step = isDone[id] ? "✓" : `${number}.`;
  const reach = depths().logs.flatMap((log) => log.reach), top = Math.min(...reach), bottom = Math.max(...reach), isShort = reach.length > 0;
  const isAbove = isShort && followed.some((curve) => curve.rows[0] < top - 1), isBelow = isShort && followed.some((curve) => curve.rows[1] > bottom + 1);
  const bare = [isAbove && `above ${depth(top + 1)}`, isBelow && `below ${depth(bottom - 1)}`].filter(Boolean).join(" and ");
  $("#bare").textContent = bare && `Curves ${bare} are too far from the depths that are given, and not in the LAS: give one nearer to their ${isAbove ? "top" : ""}${isAbove && isBelow ? ", one to their " : ""}${isBelow ? "bottom" : ""}.`;
}

function offer() {  // what can be done with the curve that is seen alone
  showQuestion();
  showSteps();
  const curve = followed[alone];
  $("#draw").textContent = pen?.kind === "draw" ? "End the stroke" : curve ? "Draw where it is missed" : "Draw a curve that is missed";
  $("#tracks").textContent = pen?.kind === "tracks" ? "These are the tracks" : "Set the tracks";
  $("#depth").textContent = pen?.kind === "depth" ? "These are the depths" : "Set the depth";
  $("#edit").hidden = !curve;
  $("#hint").hidden = Boolean(curve || pen);
  if (!curve) return;
  const row = marked > curve.rows[0] && marked <= curve.rows[1] ? marked : -1;
  $("#name").value = curve.name;
  $("#name").setCustomValidity("");
  const half = halves[numberOf(curve)], { log, ...scale } = half ?? scaleOf(fix.scales[curve.name]);
  for (const [id, value] of Object.entries(scale)) $(`#${id}`).value = value;
  $("#log").checked = log;
  $("#fault").textContent = half ? faultOf(curve, plain(half)) : doubtful(curve, { log, ...scale });
  const near = row < 0 ? [] : nearest(curve, [row]), others = near.map(({ other }) => other);
  $("#cut").textContent = row < 0 ? "Cut: click on the curve" : `Cut at row ${count(row)}`;
  $("#swap").textContent = row < 0 ? "Exchange from there on" : `Exchange from row ${count(row)} on`;
  $("#cut").disabled = row < 0;
  $("#swap").disabled = $("#other").disabled = row < 0 || !others.length;
  $("#other").hidden = $("#swap").disabled;
  const isAstray = isInNone(curve) || (curve.track === undefined && valueAt(curve, ...curve.lines[0]).endsWith(ACROSS));  // in no track: wellseg curves would refuse it
  $("#over").disabled = $("#under").disabled = isAstray;
  $("#other").replaceChildren(...others.map(({ name }) => new Option(name)));
  offerJoins(curve, row, near[0]);
}

function split(row, ...names) {  // parts of these curves end above this row
  fix.parts = fix.parts.map((parts) => parts.flatMap((part) => names.includes(nameOf(part)) && part.from < row && part.to >= row
    ? [{ ...part, to: row - 1 }, { ...part, from: row }] : [part]));
}

function becomes(test, as) {
  for (const part of fix.parts.flat()) if (test(part)) part.as = as;
}

function rename(name, own = followed[alone].name, also = undefined) {  // also: done with it, of a leap between the two. Returns whether it was done
  const join = followed.some((curve) => curve.name === name);
  const [both] = join ? sharedRows(...[own, name].map((it) => followed.find((curve) => curve.name === it))) : [0];
  const kept = both ? ` In ${count(both)} rows of both, the one with more ink is kept: if that is the wrong one, remove its stretch first.` : "";
  const scale = fix.scales[own] && fix.scales[name] ? ` Its scale is that of ${name}.` : "";
  const [one, two] = [own, name].map((it) => followed.find((curve) => curve.name === it)?.track).sort();
  const beside = piecesOf(own).flatMap((a) => piecesOf(name).map((b) => [a, b])).find(([a, b]) => isBeside(a, b));
  if (beside) {  // wellseg curves refuses it
    say(`${own} and ${name} are in tracks ${beside.map(({ track }) => track).sort().join(" and ")} side by side, in ${count(sharedRows(...beside)[0])} rows: two curves`);
    return offer();
  }
  const apart = one && two && one !== two ? ` They lie in tracks ${one} and ${two}: each has its values by its own track's borders.` : "";
  const leap = join && leapBetween(own, name), leaps = leap ? ` ${tellLeap(leap)}${also ? "" : " The page offers to say so then."}` : "";
  if (join && !confirm(`${own} and ${name} become one curve, ${name}.${kept}${scale}${apart}${leaps}`)) return offer();
  const spare = fix.names[backupOf(own)], isFree = spare && spare !== name && backupOf(name) < 0;  // its backup is called by it, too
  correct(name, () => {
    const spareAs = isFree ? backupName(name) : spare;
    fix.names = fix.names.map((it) => (it === own ? name : it === spare ? spareAs : it));
    const others = Object.entries(fix.scales).filter(([key]) => ![own, !join && name, isFree && spare].includes(key.split(":")[0]));  // that of one that was removed goes
    fix.scales = { ...Object.fromEntries(others), ...(join && fix.scales[name] ? {} : scalesAs(own, name)), ...(isFree ? scalesAs(spare, spareAs) : {}) };
    also?.();
  });
  return true;
}

function remove() {
  if (alone < 0) return;
  const own = followed[alone].name, at = alone;
  marked = -1;
  correct("", () => becomes((part) => nameOf(part) === own, -1));
  removed = at;
  say(`${own} is removed: ${undoKey} takes it back`);  // also by a key that was hit by mistake
}

function removeOrBack() {
  if (!pen) return remove();
  if (!pen.gap || pen.points.length > 1) pen.points.pop();  // the ends of a gap are given
  sayPen();
}

function takeOut(own, from, to = Infinity) {  // these rows become a curve of their own
  let name = `${own.slice(0, 50)}_B`;
  while (fix.names.some((one) => one.toLowerCase() === name.toLowerCase())) name += "B";
  for (const row of [from, to + 1]) split(row, own);
  becomes((part) => nameOf(part) === own && part.from >= from && part.to <= to, fix.names.push(name) - 1);
  Object.assign(fix.scales, scalesAs(own, name));
  say(`from row ${count(from)} ${to < Infinity ? `to ${count(to)}` : "on"} it is ${name} now: ${undoKey} takes it back`);
}
const cut = (row = marked, own = followed[alone].name) => correct(followed[alone]?.name, () => takeOut(own, row));

function swap(other, row = marked, own = followed[alone].name) {  // the two change places from that row on
  correct(followed[alone]?.name, () => {
    split(row, own, other);
    const lower = fix.parts.flat().filter(({ from }) => from >= row).map((part) => [part, nameOf(part)]);
    for (const [part, name] of lower) {
      if (name === own) part.as = fix.names.indexOf(other);
      if (name === other) part.as = fix.names.indexOf(own);
    }
  });
}

// Corrections become these, and the paper goes to the first place that this changes if none is in sight.
function become(next) {
  const as = numberOf(followed[alone]), then = fix;
  fix = next;
  refresh(fix.names[as]);  // also where it had another name
  const partsIn = ({ parts, names }) => parts.flatMap((of, i) => of.map(({ from, to, as, off }) => ({ at: `${i} ${from}`, from, to, is: `${names[as]} ${off || 0}` })));
  const depthsIn = ({ depth }) => (depth?.logs.flat() ?? []).map(([row, value]) => ({ at: `depth ${row}`, from: row, to: row, is: value }));
  const [had, has] = [then, fix].map((it) => [...partsIn(it), ...depthsIn(it)]);
  const changed = [...had, ...has].map(({ at }) => [had, has].map((list) => list.find((it) => it.at === at))).filter(([one, other]) => one?.is !== other?.is)
    .map(([one, other]) => [(one ?? other).from, one && other ? Math.min(one.to, other.to) : (one ?? other).from]);  // a cut is where it begins, a new name in all its rows
  if (changed.length && !changed.some(([from, to]) => isInView(between(from, middle(), to)))) goTo(Math.min(...changed.map(([from]) => from)));
}

$("#name").onchange = ({ target }) => {
  target.value = target.value.trim();  // as pasted from a table
  const same = followed.find(({ name }, i) => i !== alone && name.toLowerCase() === target.value.toLowerCase())?.name ?? target.value;
  const right = /^\w{1,60}$/.test(same) && !/^(DEPT|DEPTH|TIME|INDEX)$/i.test(same);
  target.setCustomValidity(right ? "" : "A name has letters A to Z, digits and _ alone, and is not that of a depth");
  if (target.reportValidity() && same !== followed[alone].name) rename(same);
};
$("#name").oninput = ({ target }) => target.setCustomValidity("");
$("#name").onkeydown = ({ key, target }) => {
  if (key === "Escape") target.value = followed[alone].name;
  if (key === "Escape" || key === "Enter") target.blur();
};
// A click on the list would be lost where it first ends the writing of a name or a scale: the list is made anew.
$("#each").onmousedown = (event) => {
  const item = event.target.closest("li");
  if (!document.activeElement.matches("#name, #scale input") || !item) return;
  const { name } = followed[[...$("#each").children].indexOf(item)];
  document.activeElement.blur();
  if (item.isConnected) return;  // nothing was changed: the click does it
  event.preventDefault();
  const now = followed.findIndex((curve) => curve.name === name);
  if (now >= 0) isolate(now);
};
$("#lost").onclick = () => { lost = []; refresh(followed[alone]?.name); };
$("#remove").onclick = remove;
$("#cut").onclick = () => cut();
$("#back").onclick = removeOrBack;
$("#drop").onclick = () => draw();
$("#done").onclick = () => pen && endStroke();
for (const kind of pens) $(`#${kind}`).onclick = () => (pen?.kind === kind ? endStroke() : draw(kind));
$("#swap").onclick = () => swap($("#other").value);
$("#undo").onclick = () => {
  const all = () => [...trackWords(), ...depthWords(), ...scales(), ...words()], had = all();
  if (!before.length && !confirm("Take back all corrections that are left?")) return;
  after.push(JSON.stringify({ fix, answers }));
  become(before.length ? JSON.parse(before.pop()) : untouched());
  say(`taken back: ${had.filter((word) => !all().includes(word)).join(" ") || "the last correction"}`);  // it may be anywhere on the scan
  reopen(({ at, edits, answer }, row) => edits === made && (answer === "joined" ? ends(row) : answer === "removed" ? !fix.parts.flat().some(({ from, as }) => from === at && as < 0) : answer === "backup" ? !fix.parts.flat().some((part) => part.from === at && /_X10$/i.test(nameOf(part))) : !fix.parts.flat().some(({ from }) => from === at)));
};
$("#redo").onclick = () => {
  const then = JSON.parse(after.pop());
  before.push(JSON.stringify(fix));
  for (const [row, it] of Object.entries(then.answers)) if (it.at !== undefined) answers[row] = it;
  become(then.fix);
  reopen(() => false);
};
$("#copy").onclick = () => {
  $("#command").select();
  if (!document.execCommand("copy")) return say("the browser did not copy it: it is selected, copy it from there");  // a local file has no other clipboard everywhere
  $("#copy").focus();  // or the keys would be written in the command
  $("#copy").textContent = "Copied";
};
listCurves();
