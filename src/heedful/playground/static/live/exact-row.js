/**
 * The exact weights of the row that is chosen, where the map that is shown is rounded.
 */

import { ask } from "heedful/live/client.js";

/** Milliseconds for which a row must be chosen until it is asked for. */
const PAUSE = 120;

export class ExactRow {
  #timer = 0;

  /**
   * Ask for a row, if it is needed.
   * @param {any} trace
   * @param {import("heedful/live/state-url.js").View} view
   * @param {(whose: any, weights: number[]) => void} told
   */
  ask(trace, { kind, layer, head, row, words, hide }, told) {
    window.clearTimeout(this.#timer);
    const map = trace?.maps[kind];
    if (!map || map.exact || words || hide || !trace.complete) return;
    const body = { id: trace.id, kind, layer, head, query: row };
    this.#timer = window.setTimeout(async () => {
      try {
        const { weights } = await ask("/api/row", body);
        told({ kind, layer, head, row }, weights);
      } catch {
        // What is rounded stays, and says that it is.
      }
    }, PAUSE);
  }
}
