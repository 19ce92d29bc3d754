/**
 * Keeps the state in the address of the page, and tells when another address is called for.
 */

import { fromHash, toHash } from "heedful/live/state-url.js";

/** Milliseconds after a change until it stands in the address: browsers allow few changes. */
const WRITTEN = 250;

export class Address {
  #lang;
  #written = "";
  #timer = 0;

  /**
   * @param {"en" | "zh"} lang - What the language of the page is at first.
   * @param {(found: {state: any, broken: boolean}) => void} called - What to call when the user
   *   goes back or forth, or writes another address.
   */
  constructor(lang, called) {
    this.#lang = lang;
    const read = () => {
      if (location.hash.replace(/^#/, "") !== this.#written) called(this.read());
    };
    window.addEventListener("popstate", read);
    window.addEventListener("hashchange", read);
  }

  /** Return the state that stands in the address. */
  read() {
    this.#written = location.hash.replace(/^#/, "");
    return fromHash(this.#written, this.#lang);
  }

  /**
   * Write a state, soon; as a new entry of the browser's history it is written at once.
   * @param {any} state
   * @param {{entry?: boolean, now?: boolean}} [how]
   */
  write(state, { entry = false, now = entry } = {}) {
    window.clearTimeout(this.#timer);
    if (now) this.#write(state, entry);
    else this.#timer = window.setTimeout(() => this.#write(state, false), WRITTEN);
  }

  #write(state, entry) {
    this.#written = toHash(state, this.#lang);
    const bare = location.pathname + location.search;
    const address = this.#written ? `#${this.#written}` : bare;
    if (entry) history.pushState(null, "", address);
    else history.replaceState(null, "", address);
  }
}
