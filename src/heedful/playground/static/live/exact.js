/**
 * `<heed-exact>`: every head is switched off in turn, the one that should matter most first.
 *
 * It begins when it is asked to, shows how far it is, and tells `view` with a head that is chosen.
 */

import { make, table, tell, toggle } from "heedful/dom.js";
import { t } from "heedful/i18n.js";
import { plain } from "heedful/numbers.js";
import { signedBar, withSign } from "heedful/live/bars.js";
import { stream } from "heedful/live/client.js";
import { editName } from "heedful/live/edits.js";
import { Newest, Panel, complete, notice, notify, stepOf } from "heedful/live/panel.js";

/** Heads that are drawn; the table has all. */
const LISTED = 12;

export class Exact extends Panel {
  #newest = new Newest();
  #found = [];
  #about = "";
  #of = 0;
  #running = false;
  #whole = false;

  build() {
    this.start = make("button", { type: "button", class: "toggle" });
    this.start.addEventListener("click", () => (this.#running ? this.#stop() : this.#begin()));
    this.scope = toggle(t("exact.whole"), (on) => {
      this.#whole = on;
      this.#reset();
    });
    this.scope.setAttribute("aria-pressed", String(this.#whole));
    this.progress = make("progress", { max: 1, value: 0, "aria-label": t("exact.title") });
    this.far = make("span", { class: "soft n" });
    this.notice = notice();
    this.list = make("ol", { class: "weights heads-of-pair" });
    this.whole = make("div", { class: "scroll", hidden: "" });
    this.shown = toggle(t("panels.table"), (on) => {
      this.whole.hidden = !on;
      this.#draw();
    });
    this.append(
      make("h3", { class: "below", text: t("exact.title") }),
      make("p", { class: "soft", text: t("exact.about") }),
      make("div", { class: "choices" }, this.start, this.scope, this.shown),
      make("div", { class: "progress" }, this.progress, this.far),
      ...[this.notice, this.list, this.whole],
    );
  }

  /**
   * Follow the trace and the state; what was measured for others is taken away.
   * @param {any} trace
   * @param {any} state
   */
  tellOf(trace, state) {
    [this.trace, this.state] = [trace, state];
    if (this.firstChild) this.draw();
  }

  draw() {
    const { step, how } = this.#body();
    const about = JSON.stringify([this.trace?.id, step, how]);
    if (about !== this.#about) {
      this.#about = about;
      this.#reset();
    }
    this.#draw();
  }

  #body() {
    const step = this.#whole ? null : stepOf(this.trace, this.state);
    return { id: this.trace?.id, step, how: this.state?.edits?.how ?? "mean" };
  }

  #reset() {
    this.#newest.stop();
    [this.#found, this.#of, this.#running] = [[], 0, false];
    notify(this.notice, "");
    this.#about = JSON.stringify(Object.values(this.#body()));
    this.#draw();
  }

  #stop() {
    this.#newest.stop();
    this.#running = false;
    this.#draw();
  }

  #begin() {
    this.#reset();
    this.#running = true;
    this.#newest.ask(
      0,
      (signal) =>
        stream("/api/importance/exact", this.#body(), {
          signal,
          onEvents: (events) => this.#measured(events),
        }),
      () => this.#ended(),
      (error) => {
        notify(this.notice, error.message, true);
        this.#ended();
      },
    );
    this.#draw();
  }

  #measured(events) {
    this.#found.push(...events.map(({ head, change }) => ({ head, change })));
    this.#of = events[0].of;
    this.#draw();
  }

  #ended() {
    this.#running = false;
    this.#draw();
  }

  #draw() {
    const { steps } = this.trace?.wire ?? {};
    const piece = complete(this.trace) ? plain(steps[stepOf(this.trace, this.state)].predicts) : "";
    const key = this.#running ? "stop" : this.#whole ? "start_whole" : "start";
    this.start.textContent = t(`exact.${key}`, { piece });
    this.start.disabled = !complete(this.trace);
    const [done, of] = [this.#found.length, this.#of];
    this.progress.value = of ? done / of : 0;
    this.progress.hidden = this.shown.hidden = !of;
    this.far.textContent = of ? t("exact.far", { done, of }) : "";
    const sorted = [...this.#found].sort((a, b) => Math.abs(b.change) - Math.abs(a.change));
    const largest = Math.abs(sorted[0]?.change ?? 0);
    this.#list(sorted.slice(0, LISTED), largest);
    if (this.whole.hidden) return;
    const lines = sorted.map(({ head, change }) => [editName(head), withSign(change)]);
    const heads = [t("exact.head"), t("exact.change")];
    this.whole.replaceChildren(table(t("exact.table"), heads, lines));
  }

  #list(heads, largest) {
    const focused = this.list.querySelector(":focus")?.dataset.head;
    const lines = heads.map(({ head, change }) => {
      const facts = { type: "button", class: "head-name", "data-head": head, text: editName(head) };
      const button = make("button", facts);
      button.addEventListener("click", () => {
        const [kind, layer, number] = head.split(".");
        tell(this, "view", { kind, layer: Number(layer), head: Number(number) });
      });
      const value = make("span", { class: "n", text: withSign(change) });
      return make("li", {}, button, signedBar(change, largest), value);
    });
    this.list.replaceChildren(...lines);
    if (focused) this.list.querySelector(`[data-head="${focused}"]`)?.focus();
  }
}

customElements.define("heed-exact", Exact);
