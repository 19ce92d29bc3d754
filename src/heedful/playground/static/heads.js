/**
 * `<heed-heads>`: a small map of every head, a row for each layer; one is chosen.
 *
 * It tells `head-picked` with the layer and the head.
 */

import { headColour } from "heedful/colours.js";
import { make, onTheme, tell } from "heedful/dom.js";
import { t } from "heedful/i18n.js";
import { headName } from "heedful/numbers.js";
import { paintSmall } from "heedful/small-map.js";

/** Heads of a layer up to which there is room for more than their numbers. */
const NAMED = 8;

export class Heads extends HTMLElement {
  #map;
  #buttons = [];
  /** What the buttons are for. */
  #built = "";
  /** What each button was last told. */
  #told = [];
  #painted = 0;

  connectedCallback() {
    if (this.box) return;
    this.box = make("div", { role: "radiogroup", "aria-label": t("heads.label") });
    this.append(this.box, make("p", { class: "soft counting", text: t("heads.counting") }));
    this.box.addEventListener("keydown", (event) => this.#key(event));
    onTheme(() => this.#paint());
  }

  /**
   * Draw the heads of a kind of attention, one of them chosen.
   * @param {import("heedful/wire.js").AttentionMap} map
   * @param {number} layer
   * @param {number} head
   * @param {string[]} off - Heads and layers that are switched off: "encoder.4.3", "cross.1".
   */
  show(map, layer, head, off = []) {
    const built = [map.kind, map.layers, map.heads].join();
    const focused = built !== this.#built && this.box.contains(document.activeElement);
    const other = map !== this.#map;
    this.#map = map;
    if (built !== this.#built) this.#build();
    if (other) this.#paint();
    this.#buttons.forEach((line, one) =>
      line.forEach((_, other) => {
        const names = [`${map.kind}.${one}`, `${map.kind}.${one}.${other}`];
        const silent = names.some((name) => off.includes(name));
        this.#mark(one, other, one === layer && other === head, silent);
      }),
    );
    this.#built = built;
    if (focused) this.#buttons[layer][head].focus();
  }

  /** Say of a head whether it is chosen and whether it is silent, if that is new. */
  #mark(layer, head, chosen, silent) {
    const place = layer * this.#map.heads + head;
    const told = `${chosen} ${silent}`;
    if (this.#told[place] === told) return;
    this.#told[place] = told;
    const button = this.#buttons[layer][head];
    button.setAttribute("aria-checked", String(chosen));
    button.tabIndex = chosen ? 0 : -1;
    button.classList.toggle("off", silent);
    const name = headName(this.#map.kind, layer, head);
    button.setAttribute("aria-label", silent ? t("heads.off", { head: name }) : name);
  }

  #build() {
    const { kind, layers, heads } = this.#map;
    this.#told = [];
    this.box.style.setProperty("--heads", heads);
    const title = t("heads.counting");
    const numbers = Array.from({ length: heads }, (_, head) => {
      const dot = make("i");
      dot.style.background = headColour(head, heads);
      const name = heads > NAMED ? String(head + 1) : t("head.n", { head: head + 1 });
      return make("span", { class: "number", title }, dot, name);
    });
    this.#buttons = Array.from({ length: layers }, (_, layer) =>
      Array.from({ length: heads }, (_, head) => {
        const name = headName(kind, layer, head);
        const facts = { type: "button", role: "radio", "aria-label": name, title: name };
        const button = make("button", facts, make("canvas", { "aria-hidden": "true" }));
        button.addEventListener("click", () => tell(this, "head-picked", { layer, head }));
        return button;
      }),
    );
    const lines = this.#buttons.flatMap((line, layer) => [
      make("span", { class: "number", title, text: t("layer.n", { layer: layer + 1 }) }),
      ...line,
    ]);
    this.box.replaceChildren(make("span"), ...numbers, ...lines);
  }

  #paint() {
    if (!this.#map) return;
    this.#buttons.forEach((line, layer) =>
      line.forEach((button, head) => paintSmall(button.firstChild, this.#map, layer, head)),
    );
    this.box.dataset.painted = String(++this.#painted);
  }

  #key(event) {
    const moves = {
      ArrowUp: [-1, 0],
      ArrowDown: [1, 0],
      ArrowLeft: [0, -1],
      ArrowRight: [0, 1],
    };
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    const layer = this.#buttons.findIndex((line) => line.includes(event.target));
    const head = this.#buttons[layer].indexOf(event.target);
    const next = this.#buttons[layer + move[0]]?.[head + move[1]];
    if (!next) return;
    next.focus();
    next.click();
  }
}

customElements.define("heed-heads", Heads);
