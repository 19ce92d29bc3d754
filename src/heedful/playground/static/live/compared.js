/**
 * `<heed-compared>`: the translation that is looked into beside another that the search found: the
 * words that differ, the scores, and what one head looks at in each.
 */

import { make } from "heedful/dom.js";
import { t } from "heedful/i18n.js";
import { decimal } from "heedful/numbers.js";
import { languages } from "heedful/wire.js";
import { mark } from "heedful/live/changes.js";
import { stream } from "heedful/live/client.js";
import { Newest, Panel, notice, notify, stepOf } from "heedful/live/panel.js";
import { grown, partOf } from "heedful/live/tracing.js";
import "heedful/live/two-maps.js";

export class Compared extends Panel {
  #newest = new Newest();
  /** What the search found, and the trace of it once it is there. */
  #found = null;
  #other = null;

  build() {
    this.heading = make("h3", { text: t("compared.title") });
    this.notice = notice();
    this.sides = [0, 1].map(() => ({
      text: make("p", { class: "text", dir: "auto" }),
      score: make("p", { class: "soft" }),
    }));
    const names = ["compared.one", "compared.other"];
    const columns = this.sides.map(({ text, score }, place) =>
      make("div", {}, make("h4", { text: t(names[place]) }), text, score),
    );
    this.maps = make("heed-two-maps");
    this.append(this.heading, make("div", { class: "two" }, ...columns), this.notice, this.maps);
  }

  /**
   * Show a translation beside the one of a trace; null: none any more.
   * @param {any} found - Of the trace's search.
   * @param {any} trace
   * @param {any} state
   */
  compare(found, trace, state) {
    [this.#found, this.#other] = [found, null];
    this.follow(trace, state);
    if (!found) return this.#newest.stop();
    notify(this.notice, t("compared.working"));
    this.#newest.ask(
      0,
      (signal) => tracedAs(found.text, trace, state, signal),
      (other) => {
        this.#other = other;
        notify(this.notice, "");
        this.draw();
      },
      (error) => notify(this.notice, error.message, true),
    );
  }

  /**
   * Follow the page; the translation of another trace is not compared any more.
   * @param {any} trace
   * @param {any} state
   */
  follow(trace, state) {
    if (!trace?.wire.beam?.found.includes(this.#found)) {
      this.#newest.stop();
      this.#found = null;
    }
    this.hidden = !this.#found;
    if (this.#found) this.show(trace, state);
  }

  draw() {
    if (!this.#found) return;
    const { wire } = this.trace;
    const own = wire.beam.found.find(({ text }) => text === wire.target.text);
    const texts = [wire.target.text, this.#found.text];
    [own, this.#found].forEach((one, place) => {
      const { text, score } = this.sides[place];
      text.lang = languages(wire).target;
      mark(text, texts[1 - place], texts[place], "new");
      score.textContent = one ? scoresOf(one) : "";
    });
    this.maps.hidden = !this.#other;
    if (this.#other) this.#draw();
  }

  #draw() {
    const { view } = this.state;
    const step = stepOf(this.trace, this.state);
    const first = { kind: "cross", layer: null, head: null, row: step, words: false };
    const chosen = view.kind === "encoder" ? { ...view, ...first } : view;
    const names = ["compared.one", "compared.other"].map((name) => t(name));
    const traces = [this.trace, this.#other];
    this.maps.show(names.map((name, place) => ({ name, trace: traces[place] })), chosen);
  }
}

/** Write both scores of a translation. */
function scoresOf({ score, logp }) {
  return [t("beam.score", { score: decimal(score) }), t("beam.logp", { logp: decimal(logp) })].join(
    " · ",
  );
}

/** Ask for the trace of a given translation of the same sentence. */
async function tracedAs(target, { wire }, { model }, signal) {
  const body = { model, text: wire.source.text, to: wire.to, target, beam: 1 };
  let other;
  const onEvents = (events) => (other = events.reduce(grown, other));
  await stream("/api/trace", body, { signal, onEvents });
  return partOf(other);
}

customElements.define("heed-compared", Compared);
