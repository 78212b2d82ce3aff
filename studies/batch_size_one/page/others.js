"use strict";
/* Parts B, C, E and F, what stands in sentences, and the list of parts. */

/** A line of one cell is a head of those below it. */
const tableOf = (head, lines) => h("div", { class: "scroll" }, h("table", {},
  h("thead", {}, h("tr", {}, head.map((t, i) => h("th", { class: i ? "number" : "" }, t)))),
  h("tbody", {}, lines.map((line) => h("tr", {}, line.length === 1 ? h("th", { colspan: head.length, scope: "rowgroup" }, line[0]) :
    line.map((t, i) => h("td", { class: i ? "number" : "" }, t)))))));
const between = (d) => `${signed(d.mean, 3)} (95 % ${interval(d)})`;
const three = (of, say) => [h("b", { class: "own" }, say(of.own)), " with the log’s own statistics, ", h("b", { class: "running" }, say(of.running)),
  " with running ones, ", h("b", { class: "group" }, say(of.group)), " with GroupNorm"];

function others(data) {
  const part = (letter, title, words, there) => {
    const box = h("div", { class: "plot wide" }), p = data.parts.find((each) => each.part === letter);
    const seeds = there ? ` ${p.seeds} of ${p.planned_seeds} seeds${p.seeds === 1 ? ", which says little" : ""}.` : "";
    $("others-body").append(h("h3", { id: `part-${letter}` }, title), h("p", {}, words, seeds), box);
    if (!there) notRun(box, letter, data);
    return box;
  };
  const b = part("B", "Other norms over the learning rate", "F1 on renders minus that of GroupNorm with groups of 16 at the same rate. No rate is chosen.", data.over_rates);
  if (data.over_rates) {
    const { rates, lines } = data.over_rates.renders;
    forest(b, Object.entries(lines).map(([label, line]) => {
      const [name, note] = label.split(" (");
      return { label: name, note: note && note.replace(")", ""), dots: line.map((d, i) => ({ d, name: `rate ${rates[i]}`, faint: `shade${i}` })).filter(({ d }) => d) };
    }), { label: "Other norms", left: 300 });
    const kept = Object.entries(data.more.kept).filter(([name]) => !name.startsWith("Online"));
    b.before(h("p", {}, "Found after 400 steps, three seeds: with smaller groups GroupNorm keeps more on renders, but not at 0.01. The rule of sixteen is not borne out for a network as narrow as this. " +
      "Weight standardisation helps it. Batch Renorm cannot be told from it at the three lower rates. Online Normalization needs more logs than a run has. ",
      h("small", {}, `Share of F1 kept on renders, by rate. ${kept.map(([name, of]) => `${name.replace("GroupNorm, ", "")}: ${of.map(percent).join(", ")}`).join("; ")}.`)));
  }
  batchSweep(part("C", "One to eight logs a step", "The figure that the GroupNorm paper is known for: BatchNorm pooled over the logs of a step, GroupNorm accumulated over them.", data.batch), data.batch);
  articleSizes(part("E", "Logs of the article’s size", "Trained on whole logs of 3,200 × 480: BatchNorm 0.01 (v1) and GroupNorm, each at its best rate of part A.", data.sizes), data);
  const f = part("F", "Both kinds in the training", "Scans and renders in equal parts; each norm minus GroupNorm. Last row: of each norm, its score where half and more is blank, minus that without the blank.", data.mixed);
  if (data.mixed) {
    const kinds = ["running", "soft", "own", "mixed", "group"], names = [...new Set(data.mixed.map((d) => d.label))];
    forest(f, bySet(data.mixed, (d) => ({ d, kind: kinds[names.indexOf(d.label)], name: d.label })), { label: "Mixed training", left: 280 });
    f.before(h("p", {}, "Found: the norm still matters. On renders InstanceNorm is above GroupNorm, and so is the hybrid, which is InstanceNorm in the first stage alone. " +
      "At a threshold of 0.5 no BatchNorm can be told from GroupNorm; at thresholds that are best for the other seeds both are above it. 800 steps, six seeds; one training with GroupNorm fell apart and counts."));
  }
}

