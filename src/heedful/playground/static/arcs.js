/**
 * `<heed-arcs>`: the fewest edges that carry 75 % of a head's weight, from left to right.
 *
 * On the left stands what looks, on the right what is looked at. Pointing at a row tells `pick`.
 */

import { draw, drawPieces, make, onWidth, tell } from "heedful/dom.js";
import { t } from "heedful/i18n.js";
import { percent } from "heedful/numbers.js";
import { fewestEdges, ranked, rowOf } from "heedful/views.js";

const SHARE = 0.75;
const STEP = 26;
const TOP = 30;
/** Edges that can be told apart, at most. */
const MOST = 2000;
/** Letters of a label at most; the rest is in its title. */
const LETTERS = 14;

export class Arcs extends HTMLElement {
  #asked;
  /** Pixels that there are for it; 0: nobody sees it. */
  #width = 0;
  /** What is drawn: of which view, how wide, and its parts. */
  #drawn = { view: null, width: 0 };

  connectedCallback() {
    if (this.svg) return;
    this.svg = draw("svg", { role: "img" });
    this.note = make("p", { class: "soft" });
    this.append(this.svg, this.note);
    onWidth(this, (width) => {
      this.#width = width;
      this.#draw();
    });
  }

  /**
   * Draw a view with a row chosen, in the colour of its head.
   * @param {import("heedful/views.js").View} view
   * @param {number} row
   * @param {number} column
   * @param {string} colour
   */
  show(view, row, column, colour) {
    this.#asked = { view, row, column, colour };
    this.#draw();
  }

  #draw() {
    if (!this.#asked || this.#width === 0) return;
    const { view, row, column } = this.#asked;
    const width = Math.max(this.#width, 280);
    if (view !== this.#drawn.view || width !== this.#drawn.width) this.#all(view, width);
    this.#chosen();
    const choose = (all, chosen) =>
      all.forEach((one, place) => one.classList.toggle("chosen", place === chosen));
    choose(this.#drawn.rows, row);
    choose(this.#drawn.columns, column);
  }

  /** Draw what stays when another row is chosen. */
  #all(view, width) {
    const { rows, columns } = view;
    const height = TOP + STEP * Math.max(rows.length, columns.length);
    const sides = [Math.round(width * (rows[0].reads === undefined ? 0.34 : 0.44)), width * 0.7];
    const every = this.#edges(view);
    const chosen = draw("g");
    const names = rows.map((one, place) => this.#name(one, place, sides[0]));
    const targets = columns.map((one, place) => target(one, place, sides[1]));
    this.#drawn = { view, width, sides, chosen, rows: names, columns: targets };
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.svg.setAttribute("width", width);
    this.svg.setAttribute("height", height);
    this.svg.replaceChildren(
      heading(t("attention.from"), sides[0] - 10, "end"),
      heading(t("attention.at"), sides[1] + 10, "start"),
      ...every.map((edge) => path(curve(sides, edge.row, edge.column), edge.weight, "edge")),
      chosen,
      ...names,
      ...targets,
    );
  }

  /** Return the edges that are drawn of all rows, and say how many they are. */
  #edges(view) {
    const every = fewestEdges(view.weights, view.columns.length, SHARE);
    const carried = every.reduce((sum, edge) => sum + edge.weight, 0);
    const total = view.weights.reduce((sum, weight) => sum + weight, 0);
    const edges = t("arcs.edges", { kept: every.length, all: view.weights.length });
    const share = percent(carried / (total || 1), view.exact);
    const goal = `${100 * SHARE}\u00a0%`;
    const many = every.length > MOST;
    this.note.textContent = t(many ? "arcs.row" : "arcs.rule", { goal, edges, share });
    this.svg.setAttribute("aria-label", t("arcs.label", { kept: edges }));
    return many ? [] : every;
  }

  /** Draw the edges of the row that is chosen. */
  #chosen() {
    const { view, row, colour } = this.#asked;
    const { sides, chosen } = this.#drawn;
    const own = fewestEdges(rowOf(view, row), view.columns.length, SHARE);
    const line = (edge) => curve(sides, row, edge.column);
    chosen.replaceChildren(
      ...own.map((edge) => path(line(edge), edge.weight, "case")),
      ...own.map((edge) => path(line(edge), edge.weight, "own", colour)),
    );
  }

  #name(row, place, x) {
    const texts = row.reads === undefined ? [row.text] : [row.reads, " → ", row.text];
    const group = draw(
      "g",
      { class: "row" },
      draw("rect", { x: 0, y: TOP + place * STEP, width: x, height: STEP, rx: 4 }),
      name(texts, x - 10, place, "end", row.special),
    );
    const pick = () => {
      const { view, row: chosenRow } = this.#asked;
      if (chosenRow === place) return;
      tell(this, "pick", { row: place, column: ranked(view, place)[0] ?? 0 });
    };
    group.addEventListener("pointerenter", pick);
    group.addEventListener("click", pick);
    return group;
  }
}

const middle = (place) => TOP + (place + 0.5) * STEP;

function curve([left, right], row, column) {
  const bend = (right - left) / 2;
  return (
    `M${left} ${middle(row)} C${left + bend} ${middle(row)} ` +
    `${right - bend} ${middle(column)} ${right} ${middle(column)}`
  );
}

function path(d, weight, kind, colour) {
  const found = draw("path", { d, class: kind });
  found.style.strokeWidth = `${1 + 6 * weight + (kind === "case" ? 2 : 0)}px`;
  if (colour) found.style.stroke = colour;
  return found;
}

function heading(text, x, anchor) {
  return draw("text", { x, y: 15, "text-anchor": anchor, class: "heading", text });
}

function name(texts, x, place, anchor, special) {
  const found = drawPieces(texts.map(shortened), {
    ...{ x, y: middle(place), "text-anchor": anchor, "dominant-baseline": "central" },
    class: special ? "special" : undefined,
  });
  found.append(draw("title", { text: texts.join("") }));
  return found;
}

function shortened(text) {
  return text.length > LETTERS ? `${text.slice(0, LETTERS - 1)}…` : text;
}

function target(column, place, x) {
  return draw(
    "g",
    { class: "column" },
    name([column.text], x + 10, place, "start", column.special),
  );
}

customElements.define("heed-arcs", Arcs);
