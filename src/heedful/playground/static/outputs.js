/**
 * `<heed-outputs>`: what was predicted at each step, what else was likely, what each layer said.
 *
 * It tells `step` with the number of the step that was chosen. With the attribute `live` a piece
 * can be looked up, by whoever is set as `lookUp`; and where a model goes on with texts each piece
 * that was likely is a button, which tells `ask` with the text that it makes of the prompt.
 */

import { make, makePiece, onLanguage, table, tell } from "heedful/dom.js";
import { t } from "heedful/i18n.js";
import { decimal, percent, plain } from "heedful/numbers.js";
import { warmed } from "heedful/temperature.js";
import { writes } from "heedful/wire.js";
import { branched } from "heedful/written.js";

export class Outputs extends HTMLElement {
  #wire;
  #trace;
  #step = 0;
  #temperature = 1;
  /**
   * @type {((step: number, piece: string) =>
   *   Promise<{piece: string, rank: number, logp: number}>) | undefined}
   */
  lookUp;

  connectedCallback() {
    if (this.steps) return;
    this.#build();
    onLanguage(() => {
      this.#build();
      if (this.#wire) this.#list();
    });
  }

  #build() {
    const facts = { class: "steps", role: "radiogroup", "aria-label": t("outputs.step") };
    this.steps = make("div", facts);
    this.bars = make("ol", { class: "weights top" });
    const scrolled = { tabindex: 0, role: "group", "aria-label": t("outputs.layers") };
    this.lens = make("div", { class: "scroll lens", ...scrolled });
    this.branching = make("p", { class: "soft", hidden: "", text: t("outputs.branching") });
    this.name = make("h3");
    this.said = make("p", { class: "said", "aria-live": "polite" });
    const names = ["step", "reads", "predicts", "probability"];
    const head = names.map((name) => make("span", { text: t(`outputs.${name}`) }));
    this.replaceChildren(
      make(
        "div",
        { class: "beside" },
        make("div", { class: "scroll" }, make("div", { class: "heads" }, ...head), this.steps),
        make(
          "div",
          {},
          ...[this.name, this.said, this.bars, this.branching],
          ...(this.hasAttribute("live") ? [this.#knob(), this.#search()] : []),
          make("h3", { class: "below", text: t("outputs.layers") }),
          this.lens,
          make("p", { class: "soft", text: t("outputs.lens") }),
        ),
      ),
    );
    this.steps.addEventListener("keydown", (event) => this.#key(event));
  }

  #knob() {
    const facts = { type: "range", min: 0.1, max: 3, step: 0.1, value: this.#temperature };
    const range = make("input", facts);
    const value = make("output", { class: "n", text: String(this.#temperature) });
    this.about = make("p", { class: "soft" });
    range.addEventListener("input", () => {
      this.#temperature = Number(range.value);
      value.textContent = range.value;
      this.#rivals();
    });
    const name = make("span", { text: t("outputs.temperature") });
    return make("div", { class: "knob" }, make("label", {}, name, range, value), this.about);
  }

  #search() {
    const input = make("input", { type: "text", autocomplete: "off", spellcheck: "false" });
    this.asked = input;
    this.answer = make("p", { class: "soft", role: "status" });
    const go = make("button", { type: "submit", class: "toggle", text: t("outputs.ask.go") });
    const name = make("span", { text: t("outputs.ask") });
    const label = make("label", {}, name, input);
    const form = make("form", { class: "look-up" }, label, go, this.answer);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#look(input.value);
    });
    return form;
  }

  async #look(piece) {
    if (!piece || !this.lookUp) return;
    const step = this.#step;
    try {
      const found = await this.lookUp(step, piece);
      if (step !== this.#step) return;
      this.answer.textContent = t("outputs.ask.said", {
        piece: plain(found.piece),
        rank: found.rank + 1,
        share: percent(Math.exp(found.logp)),
        logp: decimal(found.logp),
      });
    } catch (error) {
      this.answer.textContent = error.message;
    }
  }

  /**
   * Show the steps of a trace, if they are there.
   * @param {any} trace
   * @param {{view: any}} [state]
   */
  show(trace, state) {
    const { wire } = trace;
    this.toggleAttribute("data-stale", !wire.steps);
    if (!wire.steps) return;
    [this.#wire, this.#trace] = [wire, trace];
    this.#step = state?.view.step ?? wire.begins ?? 0;
    this.#list();
  }

  /**
   * Follow the state of the page.
   * @param {{view: any}} state
   */
  update({ view }) {
    if (this.#wire && view.step !== null && view.step !== this.#step) this.choose(view.step);
  }

  #list() {
    this.buttons = this.#wire.steps.map((step) => this.#line(step));
    const focused = this.steps.contains(document.activeElement);
    this.steps.replaceChildren(...this.buttons);
    this.choose(Math.min(this.#step, this.buttons.length - 1));
    if (focused) this.buttons[this.#step].focus();
  }

  #line(step) {
    const share = Math.exp(step.logp);
    const bar = make("i");
    bar.style.width = `${100 * share}%`;
    const button = make(
      "button",
      { type: "button", role: "radio", class: step.i < (this.#wire.begins ?? 0) ? "given" : "" },
      make("span", { class: "n", text: String(step.i + 1) }),
      makePiece(step.reads, { class: "soft" }),
      makePiece(step.predicts),
      make("span", { class: "n", text: percent(share) }),
      make("span", { class: "bar" }, bar),
    );
    button.addEventListener("click", () => {
      this.choose(step.i);
      tell(this, "step", step.i);
    });
    return button;
  }

  #key(event) {
    const move = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (!move) return;
    event.preventDefault();
    const next = this.buttons[this.#step + move];
    next?.focus();
    next?.click();
  }

  /**
   * Show what was likely at a step.
   * @param {number} number
   */
  choose(number) {
    if (!this.#wire?.steps[number]) return;
    this.#step = number;
    this.buttons.forEach((button, place) => {
      button.setAttribute("aria-checked", String(place === number));
      button.tabIndex = place === number ? 0 : -1;
    });
    const { reads, predicts, logp, rank } = this.#wire.steps[number];
    this.name.textContent = t("outputs.stepNumber", { step: number + 1 });
    const facts = { reads: plain(reads), predicts: plain(predicts) };
    const share = percent(Math.exp(logp));
    this.said.textContent =
      t("outputs.said", { ...facts, share, logp: decimal(logp) }) +
      (rank === 0 ? "" : t("outputs.likelier", { n: rank }));
    if (this.answer) this.answer.textContent = "";
    this.#rivals();
    this.#say(number);
  }

  #rivals() {
    const { predicts, top } = this.#wire.steps[this.#step];
    const values = top.map(([, value]) => value);
    const shown = warmed(values, this.#temperature);
    const bars = top.map(([text], place) =>
      likely(text, shown[place], text === predicts, this.#branch(text, predicts)),
    );
    this.bars.replaceChildren(...bars);
    this.branching.hidden = !(this.hasAttribute("live") && writes(this.#wire));
    if (!this.about) return;
    this.about.textContent = t("outputs.temperature.about", { n: top.length });
    this.asked.placeholder = t("outputs.ask.hint", { example: plain(top.at(-1)?.[0] ?? "") });
  }

  /** Return what goes on from another piece; nothing where there is nothing to go on with. */
  #branch(piece, predicts) {
    if (!this.hasAttribute("live") || !writes(this.#wire) || piece === predicts) return undefined;
    const text = branched(this.#trace, this.#step, piece);
    return text === null ? undefined : () => tell(this, "ask", { text });
  }

  #say(number) {
    const { lens, steps } = this.#wire;
    this.lens.toggleAttribute("data-stale", !lens);
    if (!lens) return;
    const { predicts } = steps[number];
    const rows = lens.map((layer, place) => [
      t("layer.n", { layer: place + 1 }),
      percent(Math.exp(layer[number].logp)),
      ...layer[number].top.map(([text, value]) =>
        make(
          "span",
          { class: text === predicts ? "chosen" : "" },
          makePiece(text, { class: "piece" }),
          make("span", { class: "n soft", text: percent(Math.exp(value)) }),
        ),
      ),
    ]);
    const places = Array.from(lens[0]?.[number].top ?? [], (_, place) => `${place + 1}.`);
    const heads = [t("outputs.layer"), plain(predicts), ...places];
    this.lens.replaceChildren(table(t("outputs.lensTable"), heads, rows));
  }
}

function likely(text, share, chosen, branch) {
  const bar = make("i");
  bar.style.width = `${100 * share}%`;
  const piece = makePiece(text, { class: "piece" });
  const facts = { type: "button", class: "head-name", title: t("outputs.branch") };
  const shown = branch ? make("button", { ...facts, on: { click: branch } }, piece) : piece;
  return make(
    "li",
    { class: chosen ? "chosen" : "" },
    shown,
    make("span", { class: "bar" }, bar),
    make("span", { class: "n", text: percent(share) }),
  );
}

customElements.define("heed-outputs", Outputs);
