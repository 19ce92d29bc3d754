/**
 * The files that are translated: what is done with each, and where its translation is.
 */

import { make } from "heedful/dom.js";
import { t } from "heedful/i18n.js";
import { Gone } from "heedful/live/client.js";
import { ACCEPTED, MOST_BYTES, nameOfTranslation, translated, typeOf } from "heedful/live/files.js";
import { say } from "heedful/live/say.js";

export class FileList {
  #told;

  /**
   * @param {{how: () => {from: string, to: string, model: string}, gone: () => void}} told - How
   *   files are translated, and what to call if there is no server.
   */
  constructor(told) {
    this.#told = told;
    const facts = { type: "file", class: "unseen", id: "file", accept: ACCEPTED };
    this.input = make("input", { ...facts, multiple: "", tabindex: -1, "aria-hidden": "true" });
    const button = say("button", { type: "button", class: "toggle", say: "translator.file" });
    button.addEventListener("click", () => this.input.click());
    this.input.addEventListener("change", () => {
      this.add([...this.input.files]);
      this.input.value = "";
    });
    const about = say("span", { class: "soft", say: "translator.files" });
    this.list = make("ul", { class: "files" });
    const line = make("div", { class: "line" }, button, this.input, about);
    const said = make("div", { role: "status" }, this.list);
    this.element = make("div", { class: "of-files" }, line, said);
  }

  /**
   * Translate files, one after the other.
   * @param {File[]} files
   */
  async add(files) {
    const lines = files.map((file) => {
      const text = t("translator.file.working", { name: file.name });
      const line = make("li", { text });
      this.list.prepend(line);
      return line;
    });
    for (const [place, file] of files.entries()) await this.#one(file, lines[place]);
  }

  async #one(file, line) {
    const fail = (sentence) => {
      line.className = "wrong";
      line.textContent = sentence;
    };
    if (!typeOf(file.name)) return fail(t("translator.file.kind", { name: file.name }));
    if (file.size > MOST_BYTES) return fail(t("translator.file.large", { name: file.name }));
    try {
      line.replaceChildren(...done(file, await translated(file, this.#told.how())));
    } catch (error) {
      if (error instanceof Gone) this.#told.gone();
      fail(`${file.name}: ${error.message}`);
    }
  }
}

function done(file, { text, to, kept, notes }) {
  const name = nameOfTranslation(file.name, to ?? "");
  const address = URL.createObjectURL(new Blob([text], { type: typeOf(file.name) }));
  const facts = { href: address, download: name, class: "toggle", target: "_self" };
  const link = make("a", { ...facts, text: t("translator.file.done", { name }) });
  const said = kept.length
    ? [t("translator.file.kept", { n: kept.length, lines: kept.join(", ") })]
    : notes.map((one) => t("translator.file.notes", { notes: one }));
  return [link, make("span", { class: "soft", text: said.join(" ") })];
}
