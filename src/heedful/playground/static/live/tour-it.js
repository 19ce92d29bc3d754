/**
 * The tour's figure of "it": what the model really does with it, as the server's evidence says.
 */

import { make } from "heedful/dom.js";
import { t } from "heedful/i18n.js";
import { plain } from "heedful/numbers.js";
import { evidenceSaid } from "heedful/live/said.js";
import { itPiece, nounPiece, pronounStep, pronouns } from "heedful/live/tour-maths.js";
import { later, offered, quoted, said, select } from "heedful/live/tour-kit.js";

/** @typedef {import("heedful/live/tour-kit.js").Look} Look */

/** The sentence of the story, with the words that turn "it" to the other noun. */
export const STORY = {
  en: { text: "The cat ate the fish because it was hungry.", from: "", to: "de" },
  zh: { text: "猫吃鱼,因为它饿了。", from: "", to: "en" },
};
/** What languages say for "it" that need not choose. */
const UNFORCED = { en: "it", zh: "它" };
/** Words that fit one noun of the story, and what fits the other. */
const OTHER = { hungry: "tasty", tasty: "hungry" };

/**
 * @param {Look} look
 * @returns {Node[]}
 */
export function pronoun(look) {
  const { source } = look.trace;
  const row = itPiece(source);
  if (row < 0) return [make("p", { class: "note", text: t("tour.it.none") }), tries(look)];
  return [...pair(look), ...evidence(look), tries(look)];
}

/**
 * Offer the sentences of the story.
 * @param {Look} look - With or without a trace.
 */
export function tries(look) {
  const wire = look.trace?.wire;
  const tasty = { ...STORY.en, text: STORY.en.text.replace("hungry", "tasty") };
  const asked = [STORY.en, tasty, STORY.zh].filter(
    ({ text, to }) => text !== wire?.source.text || to !== wire?.to,
  );
  return offered(look, asked, t("tour.it.try"), "try");
}

/** Compare with the sentence in which "it" is the other noun. */
function pair(look) {
  const { wire } = look.trace;
  const { id } = look;
  const unforced = UNFORCED[wire.to];
  if (unforced) {
    return [make("p", { class: "note", text: t("tour.it.unforced", { word: unforced }) })];
  }
  const spoken = wire.source.text.toLowerCase().split(/\P{L}+/u);
  const word = Object.keys(OTHER).find((one) => spoken.includes(one));
  if (wire.to !== "de" || wire.forced || !word || !id) return [];
  const asked = look.ask("/api/what_if", { id, replace: { [word]: OTHER[word] } });
  return [
    make("h3", { text: t("tour.it.pair") }),
    later(asked, ({ before, after }) => compared(look, word, before, after)),
  ];
}

function compared(look, word, before, after) {
  const other = OTHER[word];
  const [own, theirs] = [pronouns(before), pronouns(after)].map((all) => all.join(", "));
  const line = (name, text, found) =>
    make(
      "li",
      {},
      make("span", { class: "soft", text: `… ${name}` }),
      make("span", { class: "translation", lang: "de", text }),
      make("strong", { lang: "de", text: found || "–" }),
    );
  return [
    make("ul", { class: "pair" }, line(word, before, own), line(other, after, theirs)),
    said(verdictOf(word, own, theirs)),
  ];
}

/** Say what two translations show; one pair that comes out right is no proof. */
function verdictOf(word, own, theirs) {
  const wanted = word === "hungry" ? ["sie", "er"] : ["er", "sie"];
  if (own === wanted[0] && theirs === wanted[1]) return t("tour.it.right");
  if (own === theirs && own) return t("tour.it.same", { word: own });
  return t("tour.it.differ", { own: own || "–", other: theirs || "–" });
}

/** Return the pieces that "it" may be compared with: words, and not itself. */
function candidates({ tokens, shares }, row) {
  return [...tokens.keys()].filter(
    (place) => place !== row && shares[place].length && /\p{L}/u.test(tokens[place]),
  );
}

/**
 * Return the pair that the evidence is about: "it" and a word; null where there is none.
 * @param {Look} look
 */
export function pairOf(look) {
  const { source, maps } = look.trace;
  const row = itPiece(source);
  const words = row < 0 ? [] : candidates(source, row);
  if (words.length === 0) return null;
  return { row, column: look.choice.column ?? nounPiece(maps.encoder, row, words), words };
}

/** Show what the server's evidence says of "it" and a word that can be chosen. */
function evidence(look) {
  const { source, target } = look.trace;
  const { id } = look;
  const about = pairOf(look);
  if (!id || !about) return [];
  const { row, column: chosen, words } = about;
  const names = words.map((place) => plain(source.tokens[place]));
  const pick = select(t("tour.it.word"), "column", names, words.indexOf(chosen), (place) =>
    look.choose({ column: words[place] }),
  );
  const at = pronounStep(target);
  const step = at < 0 ? null : at;
  const asked = { id, row, column: chosen, kind: "encoder", words: false, step };
  const facts = { it: quoted(source.tokens[row]), word: quoted(source.tokens[chosen]) };
  return [
    make("h3", { text: t("tour.it.evidence", facts) }),
    make("div", { class: "picks" }, pick),
    later(look.ask("/api/evidence", asked), (found) => [
      make("p", { class: "said evidence-said", text: evidenceSaid(found) }),
      make("p", { class: "note", text: t("tour.it.rule") }),
    ]),
  ];
}
