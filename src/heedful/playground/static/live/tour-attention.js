/**
 * The tour's figures of attention: one piece asks and all answer, and what every head does with it.
 */

import { headColour } from "heedful/colours.js";
import { draw, make, makePiece, table } from "heedful/dom.js";
import { hasText, t } from "heedful/i18n.js";
import { capital, headName, percent, plain } from "heedful/numbers.js";
import { habit, largest, rowOfHead, scoresOf, softmax } from "heedful/live/tour-maths.js";
import {
  headOf,
  headPick,
  later,
  pieces,
  quoted,
  radios,
  said,
  short,
  shownRow,
  written,
} from "heedful/live/tour-kit.js";

/** @typedef {import("heedful/live/tour-kit.js").Look} Look */

/** Rows of the table; of a longer sentence those that get most. */
const ROWS = 14;

/**
 * Show a softmax of the user's own: scores, powers of e, shares.
 * @param {Look} look
 * @returns {Node[]}
 */
export function attention(look) {
  const { id } = look;
  const { maps } = look.trace;
  const { layer, head } = headOf(look, "encoder");
  const weights = shownRow(look, "encoder");
  const best = largest(weights);
  const query = look.choice.piece;
  const asked = { id, kind: "encoder", layer, head, query, key: best };
  const choose = [
    pieces(look, "source", t("tour.attention.choose"), "piece"),
    headPick(look, "encoder"),
  ];
  const name = make("h3", { text: capital(headName("encoder", layer, head)) });
  const own = (row) => computed(look, row, best, maps.encoder.exact);
  if (!id) return [...choose, name, ...own({ weights })];
  return [...choose, name, later(look.ask("/api/row", asked), own)];
}

/** Show the computation from what the server said of the row. */
function computed(look, row, best, exact) {
  const scores = row.scores ?? scoresOf(row.weights);
  const { powers, sum, weights } = softmax(scores);
  const tokens = look.trace.source.tokens;
  const asks = quoted(tokens[look.choice.piece]);
  const answer = quoted(tokens[best]);
  const share = percent(weights[best], exact);
  const found = row.vectors ? [product(look, row.vectors, best, scores[best])] : [];
  return [
    ...found,
    make("div", { class: "scroll" }, sums(look, { scores, powers, sum, weights, exact })),
    said(t("tour.attention.said", { piece: asks, best: answer, share })),
    ...(row.scores ? [] : [make("p", { class: "note", text: t("tour.attention.derived") })]),
    make("p", { class: "note", text: mixed(tokens, weights) }),
  ];
}

/** Write the score of two pieces as the product of their lists. */
function product(look, { query, key }, best, score) {
  const { tokens } = look.trace.source;
  const row = (name, piece, values) =>
    make(
      "li",
      {},
      make("span", { class: "soft", text: name }),
      makePiece(piece, { class: "piece", lang: look.spoken.source }),
      make("span", { class: "n", text: written(values, look.width < 400 ? 3 : 4) }),
    );
  const root = Math.sqrt(query.length);
  const facts = { n: query.length, root: root % 1 ? short(root) : root, score: short(score) };
  return make(
    "div",
    { class: "product" },
    make(
      "ul",
      {},
      row(t("tour.attention.query"), tokens[look.choice.piece], query),
      row(t("tour.attention.key"), tokens[best], key),
    ),
    make("p", { class: "note", text: t("tour.attention.product", facts) }),
  );
}

/** Write the softmax as a table whose last line is the sum. */
function sums(look, { scores, powers, sum, weights, exact }) {
  const { tokens } = look.trace.source;
  const order = [...tokens.keys()];
  const kept = order.length <= ROWS ? order : byWeight(order, weights).slice(0, ROWS - 1);
  const rest = order.filter((place) => !kept.includes(place));
  const total = (numbers, places) => places.reduce((all, place) => all + numbers[place], 0);
  const cell = (share) => {
    const bar = make("i");
    bar.style.width = `${100 * share}%`;
    const number = make("span", { class: "n", text: percent(share, exact) });
    return make("span", { class: "share" }, make("span", { class: "bar" }, bar), number);
  };
  const number = (text) => make("span", { class: "n", text });
  const lines = kept.map((place) => [
    makePiece(tokens[place], { class: "piece", lang: look.spoken.source }),
    number(short(scores[place])),
    number(powers[place].toFixed(3)),
    cell(weights[place]),
  ]);
  if (rest.length) {
    const name = make("span", { class: "soft", text: t("tour.others", { n: rest.length }) });
    const powersOfRest = total(powers, rest).toFixed(3);
    lines.push([name, number(""), number(powersOfRest), cell(total(weights, rest))]);
  }
  const whole = percent(total(weights, order), exact);
  lines.push([t("tour.attention.sum"), number(""), number(sum.toFixed(3)), number(whole)]);
  const names = ["tour.attention.piece", "tour.attention.score", "tour.attention.power"];
  const heads = [...names, "tour.attention.weight"].map((key) => t(key));
  const asks = quoted(tokens[look.choice.piece]);
  const made = table(t("tour.attention.caption", { piece: asks }), heads, lines);
  made.classList.add("sums");
  return made;
}

