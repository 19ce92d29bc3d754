/**
 * `<heed-heads>`: a small map of every head, a row for each layer; one is chosen.
 *
 * It tells `head-picked` with the layer and the head.
 */

import { headColour, parse, ramp } from "heedful/colours.js";
import { make, onTheme, tell, variable } from "heedful/dom.js";
import { t } from "heedful/i18n.js";
import { headName } from "heedful/numbers.js";
import { weightsOfHead } from "heedful/wire.js";

export class Heads extends HTMLElement {
  #map;
  #buttons = [];

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
    const focused = map !== this.#map && this.box.contains(document.activeElement);
    if (map !== this.#map) {
      this.#map = map;
      this.#build();
      this.#paint();
    }
    this.#buttons.forEach((line, one) =>
      line.forEach((button, other) => {
        const chosen = one === layer && other === head;
        button.setAttribute("aria-checked", String(chosen));
        button.tabIndex = chosen ? 0 : -1;
        const names = [`${map.kind}.${one}`, `${map.kind}.${one}.${other}`];
        const silent = names.some((name) => off.includes(name));
        button.classList.toggle("off", silent);
        const name = headName(map.kind, one, other);
        button.setAttribute("aria-label", silent ? t("heads.off", { head: name }) : name);
      }),
    );
    if (focused) this.#buttons[layer][head].focus();
  }

  #build() {
    const { kind, layers, heads } = this.#map;
    this.box.style.setProperty("--heads", heads);
    const title = t("heads.counting");
    const numbers = Array.from({ length: heads }, (_, head) => {
      const dot = make("i");
      dot.style.background = headColour(head, heads);
      return make("span", { class: "number", title }, dot, t("head.n", { head: head + 1 }));
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
    const [rows, columns] = [this.#map.queries, this.#map.keys].map((side) => side.tokens.length);
    const colour = ramp(parse(variable(this, "--card")));
    this.#buttons.forEach((line, layer) =>
      line.forEach((button, head) => {
        const canvas = button.firstChild;
        [canvas.width, canvas.height] = [columns, rows];
        const image = new ImageData(columns, rows);
        weightsOfHead(this.#map, layer, head).forEach((weight, place) =>
          image.data.set([...colour(weight), 255], 4 * place),
        );
        canvas.getContext("2d").putImageData(image, 0, 0);
      }),
    );
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
