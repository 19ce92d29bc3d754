/**
 * The tour's figure of a recurrent network: what a real one makes of the sentence, beside the
 * Transformer, what the translation of each hangs on, and how many steps it takes.
 */

import { draw, make, table } from "heedful/dom.js";
import { t } from "heedful/i18n.js";
import { percent } from "heedful/numbers.js";
import { languageName } from "heedful/live/names.js";
import { joined, later, offered, said } from "heedful/live/tour-kit.js";

/** @typedef {import("heedful/live/tour-kit.js").Look} Look */
/** @typedef {{name: string, card: any, found: any}} Side - A model, and what it answered. */

/** Longer sentences than most people type, by language. */
const LONGER = {
  en: [
    "My sister bought a small house near the river, but she had to sell it when she lost her job.",
    "When I was a child, my grandmother told me a story every evening, and I still remember the " +
      "one about the old man who lived alone in a house by the sea and waited for a ship.",
  ],
  de: [
    "Meine Schwester kaufte ein kleines Haus am Fluss, aber sie musste es verkaufen, als sie " +
      "ihre Arbeit verlor.",
    "Als ich ein Kind war, erzählte mir meine Großmutter jeden Abend eine Geschichte, und ich " +
      "erinnere mich noch an die von dem alten Mann, der allein in einem Haus am Meer lebte und " +
      "auf ein Schiff wartete.",
  ],
};

/**
 * Return the way on which a model goes where a sentence goes, undefined if it goes another.
 * @param {[string, string][]} ways - Empty names fit all: nobody said which languages they are.
 * @param {{source: string, target: string}} spoken
 */
export function wayOf(ways, { source, target }) {
  return ways.find(
    ([from, to]) => (!to || to === target) && (!from || !source || from === source),
  );
}

/**
 * Return which words a recurrent encoder has read last: the first and the one behind the last.
 * @param {string} direction - Which way it reads.
 * @param {number} count - Words of the sentence.
 * @returns {[number, number] | null} - null: too few to tell, or they are read both ways.
 */
export function lastRead(direction, count) {
  const half = Math.floor(count / 2);
  if (half < 2) return null;
  return { backward: [0, half], forward: [count - half, count] }[direction] ?? null;
}

/**
 * @param {Look} look
 * @returns {Node[]}
 */
export function recurrent(look) {
  const { beside, trace } = look;
  const way = wayOf(beside.ways, look.spoken);
  if (!way) return [make("p", { class: "note", text: otherWay(beside) }), longer(look)];
  const { text } = trace.wire.source;
  const [from, to] = way.map((name) => name || undefined);
  const asked = [
    look.ask("/api/dependence", { text, from, to, model: beside.name }),
    look.ask("/api/dependence", { text, to: trace.wire.to ?? undefined, model: look.model }),
  ];
  const shown = ([first, second]) => {
    const left = { name: cellOf(beside), card: beside.card, found: first };
    const right = { name: t("tour.rnn.transformer"), card: look.card, found: second };
    return [...written(look, left, right), ...kept(look, left, right), ...steps(look, left, right)];
  };
  return [later(Promise.all(asked), shown), longer(look)];
}

/**
 * Return what the cells of a recurrent model are called.
 * @param {any} beside
 */
export function cellOf(beside) {
  return beside.card.cell.toUpperCase();
}

function otherWay(beside) {
  const pairs = beside.ways.map(([from, to]) =>
    t("tour.rnn.pair", { from: languageName(from), to: languageName(to) }),
  );
  return t("tour.rnn.other", { rnn: cellOf(beside), pairs: pairs.join(t("tour.rnn.and")) });
}

/** Show both translations, and say whether they differ. */
function written(look, ...sides) {
  const rivals = sides.map(({ name, card, found }) =>
    make(
      "div",
      { class: "rival" },
      make("h3", { text: name }),
      make("p", { class: "line", lang: look.spoken.target, text: found.translation || "–" }),
      ...(found.ended ? [] : [make("p", { class: "note", text: t("tour.rnn.endless") })]),
      about(card),
    ),
  );
  const [one, other] = sides.map(({ found }) => found.translation);
  const verdict = t(one === other ? "tour.rnn.same" : "tour.rnn.differ");
  return [...rivals, said(verdict), make("p", { class: "note", text: t("tour.rnn.fair") })];
}

