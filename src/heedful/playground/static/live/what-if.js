/**
 * `<heed-what-if>`: what the model would write without some heads, with other words, or after a
 * given beginning; and how every step changes.
 *
 * It tells `edit` with what is changed, and `step` with a step that is chosen.
 */

import { make, tell } from "heedful/dom.js";
import { t } from "heedful/i18n.js";
import { capital, decimal, headName, percent, plain } from "heedful/numbers.js";
import { languages, read } from "heedful/wire.js";
import { amountBar, signedBar, withSign } from "heedful/live/bars.js";
import { mark } from "heedful/live/changes.js";
import { afterFrame } from "heedful/live/drawing.js";
import { Edits } from "heedful/live/edits.js";
import { differenceSaid } from "heedful/live/said.js";
import "heedful/live/exact.js";
import { mostMoved } from "heedful/live/moved.js";
import { Panel, Question, complete, growing, notice, notify, stepOf } from "heedful/live/panel.js";
import "heedful/live/two-maps.js";

const PAUSE = 120;

export class WhatIf extends Panel {
  #question = new Question(this, "/api/what_if", () => this.#draw());
  #drawn = { found: null, step: -1 };
  /** The trace of the changed model. */
  #edited = null;

  build() {
    this.#drawn = { found: null, step: -1 };
    this.edits = new Edits((change) => tell(this, "edit", change));
    this.notice = notice();
    this.said = make("p", { class: "verdict", "aria-live": "polite" });
    [this.before, this.after, this.source] = [0, 1, 2].map(() =>
      make("p", { class: "text", dir: "auto" }),
    );
    this.steps = make("div", { class: "scroll" });
    this.sourceTitle = make("h4", { text: t("whatif.source") });
    this.result = make(
      "div",
      { class: "result" },
      ...[this.said, this.sourceTitle, this.source],
      ...[make("h4", { text: t("whatif.before") }), this.before],
      ...[make("h4", { text: t("whatif.after") }), this.after],
      ...[make("h4", { text: t("whatif.steps") }), this.steps],
      make("p", { class: "soft", text: t("whatif.means") }),
      ...[(this.most = make("p")), (this.maps = make("heed-two-maps"))],
    );
    this.nothing = make("p", { class: "soft", text: t("whatif.nothing") });
    this.exact = make("heed-exact");
    this.append(...this.edits.elements, this.notice, this.nothing, this.result, this.exact);
  }

  draw() {
    this.edits.show(this.trace, this.state);
    if (growing(this.trace)) {
      this.#question.stop();
      this.result.classList.add("stale");
      return;
    }
    this.#ask();
    this.#draw();
    this.exact.tellOf(this.trace, this.state);
  }

  #ask() {
    const { ablate = [], how = "mean", replace = {}, prefix = null } = this.state?.edits ?? {};
    const edited = ablate.length > 0 || Object.keys(replace).length > 0 || prefix !== null;
    if (!edited || !complete(this.trace)) {
      this.#question.forget();
      notify(this.notice, "");
      return;
    }
    const body = { id: this.trace.id, ablate, how, replace, prefix };
    this.#question.ask(body, PAUSE, t("whatif.working"));
  }

  #draw() {
    const { asked, found } = this.#question;
    this.nothing.hidden = Boolean(asked);
    this.result.hidden = !found;
    if (!found) return;
    this.result.classList.toggle("stale", found.asked !== asked);
    if (found.asked !== asked) return;
    const step = stepOf(this.trace, this.state);
    if (found === this.#drawn.found && this.#edited) this.#maps();
    else this.#read(found);
    if (found === this.#drawn.found && step === this.#drawn.step) return;
    this.#drawn = { found, step };
    this.said.textContent = differenceSaid(found);
    this.said.classList.toggle("apart", found.changed);
    const spoken = languages(this.trace.wire);
    this.before.lang = this.after.lang = spoken.target;
    this.source.lang = spoken.source;
    mark(this.before, found.before, found.after, "gone");
    mark(this.after, found.before, found.after, "new");
    const source = found.trace?.source?.text;
    const other = source !== undefined && source !== this.trace.wire.source.text;
    this.source.hidden = this.sourceTitle.hidden = !other;
    if (other) mark(this.source, this.trace.wire.source.text, source);
    this.steps.replaceChildren(this.#table(found));
  }

  /** Read the trace of the changed model, once the browser has shown the translation. */
  #read(found) {
    this.#edited = null;
    afterFrame(() => {
      const { asked, found: newest } = this.#question;
      if (found !== newest || found.asked !== asked) return;
      this.#edited = read(found.trace);
      this.#moved();
      this.#maps();
    });
  }

  /** Say which head looks elsewhere than before, and lead to it. */
  #moved() {
    const most = mostMoved(this.trace.maps, this.#edited.maps);
    this.most.hidden = !most?.share;
    if (!most?.share) return;
    const { kind, layer, head, share } = most;
    const name = capital(headName(kind, layer, head));
    const button = make("button", { type: "button", class: "head-name", text: name });
    button.addEventListener("click", () => tell(this, "view", { kind, layer, head }));
    const { exact } = this.trace.maps[kind];
    this.most.replaceChildren(t("whatif.most", { share: percent(share, exact) }), button);
  }

  /** The chosen head in the model as it is, and in the changed one. */
  #maps() {
    const traces = [this.trace, this.#edited];
    const names = ["whatif.as_is", "whatif.changed"].map((name) => t(name));
    const sides = names.map((name, place) => ({ name, trace: traces[place] }));
    this.maps.show(sides, this.state.view);
  }

  /** Every step of the first translation: what it lost, and how far all probabilities moved. */
  #table({ log_probs: logProbs, divergence, begins }) {
    const { steps } = this.trace.wire;
    const changes = logProbs.map(([before, after]) => after - before);
    const largest = [changes, divergence].map((values) => Math.max(...values.map(Math.abs), 1e-3));
    const chosen = stepOf(this.trace, this.state);
    const rows = steps.slice(begins, begins + logProbs.length).map(({ predicts, i }, place) => {
      const facts = { type: "button", class: "head-name", text: plain(predicts) };
      const button = make("button", facts);
      button.addEventListener("click", () => tell(this, "step", i));
      const [before, after] = logProbs[place].map((value) => percent(Math.exp(value)));
      return make(
        "tr",
        { class: i === chosen ? "chosen" : "" },
        make("th", { scope: "row" }, button),
        make("td", { class: "n", text: before }),
        make("td", { class: "n", text: after }),
        cell(signedBar(changes[place], largest[0]), withSign(changes[place])),
        cell(amountBar(divergence[place], largest[1]), decimal(divergence[place])),
      );
    });
    const heads = ["piece", "p_before", "p_after", "change", "divergence"].map((key) =>
      make("th", { scope: "col", text: t(`whatif.${key}`) }),
    );
    return make(
      "table",
      { class: "changes" },
      make("caption", { text: t("whatif.table") }),
      make("thead", {}, make("tr", {}, ...heads)),
      make("tbody", {}, ...rows),
    );
  }
}

function cell(bar, text) {
  const value = make("span", { class: "n", text });
  return make("td", {}, make("span", { class: "measured" }, bar, value));
}

customElements.define("heed-what-if", WhatIf);
