// Rows where a curve may go on as another one: gone through, shown with the two that may have changed places, answered.

const DPI = DATA.dpi || columns / 8.5, NEAR = Math.ceil(DPI / 5);  // rows: within these a knot of two curves lies
const CLOSE = Math.min(1, 110 / DPI);  // the least zoom: with fewer pixels for an inch no knot is seen
const flags = original.flatMap(({ uncertain }, i) => uncertain.map((row) => ({ row, i })));  // below that row curve i is uncertain
// A piece that begins where a line of another one of its track ends at the other border is to be checked, too: the two may be one curve.
original.forEach(({ name, rows: [first], track, uncertain }, i) => {
  const isFrom = (one) => track && one.track === track && one.lines.some((line) => Math.abs(line.at(-1) - first) < DPI / 2) && leapBetween(one.name, name);
  if (!uncertain.includes(first) && original.some(isFrom)) flags.push({ row: first, i });
});
const places = [...new Set(flags.map(({ row }) => row))].sort((a, b) => a - b);
const flagsAt = new Map(places.map((row) => [row, []]));
for (const flag of flags) flagsAt.get(flag.row).push(flag);
const answerStore = `answers at uncertain rows of ${location.pathname}`;
// By row: answer, "seen", "right", "exchanged", "cut", "drawn", "joined", "removed", "beyond" or "backup"; columns, of its curve there and, if it is right, where it goes on;
// of a correction the row ``at`` of it, and how many edits the file had then. The browser keeps them.
const answers = (() => { try { return JSON.parse(localStorage.getItem(answerStore)) ?? {}; } catch { return {}; } })();

// The column of a curve in a row, and how many rows its nearest one is away from there; null: more than ``reach``.
function columnAt({ lines }, row, reach = NEAR) {
  let found = null;
  for (const line of lines) {
    const away = Math.max(0, line[1] - row, row - line.at(-1));
    if (away > reach || (found && away >= found.away)) continue;
    const x = along(line, row);
    found = { away, x: Number.isNaN(x) ? line.at(row > line[1] ? -2 : 0) : x };
  }
  return found;
}

// Whether two curves are of different inks: of hues a sixth of a circle or more apart, or bright and black. What was drawn here is of any.
function isUnlike({ colour: one }, { colour: other }) {
  if (one === undefined || other === undefined) return false;
  const [chroma, chroma2] = [one, other].map((ink) => (ink ? Math.max(...ink) - Math.min(...ink) : 0));
  if (!one || !other) return Math.max(chroma, chroma2) >= BRIGHT;
  const hues = [one, other].map(([red, green, blue]) => Math.atan2(Math.sqrt(3) * (green - blue), 2 * red - green - blue));
  return Math.cos(hues[0] - hues[1]) < 0.5;
}
const BRIGHT = 120;

// The other curves at these rows of one: first those of its track, then those of none; of these those of its ink, then the nearest.
function nearest(curve, at) {
  const here = at.map((row) => columnAt(curve, row, Infinity));
  return followed.filter((other) => other !== curve).map((other) => {
    const there = at.map((row) => columnAt(other, row)), apart = Math.min(...there.map((it, k) => (it ? Math.abs(it.x - here[k].x) + it.away : Infinity)));
    return { other, apart, unlike: isUnlike(curve, other), aside: curve.track === 0 || other.track === curve.track ? 0 : other.track ? 2 : 1 };
  }).filter(({ apart }) => apart < Infinity).sort((a, b) => a.aside - b.aside || a.unlike - b.unlike || a.apart - b.apart);
}

const nameAt = ({ row, i }) => nameOf(fix.parts[i].find(({ to }) => row <= to) ?? fix.parts[i][0]);
const namesAt = (row) => (flagsAt.get(row) ?? []).map(nameAt).filter(Boolean);
const isWalked = () => !lineCanvas.hidden && places.length > 0;  // by n and p: else they lead to the mask's places of doubt
const walk = (own = followed[alone]?.name) => places.filter((row) => namesAt(row).some((name) => !own || name === own));
const isInView = (row) => Math.abs(row - middle()) * state.zoom < scroller.clientHeight / 2;

