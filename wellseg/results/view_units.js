// Values and depths in their units: what --scale and --depth say.

// A printed scale, and as a word of --scale, with numbers as the files have them: "0.2:2000:OHMM:log@345-823".
const scaleWord = ({ left, right, unit, log, columns }) => [Number(left), Number(right), unit, log && "log"].filter((it) => it !== "" && it !== false).join(":") + (columns && `@${columns.split("-").map(Number).join("-")}`);
function scaleOf(word = "") {
  const [scale, columns = ""] = word.split("@"), [left = "", right = "", ...rest] = scale.split(":"), log = rest.at(-1) === "log";
  return { left, right, log, unit: rest.length > log ? rest[0] : "", columns };
}

const wordOf = ([left, right, unit, log, columns = []]) => scaleWord({ left, right, unit, log, columns: columns.join("-") });  // of one in the files
function scalesOf(curves) {  // words by the curves' names, of some rows by NAME:FROM-TO; none: fractions of the track
  return Object.fromEntries(curves.filter(({ scale }) => scale && scale[2] !== "FRAC").flatMap(({ name, scale, scale_changes: changes = [] }) =>
    [[name, wordOf(scale)], ...changes.map(([span, other]) => [`${name}:${span.join("-")}`, wordOf(other)])]));
}
const keysOf = (name) => Object.keys(fix.scales).filter((key) => key.split(":")[0] === name && fix.scales[key]);  // of its scales
const scalesAs = (own, name, change = (word) => word) => Object.fromEntries(keysOf(own).map((key) => [name + key.slice(own.length), change(fix.scales[key])]));
function setScale(name, word) {  // those of some rows have its unit, and go with it
  for (const key of keysOf(name)) fix.scales[key] = word && scaleWord({ ...scaleOf(fix.scales[key]), unit: scaleOf(word).unit });
  fix.scales[name] = word;
}
const wordsOf = (scales) => Object.entries(scales).map((pair) => pair.join("=")).sort();
const scaled = scalesOf(original);  // what the files have
// Those of curves that are there, and whether they have to be given: the files have others, or the names have changed.
const scales = () => wordsOf(Object.fromEntries(Object.entries(fix.scales).filter(([key, scale]) => scale && followed.some(({ name }) => name === key.split(":")[0]))));
const isScaled = () => scales().join() !== wordsOf(scaled).join();

function scalesSince(then, files) {  // of ``then``, when the files had those: what was changed here stays, the rest is as they have it now
  const now = { ...scaled };
  for (const name of new Set([...Object.keys(files), ...Object.keys(then)])) {
    if (then[name] === files[name]) continue;
    if (then[name]) now[name] = then[name];
    else delete now[name];
  }
  return now;
}

function along(line, row) {  // its column in a row; NaN: it is not there
  const next = line.findIndex((y, i) => i % 2 && i > 1 && y >= row);
  if (next < 0 || line[1] > row) return NaN;
  const [x0, y0, x1, y1] = line.slice(next - 3, next + 1);
  return x0 + ((x1 - x0) * (row - y0)) / Math.max(1, y1 - y0);
}