const bySet = (all, dot, names = SETS) => [...new Set(all.map((d) => d.set))].map((set) => {
  const [label, note] = names[set].split("|");
  return { label, note, dots: all.filter((d) => d.set === set).map(dot) };
});
const LINES = {
  group: ["GroupNorm", "group"], running: ["BatchNorm, running statistics", "running"], own: ["the same weights, each log’s own", "own"],
  "running constant": ["trained with statistics constant to the gradient, running", "running", true],
  "own constant": ["those weights, each log’s own", "own", true],
};
const linesOf = (lines) => Object.entries(LINES).filter(([key]) => lines[key])
  .map(([key, [name, kind, hollow]]) => ({ name, kind, hollow, line: lines[key] }));
const keysOf = (lines) => legend(new Map(lines.map(({ name, ...about }) => [name, about])));
const highest = (all) => Math.max(...all.map((d) => d.high ?? d.mean)) * 1.03;
const sureOf = (all) => (all.some((d) => d.low !== null) ? "bar: 95 % interval" : "one seed, no interval");

function batchSweep(box, batch) {
  if (!batch) return;
  const panels = Object.entries(batch), all = panels.flatMap(([, { lines }]) => Object.values(lines).flat()).filter(Boolean), grid = h("div", { class: "two" });
  const rates = [...new Set(panels.map(([key]) => key.split("|")[1]))];
  const ends = (rate, key) => { const line = batch[`like|${rate}`].lines[key]; return `${plain(line.at(-1).mean)} to ${plain(line[0].mean)}`; };
  const cells = panels.flatMap(([, { lines }]) => lines.running.map((d, i) => [d, lines["running constant"][i]])).filter(([a, b]) => a && b);
  box.before(h("p", {}, "Found after 400 steps, three seeds: as the batch shrinks, BatchNorm is not seen to lose more than GroupNorm, where in that paper it loses far more; even one log has many values for each channel (Width). The k logs of a step are a window that slides over the logs. " +
    `From eight logs a step down to one, F1 like the training goes from ${rates.map((rate) =>
    `${ends(rate, "running")} with running statistics and from ${ends(rate, "group")} with GroupNorm (rate ${rate})`).join(", from ")}. ` +
    `On renders running minus own statistics of the same weights is ${rates.map((rate) => { const { running, own } = batch[`renders|${rate}`].lines;
      return [0, -1].map((k) => signed(running.at(k).mean - own.at(k).mean)).join(" with one log a step and ") + ` with eight (rate ${rate})`; }).join(", ")}: most of that fault is not of batch size one. ` +
    `Without the gradient through the statistics F1 with running ones is lower in ${cells.filter(([a, b]) => b.mean < a.mean).length} of ${cells.length} cells.`));
  box.append(keysOf(linesOf(panels[0][1].lines)), grid, daggers(all));
  for (const [key, { x, lines }] of panels) {
    const [set, rate] = key.split("|"), plot = h("div");
    grid.append(h("div", {}, h("p", { class: "plot-title" }, `F1, ${SETS[set]}, rate ${rate}`), plot));
    levels(plot, x, linesOf(lines), { label: `F1 over logs a step, ${SETS[set]}, rate ${rate}`, high: highest(all), xTitle: `logs a step; ${sureOf(all)}` });
  }
}

