/**
 * `<heed-attention>`: every head of every layer; one of them as a map, as arcs and as numbers.
 *
 * It tells `row` when a row of the decoder was chosen, with the number of its step.
 */

import "heedful/arcs.js";
import "heedful/heads.js";
import "heedful/heat-map.js";
import { headColour } from "heedful/colours.js";
import { make, makePiece, table, tell, toggle } from "heedful/dom.js";
import { KINDS, headName, hiddenMass, percent, rowLabel, sentence } from "heedful/numbers.js";
import { ranked, rowOf, view } from "heedful/views.js";
import { busiestHead } from "heedful/wire.js";
import { groupOf } from "heedful/words.js";

const CAPTION =
  "This is where a head read from. It does not prove why the model answered as it did: " +
  "to find out, switch the head off, replace a word, and compare.";
const KEYS =
  "In the map: arrow keys choose a row and a column, Page Up and Page Down the layer, " +
  "number keys the head.";
/** Columns of a row that are listed with their numbers. */
const LISTED = 8;
/** Columns of a map beside which the arcs find room. */
const BESIDE = 16;

export class Attention extends HTMLElement {
  #maps;
  #state = { kind: "encoder", layer: 0, head: 0, words: false, hide: false, row: 0, column: 0 };
  #view;

  connectedCallback() {
    if (this.heads) return;
    this.kinds = Object.entries(KINDS).map(([kind, { name }]) => {
      const facts = { type: "button", class: "toggle", text: name };
      return make("button", { ...facts, on: { click: () => this.open(kind) } });
    });
    this.heads = make("heed-heads");
    this.name = make("h3");
    this.said = make("p", { class: "said", "aria-live": "polite" });
    this.mass = make("p", { class: "soft mass" });
    this.map = make("heed-heat-map");
    this.arcs = make("heed-arcs");
    this.list = make("ol", { class: "weights" });
    this.python = make("code");
    this.whole = make("div", { class: "scroll", hidden: "" });
    this.#lay();
    this.addEventListener("pick", ({ detail }) => this.#set(detail, true));
    this.addEventListener("head-picked", ({ detail }) => this.#set(detail));
    this.addEventListener("layer", ({ detail }) => this.#move("layer", this.#state.layer + detail));
    this.addEventListener("head", ({ detail }) => this.#move("head", detail));
  }

  #lay() {
    const switches = [
      toggle("By words", (words) => this.#regroup({ words })),
      toggle("Hide specials and renormalise", (hide) => this.#regroup({ hide })),
      toggle("Show as table", (on) => {
        this.whole.hidden = !on;
        this.#fill();
      }),
    ];
    const kinds = { class: "choices", role: "group", "aria-label": "kind of attention" };
    const python = "In Python, where layers and heads are counted from 0: ";
    const [map, arcs] = [this.map, this.arcs].map((one) => make("div", { class: "scroll" }, one));
    this.pictures = make("div", { class: "pictures" }, map, arcs);
    const head = [
      ...[this.name, this.said, this.mass, this.pictures],
      ...[make("h4", { text: "The chosen row in numbers" }), this.list, this.whole],
      make("p", { class: "soft" }, python, this.python),
      make("p", { class: "soft", text: KEYS }),
    ];
    this.append(
      make(
        "div",
        { class: "title" },
        make("div", kinds, ...this.kinds),
        make("div", { class: "choices" }, ...switches),
      ),
      make(
        "div",
        { class: "beside" },
        make("div", { class: "scroll" }, this.heads),
        make("div", {}, ...head),
      ),
      make("p", { class: "caption", text: CAPTION }),
    );
  }

  /**
   * Show the maps of a trace, first the head that gives least to what is no word.
   * @param {Record<string, import("heedful/wire.js").AttentionMap>} maps
   */
  show(maps) {
    this.#maps = maps;
    this.open("encoder");
  }

  /**
   * Show a kind of attention.
   * @param {string} kind
   */
  open(kind) {
    this.#state = { ...this.#state, kind, ...busiestHead(this.#maps[kind]) };
    this.#view = view(this.#maps[kind], this.#state);
    this.#state.row = Math.floor(this.#view.rows.length / 2);
    this.#state.column = ranked(this.#view, this.#state.row)[0] ?? 0;
    this.#draw();
  }

  /**
   * Choose the row of a step, where rows are the decoder's.
   * @param {number} step
   */
  chooseStep(step) {
    if (this.#state.kind === "encoder") return;
    const row = groupOf(this.#view.rows, step);
    if (row >= 0 && row !== this.#state.row) {
      this.#set({ row, column: ranked(this.#view, row)[0] ?? 0 });
    }
  }

  #set(change, told = false) {
    Object.assign(this.#state, change);
    this.#draw();
    if (told && this.#state.kind !== "encoder") {
      tell(this, "row", this.#view.rows[this.#state.row].parts[0][0]);
    }
  }

  #move(what, number) {
    const { layers, heads } = this.#maps[this.#state.kind];
    if (number >= 0 && number < (what === "layer" ? layers : heads)) this.#set({ [what]: number });
  }

  /** Change what rows and columns are, and keep what was chosen as far as it is still there. */
  #regroup(change) {
    const { row, column, kind } = this.#state;
    const [from, at] = [this.#view.rows[row], this.#view.columns[column]];
    Object.assign(this.#state, change);
    const next = view(this.#maps[kind], this.#state);
    this.#state.row = Math.max(groupOf(next.rows, from.parts[0][0]), 0);
    const kept = at ? groupOf(next.columns, at.parts[0][0]) : -1;
    this.#state.column = kept >= 0 ? kept : (ranked(next, this.#state.row)[0] ?? 0);
    this.#draw();
  }

  #draw() {
    const { kind, layer, head, row, column } = this.#state;
    const map = this.#maps[kind];
    const shown = view(map, this.#state);
    this.#view = shown;
    Object.keys(KINDS).forEach((name, place) =>
      this.kinds[place].setAttribute("aria-pressed", String(name === kind)),
    );
    const name = headName(kind, layer, head);
    const colour = headColour(head, map.heads);
    this.style.setProperty("--head", colour);
    this.heads.show(map, layer, head);
    this.name.textContent = name[0].toUpperCase() + name.slice(1);
    this.said.textContent = sentence(shown, row, column);
    this.mass.textContent = hiddenMass(shown, row);
    this.pictures.classList.toggle("wide", shown.columns.length > BESIDE);
    this.map.show(shown, row, column, `What looks at what, ${name}`);
    this.arcs.show(shown, row, column, colour);
    this.python.textContent = `trace.attention("${kind}", layer=${layer}, head=${head})`;
    this.#numbers();
    this.#fill();
  }

  #numbers() {
    const { row } = this.#state;
    const weights = rowOf(this.#view, row);
    const order = ranked(this.#view, row);
    const lines = order.slice(0, LISTED).map((column) => {
      const bar = make("i");
      bar.style.width = `${100 * weights[column]}%`;
      const { text, special } = this.#view.columns[column];
      return make(
        "li",
        {},
        makePiece(text, { class: special ? "piece special" : "piece" }),
        make("span", { class: "bar" }, bar),
        make("span", { class: "n", text: percent(weights[column], this.#view.exact) }),
      );
    });
    this.list.replaceChildren(...lines);
  }

  #fill() {
    if (this.whole.hidden || !this.#view) return;
    const { rows, columns, exact } = this.#view;
    const lines = rows.map((row, place) => [
      rowLabel(row),
      ...Array.from(rowOf(this.#view, place), (weight) => percent(weight, exact)),
    ]);
    const first = rows[0].reads === undefined ? "looks from" : "reads → predicts";
    const heads = [first, ...columns.map((column) => column.text)];
    this.whole.replaceChildren(table(`${this.name.textContent}: shares of each row`, heads, lines));
  }
}

customElements.define("heed-attention", Attention);