function byWeight(order, weights) {
  return [...order].sort((a, b) => weights[b] - weights[a]);
}

/** Write what is handed on: the values, each in its share. */
function mixed(tokens, weights) {
  const parts = byWeight([...tokens.keys()], weights)
    .slice(0, 3)
    .map((place) => `${weights[place].toFixed(3)} × v(${plain(tokens[place])})`);
  const more = tokens.length > 3 ? " + …" : "";
  return t("tour.attention.mixed", { sum: parts.join(" + ") + more });
}

/**
 * Show what every head of the encoder gives from the chosen piece, as small bars.
 * @param {Look} look
 * @returns {Node[]}
 */
export function heads(look) {
  const map = look.trace.maps.encoder;
  const now = headOf(look, "encoder");
  const group = radios({
    label: t("tour.heads.choose"),
    key: "head",
    items: every(map).map((one) => thumbnail(look, map, one)),
    chosen: now.layer * map.heads + now.head,
    choose: (place) =>
      look.choose({
        encoder: { layer: Math.floor(place / map.heads), head: place % map.heads },
      }),
    facts: (place) => {
      const [layer, head] = [Math.floor(place / map.heads), place % map.heads];
      return { class: "thumbnail", "aria-label": headName("encoder", layer, head) };
    },
  });
  group.classList.add("grid-of-heads");
  group.style.setProperty("--heads", String(Math.min(map.heads, 8)));
  const atlas = look.card?.atlas ? role(look, now) : [];
  return [
    pieces(look, "source", t("tour.attention.choose"), "piece"),
    make("p", { class: "note", text: t("tour.heads.choose") }),
    group,
    said(saidOfHead(look, map, now)),
    make("p", { class: "note", text: saidOfHabit(map, now) }),
    ...atlas,
  ];
}

function every({ layers, heads: count }) {
  return Array.from({ length: layers * count }, (_, place) => ({
    layer: Math.floor(place / count),
    head: place % count,
  }));
}

/** Draw the row of a head as bars, and what gets most. */
function thumbnail(look, map, one) {
  const weights = rowOfHead(map, one, look.choice.piece);
  const [width, height] = [72, 34];
  const step = width / weights.length;
  const bars = Array.from(weights, (weight, place) =>
    draw("rect", {
      x: place * step,
      y: height - weight * (height - 2),
      width: Math.max(step - 1, 0.6),
      height: weight * (height - 2),
      fill: headColour(one.head, map.heads),
    }),
  );
  const line = draw("line", { x1: 0, x2: width, y1: height, y2: height, class: "axis" });
  const facts = { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none" };
  return make(
    "span",
    { class: "inside" },
    draw("svg", { ...facts, "aria-hidden": "true" }, ...bars, line),
    make("span", { class: "most", text: plain(map.keys.tokens[largest(weights)]) }),
  );
}

function saidOfHead(look, map, one) {
  const weights = rowOfHead(map, one, look.choice.piece);
  const best = largest(weights);
  return t("tour.heads.said", {
    head: capital(headName("encoder", one.layer, one.head)),
    piece: quoted(look.trace.source.tokens[look.choice.piece]),
    best: quoted(map.keys.tokens[best]),
    share: percent(weights[best], map.exact),
  });
}

/** Say what a head does on the whole sentence. */
function saidOfHabit(map, { layer, head }) {
  const { kind, offset = 0, share } = habit(map, layer, head);
  const facts = { share: percent(share, false).replace("≈", "").trim(), n: Math.abs(offset) };
  if (kind === "special") return t("tour.heads.special", facts);
  if (kind === "none") return t("tour.heads.none");
  if (offset === 0) return t("tour.heads.self", facts);
  return t(offset < 0 ? "tour.heads.before" : "tour.heads.after", facts);
}

/** Say what the head's role is over many sentences, if it was measured. */
function role(look, { layer, head }) {
  const asked = look.get(`/api/atlas?model=${encodeURIComponent(look.model)}`);
  return [
    later(asked, (atlas) => {
      const found = atlas.heads.find(
        (one) => one.kind === "encoder" && one.layer === layer && one.head === head,
      );
      const key = `tour.role.${found?.role}`;
      const text = hasText(key) ? t("tour.heads.role", { role: t(key) }) : t("tour.heads.noRole");
      return [make("p", { class: "note", text })];
    }),
  ];
}
