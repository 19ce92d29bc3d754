/**
 * `<heed-translator>`: a text in one box, its translation in the other, while it is written.
 *
 * It tells `ask` with the text and the languages, `change` where the state is to be
 * another, and `gone` if there is no server.
 */

import { make, onLanguage, tell } from "heedful/dom.js";
import { t } from "heedful/i18n.js";
import { options } from "heedful/live/bar.js";
import { Gone, ask, called, get, stream } from "heedful/live/client.js";
import { copyFrom } from "heedful/live/copying.js";
import { FileList } from "heedful/live/file-list.js";
import { fittingTarget, languageName, sourcesOf, targetsOf } from "heedful/live/names.js";
import { say } from "heedful/live/say.js";
import { Sentences } from "heedful/live/sentences.js";
import { onWritten } from "heedful/live/typing.js";

/** Milliseconds after a key until the text is translated. */
const PAUSE = 300;
/** Characters of a text, until the server has said how many it takes. */
const CHARACTERS = 5000;
/** What a server says that loads its model, or has too much to do; it is asked again, later. */
const NOT_YET = 503;
const LATER = 1000;
/** How sure a language must be. */
const SURE = 0.5;

export class Translator extends HTMLElement {
  #models = [];
  #state = null;
  #most = CHARACTERS;
  #asked = "";
  #detected = "";
  #timer = 0;
  #open = new AbortController();

  connectedCallback() {
    if (this.text) return;
    this.sentences = new Sentences({
      other: (source) => this.#alternatives(source),
      changed: () => this.#enable(),
      to: () => this.#state.to,
    });
    this.files = new FileList({ how: () => this.#how(), gone: () => tell(this, "gone") });
    this.replaceChildren(this.#languages(), this.#boxes(), this.files.element);
    this.#dropping();
    onLanguage(() => this.#fill());
  }

  #languages() {
    this.from = make("select", { id: "from" });
    this.to = make("select", { id: "to" });
    const label = (box, name) => say("label", { class: "unseen", for: box.id, say: name });
    this.swap = say("button", {
      ...{ type: "button", class: "quiet swap", id: "swap", text: "⇄" },
      ...{ label: "translator.swap", title: "translator.swap" },
    });
    this.from.addEventListener("change", () => tell(this, "ask", this.#from(this.from.value)));
    this.to.addEventListener("change", () => tell(this, "ask", { to: this.to.value }));
    this.swap.addEventListener("click", () => this.#swap());
    return make(
      "div",
      { class: "languages" },
      ...[label(this.from, "translator.from"), this.from, this.swap],
      ...[label(this.to, "translator.to"), this.to],
    );
  }

  #boxes() {
    const facts = { id: "text", rows: 4, dir: "auto", autocomplete: "off" };
    this.text = say("textarea", { ...facts, hint: "translator.hint" });
    const label = say("label", { class: "unseen", for: "text", say: "translator.source" });
    this.writing = onWritten(this.text, (text) => tell(this, "ask", { text, typed: true }));
    this.length = make("span", { class: "soft n" });
    this.clear = this.#button("clear", () => {
      tell(this, "ask", { text: "" });
      this.text.focus();
    });
    this.copy = this.#button("copy", () => copyFrom(this.copy, this.sentences.text));
    this.inside = this.#button("inside", () => tell(this, "change", { tab: "inside" }));
    this.said = make("p", { class: "soft", role: "status" });
    this.wrong = make("p", { class: "wrong", role: "alert", hidden: "" });
    const line = (...parts) => make("div", { class: "line" }, ...parts);
    return make(
      "div",
      { class: "pair" },
      make("div", { class: "box" }, label, this.text, line(this.length, this.clear)),
      make(
        "div",
        { class: "box result" },
        ...[this.sentences.element, this.wrong, line(this.said, this.inside, this.copy)],
      ),
    );
  }

  #button(name, act) {
    const id = `${name}-text`;
    const facts = { type: "button", class: "quiet", id, say: `translator.${name}` };
    const button = say("button", facts);
    button.addEventListener("click", act);
    return button;
  }

  #dropping() {
    const over = (on) => this.toggleAttribute("data-over", on);
    const holds = (event) => event.dataTransfer?.types.includes("Files");
    this.addEventListener("dragover", (event) => {
      if (!holds(event)) return;
      event.preventDefault();
      over(true);
    });
    this.addEventListener("dragleave", (event) => {
      if (!this.contains(event.relatedTarget)) over(false);
    });
    this.addEventListener("drop", (event) => {
      if (!holds(event)) return;
      event.preventDefault();
      over(false);
      this.files.add([...event.dataTransfer.files]);
    });
  }

  get #ways() {
    return this.#models.flatMap(({ ways }) => ways);
  }

  /** Return the languages that are asked for, and a model where one was chosen that knows them. */
  #how() {
    const { model, from, to } = this.#state;
    const known = this.#models.find(({ name }) => name === model)?.ways ?? [];
    const fits = targetsOf(known, from).includes(to);
    return { from: from || this.#detected, to, model: fits ? model : "" };
  }

