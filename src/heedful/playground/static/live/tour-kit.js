/**
 * What the tour's figures are made of: pieces to choose from, strips of numbers, rows of bars.
 *
 * An element that can be chosen has `data-key`, by which the tour finds it after drawing anew.
 */

import { draw, make, makePiece, tell } from "heedful/dom.js";
import { t } from "heedful/i18n.js";
import { decimal, percent, plain } from "heedful/numbers.js";
import { UNSPACED, rowOfHead, tellingHead } from "heedful/live/tour-maths.js";

/**
 * What a figure is given.
 * @typedef {object} Look
 * @property {import("heedful/wire.js").Trace } trace
 * @property {string | null} id - Of the trace, once the server keeps it.
 * @property {any} state - The page's.
 * @property {string} model - The model's name, as the server knows it.
 * @property {any} card - What the model is like; null until the server said it.
 * @property {[string, string][]} ways - What the model translates, from which language to which.
 * @property {any} beside - The recurrent model beside the others, null if there is none.
 * @property {{source: string, target: string}} spoken - The languages of both sides.
 * @property {Record<string, any>} choice - What was chosen in the tour.
 * @property {(change: Record<string, any>) => void} choose - Choose, and draw anew.
 * @property {(path: string, body: object) => Promise<any>} ask - The server, once a question.
 * @property {(path: string) => Promise<any>} get - What has an address there, once, too.
 * @property {number} width - Of the figure, in pixels.
 * @property {(name: string, detail: any) => void} tell - Those around the tour.
 */

/**
 * Make a group of which one is chosen, by click or by arrow keys.
 * @param {object} asked
 * @param {string} asked.label
 * @param {string} asked.key
 * @param {Node[]} asked.items - What stands in the buttons.
 * @param {number} asked.chosen
 * @param {(place: number) => void} asked.choose
 * @param {(place: number) => Record<string, any>} [asked.facts] - Of each button.
 */
export function radios({ label, key, items, chosen, choose, facts = () => ({}) }) {
  const buttons = items.map((item, place) => {
    const { class: name = "chip", ...more } = facts(place);
    const own = { type: "button", role: "radio", class: name, "data-key": `${key}:${place}` };
    const state = { "aria-checked": String(place === chosen), tabindex: place === chosen ? 0 : -1 };
    return make("button", { ...own, ...state, ...more, on: { click: () => choose(place) } }, item);
  });
  if (chosen < 0 && buttons[0]) buttons[0].tabIndex = 0;
  const about = { role: "radiogroup", class: "tokens", "aria-label": label };
  const group = make("div", about, ...buttons);
  group.addEventListener("keydown", (event) => moved(event, buttons));
  return group;
}

