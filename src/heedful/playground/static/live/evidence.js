/**
 * `<heed-evidence>`: what speaks for a pair of words, measured in several ways that may disagree.
 *
 * The sentence above the measures is the server's own, which says no more than was measured. It
 * tells `view` with a head that is chosen in it.
 */

import { make, tell } from "heedful/dom.js";
import { t } from "heedful/i18n.js";
import { capital, headName, percent, plain } from "heedful/numbers.js";
import { amountBar, withSign } from "heedful/live/bars.js";
import { mark } from "heedful/live/changes.js";
import { pairOf } from "heedful/live/pair.js";
import { python } from "heedful/live/python.js";
import { evidenceSaid } from "heedful/live/said.js";
import { Panel, Question, complete, growing, notice, stepOf } from "heedful/live/panel.js";

/** Milliseconds that a pair stays chosen before it is measured: pointing at maps is free. */
const PAUSE = 350;
/** Nats from which on a change counts as one; heedful.inspect.evidence has the same. */
const MEASURABLE = 0.1;
/** Heads that are listed. */
const LISTED = 5;

export class Evidence extends Panel {
  #question = new Question(this, "/api/evidence", () => this.#draw());
  #pair = null;
  #whole = true;
  #told = "";

  build() {
    this.#told = "";
    this.scope = [true, false].map((whole) => {
      const button = make("button", { type: "button", class: "toggle" });
      button.addEventListener("click", () => {
        this.#whole = whole;
        this.draw();
      });
      return button;
    });
    const scope = { class: "choices", role: "group", "aria-label": t("evidence.scope") };
    this.scopes = make("div", scope, ...this.scope);
    this.name = make("h3");
    this.notice = notice();
    this.verdict = make("p", { class: "verdict", "aria-live": "polite" });
    this.measures = make("dl", { class: "measures" });
    this.all = make("div", {}, this.verdict, this.measures);
    this.append(
      ...[this.name, this.scopes, this.notice, this.all],
      make("p", { class: "caption", text: t("evidence.caption") }),
    );
  }

  draw() {
    if (growing(this.trace)) {
      this.#question.stop();
      this.#told = "";
      this.all.classList.add("stale");
      return;
    }
    this.#pair = complete(this.trace) ? pairOf(this.trace, this.state.view) : null;
    this.#ask();
    this.#draw();
  }

  #ask() {
    if (!this.#pair) {
      this.#question.forget();
      return;
    }
    const { kind, row, column, words } = this.#pair;
    const body = { id: this.trace.id, kind, row, column, words, step: this.#step() };
    this.#question.ask(body, this.#question.found ? PAUSE : 0, t("evidence.measuring"));
  }

  /** What is asked about: a row of the decoder is a step; for others it can be chosen. */
  #step() {
    if (this.#pair.kind !== "encoder" || this.#whole) return null;
    return stepOf(this.trace, this.state);
  }