const ACROSS = "of the scan’s width";
// The value of a curve at a place of the scan, by the borders of its track there, where it was drawn by those of the nearest row
// that has some, as wellseg curves; of a curve in no track, without columns of a scale, as a share of the scan's width.
function valueAt({ name, lines: strokes, borders = [], track, off = [], drawn = [] }, x, row) {
  const isDrawn = !borders.length && track === undefined;  // then its track is the one it is in there
  const lines = isDrawn ? original.flatMap((curve) => (curve.track !== 0 && curve.borders) || []) : borders;
  const set = fix.tracks && trackSet(strokes), sides = fix.tracks ? [set ?? []].map((pair) => ({ away: 0, pair })) : lines.flatMap((line, k) => {
    if (k % 2 || !line.length) return [];  // of other rows
    const [left, right] = [line, lines[k + 1]].map((side) => columnAt({ lines: [side] }, row, Infinity));
    return [{ away: left.away, pair: [left.x, right.x] }];
  });
  const isHere = ([first, last]) => first <= row && row <= last, isIn = ({ pair: [left, right] }) => left <= x && x <= right;
  const able = sides.filter((it) => (!it.away || drawn.some(isHere)) && (isIn(it) || fix.tracks || !isDrawn));
  const [{ pair } = { pair: [] }] = able.sort((a, b) => a.away - b.away || isIn(b) - isIn(a));
  const key = keysOf(name).findLast((it) => isHere(it.slice(name.length + 1).split("-").map(Number)));
  const word = fix.scales[key ?? name], own = scaleOf(word).columns && scaleOf(word).columns.split("-").map(Number);
  const isAcross = !own && (fix.tracks ? !set : track === 0 || (isDrawn && !pair.length));
  const { left, right, unit, log } = scaleOf(isAcross ? `0:1:${ACROSS}` : word ?? "0:1:of its track"), [from, to] = isAcross ? [0, DATA.columns] : own || pair;
  if (from === undefined) return "";
  const turns = off.find(([first, last]) => first <= row && row <= last)?.[2] ?? 0;  // it is off its scale, printed so many tracks aside
  const share = (x - from + (turns && turns * (pair[1] - pair[0]))) / (to - from);
  const value = log ? left * (right / left) ** share : Number(left) + (right - left) * share;
  return [name, String(Number(value.toPrecision(4))), unit, turns ? "off its scale" : ""].filter(Boolean).join(" ");
}

function depths() {
  if (!fix?.depth) return { logs: DATA.depth ?? [], unit: DATA.depth_unit };
  const logs = fix.depth.logs.map((points, i, all) => {  // reach: as wellseg curves
    const [first, last] = [points[0][0], points.at(-1)[0]], more = (last - first) / 10;
    const [above, below] = [all[i - 1]?.at(-1)[0] ?? -Infinity, all[i + 1]?.[0][0] ?? Infinity];
    return { points, reach: [Math.max(first - more, (above + first) / 2), Math.min(last + more, (last + below) / 2)] };
  });
  return { logs, unit: fix.depth.unit };
}
const placed = JSON.stringify(DATA.depth?.length ? { logs: DATA.depth.map(({ points }) => points), unit: DATA.depth_unit } : null);  // what the files have
const isDepthNew = () => Boolean(fix.depth) && JSON.stringify(fix.depth.logs.length ? fix.depth : null) !== placed;
const spans = (points) => points.slice(1).map(([row, depth], i) => `${points[i][0]}-${row}=${points[i][1]}-${depth}`);
const depthOf = ([points, ...others]) => (!points ? ["none"] : others.length ? [points, ...others].flatMap(spans) : points.map((pair) => pair.join("=")));
const depthWord = (depth) => depth && `--depth ${depthOf(depth.logs).join(" ")}${depth.logs.length ? ` --depth_unit ${depth.unit}` : ""}`;
const depthWords = () => (isDepthNew() ? [depthWord(fix.depth)] : []);
const scaleWords = () => {  // scales that are not named stay: what was taken away is told
  const now = scales(), gone = Object.keys(scaled).map((name) => `${name}=`).filter((name) => !now.some((word) => word.startsWith(name)));
  return isScaled() ? [`--scale ${now.length ? [...now, ...gone].join(" ") : "none"}`] : [];
};

const BEYOND = 0.06;  // share of rows beyond the track from which on its borders may be others, as wellseg curves says
const NO_TRACK = "It lies in no track that was found: give the columns of its scale, or set the tracks.";
const BESIDE = 0.07;  // of a track's width: so near its borders a curve is of it, as wellseg curves says
function trackSet(lines) {  // of the tracks that are set here, the one in or beside which most of a curve lies; undefined: it lies in none
  const steps = lines.flatMap((line) => line.flatMap((x, k) => (k % 2 ? [] : [[x + 0.5, (line[k + 3] ?? line[k + 1] + 1) - line[k + 1]]])));
  const away = (x) => fix.tracks.map(([from, to]) => Math.max(from - x, x - to) / (to - from)), inIt = fix.tracks.map(() => 0);
  let inNone = 0;
  for (const [x, tall] of steps) {
    const off = away(x), least = Math.min(...off);
    if (least <= BESIDE) inIt[off.indexOf(least)] += tall;
    else inNone += tall;
  }
  return inIt.reduce((sum, it) => sum + it) > inNone ? fix.tracks[inIt.indexOf(Math.max(...inIt))] : undefined;
}
const isInNone = ({ track, lines }) => (fix.tracks ? !trackSet(lines) : track === 0);  // as they are set here, or as the files say
const doubtful = (curve, { left, right, log, columns }) => isInNone(curve) && !columns ? NO_TRACK : !left || !right ? ""
  : curve.beyond > BEYOND && !fix.tracks && !columns ? `${percent(curve.beyond)} of its rows lie beyond its track: if its scale is printed over several, give its columns.`
  : !log && Math.min(left, right) > 0 && Math.max(left / right, right / left) >= 100 ? "A scale over decades is mostly logarithmic: tick log if this one is." : "";

