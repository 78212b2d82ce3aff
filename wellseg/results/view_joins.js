// Pieces of one curve: which belong together, and whether the value leaps between them.

// Places where curves of these names, as one, would go on from one piece to another that begins near by: { upper, lower }, strokes of different pieces.
function seams(...names) {
  const of = bases(), strokes = fix.parts.flatMap((parts, i) => parts.filter((part) => part.as >= 0 && names.includes(nameOf(part)))
    .flatMap((part) => of[i].lines.map((line) => ({ i, part, line: clip(line, part.from, part.to) })).filter(({ line }) => line.length > 1)));
  strokes.sort((a, b) => a.line[1] - b.line[1]);
  return strokes.slice(1).map((lower, k) => ({ upper: strokes[k], lower })).filter(({ upper, lower }) => (upper.i !== lower.i || nameOf(upper.part) !== nameOf(lower.part)) && Math.abs(lower.line[1] - upper.line.at(-1)) < DPI / 2);
}

function shareAt({ i, part }, x, row) {  // of the track, where it is printed; NaN: no borders are known
  const { borders: [left, right] = [] } = bases()[i], fixed = fix.tracks?.find(([from, to]) => from - 3 <= x && x <= to + 3);
  const [from, to] = fixed ?? (left && right ? [along(left, row), along(right, row)] : [NaN, NaN]);
  return (x - from) / (to - from);
}
const turnsAt = ({ i, part }, row) => (part.off ?? 0) + ((bases()[i].off ?? []).find(([first, last]) => first <= row && row <= last)?.[2] ?? 0);

const partsOf = ({ i, part }) => fix.parts[i].filter((one) => nameOf(one) === nameOf(part));
const extent = (piece) => partsOf(piece).at(-1).to - partsOf(piece)[0].from;

// Places where the value leaps from one border of the track to the other: the row, both shares of the track, the piece,
// the smaller of the two, that may be beyond its scale there, by how many tracks, 1 or -1, and the name of the other one.
function leapsOf(...names) {
  return seams(...names).map(({ upper, lower }) => {
    const [x0, row0] = upper.line.slice(-2), [x1, row1] = lower.line;
    const shares = [shareAt(upper, x0, row0), shareAt(lower, x1, row1)];
    const isLow = extent(lower) <= extent(upper) ? lower.i < original.length : upper.i >= original.length, piece = isLow ? lower : upper;
    const leaps = shares[1] - shares[0], apart = leaps + turnsAt(lower, row1) - turnsAt(upper, row0);
    const isLeap = Math.abs(leaps) > LEAP && Math.abs(apart) > LEAP && Math.abs(apart) < 2 - LEAP && shares.every((it) => Math.abs(it - 0.5) > LEAP / 2);
    return isLeap && piece.i < original.length && { row: row1, shares, piece, tracks: Math.sign(apart) * (isLow ? -1 : 1), other: nameOf((isLow ? upper : lower).part) };
  }).filter(Boolean);
}
const leapOf = (name) => leapsOf(name)[0];  // of one curve, joined of several pieces
const isBackup = (one, two) => fix.names[backupOf(one)] === two;
function leapBetween(one, two) {  // of two that are not joined yet, nor beside one another there, nor backups
  if (isBackup(one, two) || isBackup(two, one)) return undefined;
  return leapsOf(one, two).find(({ piece: { part, line }, other }) => {
    const from = line[1], to = line.at(-1), its = followed.find(({ name }) => name === other)?.lines ?? [];
    return nameOf(part) !== other && 2 * its.reduce((sum, it) => sum + Math.max(0, Math.min(it.at(-1), to) - Math.max(it[1], from)), 0) <= to - from;
  });
}
const LEAP = 0.85;  // of a track

// What a curve has of each one of the files: a piece of one track.
const piecesOf = (name) => fix.parts.flatMap((parts, i) => {
  const { track, lines: all } = bases()[i], lines = parts.filter((part) => nameOf(part) === name).flatMap((part) => all.map((line) => clip(line, part.from, part.to)).filter((line) => line.length > 1));
  return lines.length ? [{ track, lines }] : [];
});
// Whether two are of different tracks, and the shorter one is mostly beside the other.
const isBeside = (a, b) => a.track !== b.track && ![a.track, b.track].includes(undefined) && 2 * sharedRows(a, b)[0] > Math.min(sharedRows(a, b)[1], sharedRows(b, a)[1]);

// Rows in which two curves both are, and those of the first; without gaps.
function sharedRows(...pair) {
  const [its, others] = pair.map(({ lines }) => lines.map((line) => [line[1], line.at(-1)]));
  const both = (all, more) => all.flatMap(([a, b]) => more.map(([c, d]) => Math.max(0, Math.min(b, d) - Math.max(a, c) + 1))).reduce((sum, it) => sum + it, 0);
  return [both(its, others), both(its, its)];
}

// Where a curve of the file goes over the border of its track from one row to another: the stretch that may be beyond its
// scale, the shorter side, from or to where it leaps again; by how many tracks, and whether it is said to be so already.
function crossingOf(i, [row, below = row]) {
  const all = original[i].lines.slice(1).map((lower, k) => {
    const [x0, row0] = original[i].lines[k].slice(-2), [x1, row1] = lower;
    const [one, two] = [[x0, row0], [x1, row1]].map(([x, y]) => ({ y, part: fix.parts[i].find(({ to }) => y <= to) ?? fix.parts[i][0], share: shareAt({ i }, x, y) }));
    return { one, two, leaps: two.share - one.share };
  }).filter(({ leaps }) => Math.abs(leaps) > LEAP / 2);
  const at = all.findIndex(({ one, two }) => one.y === row && two.y === below), here = all[at];
  const turns = here && turnsAt({ i, part: here.two.part }, here.two.y) - turnsAt({ i, part: here.one.part }, here.one.y);  // where it is told, also a steep stroke
  if (!here || (Math.abs(here.leaps) < LEAP && !turns) || below - row > DPI / 2) return undefined;
  const { one, two, leaps } = here, [first, last] = original[i].rows, top = all[at - 1]?.two.y ?? first, bottom = all[at + 1]?.one.y ?? last;
  const isLow = bottom - two.y <= one.y - top, [from, to] = isLow ? [two.y, bottom] : [top, one.y];
  return { from, to, shares: [one.share, two.share], tracks: Math.sign(leaps) * (isLow ? -1 : 1), isTold: Math.abs(leaps + turns) < LEAP };
}

