/**
 * The figures of the tour by the names of its steps, and those of the first two: the sentence and
 * its pieces. Each is a function from what is to be shown to the nodes that show it.
 */

import { draw, make, makePiece } from "heedful/dom.js";
import { t } from "heedful/i18n.js";
import { plain } from "heedful/numbers.js";
import { attention, heads } from "heedful/live/tour-attention.js";
import { cross, mask, softmaxed } from "heedful/live/tour-decoder.js";
import { pronoun } from "heedful/live/tour-it.js";
import { counted, joined, quoted, radios, said } from "heedful/live/tour-kit.js";
import { machine } from "heedful/live/tour-machine.js";
import { positions } from "heedful/live/tour-positions.js";
import { recurrent } from "heedful/live/tour-rnn.js";
import { embeddings } from "heedful/live/tour-vectors.js";

/** @typedef {import("heedful/live/tour-kit.js").Look} Look */

/** Words that find room on the line of the first figure. */
const ROOM = 40;

/** @type {Record<string, (look: Look) => Node[]>} */
export const FIGURES = {
  sentence,
  pieces,
  embeddings,
  positions,
  attention,
  heads,
  layers: machine,
  mask,
  cross,
  softmax: softmaxed,
  it: pronoun,
  rnn: recurrent,
};

/** @param {Look} look */
function sentence(look) {
  const { source, wire } = look.trace;
  const words = source.words.slice(0, ROOM);
  const last = Math.min(look.choice.word ?? lastWord(words), words.length - 1);
  const found = [
    make("p", { class: "line", lang: look.spoken.source, text: wire.source.text }),
    make(
      "p",
      { class: "line translation", lang: look.spoken.target },
      wire.target?.text || t("tour.sentence.soon"),
    ),
  ];
  if (words.length > 1) {
    found.push(...paths(look, words, last));
  }
  return [...found, ownSentence(look)];
}

/** Return the last word that is not a mark. */
function lastWord(words) {
  const found = words.findLastIndex((word) => /[\p{L}\p{N}]/u.test(word));
  return found < 0 ? words.length - 1 : found;
}

/** Draw how far two words are apart: word by word, and by attention. */
function paths(look, words, last) {
  const group = radios({
    label: t("tour.sentence.choose"),
    key: "word",
    items: words.map((word) => document.createTextNode(word)),
    chosen: last,
    choose: (word) => look.choose({ word }),
  });
  group.lang = look.spoken.source;
  const facts = { first: quoted(words[0]), last: quoted(words[last]), n: last };
  return [
    line(look.width, words, last),
    said(last === 0 ? t("tour.sentence.same", facts) : t("tour.sentence.said", facts)),
    group,
  ];
}

/** Draw the words as dots in a row, hops between neighbours, and one arc over all. */
function line(width, words, last) {
  const count = words.length;
  const step = (width - 24) / Math.max(count - 1, 1);
  const at = (place) => 12 + place * step;
  const [base, height] = [96, 128];
  const parts = [];
  for (let place = 0; place < last; place++) {
    const [from, to] = [at(place), at(place + 1)];
    const path = `M ${from} ${base} Q ${(from + to) / 2} ${base + 26} ${to} ${base}`;
    parts.push(draw("path", { d: path, class: "hop" }));
  }
  if (last > 0) {
    const path = `M ${at(0)} ${base} Q ${(at(0) + at(last)) / 2} ${-46} ${at(last)} ${base}`;
    parts.push(draw("path", { d: path, class: "leap" }));
  }
  for (let place = 0; place < count; place++) {
    const name = place === 0 || place === last ? "dot end" : "dot";
    parts.push(draw("circle", { cx: at(place), cy: base, r: 5, class: name }));
  }
  const middle = (at(0) + at(last)) / 2;
  const by = (y, key, n, name) => {
    const anchor = middle < 90 ? "start" : middle > width - 90 ? "end" : "middle";
    const x = anchor === "start" ? 4 : anchor === "end" ? width - 4 : middle;
    return draw("text", { x, y, "text-anchor": anchor, class: name, text: t(key, { n }) });
  };
  if (last > 0) {
    parts.push(by(14, "tour.sentence.direct", 1, "leap-name"));
    parts.push(by(height - 2, "tour.sentence.hops", last, "hop-name"));
  }
  const ends = (place, anchor, x) =>
    draw("text", { x, y: base - 14, "text-anchor": anchor, text: words[place] });
  parts.push(ends(0, "start", 0));
  if (last > 0) parts.push(ends(last, last > count / 2 ? "end" : "middle", at(last) + 12));
  const size = { width, height, viewBox: `0 0 ${width} ${height}` };
  return draw("svg", { ...size, class: "paths", "aria-hidden": "true" }, ...parts);
}

/** Make the box for another sentence, which may be changed in the middle of the tour. */
function ownSentence(look) {
  const box = make("input", {
    type: "text",
    "data-key": "own",
    "aria-label": t("tour.sentence.own"),
    placeholder: t("tour.sentence.own"),
    maxlength: 300,
    autocomplete: "off",
  });
  const form = make(
    "form",
    { class: "own" },
    box,
    make("button", { type: "submit", text: t("tour.sentence.go") }),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (box.value.trim()) look.tell("ask", { text: box.value.trim() });
  });
  return form;
}

/** @param {Look} look */
function pieces(look) {
  const { source, wire } = look.trace;
  const chips = source.tokens.map((token, place) => {
    const special = source.shares[place].length === 0;
    const same = place > 0 && sameWord(source.shares[place - 1], source.shares[place]);
    const name = `numbered${special ? " special" : ""}${same ? " joined" : ""}`;
    return make(
      "li",
      { class: name },
      makePiece(token, { class: "piece", lang: look.spoken.source }),
      make("span", { class: "id n", text: String(wire.source.pieces[place].id) }),
    );
  });
  return [make("ol", { class: "numbers" }, ...chips), said(spelling(source))];
}

function sameWord(one, other) {
  return one.some(([word]) => other.some(([same]) => same === word));
}

/** Say which words are spelled by several pieces, or which pieces spell several words. */
function spelling({ tokens, shares, words }) {
  const spells = (piece, word) => shares[piece].some(([one]) => one === word);
  const of = words.map((_, word) =>
    tokens.filter((token, piece) => token !== "▁" && spells(piece, word)),
  );
  const split = of.findIndex((own) => own.length > 1);
  const wide = tokens.findIndex((_, piece) => shares[piece].length > 1);
  const facts = { words: counted({ words }), n: tokens.length };
  const begin = t("tour.pieces.count", facts);
  if (split >= 0) {
    const parts = of[split].join(t("tour.pieces.plus"));
    return joined(begin, t("tour.pieces.split", { word: quoted(words[split]), parts }));
  }
  if (wide >= 0) {
    const piece = quoted(plain(tokens[wide]));
    return joined(begin, t("tour.pieces.wide", { piece, n: shares[wide].length }));
  }
  return joined(begin, t("tour.pieces.whole"));
}
