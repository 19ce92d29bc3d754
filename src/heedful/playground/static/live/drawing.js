/**
 * In which order panels are drawn: some at once, the others bit by bit, so that the browser shows
 * what there is and takes keys in between.
 */

/** Milliseconds that are drawn between two frames. */
const SLICE = 8;

/**
 * Do something once the browser has shown what was drawn.
 * @param {() => void} act
 * @returns {number} - What cancelAnimationFrame takes.
 */
export function afterFrame(act) {
  return requestAnimationFrame(() => setTimeout(act));
}

export class Drawing {
  /** What waits; the functions of the newest call only. @type {(() => void)[]} */
  #waiting = [];
  #frame = 0;

  /**
   * Draw some now and some later; what still waits of an earlier call is given up.
   * @param {(() => void)[]} now
   * @param {(() => void)[]} later
   */
  draw(now, later) {
    this.#waiting = [...later];
    for (const one of now) one();
    if (later.length) this.#soon();
  }

  /** Go on once the browser has shown what was drawn. */
  #soon() {
    cancelAnimationFrame(this.#frame);
    this.#frame = afterFrame(() => this.#some());
  }

  #some() {
    const end = performance.now() + SLICE;
    while (this.#waiting.length && performance.now() < end) this.#waiting.shift()();
    if (this.#waiting.length) this.#soon();
  }
}

/**
 * Tell a panel something; if it fails the others go on.
 * @param {any} panel
 * @param {() => void} tell
 */
export function told(panel, tell) {
  try {
    tell();
  } catch (error) {
    console.error(panel.localName, error);
  }
}
