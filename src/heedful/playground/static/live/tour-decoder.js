/**
 * The tour's figures of the decoder: what it may not see, what it reads of the source, its output.
 */

import { headColour } from "heedful/colours.js";
import { draw, make, makePiece } from "heedful/dom.js";
import { t } from "heedful/i18n.js";
import { capital, decimal, headName, percent, plain } from "heedful/numbers.js";
import { largest, rowOfHead } from "heedful/live/tour-maths.js";
import {
  barLine,
  headOf,
  headPick,
  joined,
  pieces,
  quoted,
  said,
  shares,
  shownRow,
} from "heedful/live/tour-kit.js";

/** @typedef {import("heedful/live/tour-kit.js").Look} Look */

/** Rows of the triangle. */
const ROWS = 16;
/** Translations of the search that are shown. */
const FOUND = 3;

/**
 * Show what each step of the decoder looks at of what is written: a triangle.
 * @param {Look} look
 * @returns {Node[]}
 */
export function mask(look) {
  const map = look.trace.maps.decoder;
  const one = headOf(look, "decoder");
  const { step } = look.choice;
  const weights = shownRow(look, "decoder");
  const reads = map.keys.tokens;
  const best = largest(weights);
  const facts = {
    piece: quoted(look.trace.target.tokens[step]),
    n: reads.length - step - 1,
    best: quoted(reads[best]),
    share: percent(weights[best], map.exact),
  };
  const rest = facts.n > 0 ? t("tour.mask.hidden", facts) : t("tour.mask.last");
  return [
    pieces(look, "target", t("tour.cross.choose"), "step"),
    headPick(look, "decoder"),
    make("h3", { text: capital(headName("decoder", one.layer, one.head)) }),
    triangle(look, map, one),
    said(joined(t("tour.mask.said", facts), rest)),
  ];
}

/** Draw the triangle around the chosen row: dark is much, hatched is hidden. */
function triangle(look, map, one) {
  const { step } = look.choice;
  const reads = map.keys.tokens;
  const count = Math.min(reads.length, ROWS);
  const start = Math.min(Math.max(step - count + 1, 0), reads.length - count);
  const [name, top] = [104, 64];
  const cell = Math.min((look.width - name - 34) / count, 30);
  const at = (place) => (place - start) * cell;
  const rows = Array.from({ length: count }, (_, row) => row + start);
  const parts = rows.flatMap((row) => {
    const weights = rowOfHead(map, one, row);
    const y = top + at(row);
    const text = `${cut(plain(reads[row]))} → ${cut(plain(look.trace.target.tokens[row]))}`;
    const chosen = row === step ? " chosen" : "";
    const label = { x: name - 6, y: y + cell / 2 + 4, "text-anchor": "end", class: `row${chosen}` };
    const boxes = rows.map((column) => {
      const box = { x: name + at(column), y, width: cell - 1.5, height: cell - 1.5 };
      if (column > row) return hidden(box);
      const share = weights[column].toFixed(3);
      const fill = headColour(one.head, map.heads);
      const paper = draw("rect", { ...box, class: "paper-cell" });
      return draw("g", {}, paper, draw("rect", { ...box, fill, "fill-opacity": share }));
    });
    const frame = { x: name - 1, y: y - 1, width: count * cell + 0.5, height: cell + 0.5 };
    const mark = row === step ? [draw("rect", { ...frame, class: "frame-of-row" })] : [];
    return [draw("text", { ...label, text }), ...boxes, ...mark];
  });
  const heads = rows.map((column) => {
    const [x, y] = [name + at(column) + cell / 2 + 3, top - 6];
    const turn = `rotate(-50 ${x} ${y})`;
    return draw("text", { x, y, transform: turn, text: cut(plain(reads[column])) });
  });
  const size = { width: look.width, height: top + count * cell + 4 };
  const label = t("tour.mask.label", { n: count });
  const about = { class: "triangle", role: "img", "aria-label": label };
  return draw("svg", { ...size, ...about }, ...parts, ...heads);
}

/** Draw a cell that may not be looked at: empty, with a line across. */
function hidden({ x, y, width, height }) {
  return draw(
    "g",
    { class: "hidden-cell" },
    draw("rect", { x, y, width, height }),
    draw("line", { x1: x, y1: y + height, x2: x + width, y2: y }),
  );
}

