/**
 * `<heed-outputs>`: what was predicted at each step, what else was likely, what each layer said.
 *
 * It tells `step` with the number of the step that was chosen.
 */

import { make, makePiece, table, tell } from "heedful/dom.js";
import { decimal, percent, plain } from "heedful/numbers.js";

const LENS =
  "What each decoder layer would say if it were the last. The output matrix was made for the " +
  "last layer alone, so early layers are a reading, not a translation.";

export class Outputs extends HTMLElement {
  #wire;
  #step = 0;

  connectedCallback() {
    if (this.steps) return;
    this.steps = make("div", { class: "steps", role: "radiogroup", "aria-label": "step" });
    this.bars = make("ol", { class: "weights top" });
    this.lens = make("div", { class: "scroll lens" });
    this.name = make("h3");
    this.said = make("p", { class: "said", "aria-live": "polite" });
    const head = ["step", "reads", "predicts", "probability"].map((text) => make("span", { text }));
    this.append(
      make(
        "div",
        { class: "beside" },
        make(
          "div",
          { class: "scroll" },
          make("div", { class: "heads" }, ...head),
          this.steps,
        ),
        make(
          "div",
          {},
          ...[this.name, this.said, this.bars],
          make("h3", { class: "below", text: "Layer by layer" }),
          this.lens,
          make("p", { class: "soft", text: LENS }),
        ),
      ),
    );
    this.steps.addEventListener("keydown", (event) => this.#key(event));
  }

  /**
   * Show the steps of a trace.
   * @param {any} wire
   */
  show(wire) {
    this.#wire = wire;
    this.buttons = wire.steps.map((step) => this.#line(step));
    this.steps.replaceChildren(...this.buttons);
    this.choose(0);
  }

  #line(step) {
    const share = Math.exp(step.logp);
    const bar = make("i");
    bar.style.width = `${100 * share}%`;
    const button = make(
      "button",
      { type: "button", role: "radio" },
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
    this.#step = number;
    this.buttons.forEach((button, place) => {
      button.setAttribute("aria-checked", String(place === number));
      button.tabIndex = place === number ? 0 : -1;
    });
    const { reads, predicts, logp, rank, top } = this.#wire.steps[number];
    this.name.textContent = `Step ${number + 1}`;
    this.said.textContent =
      `reads ${plain(reads)}, predicts ${plain(predicts)}, ` +
      `${percent(Math.exp(logp))}, log p ${decimal(logp)}` +
      (rank === 0 ? "" : `; ${rank} ${rank === 1 ? "piece was" : "pieces were"} likelier`);
    const bars = top.map(([text, value]) => likely(text, value, text === predicts));
    this.bars.replaceChildren(...bars);
    this.#say(number);
  }

  #say(number) {
    const { lens, steps } = this.#wire;
    const { predicts } = steps[number];
    const rows = lens.map((layer, place) => [
      `layer ${place + 1}`,
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
    const heads = ["", plain(predicts), ...places];
    this.lens.replaceChildren(table("Likeliest pieces after each decoder layer", heads, rows));
  }
}

function likely(text, value, chosen) {
  const bar = make("i");
  bar.style.width = `${100 * Math.exp(value)}%`;
  return make(
    "li",
    { class: chosen ? "chosen" : "" },
    makePiece(text, { class: "piece" }),
    make("span", { class: "bar" }, bar),
    make("span", { class: "n", text: percent(Math.exp(value)) }),
  );
}

customElements.define("heed-outputs", Outputs);
