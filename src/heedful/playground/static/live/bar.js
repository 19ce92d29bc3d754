/**
 * `<heed-bar>`: the sentence that is looked into, its model, how it is searched, what is saved.
 *
 * It tells `ask` with what is asked, `save` with what and in which format, `share`, `undo`, `redo`.
 */

import { make, onLanguage, tell } from "heedful/dom.js";
import { language, t } from "heedful/i18n.js";
import { fittingTarget, languageName, targetsOf } from "heedful/live/names.js";
import { say } from "heedful/live/say.js";
import { MOST_BEAM, MOST_PIECES } from "heedful/live/state-url.js";
import { onWritten } from "heedful/live/typing.js";
import { languages } from "heedful/wire.js";
import { written } from "heedful/written.js";

/** What can be saved, in which formats. */
const SAVED = [["html", "HTML"], ...["arcs", "map", "tree"].flatMap(inBoth)];

/** Examples that are offered. */
const TRIES = 9;

function inBoth(what) {
  return ["SVG", "PNG"].map((format) => [what, format]);
}

export class Bar extends HTMLElement {
  #models = [];
  #state = null;
  /** The language and the model whose texts are shown. */
  #named = "";

  connectedCallback() {
    if (this.text) return;
    this.setAttribute("role", "group");
    this.setAttribute("aria-label", t("bar.label"));
    this.replaceChildren(
      make("div", { class: "about" }, this.#about(), this.#actions()),
      this.#boxes(),
      this.#examples(),
      this.#more(),
    );
    onLanguage(() => this.#fill());
  }

  #about() {
    this.model = make("select", { id: "model" });
    this.model.addEventListener("change", () => tell(this, "ask", { model: this.model.value }));
    this.card = make("span", { class: "soft" });
    this.untrained = say("p", { class: "wrong", say: "bar.untrained", hidden: "" });
    const label = say("label", { class: "unseen", say: "bar.model", for: "model" });
    return make("div", { class: "model" }, label, this.model, this.card, this.untrained);
  }

  #actions() {
    const button = (name, act, facts = {}) => {
      const made = say("button", { type: "button", class: "quiet", say: `bar.${name}`, ...facts });
      made.addEventListener("click", act);
      return made;
    };
    this.undo = button("undo", () => tell(this, "undo"), { id: "undo", disabled: "" });
    this.redo = button("redo", () => tell(this, "redo"), { id: "redo", disabled: "" });
    this.share = button("share", () => tell(this, "share", this.share), { id: "share" });
    return make("div", { class: "actions" }, this.undo, this.redo, this.share, this.#menu());
  }

  /** Make the menu of what can be saved. */
  #menu() {
    this.items = SAVED.map(([what, format]) => {
      const item = make("button", { type: "button", "data-save": `${what}.${format}` });
      item.addEventListener("click", () => {
        menu.open = false;
        menu.firstChild.focus();
        tell(this, "save", { what, format });
      });
      return item;
    });
    const list = make("div", { class: "items" }, ...this.items);
    const menu = make("details", { class: "menu" }, say("summary", { say: "bar.export" }), list);
    menu.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !menu.open) return;
      menu.open = false;
      menu.firstChild.focus();
    });
    menu.addEventListener("focusout", ({ relatedTarget }) => {
      if (relatedTarget && !menu.contains(relatedTarget)) menu.open = false;
    });
    return menu;
  }

  #boxes() {
    const facts = { id: "sentence", rows: 2, dir: "auto", autocomplete: "off", hint: "bar.hint" };
    this.text = say("textarea", facts);
    this.writing = onWritten(this.text, (text) => tell(this, "ask", { text, typed: true }));
    this.to = make("select", { id: "into" });
    this.to.addEventListener("change", () => tell(this, "ask", { to: this.to.value }));
    const polite = { "aria-live": "polite", dir: "auto", id: "output" };
    this.output = make("p", { class: "translation", ...polite });
    this.time = make("p", { class: "soft time" });
    this.own = say("button", { type: "button", class: "toggle", say: "bar.own", id: "own" });
    this.own.addEventListener("click", () => {
      tell(this, "ask", { target: null });
      this.text.focus();
    });
    this.wrong = make("p", { class: "wrong", role: "alert", hidden: "" });
    return make(
      "div",
      { class: "boxes" },
      make("div", { class: "box" }, say("label", { for: "sentence", say: "bar.text" }), this.text),
      make(
        "div",
        { class: "box" },
        make("div", { class: "into" }, say("label", { for: "into", say: "bar.to" }), this.to),
        ...[this.output, this.time, this.own, this.wrong],
      ),
    );
  }

  #examples() {
    this.tries = make("div", { class: "tries" });
    return this.tries;
  }

  #more() {
    const number = (id, facts) => make("input", { type: "number", id, ...facts });
    this.target = say("textarea", { id: "given", rows: 1, dir: "auto", hint: "bar.target.hint" });
    this.giving = onWritten(this.target, (text) =>
      tell(this, "ask", { target: text.trim() ? text : null, typed: true }),
    );
    this.beam = number("beam", { min: 1, max: MOST_BEAM, step: 1 });
    this.penalty = number("penalty", { min: 0, max: 10, step: 0.1 });
    this.most = number("most", { min: 1, max: MOST_PIECES, step: 1 });
    this.warmth = number("warmth", { min: 0, max: 5, step: 0.1 });
    this.seed = number("seed", { min: 0, max: 2 ** 53 - 1, step: 1 });
    const on = (box, name) =>
      box.addEventListener("change", () => {
        const fine = box.value !== "" && box.checkValidity();
        if (fine) tell(this, "ask", { [name]: Number(box.value) });
        else this.#fill();
      });
    on(this.beam, "beam");
    on(this.penalty, "length_penalty");
    on(this.most, "most");
    on(this.warmth, "temperature");
    on(this.seed, "seed");
    const field = (box, name, ...about) =>
      make("div", { class: "field" }, say("label", { for: box.id, say: name }), box, ...about);
    const about = say("span", { class: "soft", say: "bar.beam.about" });
    const warm = say("span", { class: "soft", say: "bar.temperature.about" });
    return make(
      "details",
      { class: "more" },
      say("summary", { say: "bar.more" }),
      make(
        "div",
        { class: "fields" },
        field(this.target, "bar.target"),
        field(this.beam, "bar.beam", about),
        field(this.penalty, "bar.penalty"),
        field(this.most, "bar.most"),
        field(this.warmth, "bar.temperature", warm),
        field(this.seed, "bar.seed"),
      ),
    );
  }

  /**
   * Tell which models there are.
   * @param {any[]} models
   */
  models(models) {
    this.#models = models;
    this.#fill();
  }

  /** Put the cursor into the box for the sentence. */
  focusInput() {
    this.text.focus();
    this.text.select();
  }

  /**
   * Tell whether there is something to take back, and to do again.
   * @param {boolean} undo
   * @param {boolean} redo
   */
  steps(undo, redo) {
    [this.undo.disabled, this.redo.disabled] = [!undo, !redo];
  }

  /**
   * Say what went wrong; nothing if it is empty.
   * @param {string} sentence
   */
  fail(sentence) {
    this.wrong.textContent = sentence;
    this.wrong.hidden = sentence === "";
    if (sentence) this.time.textContent = "";
  }

  /** Show a trace, as far as it is there. */
  show({ wire, target }) {
    const spoken = languages(wire);
    this.toggleAttribute("data-stale", !target);
    if (!target) return;
    this.output.removeAttribute("aria-busy");
    this.output.replaceChildren(...written(wire, wire.target.text));
    this.output.lang = spoken.target;
    this.#times(wire);
  }

  /** Show a text while it is written; it is read out when it is whole. */
  wrote(wire, text) {
    this.removeAttribute("data-stale");
    this.output.setAttribute("aria-busy", "true");
    this.output.replaceChildren(...written(wire, text));
  }

  #times({ ms, forced }) {
    if (!ms) return;
    const whole = Object.values(ms).reduce((sum, value) => sum + value, 0);
    const shown = { whole, encode: ms.encode, search: ms.search, read: ms.read };
    const rounded = Object.entries(shown).map(([name, value]) => [name, Math.round(value ?? 0)]);
    const said = t("bar.times", Object.fromEntries(rounded));
    this.time.textContent = forced ? `${t("bar.forced")} ${said}` : said;
  }

  /** Show that there is no trace. */
  empty() {
    [this.output.textContent, this.time.textContent] = ["", ""];
    this.removeAttribute("data-stale");
  }

  /** Follow the state of the page. */
  update(state) {
    this.#state = state;
    this.#fill();
  }

  #fill() {
    const state = this.#state;
    if (!state || !this.text) return;
    this.writing.set(state.text);
    const rows = Math.min(Math.max(2, state.text.split("\n").length), 6);
    if (this.text.rows !== rows) this.text.rows = rows;
    this.giving.set(state.target ?? "");
    this.own.hidden = state.target === null;
    for (const [box, value] of [
      [this.beam, state.beam],
      [this.penalty, state.length_penalty],
      [this.most, state.most],
      [this.warmth, state.temperature],
      [this.seed, state.seed],
    ]) {
      if (box !== document.activeElement) box.value = String(value);
    }
    const model = this.#models.find(({ name }) => name === state.model);
    this.#name(model);
    if (!model) return;
    this.model.value = state.model;
    this.to.value = state.to;
  }

  /** Name what depends on the language and the model alone, where these are others. */
  #name(model) {
    const of = `${language()} ${model?.name ?? ""}`;
    if (of === this.#named) return;
    this.#named = of;
    this.setAttribute("aria-label", t("bar.label"));
    this.items.forEach((item, place) => {
      const [what, format] = SAVED[place];
      item.textContent = t("save.as", { what: t(`save.${what}`), format });
    });
    if (!model) return;
    const { card, ways, examples, beam } = model;
    this.beam.max = String(beam);
    options(this.model, this.#models.map(({ name }) => [name, name]), model.name);
    this.model.hidden = this.#models.length < 2;
    this.#fields(Boolean(model.writes));
    const targets = targetsOf(ways);
    options(this.to, targets.map((code) => [code, languageName(code)]), this.#state.to);
    this.to.parentElement.hidden = targets.length === 0;
    const single = this.#models.length < 2 ? [model.name] : [];
    this.card.textContent = [...single, ...facts(card)].join(" · ");
    this.untrained.hidden = card.trained !== false;
    const known = examples.filter((one, place) => {
      return examples.findIndex(({ text }) => text === one.text) === place;
    });
    const buttons = known.slice(0, TRIES).map((one) => this.#example(one, ways));
    this.tries.hidden = buttons.length === 0;
    const label = make("span", { class: "soft", text: t("bar.examples") });
    this.tries.replaceChildren(label, ...buttons);
  }

  /** Show what can be asked of a model that writes, or of one that translates. */
  #fields(writes) {
    const shown = (boxes, on) => boxes.forEach((box) => (box.parentElement.hidden = !on));
    shown([this.beam, this.penalty], !writes);
    shown([this.most, this.warmth, this.seed], writes);
    this.items.forEach((item, place) => (item.hidden = writes && SAVED[place][0] === "tree"));
  }

  #example({ text, to }, ways) {
    const target = fittingTarget(ways, "", to);
    const name = t("bar.example", { text, language: languageName(target) });
    const button = make("button", { type: "button", class: "chip try", title: name, text });
    button.setAttribute("aria-label", name);
    button.addEventListener("click", () => tell(this, "ask", { text, from: "", to: target }));
    return button;
  }
}