// Scales that are not whole, as they stand in their fields, by the number of the curve's name: a scale is typed in pieces.
const halves = {};
const numberOf = (curve) => curve?.place ?? followed.indexOf(curve);
const scaleFields = () => ({ ...Object.fromEntries(["left", "right", "unit", "columns"].map((id) => [id, $(`#${id}`).value])), log: $("#log").checked });
const isShown = (curve) => Object.entries(scaleOf(fix.scales[curve.name])).every(([id, value]) => scaleFields()[id] === value);  // as it is, in the fields
const plain = ({ log, ...texts }) => ({ log, ...Object.fromEntries(Object.entries(texts).map(([id, text]) => [id, text.trim().replace(/(?<=^-?[1-9]\d{0,2}(,\d{3})*),(?=\d{3}(?!\d))/g, "")])) });

function faultOf(curve, { left, right, unit, log, columns }) {
  const [from, to] = columns.split("-").map(Number), number = /^-?(\d{1,18}\.?\d{0,9}|\.\d{1,9})(e[+-]?\d)?$/i;
  return !left && !right ? "" : !left || !right ? "The value at the other border is still to be given."
    : !number.test(left) || !number.test(right) ? "Values are numbers, as 0.2 and 2000 are."
    : Number(left) === Number(right) ? "The two borders have the same value."
    : log && Math.min(left, right) <= 0 ? "On a logarithmic scale both are above 0."
    : !/^[\w/%.-]{0,20}$/.test(unit) || /^log$|^frac$/i.test(unit) ? "A unit has letters, digits, / % . - alone."
    : columns && !(/^[\d.]+-[\d.]+$/.test(columns) && from < to && to <= DATA.columns) ? "Columns are FROM-TO, as in 345-823."
    : !columns && isInNone(curve) ? NO_TRACK : "";
}

let saying = 0;
function takeScale() {
  const curve = followed[alone], { name } = curve, { left, right, unit, log, columns } = plain(scaleFields());
  const none = !left && !right, fault = faultOf(curve, { left, right, unit, log, columns });
  if (fault || (none && (unit || columns))) halves[numberOf(curve)] = scaleFields();
  else delete halves[numberOf(curve)];
  // Later: where the list moves between the two halves of a click, the click is lost.
  clearTimeout(saying);
  saying = setTimeout(() => {
    const isSeen = followed[alone]?.name === name, isDone = none || (left && right) || !document.activeElement.closest("#scale");
    if (isSeen || fault) $("#fault").textContent = !isDone ? "" : isSeen ? fault || doubtful(curve, { left, right, log, columns }) : `${name}, whose scale stays: ${fault}`;
  }, 200);
  if (fault) return;
  const scale = none ? undefined : scaleWord({ left, right, unit, log, columns });
  if (scale !== fix.scales[name]) correct(name, () => {
    const backup = fix.names[backupOf(name)];  // its scale follows, unless it has another
    if (backup && fix.scales[backup] === tenfold(fix.scales[name])) setScale(backup, tenfold(scale));
    setScale(name, scale);
  });
}
for (const field of document.querySelectorAll("#scale input")) {
  field.onchange = takeScale;
  field.onfocus = () => { field.was = field.value; };
  field.onkeydown = ({ key }) => {  // Esc takes back what was typed in this one alone, as in a table
    if (key === "Escape") field.value = field.was;
    if (key === "Escape") field.blur();
    if (key !== "Enter") return;
    takeScale();
    field.was = field.value;
    if (isShown(followed[alone])) field.blur();  // it is whole: keys are the page's again, as after a name
  };
}
