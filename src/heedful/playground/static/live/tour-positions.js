/**
 * The tour's figure of positions: the paper's waves, rotary clocks, and words put in another order.
 */

import { draw, make } from "heedful/dom.js";
import { t } from "heedful/i18n.js";
import { plain } from "heedful/numbers.js";
import { shuffled, sinusoid, spread, turned } from "heedful/live/tour-maths.js";
import { later, said } from "heedful/live/tour-kit.js";
import { embedding } from "heedful/live/tour-vectors.js";

/** @typedef {import("heedful/live/tour-kit.js").Look} Look */

/** Pieces that are drawn, one below the other. */
const ROWS = 16;
/** Numbers of each that are drawn. */
const COLUMNS = 48;
/** Schemes of which there is something to say. */
const KNOWN = ["sinusoidal", "learned", "rotary", "alibi", "relative", "none"];

/**
 * @param {Look} look
 * @returns {Node[]}
 */
export function positions(look) {
  const kind = look.card?.position;
  const n = Math.min(look.trace.source.tokens.length, ROWS);
  const found = [waves(look), make("p", { class: "note", text: t("tour.positions.waves", { n }) })];
  if (KNOWN.includes(kind)) {
    found.push(make("p", { class: "own-way", text: t(`tour.positions.${kind}`) }));
  }
  if (kind === "rotary") found.push(later(embedding(look, 0), (one) => clocks(look, one)));
  return [...found, ...order(look)];
}

/** Draw the paper's pattern: a row for each piece, a column for some of its numbers. */
function waves(look) {
  const { tokens } = look.trace.source;
  const d_model = look.card?.d_model ?? look.trace.wire.model.d_model;
  const places = spread(Math.ceil(d_model / 2), COLUMNS); // beyond, a sentence sees no change
  const rows = tokens.slice(0, ROWS);
  const [name, high] = [92, 18];
  const wide = (look.width - name) / places.length;
  const cells = rows.flatMap((_, position) =>
    places.map((place, column) => {
      const value = sinusoid(position, place, d_model);
      const box = { x: name + column * wide, y: position * high, width: wide, height: high - 2 };
      const ink = { class: value < 0 ? "low" : "high", "fill-opacity": Math.abs(value).toFixed(3) };
      return draw("rect", { ...box, ...ink });
    }),
  );
  const names = rows.map((token, position) =>
    draw("text", { x: 0, y: position * high + 13, text: `${position} ${cut(plain(token), 9)}` }),
  );
  const size = { width: look.width, height: rows.length * high };
  const about = { role: "img", "aria-label": t("tour.positions.wavesLabel", { n: rows.length }) };
  return draw("svg", { ...size, class: "waves", ...about }, ...names, ...cells);
}

function cut(text, count) {
  const letters = Array.from(text);
  return letters.length > count ? `${letters.slice(0, count - 1).join("")}…` : text;
}

/** Draw how far queries and keys are turned at each place: a row of clocks for some pairs. */
function clocks(look, { position }) {
  const { heads, d_model } = look.trace.wire.model;
  const d_k = d_model / heads;
  const theta = position?.theta;
  if (!theta) return [];
  const pairs = [0, 1 / 8, 1 / 4, 1 / 2].map((part) => Math.floor((part * d_k) / 2));
  const [name, size] = [68, 30];
  const count = Math.min(look.trace.source.tokens.length, Math.floor((look.width - name) / size));
  const parts = pairs.flatMap((pair, row) => {
    const y = row * size + size / 2;
    const label = draw("text", { x: 0, y: y + 4, text: t("tour.positions.pair", { n: pair + 1 }) });
    const faces = Array.from({ length: count }, (_, place) => {
      const x = name + place * size + size / 2;
      const angle = turned(place, pair, d_k, theta);
      const [dx, dy] = [11 * Math.sin(angle), -11 * Math.cos(angle)];
      return draw(
        "g",
        {},
        draw("circle", { cx: x, cy: y, r: 12, class: "face" }),
        draw("line", { x1: x, y1: y, x2: x + dx, y2: y + dy, class: "hand" }),
      );
    });
    return [label, ...faces];
  });
  const numbers = Array.from({ length: count }, (_, place) => {
    const x = name + place * size + size / 2;
    return draw("text", { x, y: 4 * size + 14, "text-anchor": "middle", text: String(place) });
  });
  const facts = { width: look.width, height: 4 * size + 18, class: "clocks", role: "img" };
  const about = { "aria-label": t("tour.positions.clocksLabel") };
  return [
    draw("svg", { ...facts, ...about }, ...parts, ...numbers),
    make("p", { class: "note", text: t("tour.positions.clocks", { d: d_k / 2 }) }),
  ];
}

/** Let the model translate the same words in another order. */
function order(look) {
  const { text } = look.trace.wire.source;
  const { seed = 0 } = look.choice;
  const title = make("h3", { text: t("tour.positions.order") });
  const button = make("button", {
    type: "button",
    class: "toggle",
    "data-key": "shuffle",
    text: t(seed ? "tour.positions.again" : "tour.positions.shuffle"),
    on: { click: () => look.choose({ seed: seed + 1 }) },
  });
  if (!seed) return [title, button];
  const other = shuffled(text, seed);
  if (other === text) return [title, button, said(t("tour.positions.one"))];
  const { to } = look.trace.wire;
  const asked = look.ask("/v1/translate", { texts: [other], model: look.model, to });
  const shown = ({ translations }) => compared(look, other, translations[0].text);
  return [title, button, later(asked, shown)];
}

function compared(look, other, translation) {
  const { source, target } = look.trace.wire;
  const line = (text, lang, name = "") => make("p", { class: `line ${name}`, lang, text });
  return [
    make(
      "div",
      { class: "compared" },
      line(source.text, look.spoken.source),
      line(target.text, look.spoken.target, "translation"),
      line(other, look.spoken.source),
      line(translation, look.spoken.target, "translation"),
    ),
    said(t(target.text === translation ? "tour.positions.same" : "tour.positions.differs")),
  ];
}
