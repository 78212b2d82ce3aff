// What was begun when the page was left, and is no correction yet: half a scale, a name, what is being drawn.

const begun = `begun on ${location.pathname}`;
let isKept = false;  // something is stored, and it is of this tab

function keepBegun() {
  const curve = followed[alone], isTyping = curve && document.activeElement.matches("#scale input") && !isShown(curve);
  const now = isTyping ? { ...halves, [numberOf(curve)]: scaleFields() } : halves;  // its field is not left yet
  const typed = curve && $("#name").value !== curve.name ? $("#name").value : "";
  const half = followed.filter((one) => now[numberOf(one)]).map((one) => [one.name, now[numberOf(one)]]);
  const isDrawn = pen?.points.length && String(pen.points) !== pen.had;
  try {
    if (half.length || typed || isDrawn) localStorage.setItem(begun, JSON.stringify({ those, name: curve?.name, typed, half, pen: isDrawn ? pen : null }));
    else if (isKept) localStorage.removeItem(begun);  // not that of another tab
    isKept = Boolean(half.length || typed || isDrawn);
  } catch { /* a browser that keeps nothing */ }
}
for (const kind of ["pagehide", "visibilitychange"]) addEventListener(kind, keepBegun);

function resume({ those: of, name, typed, half, pen: had }) {
  const at = (own) => followed.findIndex((curve) => curve.name === own);
  for (const [own, fields] of half) if (at(own) >= 0) halves[numberOf(followed[at(own)])] = fields;
  showWhole(true);
  if (at(name) >= 0) isolate(at(name));
  if (halves[numberOf(followed[alone])]) takeScale();  // it may be whole
  if (typed && at(name) >= 0) {
    $("#name").value = typed;
    $("#name").dispatchEvent(new Event("change"));
  }
  const isOfScan = ["depth", "tracks"].includes(had?.kind) || !had?.of;  // curves may be others by now, or have other names
  if (!had || (of !== those && (had.gap || !(isOfScan || at(had.of) >= 0)))) return;
  isolate(at(had.of), had.gap ? had.gap.row : -1);
  draw(had.kind);
  Object.assign(pen, had);
  sayPen();
}
try {
  const left = JSON.parse(localStorage.getItem(begun));
  isKept = Boolean(left);
  if (left) resume(left);
} catch { /* a browser that keeps nothing */ }
