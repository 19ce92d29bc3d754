/**
 * A trace grows from the server's events; the newest question is the only one that is asked.
 */

import { Gone, called, stream } from "heedful/live/client.js";
import { readPart } from "heedful/wire.js";

/**
 * Return what was saved so far with an event more.
 * @param {any} wire
 * @param {any} told
 */
export function grown(wire, told) {
  const { event, ...rest } = told;
  if (event === "begin") return { ...rest, attention: [] };
  if (event === "writing") return wire;
  if (event === "attention") return { ...wire, attention: [...wire.attention, rest] };
  return { ...wire, ...rest };
}

/**
 * Return a trace, complete or in part.
 * @param {any} wire
 * @param {Map<any, any>} [known] - Maps that were read before.
 */
export function partOf(wire, known) {
  return { ...readPart(wire, known), id: wire.id, complete: wire.ms !== undefined };
}

/** Asks for traces. */
export class Tracer {
  #timer = 0;
  #open = new AbortController();
  #busy = false;
  #told;

  /**
   * @param {{grew: (trace: any) => void, wrote: (wire: any, text: string) => void,
   *   failed: (error: Error) => void}} told - What to call when a trace has grown and has some
   *   maps, when a text has grown, and when there will be no trace.
   */
  constructor(told) {
    this.#told = told;
  }

  /**
   * Ask for a trace after a pause; what was asked before is called back.
   * @param {object} body
   * @param {number} pause - In milliseconds.
   */
  ask(body, pause) {
    this.stop();
    const { signal } = (this.#open = new AbortController());
    this.#busy = true;
    if (pause) this.#timer = window.setTimeout(() => this.#run(body, signal), pause);
    else this.#run(body, signal);
  }

  /**
   * Call back what was asked; return whether its trace was not whole yet.
   * @returns {boolean}
   */
  stop() {
    window.clearTimeout(this.#timer);
    this.#open.abort();
    const unfinished = this.#busy;
    this.#busy = false;
    return unfinished;
  }

  async #run(body, signal) {
    let wire;
    const known = new Map();
    try {
      await stream("/api/trace", body, {
        signal,
        onEvents: (events) => {
          wire = events.reduce(grown, wire);
          const text = events.findLast(({ event }) => event === "writing");
          if (text && !wire.target) this.#told.wrote(wire, text.so_far);
          if (wire.attention.length || wire.steps) this.#told.grew(partOf(wire, known));
        },
      });
      if (signal.aborted) return;
      if (wire?.ms === undefined) throw new Gone();
      this.#busy = false;
    } catch (error) {
      if (!signal.aborted && !called(error)) this.#told.failed(error);
    }
  }
}
