/**
 * What the panels of the live page share: when they are drawn, and how they ask the server.
 */

import { make } from "heedful/dom.js";
import { settled } from "heedful/views.js";
import { Refused, ask } from "heedful/live/client.js";

/** A panel: built once, drawn again when the trace, the state or the language changes. */
export class Panel extends HTMLElement {
  /** @type {any} - The trace that is shown, complete or not; null: none. */
  trace = null;
  /** @type {any} - The state of the page; null until the page told it. */
  state = null;
  #again = () => {
    this.replaceChildren();
    this.build();
    this.draw();
  };

  connectedCallback() {
    document.addEventListener("language", this.#again);
    if (!this.firstChild) this.#again();
  }

  disconnectedCallback() {
    document.removeEventListener("language", this.#again);
  }

  /**
   * Show a trace, complete or in part.
   * @param {any} trace
   * @param {any} state
   */
  show(trace, state) {
    [this.trace, this.state] = [trace, state];
    if (this.firstChild) this.draw();
  }

  /**
   * Follow the page's state; the trace is the same.
   * @param {any} state
   */
  update(state) {
    this.state = state;
    if (this.firstChild) this.draw();
  }

  /** Show that there is no trace. */
  empty() {
    this.trace = null;
    if (this.firstChild) this.draw();
  }

  /** Whether somebody sees it: what nobody sees asks nothing. */
  get seen() {
    return this.isConnected && (this.checkVisibility?.() ?? true);
  }

  /** Make the elements. */
  build() {}

  /** Fill the elements with what the trace and the state say. */
  draw() {}
}

/** Asks one question at a time: a newer one takes back the one before. */
export class Newest {
  #timer = 0;
  #open = new AbortController();

  /**
   * Ask after a pause.
   * @param {number} pause - Milliseconds.
   * @param {(signal: AbortSignal) => Promise<any>} question
   * @param {(answer: any) => void} answered
   * @param {(error: Error) => void} failed - Not called for a question that was taken back.
   */
  ask(pause, question, answered, failed) {
    this.stop();
    const { signal } = (this.#open = new AbortController());
    const begin = async () => {
      try {
        const answer = await question(signal);
        if (!signal.aborted) answered(answer);
      } catch (error) {
        if (!signal.aborted) failed(error);
      }
    };
    if (pause) this.#timer = window.setTimeout(begin, pause);
    else begin();
  }

  /** Take back what is asked. */
  stop() {
    clearTimeout(this.#timer);
    this.#open.abort();
  }
}

/** A question of a panel that stands while what is asked stays the same; its answer is kept. */
export class Question {
  /** What is asked, in letters; empty: nothing. */
  asked = "";
  /** @type {any} - The newest answer, and in `asked` what it answers; null: there is none. */
  found = null;
  /** Whether nobody could answer: then the same is asked again. */
  #lost = false;
  #newest = new Newest();
  #panel;
  #path;
  #changed;

  /**
   * @param {any} panel - Its `notice` says what goes wrong.
   * @param {string} path
   * @param {() => void} changed - Called when there is an answer, or none any more.
   */
  constructor(panel, path, changed) {
    [this.#panel, this.#path, this.#changed] = [panel, path, changed];
  }

  /**
   * Ask, unless it is asked already or nobody sees the panel; return whether it is asked anew.
   * @param {any} body
   * @param {number} pause - Milliseconds to wait before.
   * @param {string} [working] - What the notice says meanwhile.
   */
  ask(body, pause, working = "") {
    const asked = JSON.stringify(body);
    if ((asked === this.asked && !this.#lost) || !this.#panel.seen) return false;
    [this.asked, this.#lost] = [asked, false];
    if (working) notify(this.#panel.notice, working);
    this.#newest.ask(
      pause,
      (signal) => ask(this.#path, body, { signal }),
      (found) => this.#take({ ...found, asked }, ""),
      (error) => {
        this.#lost = !(error instanceof Refused) || error.status >= 500;
        this.#take(null, error.message);
      },
    );
    return true;
  }

  #take(found, wrong) {
    this.found = found;
    notify(this.#panel.notice, wrong, Boolean(wrong));
    this.#changed();
  }

  /** Take back what is asked; the answer before it stays. */
  stop() {
    this.#newest.stop();
    this.asked = "";
  }

  /** Take back what is asked, and forget the answer. */
  forget() {
    this.stop();
    this.found = null;
  }
}

/**
 * Make a line for a sentence about what went wrong, or what is being worked on.
 * @returns {any}
 */
export function notice() {
  return make("p", { class: "working", role: "status", hidden: "" });
}

/**
 * Write into a notice; an empty text hides it.
 * @param {any} line
 * @param {string} text
 * @param {boolean} [wrong]
 */
export function notify(line, text, wrong = false) {
  line.textContent = text;
  line.hidden = !text;
  line.classList.toggle("wrong", wrong);
}

/**
 * Return the step that is chosen, if the trace has it; else the first.
 * @param {any} trace
 * @param {any} state
 * @returns {number}
 */
export function stepOf(trace, state) {
  const step = state?.view?.step ?? trace?.wire?.begins ?? 0;
  return step < (trace?.wire?.steps?.length ?? 0) ? step : 0;
}

/**
 * Whether a trace has come to its end: its steps are known and the server keeps it.
 * @param {any} trace
 */
export function complete(trace) {
  return Boolean(trace?.id && trace.complete !== false && trace.wire?.steps?.length);
}

/**
 * Whether a trace is on its way: what is shown of the one before stays, paler, until it is there.
 * @param {any} trace
 */
export function growing(trace) {
  return Boolean(trace) && !complete(trace);
}

/**
 * Return the head that is chosen; of a kind that is not there yet, the first.
 * @param {any} trace
 * @param {any} state
 * @returns {{kind: string, layer: number, head: number}}
 */
export function headOf(trace, state) {
  const view = state?.view ?? { kind: "encoder" };
  const map = trace?.maps?.[view.kind];
  const { layer, head } = map ? settled(trace.maps, view) : view;
  return { kind: view.kind, layer: layer ?? 0, head: head ?? 0 };
}
