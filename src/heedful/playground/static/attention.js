/**
 * `<heed-attention>`: every head of every layer; one of them as a map, as arcs and as numbers.
 *
 * It tells `row` when a row of the decoder was chosen, with the number of its step, and `view`
 * with all that is chosen. With the attribute `live` it tells `edit`, too: heads switched off,
 * and `go` with the panel that is to be seen.
 */

import "heedful/arcs.js";
import "heedful/heads.js";
import "heedful/heat-map.js";
import { headColour } from "heedful/colours.js";
import { make, onLanguage, table, tell, toggle } from "heedful/dom.js";
import { t } from "heedful/i18n.js";
import {
  KINDS,
  capital,
  headName,
  hiddenMass,
  percent,
  rowLabel,
  sentence,
} from "heedful/numbers.js";
import { atStep, regrouped, rowOf, settled, view } from "heedful/views.js";
import { columnInNumbers, rowInNumbers } from "heedful/weights-list.js";

/** Columns of a map beside which the arcs find room. */
const BESIDE = 16;
const NOTHING = { kind: "encoder", layer: null, head: null, row: null, column: null };

export class Attention extends HTMLElement {
  #maps = {};
  #state = { ...NOTHING, words: false, hide: false };
  #view;
  /** What the view is of. */
  #of = [];
  #edits = { ablate: [] };
  #reverse = false;
  #table = false;
  /** Of a rounded map: a row as Python has it, and whose it is. */
  #exact = null;
  /** Whether the model has no attention. */
  #none = false;