function rowsAt({ lines }, row) {  // this one, and the one where the curve goes on
  const below = Math.min(...lines.map((line) => (line[1] > row ? line[1] : line.at(-1) > row ? row + 1 : Infinity)));
  return below < Infinity ? [row, below] : [row];
}
const columnsAt = (i, row) => rowsAt(original[i], row).map((at) => columnAt(original[i], at, Infinity).x);

function answerAt(row) {  // "" too where other curves were followed since
  const { answer = "", columns: then = [] } = answers[row] ?? {};
  const isSame = (now) => then.every((x, k) => Math.abs(x - now[k]) < 4);
  return answer && flagsAt.get(row)?.some(({ i }) => isSame(columnsAt(i, row))) ? answer : "";
}
const isOpen = (row) => ["", "seen"].includes(answerAt(row));

function noteAnswer(row, answer, at) {
  const { i } = flags.find((flag) => flag.row === row && (alone < 0 || nameAt(flag) === followed[alone].name)) ?? flags.find((flag) => flag.row === row);
  answers[row] = { answer, columns: columnsAt(i, row).slice(0, answer === "right" ? 2 : 1), at, edits: made };
  keepAnswers();
}

function keepAnswers() {
  try { localStorage.setItem(answerStore, JSON.stringify(answers)); } catch { /* a browser that keeps nothing */ }
  listPlaces();
  showSteps();
}

function reopen(isUndone) {  // places whose correction was taken back, or was not in a command
  for (const [row, it] of Object.entries(answers)) if (it.at !== undefined && isUndone(it, Number(row))) Object.assign(it, { answer: "seen", at: undefined });
  keepAnswers();
  showQuestion();
}

const crossingAt = (i, [row, below]) => crossingOf(i, [row, below]) ?? crossingOf(i, [row - 1, row]);  // the first row behind a border, too, is to be checked

const isAtEnd = (curve, at) => at[0] <= curve.rows[0] || at.length < 2;

function othersAt(curve, at, names) {
  const begins = at[0] <= curve.rows[0], isBeyond = ({ rows: [first, last] }) => (begins ? first < marked : last > marked);
  if (isAtEnd(curve, at)) return mates(curve, marked).filter((other) => isBeyond(other) && (!other.track || !curve.track || other.track === curve.track)).slice(0, 6);
  return nearest(curve, at).filter(({ aside, apart, unlike, other }) => (aside < 2 && apart < DPI && !unlike) || names.includes(other.name))
    .sort((a, b) => a.unlike - b.unlike || a.apart - b.apart).map(({ other }) => other);
}
let beside = {};

const ends = (row) => followed.some(({ name, rows: [first, last] }) => namesAt(row).includes(name) && (row <= first || row >= last));

// What is asked at the marked row: of which curve, at which rows, and with which others it may have changed places, or,
// where it begins or ends, of which it may be a piece. kind: "gap", rows without it; "end"; "wrap", over the border of its track; "near", another one is beside it; "alone".
function question() {
  const names = isWalked() && !pen ? namesAt(marked) : [], own = followed[alone]?.name ?? names[0];
  const curve = names.includes(own) && followed.find(({ name }) => name === own);
  if (!curve) return null;
  const at = rowsAt(curve, marked);
  if (beside.curve !== curve || beside.row !== marked) beside = { curve, row: marked, others: othersAt(curve, at, names) };  // asked for in each frame
  const { others } = beside, isEnd = isAtEnd(curve, at), isGap = at.at(-1) > marked + 1;
  const { i } = flagsAt.get(marked).find((flag) => nameAt(flag) === curve.name), crossing = isEnd ? undefined : crossingAt(i, at);
  const kind = isEnd ? "end" : crossing ? "wrap" : isGap ? "gap" : others.length ? "near" : "alone";
  return { curve, at, kind, crossing, others, other: others.find(({ name }) => name === $("#partner").value) ?? others[0] };
}

