/**
 * Watches over a server that does not answer: asks again until it does.
 */

import { get } from "heedful/live/client.js";

/** Milliseconds between two questions. */
const AGAIN = 3000;

export class Watch {
  #timer = 0;
  #told;

  /**
   * @param {{gone: () => void, back: () => void}} told - What to call when the server does not
   *   answer, and when it answers again.
   */
  constructor(told) {
    this.#told = told;
  }

  /** The server did not answer. */
  gone() {
    this.#told.gone();
    this.stop();
    this.#timer = window.setTimeout(() => this.again(), AGAIN);
  }

  /** Ask now. */
  async again() {
    this.stop();
    try {
      await get("/health");
    } catch {
      return this.gone();
    }
    this.#told.back();
  }

  /** The server has answered something else: there is nothing to watch. */
  stop() {
    window.clearTimeout(this.#timer);
  }
}
