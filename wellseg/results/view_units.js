// Values and depths in their units: what --scale and --depth say.

// By the curve's name, as --scale has it: "0.2:2000:OHMM:log"; none: fractions of the track.
function scalesOf(curves) {
  return Object.fromEntries(curves.filter(({ scale }) => scale && scale[2] !== "FRAC")
    .map(({ name, scale: [left, right, unit, log] }) => [name, `${left}:${right}${unit && `:${unit}`}${log ? ":log" : ""}`]));
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

function depths() {
  const points = fix?.depth?.points;
  if (!points) return { logs: DATA.depth ?? [], unit: DATA.depth_unit };
  const [first, last] = [points[0][0], points[points.length - 1][0]], more = (last - first) / 10;  // as wellseg curves
  return { logs: [{ points, reach: [first - more, last + more] }], unit: fix.depth.unit };
}
const isDepthNew = () => Boolean(fix.depth) && JSON.stringify(fix.depth) !== JSON.stringify({ points: DATA.depth?.[0]?.points, unit: DATA.depth_unit });

// Whether --scale is to be given: the files have others, or the names have changed.
const isScaled = () => scales().sort().join() !== Object.entries(JSON.parse(scaled)).map((pair) => pair.join("=")).sort().join();

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
