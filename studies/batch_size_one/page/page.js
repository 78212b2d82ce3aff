"use strict";
/* Start: numbers of the rows first, then the network. */

/** Each line of advice, why, and what this study has to show for it so far: data -> words, or null. */
const FIVE = [
  ["Score the same weights twice before you blame them: with running statistics, and with each picture’s own.",
    "On a copy: net.eval(), then for each BatchNorm norm.momentum = 0 and norm.train(); one picture at a time. If the second is better, the statistics are part of the fault.",
    (data) => difference(data, "m0.01", "own", "renders", "On renders, running minus own: ")],
  ["If you will predict on pictures unlike the training, divide by each picture’s own statistics: InstanceNorm.",
    "GroupNorm by half_or_16 reads the picture, too, but sixteen channels together, and after 1,600 steps keeps hardly more than running statistics; after 25,600, at the same rate, a little less than InstanceNorm (3 seeds).",
    (data) => {
      const kept = data.tradeoff.filter((p) => p.best).map((p) => `${p.short} ${percent(p.renders.mean)}`);
      return kept.length ? `Of the F1, kept on renders: ${kept.join("; ")}.` : null;
    }],
  ["If pictures are mostly blank, InstanceNorm pays for it: cut the blank away, or predict by windows.",
    "Blank paper changes what a norm for each channel divides by.",
    (data) => {
      const d = data.family.find((f) => f.name === "H7");
      return d && d.seeds ? `Where half and more is blank, own minus running: ${signed(d.mean)} (95 % ${interval(d)}; ${seedsOf(d.seeds, 12)}).` : null;
    }],
  ["Choose the threshold of the mask anew, on a few labelled pictures, for each network and after each change of statistics.",
    "Trained for long, running statistics shift the score: most of what they lose on drawn pictures like the training is that.",
    (data) => {
      const found = data.lengths, last = (lines) => lines.at(-1), of = found && found.one_rate.validation;
      return found && found.x.length > 1 ? `Running minus GroupNorm, like the training, after ${last(found.x).toLocaleString("en")} steps: ${signed(last(found.lines.like.running).mean - last(found.lines.like.group).mean)} at 0.5; ` +
        `at the threshold that its validation logs choose ${signed(last(found.best.like.running) - last(found.best.like.group))} on the test logs, ${signed(of.running[0][1] - of.group[1][1])} on those validation logs (3 seeds).` : null;
    }],
  ["If you have unlabelled pictures of the new kind, measure the running statistics anew on them; no label is needed.",
    "One pass with each picture’s own statistics, averaged, the variance between pictures included (AdaBN; Schneider et al. 2020).",
    (data) => {
      const found = data.unlabelled && data.unlabelled.renders && data.unlabelled.renders.priors["0"];
      const some = found && found.x.map((n, i) => [n, found.line[i]]).filter(([n]) => n === 16 || n === 64);
      return some && some.length ? `F1 gained on renders: ${some.map(([n, d]) => `${signed(d.mean)} with ${n}`).join(", ")}.` : null;
    }],
];

function difference(data, way, against, set, words) {
  const d = data.pairs.find((p) => p.way === way && p.against === against && p.set === set);
  return d ? `${words}${signed(d.mean)} (95 % ${interval(d)}; ${seedsOf(d.seeds, 12)}).` : null;
}

const LIMITS = [
  "One task, one family of networks: curves on drawn and scanned well logs, a residual U-Net of 0.41 million parameters, AdamW.",
  "All but Longer training (parts G to I, three seeds) was trained for 1,600 steps at most, when no norm has learnt all that it could.",
  "Intervals of parts with three seeds are too narrow. p of the eight says that the seeds agree, nothing of other logs or wells.",
  "Drawn logs are drawn by us. Real regions are few (15 of 13 wells, 7 colour logs) and have been scored before.",
  "The network in this page is one seed, its BatchNorm trained once more on a second machine (part D), its weights rounded to half precision; the numbers over all logs are of all seeds, not rounded.",
  "In the map, all stops before the last are scored on 16 logs, the last on 64; nothing there is tested, and its intervals are not corrected for their number.",
  "“Found” and “right” under a strip count pixels within 3 px. F1@3px, the study’s score, thins masks to centrelines first.",
];

function start() {
  const data = JSON.parse($("data").textContent);
  fact(data);
  tradeoff($("tradeoff"), data);
  family(data);
  pairs(data);
  momentumMap(data);
  lengths(data);
  others(data);
  sentences(data);
  partsTable(data);
  for (const [words, why, shown] of FIVE)
    $("five").append(h("li", {}, words, h("small", {}, `${why} `, shown(data) ? h("b", {}, shown(data)) : "Not shown by this study yet.")));
  for (const words of [...LIMITS, ...missed(data)]) $("limits-list").append(h("li", {}, words));
  // On a phone the first figure stands before the finding: both are seen within two screens.
  const phone = matchMedia("(max-width: 560px)"), finding = document.querySelector(".finding");
  (phone.onchange = () => (phone.matches ? $("hero") : document.querySelector(".lead")).after(finding))();
  if (data.live) liveFigures(data, data.live, $("network").textContent);
  else {
    document.body.classList.add("no-network");
    for (const box of document.querySelectorAll(".live"))
      box.replaceChildren(h("p", { class: "not-run" }, "This page was made without the trained weights, so nothing runs here."));
    depthRows(data, () => null);
    newRows(data, () => null, () => "0")();
    for (const id of ["width-controls"]) $(id).replaceChildren();
  }
}

start();
