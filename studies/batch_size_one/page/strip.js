"use strict";
/* A log with its mask painted on, and what is found of its curves. */

const INKS = { own: [0, 118, 110], running: [214, 84, 0], group: [62, 84, 200], mixed: [128, 62, 160] };
const MISSED = [205, 0, 90];

class Strip {
  /** box gets a canvas and a line that says what is found. */
  constructor(engine, box) {
    this.engine = engine;
    this.canvas = h("canvas", { class: "log" });
    this.says = h("p", { class: "says", "aria-live": "polite" });
    box.append(h("div", { class: "paper", tabindex: 0, role: "group", "aria-label": "The log; arrow keys move it where it is larger than its box" }, this.canvas), this.says);
    this.box = box;
    this.paper = box.firstElementChild;
    this.truth = false;
    this.result = null;
  }

  /** picture: {gray, h, w, key, truth?, shown?: rows that are shown}. how: see Engine.ask. */
  show(picture, how, ink, then, urgency = 5) {
    Object.assign(this, { picture, how, ink });
    if (this.drawn !== picture.key) this.paint(null);
    this.box.classList.add("waiting");
    this.engine.ask(this, picture, how, (result) => {
      this.box.classList.remove("waiting");
      this.result = result;
      this.paint(result);
      if (then) then(result);
    }, { urgency });
  }

  paint(result) {
    const { picture, canvas } = this, { gray, w } = picture, rows = picture.shown || picture.h;
    this.drawn = picture.key;
    const small = new ImageData(w, rows), to = small.data, ink = INKS[this.ink];
    const mask = result ? result.mask : null;
    const truth = picture.truth, reached = mask && truth && this.truth ? near(mask, rows, w) : null;
    for (let i = 0, p = 0; i < w * rows; i++, p += 4) {
      // Paper stays paper, ink becomes a pale gray, so that the mask stands out.
      const v = 255 - (255 - gray[i]) * (mask ? 0.5 : 0.8);
      let [r, g, b] = [v, v - 2, v - 7];
      if (reached && truth[i] === 255 && !reached[i]) [r, g, b] = MISSED;
      if (mask && mask[i]) [r, g, b] = ink;
      to[p] = r; to[p + 1] = g; to[p + 2] = b; to[p + 3] = 255;
    }
    const one = h("canvas", { width: w, height: rows });
    one.getContext("2d").putImageData(small, 0, 0);
    canvas.width = 2 * w;
    canvas.height = 2 * rows;
    const context = canvas.getContext("2d");
    context.imageSmoothingEnabled = false;
    context.drawImage(one, 0, 0, 2 * w, 2 * rows);
    canvas.setAttribute("role", "img");
    if (this.placed !== picture.key) this.place();
    const found = mask ? this.found(mask) : null;
    this.numbers = found;
    canvas.setAttribute("aria-label", found ? `A well log; ${this.words(found)}` : "A well log");
    this.says.textContent = found ? this.words(found, result) : "computing …";
  }

  /** Where the log is wider than its box, begin where most curve is. */
  place() {
    const { picture, paper } = this, { w, truth } = picture;
    this.placed = picture.key;
    if (!truth) return;
    let sum = 0, many = 0;
    for (let i = 0; i < truth.length; i++) if (truth[i] === 255) { sum += i % w; many++; }
    if (many) paper.scrollLeft = (sum / many / w) * this.canvas.clientWidth - paper.clientWidth / 2;
  }

  found(mask) {
    const { picture } = this, { w, truth } = picture, rows = picture.shown || picture.h;
    const here = mask.subarray(0, w * rows);
    let marked = 0;
    for (const m of mask) marked += m;
    if (!truth) return { marked };
    const curve = truth.map((t) => (t === 255 ? 1 : 0));
    const aroundMask = near(here, rows, w), aroundCurve = near(curve, rows, w);
    let there = 0, hit = 0, right = 0;
    for (let i = 0; i < w * rows; i++) {
      if (curve[i]) { there++; hit += aroundMask[i]; }
      if (here[i] && aroundCurve[i]) right++;
    }
    return { marked, found: there ? hit / there : null, right: marked ? right / marked : null };
  }

  words({ marked, found, right }, result) {
    const time = result ? ` ${(result.ms / 1000).toFixed(1)} s in this page.` : "";
    if (found === undefined) return `${marked.toLocaleString("en")} pixels marked.${time}`;
    if (!marked) return `Nothing marked: 0 % of the curve found.${time}`;
    return `${percent(found)} of the curve found; ${percent(right)} of the marks are right.${time}`;
  }
}