// What is asked: before and after the name of the curve; the answer that it is right.
const or = ({ others }, none) => (others.length ? ", or has it changed places with" : none);
const asks = {
  gap: (now) => {
    const [from, to] = now.at, isKnown = depth(from) && depth(to);
    return [`Nothing was found from ${isKnown ? depth(from) : `row ${count(from)}`} to ${isKnown ? depth(to) : count(to)}. Is it below the gap still`, or(now, "?"), "Same curve"];
  },
  wrap: (now) => {
    const { from, to, tracks, shares, isTold } = now.crossing, [one, two] = shares.map((share) => share.toFixed(2));
    const may = `rows ${count(from)} to ${count(to)} may be beyond its ${tracks > 0 ? "right" : "left"} border, or a backup on ten times its scale`;
    return [`Here it leaps from ${one} to ${two} of its track${isTold ? ", which is taken for a way over its border" : `: ${may}`}. Is it below still`, or(now, "?"), "Same curve"];
  },
  near: (now) => ["Below this row, is it still", or(now), "Same curve"],
  alone: (now) => ["What follows fits badly. Is it still", or(now, ", or a line of the grid, lettering or dirt?"), "Same curve"],
  end: ({ curve, others }) => (marked <= curve.rows[0]
    ? ["", ` begins here. Is it a curve of its own${others.length ? ", or does it go on from" : "?"}`, "Its own"]
    : ["", ` ends here. Is that its end${others.length ? ", or does it go on as" : "?"}`, "Its end"]),
};
const did = { exchanged: "Exchanged from here on:", cut: "Cut off here:", drawn: "Drawn here:", joined: "Joined here:", removed: "Removed from here on:", backup: "A backup begins or ends here:", beyond: "Beyond its scale on one side of this row:" };

let askedBefore = "";
function showQuestion() {
  const now = question(), order = walk(), answer = answerAt(marked), own = followed[alone]?.name;
  $("#ask").hidden = !now;
  if (!now) return;
  const { curve, others, kind } = now, names = others.map(({ name }) => name), key = [marked, curve.name, ...names].join();
  if (key !== askedBefore) $("#partner").replaceChildren(...names.map((name) => new Option(name)));
  askedBefore = key;
  const colour = (one) => hue(one.place ?? followed.indexOf(one));
  $("#which").textContent = [`${order.indexOf(marked) + 1} of ${order.length}${own ? ` of ${own}` : ""}`, `row ${count(marked)}`, depth(marked), answer !== "seen" && answer].filter(Boolean).join("  ·  ");
  $("#one").textContent = curve.name;
  $("#one").style.setProperty("--c", colour(curve));
  const isDone = Boolean(did[answer]), isJoin = kind === "end" && others.length > 0;
  const [before, after, same] = isDone ? [did[answer], answers[marked].edits === made ? `. Take it back with ${undoKey} if it looks wrong.` : ". If it looks wrong, correct it in the list.", "Next"] : asks[kind](now);
  $("#seen").textContent = before;
  $("#or").textContent = after;
  $("#same span").textContent = same;
  $("#partner").hidden = isDone || !others.length;
  $("#partner").setAttribute("aria-label", isJoin ? "With which piece it is joined" : "With which curve it may have changed places");
  $("#fill").hidden = isDone || kind !== "gap";
  $("#exchange").hidden = isDone || kind === "end" || !others.length;
  $("#attach").hidden = isDone || !isJoin;
  $("#part").hidden = isDone || kind === "end";
  $("#erase").hidden = isDone || !isSpare(now);
  const leap = isDone ? undefined : leapHere(question());
  $("#apart").textContent = leap ? tellLeap(leap) : "";
  $("#beyond").hidden = $("#tenfold").hidden = isDone || !(leap || (kind === "wrap" && !now.crossing.isTold));
  for (const id of ["fill", "exchange", "attach", "part", "erase", "beyond", "tenfold"]) $(`#${id}`).disabled = !isOpen(marked);
  if (others.length) $("#partner").style.setProperty("--c", colour(question().other));
  pressed("#same", answer === "right");
}

// Whether what lies below may be no curve at all: it fits badly, or begins here.
const isSpare = ({ kind, curve, at }) => kind === "alone" || (kind === "end" && at[0] <= curve.rows[0]);