function lengths(data) {
  const box = $("longer-plots");
  if (!data.lengths) return notRun(box, "G", data);
  const { x, lines } = data.lengths, all = Object.values(lines).flatMap(Object.values).flat().filter(Boolean), grid = h("div", { class: "two" });
  const steps = x.map((n) => n.toLocaleString("en")), last = steps.at(-1), words = { running: "running", own: "own", group: "GroupNorm" };
  // Each norm at its rate of 1,600 steps, then both at one rate, which parts H and I have.
  const row = (set, chosen, a, b, end) => {
    const of = data.lengths.one_rate[set], at = Number(chosen), value = (way, i) => (chosen ? data.lengths.best[set][way][i] : lines[set][way][i].mean);
    const ends = [0, 1].map((i) => signed(of[a][i][at] - of[b][i][at])), rated = (way) => of[way][way === "group" ? 1 : 0][at];
    const less = end ? [...x.slice(1).map(() => ""), signed(rated(a) - rated(b))] : x.map((_, i) => signed(value(a, i) - value(b, i)));
    return [`${words[a]} − ${words[b]}`, ...less, ...ends];
  };
  const chosen = "threshold chosen anew";
  $("longer-fact").append(tableOf(["Difference of F1 after … steps", ...steps, "both at 0.0003", "both at 0.001"], [
    ["Like the training, threshold 0.5"], row("like", false, "running", "group"), row("like", false, "running", "own"),
    [`Like the training, ${chosen}`], row("like", true, "running", "group"), row("like", true, "running", "own"),
    ["The same on the validation logs"], row("validation", true, "running", "group", true), row("validation", true, "running", "own", true),
    ["Renders, threshold 0.5"], row("renders", false, "running", "group"), row("renders", false, "own", "group"),
    [`Renders, ${chosen}`], row("renders", true, "running", "group"), row("renders", true, "own", "group"),
    [`Real 1-bit, ${chosen}`], row("real_bilevel", true, "running", "group", true), row("real_bilevel", true, "own", "group", true),
    [`Real colour, ${chosen}`], row("real_colour", true, "running", "group", true), row("real_colour", true, "own", "group", true),
  ]), h("p", { class: "note" }, `Chosen anew: after 1,600 and 6,400 steps the threshold that is best for the other seeds, after ${last} the one that is best on the network’s own validation logs. ` +
    `In the first columns GroupNorm has the rate 0.001 and the others 0.0003, the best after 1,600 steps; in the last two, after ${last} steps, both have one rate.`));
  box.append(keysOf(linesOf(lines.like)), grid, daggers(all));
  for (const [set, of] of Object.entries(lines)) {
    const plot = h("div"), words = x.map((n, i) => `${n.toLocaleString("en")}|${of.own[i].seeds} seed${of.own[i].seeds > 1 ? "s" : ""}`);
    grid.append(h("div", {}, h("p", { class: "plot-title" }, `F1, ${SETS[set]}`), plot));
    levels(plot, words, linesOf(of), { label: `F1 over the steps, ${SETS[set]}`, high: highest(all), xTitle: `steps of one log; ${sureOf(all)}`, bottom: 62 });
  }
  const apart = h("div"), names = [...new Set(data.lengths.pairs.map((d) => d.label))], kinds = ["running", "soft", "own"];
  box.append(h("p", { class: "plot-title" }, `Differences after ${last} steps, threshold 0.5, each at its rate that was best after 1,600`), apart);
  forest(apart, bySet(data.lengths.pairs, (d) => ({ d, kind: kinds[names.indexOf(d.label)], name: d.label })), { label: "Differences after the longest training", left: 240 });
}

const SIZES = {
  like: "small logs|112 to 336 rows, not what was trained on", blank: "small logs, partly blank", tall3200: "3,200 × 480|like the training",
  tall6400: "6,400 × 560", tall12800: "12,800 × 640|two logs of 6,400 rows, one below the other",
};

