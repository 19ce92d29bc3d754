/**
 * `<heed-embedding>`: the first numbers of a piece's embedding, of its position, and of their sum.
 */

import { draw, make, makePiece, table, toggle } from "heedful/dom.js";
import { hasText, t } from "heedful/i18n.js";
import { decimal } from "heedful/numbers.js";
import { amountBar, placed } from "heedful/live/bars.js";
import { turned } from "heedful/live/tour-maths.js";

const HIGH = 56;
const WIDE = 10;
/** Angles that are drawn at most. */
const SHOWN = 32;

export class Embedding extends HTMLElement {
  #found;
  #added = false;
  #tabled = false;

  /**
   * Show what the server says about a piece.
   * @param {any} found - An answer of `/api/embedding`.
   * @param {number} place
   * @param {number} d_k - Numbers of a query; 0: nobody knows.
   */
  show(found, place, d_k) {
    const { kind, theta } = found.position ?? {};
    const pairs = kind === "rotary" && theta ? Math.min(d_k / 2, SHOWN) : 0;
    const turn = Array.from({ length: pairs }, (_, pair) =>
      Math.cos(turned(place, pair, d_k, theta)),
    );
    this.#found = { ...found, place, turn };
    this.#draw();
  }

  #draw() {
    const { values, position, sum, turn } = this.#found;
    const known = Boolean(position?.values) || turn.length > 0;
    const added = this.#added && known;
    const rows = [["values", values]];
    if (added && position.values) rows.push(["position", position.values]);
    if (added && sum) rows.push(["sum", sum]);
    if (added && turn.length) rows.push(["turn", turn]);
    const summed = rows.filter(([name]) => name !== "turn").flatMap(([, numbers]) => numbers);
    const largest = Math.max(...summed.map(Math.abs), 1e-9);
    this.replaceChildren(
      make("div", { class: "choices" }, ...this.#switches(known)),
      ...rows.map(([name, numbers]) => strip(name, numbers, name === "turn" ? 1 : largest)),
      make("p", { class: "soft", text: this.#about(known, added) }),
      ...(this.#tabled ? [make("div", { class: "scroll" }, numbersOf(rows))] : []),
      make("h4", { text: t("embedding.neighbours") }),
      neighbours(this.#found.neighbours ?? []),
    );
  }

  #switches(known) {
    const change = (name) => (on) => {
      if (name === "added") this.#added = on;
      else this.#tabled = on;
      this.#draw();
      this.querySelector(`[data-name="${name}"]`)?.focus();
    };
    const one = (name, text, on) => {
      const button = toggle(text, change(name));
      button.dataset.name = name;
      button.setAttribute("aria-pressed", String(on));
      return button;
    };
    const text = t(this.#found.turn.length ? "embedding.show_turn" : "embedding.add");
    const add = known ? [one("added", text, this.#added)] : [];
    return [...add, one("tabled", t("panels.table"), this.#tabled)];
  }

  #about(known, added) {
    const { values, position, place, turn } = this.#found;
    if (added && turn.length) return t("embedding.turned", { n: turn.length, place: place + 1 });
    if (!known) {
      const kind = position?.kind ?? "none";
      const key = `embedding.position_${kind}`;
      return t(hasText(key) ? key : "embedding.elsewhere");
    }
    const first = { n: values.length };
    return t(added ? "embedding.added" : "embedding.first", { ...first, place: place + 1 });
  }
}

/** Draw numbers as bars up and down from a line. */
function strip(name, numbers, largest) {
  const size = [WIDE * numbers.length, HIGH];
  const range = { low: decimal(Math.min(...numbers)), high: decimal(Math.max(...numbers)) };
  const label = t(`embedding.${name}`);
  const bars = numbers.map((value, place) => {
    const { width } = placed(value, largest);
    const high = (width / 100) * HIGH;
    return draw(
      "rect",
      {
        ...{ x: place * WIDE + 1, width: WIDE - 2, height: Math.max(high, 0.5) },
        y: value < 0 ? HIGH / 2 : HIGH / 2 - high,
        class: value < 0 ? "below-0" : "",
      },
      draw("title", { text: `${place + 1}: ${decimal(value)}` }),
    );
  });
  const facts = { viewBox: `0 0 ${size.join(" ")}`, preserveAspectRatio: "none", role: "img" };
  return make(
    "div",
    { class: `strip ${name}` },
    make("span", { class: "label", text: label }),
    draw(
      "svg",
      { ...facts, "aria-label": t("embedding.range", { label, ...range, n: numbers.length }) },
      draw("line", { x1: 0, x2: size[0], y1: HIGH / 2, y2: HIGH / 2 }),
      ...bars,
    ),
  );
}

function numbersOf(rows) {
  const longest = Math.max(...rows.map(([, numbers]) => numbers.length));
  const places = Array.from({ length: longest }, (_, place) => place);
  const heads = ["", ...places.map((place) => String(place + 1))];
  const lines = rows.map(([name, numbers]) => [
    t(`embedding.${name}`),
    ...places.map((place) => (place in numbers ? decimal(numbers[place]) : "")),
  ]);
  return table(t("embedding.table"), heads, lines);
}

function neighbours(found) {
  const lines = found.map(({ s, cosine }) =>
    make(
      "li",
      {},
      makePiece(s, { class: "piece" }),
      amountBar(cosine),
      make("span", { class: "n", text: decimal(cosine) }),
    ),
  );
  return make("ol", { class: "weights" }, ...lines);
}

customElements.define("heed-embedding", Embedding);