function erase({ kind, curve: { name, rows: [, last] } }, row) {  // to the next place to check of the curve, or its end
  const from = kind === "end" ? row : row + 1, to = walk(name).find((it) => it > row) ?? last;
  correct(followed[alone]?.name, () => blank(name, from, to));
  noteAnswer(row, "removed", from);
  say(`rows ${count(from)} to ${count(to)} of ${name} are removed: ${undoKey} takes it back`);
}

// Where a piece begins or ends, how its value leaps to the one that it may be joined with, if it does; also at its other end: a
// steep stroke is far from the border in its first row.
function leapHere({ kind, curve, other }) {
  const leap = kind === "end" && other && leapBetween(curve.name, other.name);
  const isOfPiece = leap && partsOf(leap.piece).some(({ from, to }) => from <= marked && marked <= to + 1);
  return leap && (isOfPiece || Math.abs(leap.row - marked) <= NEAR) ? leap : undefined;
}

function visit(row) {
  isolate(alone, row);
  if (state.zoom < CLOSE) zoomBy(CLOSE / state.zoom);
  const [paper, box] = [scroller, $("#ask")].map((it) => it.getBoundingClientRect());
  goTo(row, box.height && box.left < paper.right ? Math.min(paper.bottom, Math.max(box.top, paper.top + 160)) - paper.top : undefined);  // what follows is not behind the question
  const now = question(), wide = scroller.clientWidth;
  const x = now ? columnAt(now.curve, row, Infinity).x * state.zoom + sheet.offsetLeft - scroller.scrollLeft : wide / 2;
  if (x < wide / 8 || x > (7 * wide) / 8) scroller.scrollLeft += x - wide / 2;
  if (!answerAt(row)) noteAnswer(row, "seen");
}

// The row from which on two change places: below the marked one, or, where both are uncertain in one knot, where they come nearest in it.
function turn({ curve, other }) {
  const near = flags.filter((flag) => nameAt(flag) === other.name && Math.abs(flag.row - marked) <= NEAR).map(({ row }) => row);
  const of = [...new Set([marked, ...near])], first = Math.min(...of) + 1, last = Math.max(...of) + 1;
  const apart = (row) => Math.abs(columnAt(curve, row, Infinity).x - columnAt(other, row, Infinity).x);
  const all = Array.from({ length: last - first + 1 }, (_, k) => first + k);
  return { of, at: all.reduce((best, row) => (apart(row) < apart(best) ? row : best)) };
}

function answer(what) {
  const now = question(), row = marked, wasAlone = alone >= 0;
  if (!now) return isWalked() && !pen && say(`go to a place to check first: ${finger ? "To check" : "N"}`);
  if (!isInView(row)) return goTo(row);
  if (what === "right") {
    if (isOpen(row)) noteAnswer(row, "right");
    const open = walk().filter(isOpen), next = open.find((it) => it > row) ?? open[0];
    if (next < row) say(`on from the top: ${open.length} above ${open.length > 1 ? "are" : "is"} not answered yet`);
    if (next !== undefined) return visit(next);
    say(walk("").some(isOpen) ? `all of ${now.curve.name} are answered: ${finger ? "×" : "Esc"} leads to the others` : "all of them are answered");
  } else if (!isOpen(row)) return say(`that is answered: ${undoKey} takes a correction back`);
  else if (what === "draw" && now.kind === "gap") return fillGap(now);
  else if (what === "join" && now.kind === "end" && now.other) {
    if (!join(now.other.name, now.curve.name)) return;
    noteAnswer(row, "joined", row);
    if (!wasAlone && !leapOf(followed[alone].name)) isolate(-1, row);  // the others are gone through, too
  } else if (["beyond", "backup"].includes(what) && leapHere(now)) {
    const leap = leapHere(now), { from } = partsOf(leap.piece)[0], isBeyond = what === "beyond";
    if (!(isBeyond ? endLeap : backLeap)(leap)) return;
    noteAnswer(row, isBeyond ? "joined" : "backup", isBeyond ? row : from);
    isolate(wasAlone ? alone : -1, row);
  } else if (["beyond", "backup"].includes(what) && now.kind === "wrap" && !now.crossing.isTold) {
    const { from, to, tracks } = now.crossing, { name } = now.curve, isFirst = from <= now.curve.rows[0];
    correct(followed[alone]?.name, () => (what === "beyond" ? leaveScale(name, from, to, tracks) : backUp(name, from, to)));
    noteAnswer(row, what, what === "beyond" && isFirst ? to + 1 : from);
  } else if (what === "remove" && isSpare(now)) {
    erase(now, row);
  } else if (what === "cut" && now.kind !== "end") {
    cut(row + 1, now.curve.name);
    noteAnswer(row, "cut", row + 1);
  } else if (what === "exchange" && now.other && now.kind !== "end") {
    const { of, at } = turn(now);
    swap(now.other.name, at, now.curve.name);
    for (const it of of) noteAnswer(it, "exchanged", at);
    say(`exchanged from row ${count(at)} on: ${undoKey} takes it back`);
  } else say("that is no answer here: those that are have buttons");
  showQuestion();
}

