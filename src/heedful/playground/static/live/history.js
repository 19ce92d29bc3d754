/**
 * What was before: steps that are taken back and done again.
 */

/** Changes of one kind within so many milliseconds of each other are one step. */
const TOGETHER = 1200;
/** Steps that are kept. */
const MOST = 200;

export class History {
  #before = [];
  #after = [];
  #now;
  #kind = "";
  #time = -Infinity;

  /** @param {any} value - What is now; plain data. */
  constructor(value) {
    this.#now = value;
  }

  /** Whether there is something to take back. */
  get canUndo() {
    return this.#before.length > 0;
  }

  /** Whether there is something to do again. */
  get canRedo() {
    return this.#after.length > 0;
  }

  /**
   * Note what is now. What is as before is no step; typing is one until it pauses.
   * @param {any} value
   * @param {string} kind - What was changed; empty: a step of its own.
   * @param {number} time - In milliseconds.
   */
  note(value, kind, time) {
    if (JSON.stringify(value) === JSON.stringify(this.#now)) return;
    const same = kind !== "" && kind === this.#kind;
    const together = same && time - this.#time < TOGETHER && this.canUndo;
    if (!together) this.#before.push(this.#now);
    if (this.#before.length > MOST) this.#before.shift();
    [this.#now, this.#kind, this.#time, this.#after] = [value, kind, time, []];
  }

  /** Take the last step back: return what was before it, or undefined. */
  undo() {
    return this.#move(this.#before, this.#after);
  }

  /** Do again what was taken back: return what was after it, or undefined. */
  redo() {
    return this.#move(this.#after, this.#before);
  }

  #move(from, to) {
    if (from.length === 0) return undefined;
    to.push(this.#now);
    this.#now = from.pop();
    this.#kind = "";
    return this.#now;
  }
}
