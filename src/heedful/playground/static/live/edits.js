/**
 * What is changed in the model and its sentence: a list of edits, each of which can be taken back.
 */

import { make } from "heedful/dom.js";
import { t } from "heedful/i18n.js";
import { capital, headName } from "heedful/numbers.js";
import { complete, headOf } from "heedful/live/panel.js";
import { switched } from "heedful/live/state.js";
import { writes } from "heedful/wire.js";

/** The ways in which a head is switched off. */
const HOW = ["mean", "zero", "uniform"];

/**
 * Name a head, or a layer, by how it is written in an edit: `encoder.4.3`, `cross.1`.
 * @param {string} edit
 */
export function editName(edit) {
  const [kind, layer, head] = edit.split(".");
  const number = head === undefined ? undefined : Number(head);
  return capital(headName(kind, Number(layer), number));
}

/** The list and what adds to it; `told` is called with what changes of the edits. */
export class Edits {
  #told;
  #edits = { ablate: [], how: "mean", replace: {}, prefix: null };
  #words = "";

  /** @param {(change: Record<string, any>) => void} told */
  constructor(told) {
    this.#told = told;
    this.list = make("ul", { class: "edits" });
    this.list.setAttribute("aria-label", t("whatif.edits"));
    this.clear = this.#button("whatif.clear", () =>
      told({ ablate: [], replace: {}, prefix: null }),
    );
    const title = make("h3", { text: t("whatif.edits") });
    this.elements = [
      make("div", { class: "title" }, title, this.clear),
      this.list,
      make("div", { class: "makers" }, this.#heads(), this.#word(), this.#beginning()),
    ];
  }

  #button(key, pressed) {
    const facts = { type: "button", class: "toggle", text: t(key) };
    return make("button", { ...facts, on: { click: pressed } });
  }

  #heads() {
    this.off = this.#button("machine.off", () => this.#toggle());
    this.how = HOW.map((how) => {
      const facts = { type: "button", class: "toggle", text: t(`whatif.how_${how}`) };
      const button = make("button", { ...facts, title: t(`whatif.how_${how}_means`) });
      button.addEventListener("click", () => this.#told({ how }));
      return button;
    });
    this.howMeans = make("p", { class: "soft" });
    const group = { class: "choices", role: "group", "aria-label": t("whatif.how") };
    return make(
      "fieldset",
      {},
      make("legend", { text: t("whatif.heads") }),
      this.off,
      make("p", { class: "soft", text: t("whatif.heads_hint") }),
      make("div", group, ...this.how),
      this.howMeans,
    );
  }

  #word() {
    this.word = make("select", { "aria-label": t("whatif.word") });
    this.by = make("input", { type: "text", maxlength: 80, "aria-label": t("whatif.by") });
    this.by.setAttribute("placeholder", t("whatif.by"));
    const done = () => {
      const by = this.by.value.trim();
      if (!this.word.value || !by || by === this.word.value) return;
      this.by.value = "";
      this.#told({ replace: { ...this.#edits.replace, [this.word.value]: by } });
    };
    return maker("whatif.replace", done, this.word, this.by);
  }

  #beginning() {
    this.prefix = make("input", { type: "text", maxlength: 200 });
    this.prefix.setAttribute("aria-label", t("whatif.prefix"));
    this.prefix.setAttribute("placeholder", t("whatif.prefix"));
    const done = () => {
      const prefix = this.prefix.value.trim();
      this.prefix.value = "";
      if (prefix) this.#told({ prefix: this.#joint(prefix) + prefix });
    };
    return maker("whatif.force", done, this.prefix);
  }

  /** What stands between a prompt and how it goes on: nothing before a mark, else a space. */
  #joint(prefix) {
    if (!this.prompt || /^[\p{P}\p{Script=Han}]/u.test(prefix)) return "";
    return /\s$/.test(this.prompt) ? "" : " ";
  }

  #toggle() {
    this.#told({ ablate: switched(this.#edits.ablate, this.chosen) });
  }

  /**
   * Show the edits of a state, and offer what a trace has.
   * @param {any} trace
   * @param {any} state
   */
  show(trace, state) {
    this.#edits = { ablate: [], how: "mean", replace: {}, prefix: null, ...state?.edits };
    const { ablate, how, replace, prefix } = this.#edits;
    const { kind, layer, head } = headOf(trace, state);
    this.chosen = `${kind}.${layer}.${head}`;
    const off = ablate.includes(this.chosen);
    const name = headName(kind, layer, head);
    this.off.textContent = t(off ? "whatif.switch_on" : "whatif.switch_off", { head: name });
    this.off.disabled = !complete(trace) || ablate.includes(`${kind}.${layer}`);
    this.how.forEach((button, place) =>
      button.setAttribute("aria-pressed", String(HOW[place] === how)),
    );
    this.howMeans.textContent = t(`whatif.how_${how}_means`);
    this.prompt = trace?.wire && writes(trace.wire) ? trace.wire.source.text : "";
    this.#offer(trace?.wire?.source?.words ?? []);
    const edits = [
      ...ablate.map((one) => [editName(one), { ablate: ablate.filter((head) => head !== one) }]),
      ...Object.entries(replace).map(([word, by]) => {
        const { [word]: _, ...others } = replace;
        return [t("whatif.replaced", { word, by }), { replace: others }];
      }),
      ...(prefix === null ? [] : [[t("whatif.begins", { prefix }), { prefix: null }]]),
    ];
    this.#list(edits);
  }

  /** Fill the list; what had the focus keeps it, or hands it to its neighbour. */
  #list(edits) {
    const before = [...this.list.querySelectorAll("button")];
    const focused = before.indexOf(document.activeElement);
    this.list.replaceChildren(...edits.map(([text, change]) => this.#edit(text, change)));
    this.clear.hidden = this.list.hidden = !edits.length;
    if (focused < 0) return;
    const after = this.list.querySelectorAll("button");
    (after[Math.min(focused, after.length - 1)] ?? this.off).focus();
  }

  #edit(text, change) {
    const label = t("whatif.take_back", { edit: text });
    const facts = { type: "button", class: "take-back", "aria-label": label, title: label };
    const button = make("button", { ...facts, text: "\u00d7" });
    button.addEventListener("click", () => this.#told(change));
    return make("li", {}, make("span", { text }), button);
  }

  /** Offer the words of the source, each once. */
  #offer(words) {
    const once = [...new Set(words)];
    if (JSON.stringify(once) === this.#words) return;
    this.#words = JSON.stringify(once);
    const chosen = this.word.value;
    this.word.replaceChildren(...once.map((word) => make("option", { value: word, text: word })));
    if (once.includes(chosen)) this.word.value = chosen;
  }
}

/** Make what adds an edit: fields and a button, which the enter key presses, too. */
function maker(key, done, ...fields) {
  const button = make("button", { type: "button", class: "toggle", text: t(`${key}_do`) });
  button.addEventListener("click", done);
  for (const field of fields) {
    field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.isComposing || field.tagName === "SELECT") return;
      event.preventDefault();
      done();
    });
  }
  const row = make("div", { class: "maker-row" }, ...fields, button);
  return make("fieldset", {}, make("legend", { text: t(key) }), row);
}
