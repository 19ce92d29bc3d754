/**
 * A translation, sentence by sentence: each can be clicked, and said in another way.
 */

import { make } from "heedful/dom.js";
import { t } from "heedful/i18n.js";
import { say } from "heedful/live/say.js";

/** What is worth a warning, of what the server says about a sentence. */
const WARNED = ["unfinished", "repeats", "copied", "untranslated"];

/** @typedef {{source: string, text: string, gap: string, flags: string[]}} Sentence */

/**
 * Split what follows the last letter off a text: the space between sentences.
 * @param {string} text
 * @returns {[string, string]}
 */
export function bodyAndGap(text) {
  const body = text.trimEnd();
  return [body, text.slice(body.length)];
}

/** Languages that are written without spaces between sentences. */
const CLOSE = ["zh", "ja", "th", "lo", "km", "my"];

/**
 * Return what stands between two sentences in a language, where this stood between their sources.
 * @param {string} gap
 * @param {string} to
 */
export function gapIn(gap, to) {
  if (CLOSE.includes(to)) return gap === " " ? "" : gap;
  return gap || " ";
}

export class Sentences {
  /** @type {Sentence[]} */
  #all = [];
  #fresh = false;
  #told;
  #asked = 0;

  /**
   * @param {{other: (source: string) => Promise<string[]>, changed: () => void, to: () => string}}
   *   told - How others are asked for, what to call when the translation is another, and the
   *   language of the translation.
   */
  constructor(told) {
    this.#told = told;
    const facts = { class: "sentences", dir: "auto", "aria-live": "polite", id: "translation" };
    this.shown = say("div", { ...facts, role: "group", label: "translator.result" });
    this.list = make("ul");
    const title = say("h2", { class: "small", say: "translator.other" });
    const close = say("button", { type: "button", class: "quiet", say: "page.close" });
    const head = make("div", { class: "title" }, title, close);
    this.others = make("div", { class: "others", hidden: "" }, head, this.list);
    this.element = make("div", { class: "sentences-box" }, this.shown, this.others);
    close.addEventListener("click", () => this.#close());
    this.element.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !this.others.hidden) this.#close();
    });
  }

  /** The whole translation. */
  get text() {
    return this.#all.map(({ text, gap }) => text + gap).join("").trimEnd();
  }

  /** What is to be said about the translation, empty if nothing is. */
  get warning() {
    const flags = new Set(this.#all.flatMap((one) => one.flags));
    const found = WARNED.find((flag) => flags.has(flag));
    return found ? t(`flag.${found}`) : "";
  }

  /** There is no translation. */
  clear() {
    this.#all = [];
    this.end();
    this.#draw();
  }

  /** A new translation is on its way; the old one stays, paler, until its first sentence. */
  begin() {
    this.#fresh = true;
    this.shown.setAttribute("aria-busy", "true");
    this.shown.toggleAttribute("data-stale", true);
  }

  /** The translation is complete, or there will be none. */
  end() {
    this.#fresh = false;
    this.shown.setAttribute("aria-busy", "false");
    this.shown.removeAttribute("data-stale");
  }

  /**
   * A sentence has come.
   * @param {{source: string, text: string, flags: string[]}} line
   */
  add({ source, text, flags }) {
    if (this.#fresh) {
      this.#all = [];
      this.#fresh = false;
      this.shown.removeAttribute("data-stale");
      this.#hide();
      this.#draw();
    }
    const [body, gap] = bodyAndGap(text);
    this.#all.push({ source, text: body, gap: gapIn(gap, this.#told.to()), flags });
    this.shown.append(...this.#one(this.#all.length - 1));
    this.#told.changed();
  }

  #draw() {
    this.#hide();
    this.shown.replaceChildren(...this.#all.flatMap((_, place) => this.#one(place)));
    this.#told.changed();
  }

  #one(place) {
    const { text, gap } = this.#all[place];
    if (!text) return [gap];
    const facts = { class: "sentence", role: "button", tabindex: 0, "aria-expanded": "false" };
    const element = make("span", { ...facts, dir: "auto", text });
    element.addEventListener("click", () => {
      if (String(getSelection()) === "") this.#open(place, element);
    });
    element.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      this.#open(place, element);
    });
    return [element, gap];
  }

  async #open(place, element) {
    if (element.getAttribute("aria-expanded") === "true") return this.#close();
    this.#hide();
    element.setAttribute("aria-expanded", "true");
    this.opened = element;
    const asked = (this.#asked += 1);
    const known = this.#all[place];
    this.list.replaceChildren(make("li", { class: "soft", text: t("translator.working") }));
    this.others.hidden = false;
    let items;
    try {
      const found = await this.#told.other(known.source.trim());
      const others = [...new Set(found)].filter((text) => text && text !== known.text);
      items = others.map((text) => this.#choice(place, text));
    } catch (error) {
      items = [make("li", { class: "wrong", text: error.message })];
    }
    if (asked !== this.#asked || this.others.hidden) return;
    if (items.length === 0) items = [make("li", { class: "soft", text: t("translator.same") })];
    this.list.replaceChildren(...items);
    if (document.activeElement === element) this.list.querySelector("button")?.focus();
  }

  #choice(place, text) {
    const button = make("button", { type: "button", dir: "auto", text });
    button.addEventListener("click", () => {
      this.#all[place] = { ...this.#all[place], text };
      this.#draw();
      this.shown.querySelectorAll(".sentence")[this.#number(place)]?.focus();
    });
    return make("li", {}, button);
  }

  /** Return how many sentences with letters come before one. */
  #number(place) {
    return this.#all.slice(0, place).filter(({ text }) => text).length;
  }

  #hide() {
    this.others.hidden = true;
    this.opened?.setAttribute("aria-expanded", "false");
  }

  #close() {
    this.#hide();
    this.opened?.focus();
  }
}