  connectedCallback() {
    if (this.heads) return;
    this.#build();
    onLanguage(() => {
      this.#build();
      this.#draw();
    });
    this.addEventListener("pick", ({ detail }) => this.#set(detail, true));
    this.addEventListener("head-picked", ({ detail }) => this.#set(detail));
    this.addEventListener("layer", ({ detail }) => this.#move("layer", this.#state.layer + detail));
    this.addEventListener("head", ({ detail }) => this.#move("head", detail));
  }

  #build() {
    this.kinds = KINDS.map((kind) => {
      const facts = { type: "button", class: "toggle", text: t(`kind.${kind}`) };
      return make("button", { ...facts, "data-kind": kind, on: { click: () => this.open(kind) } });
    });
    this.heads = make("heed-heads");
    this.name = make("h3");
    this.said = make("p", { class: "said", "aria-live": "polite" });
    this.mass = make("p", { class: "soft mass" });
    this.map = make("heed-heat-map");
    this.arcs = make("heed-arcs");
    this.listed = make("h4");
    this.list = make("ol", { class: "weights" });
    this.python = make("code");
    this.whole = make("div", { class: "scroll", hidden: "" });
    this.off = make("button", { type: "button", class: "toggle off", "aria-pressed": "false" });
    this.off.addEventListener("click", () => this.#switch());
    this.gone = this.#makeGone();
    this.#lay();
  }

  /** Make what is said of a head that is switched off, and leads to what changes without it. */
  #makeGone() {
    const go = make("button", { type: "button", class: "toggle", text: t("attention.changes") });
    go.addEventListener("click", () => tell(this, "go", "what-if"));
    const said = make("p", { class: "soft", text: t("attention.isOff") });
    return make("div", { class: "title", hidden: "" }, said, go);
  }

  #switches() {
    const { words, hide } = this.#state;
    return [
      toggle(t("attention.words"), (on) => this.#regroup({ words: on }), words),
      toggle(t("attention.hide"), (on) => this.#regroup({ hide: on }), hide),
      toggle(
        t("attention.table"),
        (on) => {
          this.#table = on;
          this.#fill();
        },
        this.#table,
      ),
    ];
  }

  #lay() {
    this.switches = this.#switches();
    const reverse = toggle(
      t("attention.reverse"),
      (on) => {
        this.#reverse = on;
        this.#numbers();
      },
      this.#reverse,
    );
    const kinds = { class: "choices", role: "group", "aria-label": t("attention.kinds") };
    const [map, arcs] = [this.map, this.arcs].map((one) => make("div", { class: "scroll" }, one));
    this.pictures = make("div", { class: "pictures" }, map, arcs);
    const [off, gone] = this.hasAttribute("live") ? [[this.off], [this.gone]] : [[], []];
    const title = (...parts) => make("div", { class: "title" }, ...parts);
    this.replaceChildren(
      title(
        make("div", kinds, ...this.kinds),
        make("div", { class: "choices" }, ...this.switches),
      ),
      make(
        "div",
        { class: "beside" },
        make("div", { class: "scroll" }, this.heads),
        make(
          "div",
          {},
          ...[title(this.name, ...off), ...gone, this.said, this.mass, this.pictures],
          ...[title(this.listed, reverse), this.list, this.whole],
          make("p", { class: "soft" }, t("attention.python"), this.python),
          make("p", { class: "soft", text: t("attention.keys") }),
        ),
      ),
      make("p", { class: "caption", text: t("attention.caption") }),
    );
  }

  /**
   * Show the maps of a trace, as far as they are there: first the head that gives least to what
   * is no word, or what a state says is chosen.
   * @param {{maps: Record<string, import("heedful/wire.js").AttentionMap>, wire?: any}} trace
   * @param {{view: any, edits: any}} [state]
   */
  show({ maps, wire }, state) {
    this.#none = Boolean(wire?.steps) && Object.keys(maps).length === 0;
    const { kind } = state?.view ?? NOTHING;
    const same = maps[kind] && maps[kind] === this.#maps[kind];
    this.#maps = maps;
    if (same && state) return this.update(state);
    this.#exact = null;
    if (state) this.#follow(state);
    else this.open(Object.keys(maps)[0] ?? "cross");
  }

  /**
   * Follow the state of the page.
   * @param {{view: any, edits: any}} state
   */
  update(state) {
    const changed = (one, other) => JSON.stringify(one) !== JSON.stringify(other);
    const view = { ...this.#state, ...chosen(state.view) };
    if (changed(view, this.#state) || changed(state.edits.ablate, this.#edits.ablate)) {
      this.#follow(state);
    }
  }

  /** Show that there is no trace. */
  empty() {
    this.#maps = {};
    this.#view = undefined;
  }

  #follow({ view, edits }) {
    this.#edits = edits;
    this.#state = settled(this.#maps, { ...this.#state, ...chosen(view) });
    this.#draw();
  }

  /**
   * Show a kind of attention.
   * @param {string} kind
   */
  open(kind) {
    const place = { kind, layer: null, head: null, row: null, column: null };
    this.#set(settled(this.#maps, { ...this.#state, ...place }));
  }

  /**
   * Choose the row of a step, where rows are the decoder's.
   * @param {number} step
   */
  chooseStep(step) {
    this.#set(atStep(this.#maps, this.#state, step));
  }

  /**
   * Tell the exact weights of a row of a rounded map, by pieces.
   * @param {{kind: string, layer: number, head: number, row: number}} whose
   * @param {number[]} weights
   */
  exactRow(whose, weights) {
    this.#exact = { whose: placeOf(whose), weights };
    this.#numbers();
  }

  #set(change, told = false) {
    Object.assign(this.#state, change);
    this.#draw();
    tell(this, "view", { ...this.#state });
    if (told && this.#state.kind !== "encoder") {
      tell(this, "row", this.#view.rows[this.#state.row].parts[0][0]);
    }
  }

  #move(what, number) {
    const { layers, heads } = this.#maps[this.#state.kind];
    if (number >= 0 && number < (what === "layer" ? layers : heads)) this.#set({ [what]: number });
  }

  #regroup(change) {
    if (this.#maps[this.#state.kind]) this.#set(regrouped(this.#maps, this.#state, change));
  }

  /** Say that there is no attention: the map before was another model's. */
  #nothing() {
    this.#view = undefined;
    this.toggleAttribute("data-stale", false);
    for (const part of [this.name, this.mass, this.listed]) part.textContent = "";
    this.list.replaceChildren();
    this.python.textContent = "trace.steps()";
    this.said.textContent = t("attention.none");
  }

  #switch() {
    const { kind, layer, head } = this.#state;
    const name = `${kind}.${layer}.${head}`;
    const { ablate } = this.#edits;
    const next = ablate.includes(name) ? ablate.filter((one) => one !== name) : [...ablate, name];
    tell(this, "edit", { ablate: next });
  }

  #draw() {
    const { kind, layer, head, row, column, words, hide } = this.#state;
    const map = this.#maps[kind];
    const known = Object.keys(this.#maps);
    const one = known.length === 1 && known[0] !== "encoder";
    this.kinds[0].parentElement.hidden = one || this.#none;
    const own = [this.heads, this.pictures, this.off, this.listed.parentElement];
    for (const part of [...own, ...this.switches]) {
      part.hidden = this.#none;
    }
    this.kinds.forEach((button) => {
      button.setAttribute("aria-pressed", String(button.dataset.kind === kind));
    });
    [words, hide].forEach((on, place) =>
      this.switches[place].setAttribute("aria-pressed", String(on)),
    );
    this.toggleAttribute("data-stale", !map);
    if (!map) {
      if (this.#none) this.#nothing();
      else if (!this.#view) this.said.textContent = t("attention.wait");
      return;
    }
    const shown = this.#viewOf(map);
    const name = headName(kind, layer, head);
    const colour = headColour(head, map.heads);
    this.style.setProperty("--head", colour);
    this.heads.show(map, layer, head, this.#edits.ablate);
    this.name.textContent = capital(name);
    this.#switched();
    this.said.textContent = sentence(shown, row, column);
    this.mass.textContent = hiddenMass(shown, row);
    this.pictures.classList.toggle("wide", shown.columns.length > BESIDE);
    this.map.show(shown, row, column, t("attention.map", { head: name }));
    this.arcs.show(shown, row, column, colour);
    this.python.textContent = `trace.attention("${kind}", layer=${layer}, head=${head})`;
    this.#numbers();
    this.#fill();
  }

  /** Return the view of the head that is chosen; the same as before, if it is the same. */
  #viewOf(map) {
    const { layer, head, words, hide } = this.#state;
    const of = [map, layer, head, words, hide];
    if (!this.#view || of.some((one, place) => one !== this.#of[place])) {
      [this.#view, this.#of] = [view(map, this.#state), of];
    }
    return this.#view;
  }

  #switched() {
    const { kind, layer, head } = this.#state;
    const names = [`${kind}.${layer}`, `${kind}.${layer}.${head}`];
    const off = names.some((name) => this.#edits.ablate.includes(name));
    this.off.setAttribute("aria-pressed", String(off));
    this.off.textContent = t(off ? "attention.on" : "attention.off");
    this.gone.hidden = !off;
  }

  #numbers() {
    if (!this.#view) return;
    const { row, column, words, hide } = this.#state;
    const reverse = this.#reverse && this.#view.columns.length > 0;
    const looked = this.#view.columns[column]?.text ?? "";
    this.listed.textContent = reverse
      ? t("attention.numbers.column", { column: looked })
      : t("attention.numbers");
    const exact = this.#exact?.whose === placeOf(this.#state) && !words && !hide;
    const lines = reverse
      ? columnInNumbers(this.#view, column)
      : rowInNumbers(this.#view, row, exact ? this.#exact.weights : undefined);
    this.list.replaceChildren(...lines);
  }

  #fill() {
    this.whole.hidden = !this.#table;
    if (!this.#table || !this.#view) return;
    const { rows, columns, exact } = this.#view;
    const lines = rows.map((row, place) => [
      rowLabel(row),
      ...Array.from(rowOf(this.#view, place), (weight) => percent(weight, exact)),
    ]);
    const first = t(rows[0].reads === undefined ? "attention.from" : "attention.reads");
    const heads = [first, ...columns.map((column) => column.text)];
    const caption = t("attention.shares", { head: this.name.textContent });
    this.whole.replaceChildren(table(caption, heads, lines));
  }
}

/** Return what of the page's view is shown here. */
function chosen({ kind, layer, head, row, column, words, hide }) {
  return { kind, layer, head, row, column, words, hide };
}

function placeOf({ kind, layer, head, row }) {
  return [kind, layer, head, row].join(".");
}

customElements.define("heed-attention", Attention);
