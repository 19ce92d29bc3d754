/**
 * `<heed-two-maps>`: what one head looks at in two traces, side by side: its maps, and a row of
 * each in numbers.
 */

import { make, onTheme } from "heedful/dom.js";
import { t } from "heedful/i18n.js";
import { capital, headName, rowName } from "heedful/numbers.js";
import { paintSmall } from "heedful/small-map.js";
import { settled, view } from "heedful/views.js";
import { rowInNumbers } from "heedful/weights-list.js";

export class TwoMaps extends HTMLElement {
  #shown = [];
  #asked = null;

  connectedCallback() {
    if (this.watched) return;
    this.watched = true;
    onTheme(() => {
      this.#shown = [];
      if (this.#asked) this.show(...this.#asked);
    });
  }

  /**
   * Show what is chosen in both traces, unless it is shown already.
   * @param {{name: string, trace: any}[]} sides
   * @param {import("heedful/live/state-url.js").View} chosen
   */
  show(sides, chosen) {
    this.#asked = [sides, chosen];
    const { kind, layer, head, row, words, hide } = settled(sides[0].trace.maps, chosen);
    const place = { kind, layer, head, row, column: null, words, hide };
    const shown = [JSON.stringify(place), ...sides.flatMap(({ name, trace }) => [name, trace])];
    if (shown.every((one, at) => one === this.#shown[at])) return;
    this.#shown = shown;
    this.replaceChildren(
      make("h4", { text: capital(headName(kind, layer, head)) }),
      make("div", { class: "two" }, ...sides.map(({ name, trace }) => side(name, trace, place))),
      make("p", { class: "soft", text: t("two.means") }),
    );
  }
}

/** Draw one trace: the map, a frame around the row, and the row in numbers. */
function side(name, { maps }, place) {
  const map = maps[place.kind];
  const { row } = settled(maps, place);
  const shown = view(map, place);
  const canvas = make("canvas", { "aria-hidden": "true" });
  paintSmall(canvas, map, place.layer, place.head);
  const frame = make("i", { "aria-hidden": "true" });
  const pieces = shown.rows[row].parts.map(([piece]) => piece);
  const count = map.queries.tokens.length;
  frame.style.top = `${(100 * Math.min(...pieces)) / count}%`;
  frame.style.height = `${(100 * pieces.length) / count}%`;
  return make(
    "div",
    { role: "group", "aria-label": name },
    make("h5", { text: name }),
    make("div", { class: "framed" }, canvas, frame),
    make("p", { class: "soft", text: t("two.row", { row: rowName(shown.rows[row]) }) }),
    make("ol", { class: "weights" }, ...rowInNumbers(shown, row)),
  );
}

customElements.define("heed-two-maps", TwoMaps);