function cut(text) {
  const letters = Array.from(text);
  return letters.length > 7 ? `${letters.slice(0, 6).join("")}…` : text;
}

/**
 * Show what a piece of the translation read of the source.
 * @param {Look} look
 * @returns {Node[]}
 */
export function cross(look) {
  const map = look.trace.maps.cross;
  const one = headOf(look, "cross");
  const weights = shownRow(look, "cross");
  const { source, target } = look.trace;
  const best = largest(weights);
  const special = source.tokens.reduce(
    (sum, _, place) => sum + (source.shares[place].length ? 0 : weights[place]),
    0,
  );
  const facts = {
    piece: quoted(target.tokens[look.choice.step]),
    best: quoted(source.tokens[best]),
    share: percent(weights[best], map.exact),
    special: percent(special, map.exact),
  };
  return [
    pieces(look, "target", t("tour.cross.choose"), "step"),
    headPick(look, "cross"),
    make("h3", { text: capital(headName("cross", one.layer, one.head)) }),
    shaded(look, weights, headColour(one.head, map.heads)),
    said(t("tour.cross.said", facts)),
    shares(source.tokens, weights, { exact: map.exact, lang: look.spoken.source }),
    make("p", { class: "note", text: t("tour.cross.special", facts) }),
  ];
}

/** Draw the source with a bar under each piece, as high as what is read of it. */
function shaded(look, weights, colour) {
  const { tokens, shares: inWords } = look.trace.source;
  const items = tokens.map((token, place) => {
    const bar = make("i");
    bar.style.height = `${100 * weights[place]}%`;
    bar.style.background = colour;
    return make(
      "li",
      { class: inWords[place].length ? "" : "special" },
      make("span", { class: "column" }, bar),
      makePiece(token, { class: "piece" }),
    );
  });
  return make("ol", { class: "shaded", lang: look.spoken.source, "aria-hidden": "true" }, ...items);
}

/**
 * Show the probabilities of a step, and what the search made of them.
 * @param {Look} look
 * @returns {Node[]}
 */
export function softmaxed(look) {
  const { steps, model, beam } = look.trace.wire;
  const { predicts, logp, rank, top } = steps[look.choice.step];
  const lines = top.map(([piece, value]) => {
    const share = Math.exp(value);
    const name = makePiece(piece, { class: "piece", lang: look.spoken.target });
    return barLine(name, share, percent(share), piece === predicts ? "chosen" : "");
  });
  const place = rank ? "tour.softmax.later" : "tour.softmax.first";
  const all = model.vocabulary[1];
  const listed = top.reduce((sum, [, value]) => sum + Math.exp(value), 0);
  const others = t("tour.softmax.others", { n: (all - top.length).toLocaleString("en") });
  const rest = Math.max(1 - listed, 0);
  const name = make("span", { class: "piece soft", text: others });
  const facts = {
    piece: quoted(predicts),
    share: percent(Math.exp(logp)),
    logp: decimal(logp),
    n: rank,
  };
  return [
    pieces(look, "target", t("tour.softmax.choose"), "step"),
    said(joined(t("tour.softmax.said", facts), t(place, facts))),
    make("ol", { class: "weights top" }, ...lines, barLine(name, rest, percent(rest), "rest")),
    ...(beam?.found?.length ? search(look, beam, steps) : []),
  ];
}

/** Show the best translations of the search, and whether greedy search would have found this. */
function search(look, { size, found }, steps) {
  const lines = found.slice(0, FOUND).map(({ text, score, logp }) => {
    const facts = { score: decimal(score), logp: decimal(logp) };
    const numbers = make("span", { class: "n soft", text: t("tour.softmax.score", facts) });
    return make("li", {}, make("span", { lang: look.spoken.target, text }), numbers);
  });
  const other = steps.findIndex(({ rank }) => rank > 0);
  const greedy = other < 0;
  const facts = { n: other + 1, piece: greedy ? "" : quoted(steps[other].predicts), size };
  const how = greedy ? "tour.softmax.greedy" : "tour.softmax.beamed";
  const note = look.trace.wire.forced ? [] : [make("p", { class: "note", text: t(how, facts) })];
  return [
    make("h3", { text: t("tour.softmax.beam", { size }) }),
    make("ol", { class: "found-best" }, ...lines),
    ...note,
  ];
}