function tellLeap({ row, shares, piece, tracks, other }) {
  const own = partsOf(piece), [from, to] = shares.map((share) => share.toFixed(2)), as = nameOf(piece.part) === other ? "" : ", if the two are joined,";
  return `At row ${count(row)}${as} the value leaps from ${from} to ${to} of the track: ${nameOf(piece.part)}, rows ${count(own[0].from)} to ${count(own.at(-1).to)}, may be beyond its ${tracks > 0 ? "right" : "left"} border, or a backup on ten times its scale.`;
}

// The piece is beyond its border, and of the other curve if it is not yet; or it is of that one's backup. Returns whether it was done.
function endLeap({ piece, tracks, other }) {
  const name = nameOf(piece.part), own = partsOf(piece), change = () => own.forEach((part) => { part.off = between(-9, (part.off ?? 0) + tracks, 9); });
  if (name !== other) return join(other, name, change);
  correct(name, change);
  return true;
}

function backLeap({ piece, other }) {
  const own = partsOf(piece);
  correct(followed[alone]?.name === other ? other : "", () => {
    const as = takeBackup(other);
    for (const part of own) part.as = as;
  });
  return true;
}

// The other curves, the one most likely to be of one with this first: it is of its track, few of its rows are also this
// one's, it is of its ink, and ends near where this one begins, or begins where it ends, also at the other border; near the marked row, if there is one.
function mates(curve, row) {
  const spans = (one) => one.lines.map((line) => [line[1], line.at(-1)]), sum = (all) => all.reduce((a, b) => a + b, 0);
  const length = (all) => sum(all.map(([from, to]) => Math.max(0, to - from + 1)));
  const mine = spans(curve), [left, right] = curve.borders ?? [];
  const wide = left && right ? Math.abs(right[0] - left[0]) : Infinity;
  return followed.filter((other) => other !== curve).map((other) => {
    const its = spans(other), both = length(its.flatMap(([from, to]) => mine.map(([a, b]) => [Math.max(from, a), Math.min(to, b)])));
    const near = curve.lines.flatMap((a) => other.lines.flatMap((b) => [[a, b], [b, a]].map(([upper, lower]) => {
      const aside = Math.abs(lower[0] - upper.at(-2)), at = lower[1], off = row < 0 ? 0 : Math.abs(at - row);
      return Math.abs(at - upper.at(-1)) + Math.min(aside, Math.abs(aside - wide)) + off;
    }))).reduce((least, it) => Math.min(least, it), Infinity);
    const isOver = 2 * both > Math.min(length(mine), length(its));
    return { other, near, isOver, unlike: isUnlike(curve, other), isAside: Boolean(curve.track && other.track) && curve.track !== other.track };
  }).sort((a, b) => a.isAside - b.isAside || a.isOver - b.isOver || a.unlike - b.unlike || a.near - b.near).map(({ other }) => other);
}

let heir = "";  // who may be given a stretch: the curve beside this one where it was clicked on, as at a crossing, or the one chosen last
function offerJoins(curve, row, beside) {  // in the box of a curve that is seen alone
  const others = mates(curve, row);
  $("#mate").replaceChildren(...others.map(({ name }) => new Option(name)));
  $("#mate").hidden = $("#join").hidden = $("#give").hidden = !others.length;
  heir = beside && beside.apart < DPI / 2 && beside.aside < 2 && !beside.unlike ? beside.other.name : $("#mate").value;
  offerLeap();
}

function offerLeap() {  // of the curve that is seen alone, or if it were joined with the one that is chosen
  $("#give").textContent = `Give a stretch to ${pen?.kind === "give" ? pen.heir : heir}`;
  const { name } = followed[alone], leap = leapOf(name) ?? leapBetween(name, $("#mate").value);
  $("#leap").hidden = !leap;
  if (!leap) return;
  $("#leap span").textContent = tellLeap(leap);
  $("#turned").textContent = `It is beyond its ${leap.tracks > 0 ? "right" : "left"} border`;
  $("#turned").onclick = () => endLeap(leap);
  $("#spare").onclick = () => backLeap(leap);
}
for (const box of ["#mate", "#other"]) $(box).onchange = $(box).onclick = () => {
  heir = $(box).value;
  offerLeap();
};

// A name that was given stays, rather than one that wellseg gave or that of a piece that was cut off; else that of the other one.
const isCutOff = (name) => /_B+$/i.test(name) && fix.names.some((one) => one.toLowerCase() === name.replace(/_B+$/i, "").toLowerCase());  // RHO_B alone is none
const isGiven = (name) => !/^(T\d+_C\d+_(SOLID|DASHED|DOTTED)|DRAWN_\d+)(_X10)?(_B+)?$/i.test(name) && !isCutOff(name);
const rank = (name) => (isGiven(name) ? 2 : isCutOff(name) ? 0 : 1);
const join = (other, own = followed[alone].name, also = undefined) => (rank(own) > rank(other) ? rename(own, other, also) : rename(other, own, also));
$("#join").onclick = () => join($("#mate").value);