function articleSizes(box, data) {
  if (!data.sizes) return;
  const { x, lines } = data.size_scores, shown = linesOf(lines), plot = h("div", { class: "narrow" }), rows = h("div"), all = shown.flatMap(({ line }) => line).filter(Boolean);
  box.append(keysOf(shown), h("p", { class: "plot-title" }, "F1 of each, by the size of the log"), plot, daggers(all),
    h("p", { class: "plot-title" }, "BatchNorm 0.01 with running statistics, minus two others"), rows);
  levels(plot, x.map((set) => SIZES[set].split("|")[0].replace(" × ", "|× ")), shown, { label: "F1 by size", xTitle: sureOf(all), high: highest(all), bottom: 62 });
  forest(rows, bySet(data.sizes, (d) => ({ d, kind: d.against, name: d.against === "group" ? "minus GroupNorm" : "minus its own statistics" }), SIZES),
    { label: "Sizes", left: 320 });
}

/* --- Sentences -------------------------------------------------------------------------------- */

function sentences(data) {
  const { more } = data, h1 = data.family.find((f) => f.name === "H1");
  if (data.family.every((f) => f.word)) {
    $("finding").hidden = $("findings").hidden = false;
    $("finding-number").textContent = `${signed(h1.mean)} of F1, 95 % ${interval(h1)}`;
  }
  const one = (d) => `${plain(d.mean, 1)} (${interval(d, (x) => plain(x, 1))})`;
  if (more.false_px) $("false-fact").append("Where there is no curve at all: on real regions of that kind false centreline pixels a row are ", ...three(more.false_px, one), ".");
  if (more.thresholds) $("threshold-fact").append("A part of the loss on renders is the threshold. At the best one for those very logs F1 is ",
    ...three(more.thresholds, ([f1, at]) => `${plain(f1)} (at ${at})`), "; at 0.5 it is ", ...three(more.renders, (d) => plain(d.mean)), ".");
  if (more.precise) $("precise-fact").textContent = "More logs of the old kind are no cure: statistics of 200 training logs, all norms at once (PreciseBN), change F1 on renders by " +
    `${between(more.precise["at once renders"])}, layer by layer by ${between(more.precise["layer by layer renders"])}.`;
  if (more.freezing) $("freezing").append(h("h3", {}, "Freezing the statistics"),
    h("p", {}, "Running statistics stay as they are after a share of 400 steps, while the weights go on. F1 like the training, each seed. Early the buffers are still mostly their start. " +
      "Late, one seed of three marks nothing. With own statistics the same weights score higher every time."),
    tableOf(["Frozen after … of the steps", "running statistics", "the log’s own"], Object.entries(more.freezing).map(([share, { running, own }]) =>
      [`${percent(Number(share))}`, ...[running, own].map((f1) => f1.map((x) => plain(x)).join(", "))])));
}

/** The numbers that the study was to reach and did not. */
function missed(data) {
  const best = data.tradeoff.filter((p) => p.best).sort((a, b) => b.f1.like - a.f1.like)[0], found = [];
  if (best && best.f1.like < 0.85) found.push(`Missed: F1 on scans like the training was to be 0.85 or more for the better ways. After 1,600 steps the highest is ${plain(best.f1.like)} (${best.short}), after 25,600 ${plain(Math.max(...Object.values(data.lengths?.lines.like ?? {}).map((line) => line.at(-1).mean)))}.`);
  const far = Object.entries(data.more.second || {}).filter(([, [a, b]]) => Math.abs(a - b) > 1e-3);
  if (far.length) found.push("Missed: a second machine was to give the same F1 within 0.001. One training was run on two; with own statistics, seed 0, they have " +
    `${far.map(([set, both]) => `${both.map((x) => plain(x, 3)).join(" and ")} on ${SETS[set]}`).join(", ")}.`);
  return found;
}

function partsTable(data) {
  $("parts").append(tableOf(["Part", "Trainings scored", "Seeds"], data.parts.map((p) => [h("span", {}, `${p.part}: ${p.title}`,
    p.diverged.length ? h("small", {}, ` † Diverged: ${p.diverged.join("; ")}.`) : null),
    p.scored || p.seeds ? `${p.scored} of ${p.planned}` : waiting(p, data), `${p.seeds} of ${p.planned_seeds}`])));
}
