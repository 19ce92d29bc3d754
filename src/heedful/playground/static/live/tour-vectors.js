/**
 * The tour's figure of embeddings: the numbers of two pieces, and which pieces have numbers alike.
 */

import { make, makePiece } from "heedful/dom.js";
import { t } from "heedful/i18n.js";
import { plain } from "heedful/numbers.js";
import { SMALL } from "heedful/live/tour-maths.js";
import { later, quoted, said, select, short, strip, written } from "heedful/live/tour-kit.js";

/** @typedef {import("heedful/live/tour-kit.js").Look} Look */

/** Neighbours that are shown. */
const NEIGHBOURS = 5;

/**
 * @param {Look} look
 * @returns {Node[]}
 */
export function embeddings(look) {
  const { tokens } = look.trace.source;
  const [first, second] = two(look);
  const names = tokens.map((token, place) => `${place + 1}: ${plain(token)}`);
  const picks = make(
    "div",
    { class: "picks" },
    select(t("tour.embeddings.first"), "first", names, first, (one) => look.choose({ first: one })),
    select(t("tour.embeddings.second"), "second", names, second, (one) =>
      look.choose({ second: one }),
    ),
  );
  const both = Promise.all([first, second].map((place) => embedding(look, place)));
  return [picks, later(both, (found) => drawn(look, [first, second], found))];
}

/**
 * Ask for the embedding of a piece of the source.
 * @param {Look} look
 * @param {number} place
 */
export function embedding(look, place) {
  const { id } = look.trace.wire.source.pieces[place];
  return look.ask("/api/embedding", { model: look.model, side: "source", id, place });
}

/** Return the two pieces that are compared: at first two words with something between them. */
function two({ trace, choice }) {
  const { tokens, shares } = trace.source;
  const words = [...tokens.keys()].filter(
    (place) => shares[place].length && /\p{L}/u.test(tokens[place]) && !SMALL.test(tokens[place]),
  );
  const one = choice.first ?? words[0] ?? 0;
  return [one, choice.second ?? words.find((place) => place > one + 1) ?? words.at(-1) ?? 0];
}

function drawn(look, places, found) {
  const { tokens } = look.trace.source;
  const largest = Math.max(...found.flatMap(({ values }) => values.map(Math.abs)), 1e-9);
  const blocks = found.map((one, at) => {
    const token = tokens[places[at]];
    const label = t("tour.embeddings.strip", { piece: quoted(token), n: one.values.length });
    return make(
      "div",
      { class: "vector" },
      make(
        "p",
        { class: "list" },
        makePiece(token, { class: "piece", lang: look.spoken.source }),
        make("span", { class: "n", text: ` = ${written(one.values, 4)}` }),
      ),
      strip(one.values, look.width, largest, label),
      neighbours(one.neighbours ?? []),
    );
  });
  const facts = { n: found[0].values.length, d: look.card?.d_model ?? "" };
  const text = t("tour.embeddings.said", { ...facts, largest: short(largest) });
  return [...blocks, said(text)];
}

function neighbours(near) {
  const items = near.slice(0, NEIGHBOURS).map(({ s, cosine }) =>
    make(
      "li",
      {},
      makePiece(s, { class: "piece" }),
      make("span", { class: "n soft", text: short(cosine) }),
    ),
  );
  return make(
    "div",
    { class: "near" },
    make("span", { class: "soft", text: t("tour.embeddings.near") }),
    make("ul", {}, ...items),
  );
}