function fillGap({ curve, at }) {  // a stroke from below the piece above, whose last row stays a place to check, to the one below
  const [from, until] = at.map((row, k) => [Math.round(columnAt(curve, row, Infinity).x), k ? row : row + 1]);
  const flag = flagsAt.get(marked).find((it) => nameAt(it) === curve.name), gap = { row: marked, get name() { return nameAt(flag); } };  // it may be renamed meanwhile
  draw("draw");
  const [off, below] = at.map((row) => offAt(curve, row));
  Object.assign(pen, { points: [from], gap: Object.assign(gap, { off: off === below ? off : 0 }), until });  // off its scale, as both its ends
  sayPen();
}

const kinds = new Map(flags.map(({ row, i }) => [row, row <= original[i].rows[0] ? "begins here" : crossingAt(i, rowsAt(original[i], row)) ? "goes over its border" : rowsAt(original[i], row).at(-1) > row + 1 ? `gap of ${count(rowsAt(original[i], row)[1] - row - 1)} rows` : ""]));
function listPlaces() {  // by the names that curves have now
  const list = $("#uncertain"), own = followed[alone]?.name, order = walk(), held = [...list.children].findIndex((item) => item.contains(document.activeElement));
  list.replaceChildren();
  drawMap();  // with those that are open
  for (const row of order) {
    const answer = answerAt(row), about = [...namesAt(row), depth(row), isOpen(row) ? kinds.get(row) : answer].filter(Boolean).join(", ");
    listed("#uncertain", `row ${count(row)}`, about, "", () => visit(row)).dataset.answer = answer;
  }
  const here = list.children[order.indexOf(marked)], done = order.filter((row) => !isOpen(row)).length;
  here?.firstChild.setAttribute("aria-pressed", true);
  if (here) list.scrollTop = here.offsetTop - list.offsetTop - list.clientHeight / 2;
  if (held >= 0) here?.firstChild.focus({ preventScroll: true });
  $("#unsure").textContent = !places.length ? "" : `Places to check: ${order.length}${own ? ` of ${own}` : ""}${done ? `, ${done} answered` : ""}`;
}

function toList() {  // of places to check: to the one that is seen, or the first that is open
  const order = walk(), at = order.includes(marked) ? order.indexOf(marked) : Math.max(0, order.findIndex(isOpen));
  order.length ? $("#uncertain").children[at].firstChild.focus() : say(`no place to check of ${followed[alone].name}`);
}

$("#same").onclick = () => answer("right");
$("#exchange").onclick = () => answer("exchange");
$("#part").onclick = () => answer("cut");
$("#erase").onclick = () => answer("remove");
$("#fill").onclick = () => answer("draw");
$("#attach").onclick = () => answer("join");
$("#beyond").onclick = () => answer("beyond");
$("#tenfold").onclick = () => answer("backup");
$("#partner").onchange = () => { showQuestion(); soon(); };
$("#whole").hidden = !DATA.followed;  // where none was found, one may be drawn
listPlaces();
offer();