/** Say how large a model is, and what its card tells of its training. */
function about(card) {
  const weights = t("tour.rnn.weights", { weights: grouped(card.parameters) });
  const { steps: count, pieces, data } = card.learnt ?? {};
  const how = count
    ? t("tour.rnn.learnt", { steps: grouped(count), pieces: grouped(pieces) })
    : t("tour.rnn.unsaid");
  const names = data?.length
    ? [t("tour.joint"), make("span", { lang: "en", text: data.join("; ") })]
    : [];
  return make("p", { class: "note" }, joined(weights, how), ...names);
}

function grouped(number) {
  return number.toLocaleString("en");
}

/** Show what each decoder is given of the sentence, and what each word is worth to both. */
function kept(look, left, right) {
  const { name: rnn, card, found } = left;
  const facts = { rnn, handed: grouped(found.handed), all: grouped(right.found.handed) };
  const last = lastRead(card.direction, found.words.length);
  const share = ({ found: { shares } }) =>
    percent(shares.slice(...last).reduce((sum, one) => sum + one, 0));
  const half = last && { rnn, own: share(left), other: share(right) };
  const read = card.direction === "forward" ? "tour.rnn.forward" : "tour.rnn.backward";
  return [
    make("h3", { text: t("tour.rnn.list") }),
    make("p", { text: t("tour.rnn.handed", facts) }),
    worth(look, left, right),
    make("p", { class: "note", text: t("tour.rnn.how") }),
    ...(half ? [said(t(read, half))] : []),
  ];
}

/** Make the table of all words with a bar for each model; all bars have one scale. */
function worth(look, left, right) {
  const { words, shares } = left.found;
  const largest = Math.max(...shares, ...right.found.shares, 1e-9);
  const cell = (share) => {
    const bar = make("i");
    bar.style.width = `${(100 * share) / largest}%`;
    const number = make("span", { class: "n", text: percent(share) });
    return make("span", { class: "share" }, make("span", { class: "bar" }, bar), number);
  };
  const rows = words.map((word, place) => [
    make("span", { class: "piece", lang: look.spoken.source, text: word }),
    cell(shares[place]),
    cell(right.found.shares[place]),
  ]);
  const heads = [t("tour.rnn.word"), left.name, right.name];
  const made = table(t("tour.rnn.caption"), heads, rows);
  made.classList.add("worth");
  return made;
}

/** Count what has to wait for what went before. */
function steps(look, left, right) {
  const [own, other] = [left, right].map(({ found }) => found.steps);
  const facts = {
    rnn: left.name,
    reading: own.reading,
    writing: own.writing,
    steps: own.reading + own.writing,
    read: other.reading,
    written: other.writing,
    others: other.reading + other.writing,
  };
  return [
    make("h3", { text: t("tour.rnn.waiting") }),
    lanes(look.width, [left, right]),
    said(t("tour.rnn.steps", facts)),
    make("p", { class: "note", text: t("tour.rnn.seconds") }),
  ];
}

/** Draw a lane of cells for each model, one for each step: reading, then writing. */
function lanes(width, sides) {
  const counts = sides.map(({ found }) => found.steps);
  const most = Math.max(...counts.map(({ reading, writing }) => reading + writing));
  const wide = Math.min(width / most, 22);
  const [high, name] = [52, 18];
  const parts = counts.flatMap(({ reading, writing }, lane) => {
    const y = lane * high + name;
    const cells = Array.from({ length: reading + writing }, (_, place) => {
      const box = { x: place * wide, y, width: Math.max(wide - 2, 1), height: 20, rx: 2 };
      return draw("rect", { ...box, class: place < reading ? "low" : "high" });
    });
    return [draw("text", { x: 0, y: y - 5, text: sides[lane].name }), ...cells];
  });
  const size = { width, height: high * 2 - 8 };
  return draw("svg", { ...size, class: "lanes", "aria-hidden": "true" }, ...parts);
}

/** Offer longer sentences, on the way that the sentence goes if the model beside goes it. */
function longer(look) {
  const { beside, trace, ways } = look;
  const own = wayOf(beside.ways, look.spoken);
  const both = (own ? [own] : beside.ways).filter(([from, to]) =>
    ways.some(([a, b]) => a === from && b === to),
  );
  const asked = both
    .flatMap(([from, to]) => (LONGER[from] ?? []).map((text) => ({ text, from: "", to })))
    .filter(({ text }) => text !== trace.wire.source.text);
  if (asked.length === 0) return make("div");
  const title = t(own ? "tour.rnn.longer" : "tour.it.try");
  return make("div", {}, make("h3", { text: title }), offered(look, asked, title, "longer"));
}
