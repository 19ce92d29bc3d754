/**
 * `<heed-search>`: the tree of the search, and two of the translations that it ended with.
 */

import "heedful/beam-tree.js";
import { make } from "heedful/dom.js";
import { part } from "heedful/live/later.js";

export class SearchPanel extends HTMLElement {
  #trace = null;
  #state = null;

  connectedCallback() {
    if (this.beam) return;
    this.beam = make("heed-beam", { live: "" });
    this.compared = make("heed-compared", { hidden: "" });
    this.append(this.beam, this.compared);
    this.addEventListener("compare", ({ detail }) => this.#compare(detail));
  }

  /** The picture of the tree. */
  get svg() {
    return this.beam.svg;
  }

  /**
   * Show a trace, as far as it is there.
   * @param {any} trace
   * @param {any} state
   */
  show(trace, state) {
    this.#trace = trace;
    this.beam.show(trace);
    this.update(state);
  }

  /**
   * Follow the state of the page.
   * @param {any} state
   */
  update(state) {
    this.#state = state;
    this.compared.follow?.(this.#trace, state);
  }

  /** Show that there is no trace. */
  empty() {
    this.#trace = null;
    this.update(this.#state);
  }

  /** Show a translation beside the one that is looked into; null: none any more. */
  async #compare(found) {
    try {
      await part("compared");
      this.compared.compare(found, this.#trace, this.#state);
    } catch {
      this.dispatchEvent(new CustomEvent("gone", { bubbles: true }));
    }
  }
}

customElements.define("heed-search", SearchPanel);