/** Move to a neighbour by an arrow key, which then is not the tour's. */
function moved(event, buttons) {
  const move = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  const at = buttons.indexOf(event.target);
  if (!move || at < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  const next = buttons[(at + move + buttons.length) % buttons.length];
  next.focus();
  next.click();
}

/**
 * Make the pieces of a side, one of them chosen.
 * @param {Look} look
 * @param {"source" | "target"} of
 * @param {string} label
 * @param {string} name - Of the choice that is made.
 */
export function pieces(look, of, label, name) {
  const { tokens, shares } = look.trace[of];
  const group = radios({
    label,
    key: name,
    items: tokens.map((token) => makePiece(token)),
    chosen: look.choice[name],
    choose: (place) => look.choose({ [name]: place }),
    facts: (place) => ({ class: shares[place].length ? "chip" : "chip special" }),
  });
  group.lang = look.spoken[of];
  return group;
}

/**
 * Make a list to choose from; its arrow keys are its own.
 * @param {string} label
 * @param {string} key
 * @param {string[]} options
 * @param {number} chosen
 * @param {(place: number) => void} choose
 */
export function select(label, key, options, chosen, choose) {
  const made = options.map((text, value) => make("option", { value, text }));
  const list = make("select", { "data-key": key }, ...made);
  list.value = String(chosen);
  list.addEventListener("change", () => choose(Number(list.value)));
  return make("label", { class: "pick" }, make("span", { text: label }), list);
}

/**
 * Return the head that is shown of a kind: the chosen one, or one that shows what is explained.
 * @param {Look} look
 * @param {"encoder" | "decoder" | "cross"} kind
 * @returns {{layer: number, head: number}}
 */
export function headOf(look, kind) {
  const map = look.trace.maps[kind];
  const row = kind === "encoder" ? look.choice.piece : look.choice.step;
  return look.choice[kind] ?? tellingHead(map, row);
}

/**
 * Make two lists to choose a head from.
 * @param {Look} look
 * @param {"encoder" | "decoder" | "cross"} kind
 */
export function headPick(look, kind) {
  const { layers, heads } = look.trace.maps[kind];
  const now = headOf(look, kind);
  const names = (count, name) =>
    Array.from({ length: count }, (_, place) => t(name, { n: place + 1 }));
  const change = (part) => look.choose({ [kind]: { ...now, ...part } });
  return make(
    "div",
    { class: "picks" },
    select(t("tour.layer"), `${kind}-layer`, names(layers, "tour.number"), now.layer, (layer) =>
      change({ layer }),
    ),
    select(t("tour.head"), `${kind}-head`, names(heads, "tour.number"), now.head, (head) =>
      change({ head }),
    ),
  );
}

/**
 * Return the weights of the row that is shown.
 * @param {Look} look
 * @param {"encoder" | "decoder" | "cross"} kind
 */
export function shownRow(look, kind) {
  const row = kind === "encoder" ? look.choice.piece : look.choice.step;
  return rowOfHead(look.trace.maps[kind], headOf(look, kind), row);
}

/**
 * Make a line with a name, a bar and a number.
 * @param {Node} name
 * @param {number} share - From 0 to 1.
 * @param {string} text
 * @param {string} [kind] - Class of the line.
 */
export function barLine(name, share, text, kind = "") {
  const bar = make("i");
  bar.style.width = `${100 * share}%`;
  const number = make("span", { class: "n", text });
  return make("li", { class: kind }, name, make("span", { class: "bar" }, bar), number);
}

/**
 * Make a list of the pieces that get most of a row, and a line for all others together.
 * @param {string[]} tokens
 * @param {ArrayLike<number>} weights
 * @param {{exact?: boolean, count?: number, lang?: string}} how
 */
export function shares(tokens, weights, { exact = true, count = 5, lang = "" }) {
  const order = [...tokens.keys()].sort((a, b) => weights[b] - weights[a]);
  const kept = order.length <= count + 1 ? order : order.slice(0, count);
  const lines = kept.map((place) => {
    const name = makePiece(tokens[place], { class: "piece", lang });
    return barLine(name, weights[place], percent(weights[place], exact));
  });
  const rest = order.slice(kept.length);
  if (rest.length) {
    const share = rest.reduce((sum, place) => sum + weights[place], 0);
    const name = make("span", { class: "piece soft", text: t("tour.others", { n: rest.length }) });
    lines.push(barLine(name, share, percent(share, exact), "rest"));
  }
  return make("ol", { class: "weights" }, ...lines);
}

/**
 * Draw numbers as bars over and under a line: what is below 0 hangs down.
 * @param {number[]} values
 * @param {number} width
 * @param {number} largest - The number that fills half of the height.
 * @param {string} label
 */
export function strip(values, width, largest, label) {
  const half = 22;
  const step = width / values.length;
  const bars = values.map((value, place) => {
    const height = Math.min(Math.abs(value) / largest, 1) * (half - 2);
    const facts = { x: place * step, width: Math.max(step - 1.5, 1), height };
    const name = value < 0 ? "low" : "high";
    return draw("rect", { ...facts, y: value < 0 ? half : half - height, class: name });
  });
  const line = draw("line", { x1: 0, x2: width, y1: half, y2: half, class: "axis" });
  const size = { width, height: 2 * half, viewBox: `0 0 ${width} ${2 * half}` };
  return draw("svg", { ...size, class: "strip", role: "img", "aria-label": label }, ...bars, line);
}

/**
 * Write the first numbers of a list as people write one: [0.21, −1.30, …].
 * @param {number[]} values
 * @param {number} count
 */
export function written(values, count) {
  const first = values.slice(0, count).map((value) => decimal(value).slice(0, -1));
  return `[${first.join(", ")}, …]`;
}

/**
 * Write numbers with two digits after the point.
 * @param {number} value
 */
export function short(value) {
  if (!Number.isFinite(value) || value < -1e30) return "−∞";
  const text = Math.abs(value).toFixed(2);
  return value < 0 && Number(text) !== 0 ? `−${text}` : text;
}

/**
 * Make a place that shows an answer once it is there, and tells `answered`; till then it says so.
 * @param {Promise<any>} answer
 * @param {(found: any) => Node[]} shown
 */
export function later(answer, shown) {
  const place = make("div", { class: "later" }, waiting());
  answer.then(
    (found) => {
      place.replaceChildren(...shown(found));
      tell(place, "answered", null);
    },
    (error) => {
      if (error.name !== "AbortError") {
        place.replaceChildren(make("p", { class: "soft", text: error.message }));
      }
    },
  );
  return place;
}

/** Make the line that says that an answer is not there yet. */
export function waiting() {
  return make("p", { class: "soft waiting", text: t("tour.asking") });
}

/**
 * Make the sentence that a figure says; the tour reads it out when it changes.
 * @param {string} text
 */
export function said(text) {
  return make("p", { class: "said", text });
}

/**
 * Say how many words a sentence has, or characters where no spaces part them.
 * @param {{words: string[]}} side
 */
export function counted({ words }) {
  const real = words.filter((word) => /[\p{L}\p{N}]/u.test(word));
  const unspaced = real.some((word) => UNSPACED.test(word));
  return t(unspaced ? "tour.characters" : "tour.words", { n: real.length });
}

/**
 * Put two sentences together.
 * @param {string[]} sentences
 */
export function joined(...sentences) {
  return sentences.join(t("tour.joint"));
}

/**
 * Write a piece as it stands in a sentence, in quotation marks.
 * @param {string} piece
 */
export function quoted(piece) {
  return t("tour.quoted", { text: plain(piece) });
}

/**
 * Offer sentences as buttons that ask for them.
 * @param {Look} look
 * @param {{text: string, to: string}[]} asked
 * @param {string} title
 * @param {string} key - By which a button is found again when the figure is drawn anew.
 */
export function offered(look, asked, title, key) {
  const buttons = asked.map((one, place) =>
    make("button", {
      type: "button",
      class: "toggle try",
      "data-key": `${key}:${place}`,
      text: `${one.text} → ${one.to}`,
      on: { click: () => look.tell("ask", one) },
    }),
  );
  return make("div", { class: "tries", role: "group", "aria-label": title }, ...buttons);
}
