"use strict";
/* Start: numbers of the rows first, then the network. */

const FIVE = [
  ["Score the same weights twice before you blame them: once with running statistics, once with each picture’s own.",
    "net.eval(); then norm.train() for each BatchNorm, one picture at a time. If the second is better, the weights are fine."],
  ["If you predict on pictures unlike the training, use a norm that reads the picture: GroupNorm by half_or_16, or InstanceNorm.",
    "Trade-off figure above: they keep more of their score on another kind of log."],
  ["If your pictures are mostly blank and always of one kind, fixed statistics cost nothing there. Else cut the blank away, or predict by windows.",
    "Blank paper changes what a norm that reads the picture divides by."],
  ["If you must keep BatchNorm: train long enough for its momentum, let the learning rate go down to zero, and correct the start.",
    "A buffer of momentum m looks back over about 1/m pictures; after n of them (1 − m)ⁿ of it is still mean 0, variance 1."],
  ["If you have unlabelled pictures of the new kind, take their statistics; a few suffice, and no label is needed.",
    "One pass, in training mode, with the statistics averaged over the pictures."],
];
const LIMITS = [
  "One task, one family of networks: curves on drawn and scanned well logs, a residual U-Net of 0.41 million parameters, AdamW.",
  "Drawn logs are ours. Real regions are few (15 of 13 wells, 7 colour logs) and have been scored before.",
  "The network in this page is one seed, its weights rounded to half precision; the numbers over all logs are of all seeds, not rounded.",
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
  others(data);
  partsTable(data);
  for (const [words, why] of FIVE) $("five").append(h("li", {}, words, h("small", {}, why)));
  for (const words of LIMITS) $("limits-list").append(h("li", {}, words));
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