  /**
   * Tell which models there are.
   * @param {any[]} models
   */
  async models(models) {
    this.#models = models;
    this.#fill();
    try {
      const { limits } = await get("/v1/models");
      this.#most = limits.characters ?? CHARACTERS;
      this.#fill();
    } catch {
      // What is too long the server will say.
    }
  }

  /** Put the cursor into the box for the text. */
  focusInput() {
    this.text.focus();
  }

  /** Translate again, after there was no server. */
  again() {
    this.#asked = "";
    if (this.#state) this.update(this.#state);
  }

  /** Follow the state of the page. */
  update(state) {
    this.#state = state;
    this.#fill();
    if (state.tab !== "translate" || this.#models.length === 0) return;
    const asked = JSON.stringify([state.text, state.from, state.to, state.model]);
    if (asked === this.#asked) return;
    const typed = this.#asked && JSON.parse(this.#asked)[0] !== state.text;
    this.#asked = asked;
    this.#need(typed ? PAUSE : 0);
  }

  #fill() {
    const state = this.#state;
    if (!state || !this.text) return;
    this.writing.set(state.text);
    const detected = this.#detected && state.text.trim() && !state.from;
    const detect = detected
      ? t("translator.detected", { language: languageName(this.#detected) })
      : t("translator.detect");
    const named = (codes) => codes.map((code) => [code, languageName(code)]);
    options(this.from, [["", detect], ...named(sourcesOf(this.#ways))], state.from);
    options(this.to, named(targetsOf(this.#ways, state.from)), state.to);
    const n = [...state.text].length;
    this.length.textContent = t("translator.length", { n, most: this.#most });
    this.clear.hidden = state.text === "";
    for (const [element, lang] of [
      [this.sentences.element, state.to],
      [this.text, state.from || this.#detected],
    ]) {
      if (element.lang !== lang) element.lang = lang;
    }
    this.#enable();
  }

  #enable() {
    this.copy.hidden = this.inside.hidden = this.sentences.text === "";
    const { from, to } = this.#state ?? {};
    this.swap.disabled = !(from || this.#detected) || !to;
  }

  /** Return what changes with another source: the target must be one that it leads to. */
  #from(from) {
    return { from, to: fittingTarget(this.#ways, from, this.#state.to) };
  }

  #swap() {
    const { from, to } = this.#state;
    const text = this.sentences.text || this.#state.text;
    tell(this, "ask", { from: to, to: from || this.#detected, text });
  }

  #need(pause) {
    window.clearTimeout(this.#timer);
    this.#open.abort();
    const { signal } = (this.#open = new AbortController());
    const { text } = this.#state;
    this.#fail("");
    this.said.textContent = "";
    if (!text.trim()) {
      this.#detected = "";
      this.sentences.clear();
      return this.#fill();
    }
    const n = [...text].length;
    if (n > this.#most) return this.#fail(t("translator.long", { n, most: this.#most }));
    this.#timer = window.setTimeout(() => this.#translate(text, signal), pause);
  }

  async #translate(text, signal) {
    this.sentences.begin();
    try {
      const switched = await this.#detect(text, signal);
      this.said.textContent = t("translator.working");
      const { from, to, model } = this.#how();
      const body = { text, to, ...(from ? { from } : {}), ...(model ? { model } : {}) };
      await stream("/v1/translate/stream", body, {
        signal,
        onEvents: (lines) => lines.forEach((line) => line.done || this.sentences.add(line)),
      });
      if (signal.aborted) return;
      this.sentences.end();
      this.said.textContent = switched || this.sentences.warning || t("translator.pick");
    } catch (error) {
      if (signal.aborted || called(error)) return;
      this.said.textContent = "";
      this.#asked = "";
      if (error instanceof Gone) tell(this, "gone");
      else this.#fail(error.message);
      if (error.status === NOT_YET) this.#timer = window.setTimeout(() => this.again(), LATER);
    }
    this.#enable();
  }

  /** Find out the language, where nobody said it; return what is to be said of that. */
  async #detect(text, signal) {
    if (this.#state.from) return "";
    const [[guess]] = await ask("/v1/detect", { texts: [text] }, { signal });
    this.#detected = guess && guess.probability >= SURE ? guess.language : "";
    this.#fill();
    const { to } = this.#state;
    const next = fittingTarget(this.#ways, this.#detected, to);
    if (!this.#detected || next === to || !next) return "";
    const [language, before, after] = [this.#detected, to, next].map(languageName);
    this.#asked = JSON.stringify([text, "", next, this.#state.model]);
    tell(this, "ask", { to: next });
    return t("translator.switched", { language, before, after });
  }

  #fail(sentence) {
    this.wrong.textContent = sentence;
    this.wrong.hidden = sentence === "";
    if (sentence) this.sentences.end();
  }

  /** Return other translations of a sentence. */
  async #alternatives(source) {
    const { from, to, model } = this.#how();
    const how = { to, ...(from ? { from } : {}), ...(model ? { model } : {}) };
    const body = { texts: [source], ...how, beam: 8, alternatives: 5 };
    const { translations } = await ask("/v1/translate", body);
    return translations[0].alternatives.map(({ text }) => text);
  }
}

customElements.define("heed-translator", Translator);