/** Return what a model is like, in a few words each. */
function facts(card) {
  const size = new Intl.NumberFormat(language() === "zh" ? "zh-CN" : "en", {
    notation: "compact",
    maximumFractionDigits: 1,
  });
  const whole = new Intl.NumberFormat("en");
  const [encoder, decoder] = [card.encoder_layers, card.decoder_layers];
  const found = [t("trace.model", { encoder, decoder, n: card.heads, width: card.d_model })];
  if (card.parameters) found.push(t("bar.parameters", { n: size.format(card.parameters) }));
  if (card.vocabulary) {
    const sizes = [...new Set(card.vocabulary)].map((n) => whole.format(n)).join(" + ");
    found.push(t("bar.vocabulary", { n: sizes }));
  }
  if (card.bleu) {
    const bleu = Object.entries(card.bleu).map(([way, value]) => `${way} ${value}`);
    found.push(t("bar.bleu", { bleu: bleu.join(", ") }));
  }
  return found;
}

/**
 * Make the options of a list those that are given, and choose one; nothing if they are already.
 * @param {any} select
 * @param {[string, string][]} given
 * @param {string} chosen
 */
export function options(select, given, chosen) {
  const known = JSON.stringify(given);
  if (select.dataset.given !== known) {
    select.dataset.given = known;
    select.replaceChildren(...given.map(([value, text]) => make("option", { value, text })));
  }
  select.value = chosen;
}

customElements.define("heed-bar", Bar);