  #scopes() {
    const encoder = this.#pair?.kind === "encoder";
    this.scopes.hidden = !encoder;
    if (!encoder) return;
    const step = stepOf(this.trace, this.state);
    const piece = plain(this.trace.wire.steps[step].predicts);
    this.scope[0].textContent = t("machine.whole");
    this.scope[1].textContent = t("machine.step", { step: step + 1, piece });
    this.scope.forEach((button, place) =>
      button.setAttribute("aria-pressed", String((place === 0) === this.#whole)),
    );
  }

  #draw() {
    const { asked, found } = this.#question;
    const pair = this.#pair;
    const step = stepOf(this.trace, this.state);
    const told = JSON.stringify([pair, asked, found?.asked, step, this.#whole]);
    if (told === this.#told) return;
    this.#told = told;
    this.#scopes();
    this.name.textContent = pair
      ? t(pair.reads === undefined ? "evidence.pair" : "evidence.pair_decoder", pair)
      : t("evidence.none");
    this.all.hidden = !found;
    this.all.classList.toggle("stale", Boolean(found) && found.asked !== asked);
    if (!found || !pair) return;
    if (found.asked !== asked) return;
    this.verdict.textContent = evidenceSaid(found);
    this.verdict.classList.toggle("apart", found.agree === false);
    this.measures.replaceChildren(...this.#measures(found).flat());
  }

  /** Return the measures, each a name, a value and what it means. */
  #measures(found) {
    const { step } = found;
    const piece =
      step === null
        ? t("evidence.of_translation")
        : t("evidence.of_piece", { piece: plain(this.trace.wire.steps[step].predicts) });
    const lines = [
      this.#attention(found),
      this.#valueNorm(found),
      measure("rollout", found.rollout === null ? null : percent(found.rollout), {}),
      measure(step === null ? "gradient_none" : "gradient", nats(found.grad_x_input), { piece }),
      measure("zeroing", nats(found.value_zeroing?.change), { piece, to: this.#pair.to }),
      this.#ablation(found, piece),
    ];
    return lines.filter(Boolean);
  }

  #attention({ heads, over_half: over, of }) {
    const { kind } = this.#pair;
    const lines = heads.slice(0, LISTED).map((one) =>
      this.#line({ kind, ...one }, one.weight, percent(one.weight)),
    );
    const list = make("ol", { class: "weights heads-of-pair" }, ...lines);
    return measure("attention", t("evidence.over_half", { n: over, of }), {}, list);
  }

  #valueNorm({ value_norm: norms }) {
    const { kind } = this.#pair;
    if (!norms?.length) return null;
    const best = [...norms].sort((a, b) => b.share - a.share).slice(0, 3);
    const lines = best.map((one) => this.#line({ kind, ...one }, one.share, percent(one.share)));
    const list = make("ol", { class: "weights heads-of-pair" }, ...lines);
    return measure("value_norm", "", {}, list);
  }

  /** Return Python that gives what is shown. */
  python(_, state) {
    if (!this.#pair) return undefined;
    const { kind, row, column, words } = this.#pair;
    const step = this.#step();
    const asked = `seen, "${kind}", ${row}, ${column}, words=${words ? "True" : "False"}`;
    return [
      python("", state),
      "from heedful.inspect.evidence import evidence",
      "",
      `print(evidence(${asked}, step=${step ?? "None"}))`,
      "",
    ].join("\n");
  }

  /** A head with its share, which is chosen by a click. */
  #line({ kind, layer, head }, value, text) {
    const name = capital(headName(kind, layer, head));
    const button = make("button", { type: "button", class: "head-name", text: name });
    button.addEventListener("click", () => tell(this, "view", { kind, layer, head }));
    return make("li", {}, button, amountBar(value), make("span", { class: "n", text }));
  }

  #ablation({ ablate_top: top }, piece) {
    if (!top) return null;
    const [kind, layer, head] = top.head.split(".");
    const name = headName(kind, Number(layer), Number(head));
    const after = make("p", { class: "text", dir: "auto" });
    if (top.changed) mark(after, this.trace.wire.target.text, top.translation);
    else after.textContent = t(unchanged(top.change));
    return measure("ablation", nats(top.change), { head: name, piece }, after);
  }
}

/** Write a change of a logarithm with its unit; null stays null. */
function nats(value) {
  return Number.isFinite(value) ? t("panels.nats", { value: withSign(value) }) : null;
}

/** Name what is said of a head without which the translation stays the same. */
function unchanged(change) {
  if (Math.abs(change) < MEASURABLE) return "evidence.unchanged";
  return change < 0 ? "evidence.unchanged_less" : "evidence.unchanged_more";
}

/** Return a name and what was measured; null: it was not. */
function measure(key, value, facts, ...more) {
  const known = value ?? t("evidence.unknown");
  return [
    make("dt", { text: t(`evidence.${key}`, facts) }),
    make(
      "dd",
      {},
      ...(known ? [make("span", { class: "value", text: known })] : []),
      ...more,
      make("p", { class: "soft", text: t(`evidence.${key}_means`, facts) }),
    ),
  ];
}

customElements.define("heed-evidence", Evidence);
