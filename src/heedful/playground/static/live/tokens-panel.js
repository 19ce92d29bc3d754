/**
 * `<heed-tokens-panel>`: from what was written to what the model reads: text, pieces, words.
 *
 * It asks the server by itself, whenever text, model or language are others.
 */

import { make, makePiece } from "heedful/dom.js";
import { t } from "heedful/i18n.js";
import { decimal, plain } from "heedful/numbers.js";
import { languages } from "heedful/wire.js";
import { mark } from "heedful/live/changes.js";
import { ask } from "heedful/live/client.js";
import { part } from "heedful/live/later.js";
import { Newest, Panel, Question, notice, notify } from "heedful/live/panel.js";
import { drawn, runs } from "heedful/live/pieces.js";

/** Characters that are sent to be cut into pieces; the page refuses longer texts anyway. */
const LONGEST = 5000;

export class TokensPanel extends Panel {
  #question = new Question(this, "/api/tokens", () => this.#answered());
  #embedding = new Newest();
  #drawn = null;
  #place = -1;

  build() {
    this.#drawn = null;
    this.notice = notice();
    this.raw = make("p", { class: "text", dir: "auto" });
    this.read = make("p", { class: "text", dir: "auto" });
    this.readTitle = make("h3", { text: t("tokens.normalised") });
    this.changed = make("p", { class: "soft" });
    this.strip = make("div", { class: "strip-of-pieces", role: "group" });
    this.strip.setAttribute("aria-label", t("tokens.pieces"));
    this.unknown = make("p", { class: "wrong", role: "status", hidden: "" });
    this.count = make("p", { class: "soft" });
    this.name = make("h3", { "aria-live": "polite" });
    this.facts = make("p", { class: "soft" });
    this.embedding = make("heed-embedding");
    const close = make("button", { type: "button", class: "toggle", text: t("panels.close") });
    close.addEventListener("click", () => this.#choose(-1, true));
    const title = make("div", { class: "title" }, this.name, close);
    this.detail = make("div", { class: "detail" }, title, this.facts, this.embedding);
    this.detail.hidden = true;
    this.all = make(
      "div",
      {},
      ...[make("h3", { text: t("tokens.raw") }), this.raw],
      ...[this.readTitle, this.read, this.changed],
      ...[make("h3", { text: t("tokens.pieces") }), this.strip, this.unknown, this.count],
      make("p", { class: "soft", text: t("tokens.legend") }),
      this.detail,
    );
    this.none = make("p", { class: "soft", text: t("tokens.none") });
    this.append(this.notice, this.none, this.all);
    this.strip.addEventListener("keydown", (event) => this.#key(event));
  }

  draw() {
    this.#ask();
    this.#draw();
  }

  #ask() {
    const { model, text = "", from, to } = this.state ?? {};
    if (!text.trim() || text.length > LONGEST) {
      this.#question.forget();
      this.#embedding.stop();
      this.#place = -1;
      notify(this.notice, "");
    } else if (this.#question.ask({ model, text, from: from || null, to }, 0)) {
      this.#embedding.stop();
    }
  }

  #answered() {
    if (this.#question.found) this.#place = -1;
    this.#draw();
  }

  #draw() {
    const found = this.#question.found;
    this.all.hidden = !found;
    this.none.hidden = Boolean(found) || !this.notice.hidden;
    if (!found) return;
    const spoken = this.#language(found);
    for (const part of [this.raw, this.read, this.strip]) {
      if (part.lang !== spoken) part.lang = spoken;
    }
    if (found === this.#drawn) return;
    this.#drawn = found;
    const letters = (text) => [...text];
    mark(this.raw, found.text, found.normalised, "gone", letters);
    mark(this.read, found.text, found.normalised, "new", letters);
    const same = found.text === found.normalised;
    this.readTitle.hidden = this.read.hidden = same;
    this.changed.textContent = t(same ? "tokens.same" : "tokens.changed");
    this.strip.replaceChildren(...runs(found.pieces).map((run) => this.#run(run)));
    const strange = found.pieces.filter(({ unknown }) => unknown).map(({ s }) => plain(s));
    this.unknown.hidden = !strange.length;
    if (strange.length) {
      this.unknown.textContent = t("tokens.unknown", { pieces: [...new Set(strange)].join(" ") });
    }
    const counts = { pieces: found.pieces.length, words: found.words.length };
    this.count.textContent = t("tokens.count", counts);
    this.#mark();
  }

  /** The language of the text, where a trace of it says; else nobody knows. */
  #language({ normalised }) {
    const { wire } = this.trace ?? {};
    return wire?.source?.text === normalised ? languages(wire).source : "";
  }

  #run({ places, words }) {
    const { pieces } = this.#question.found;
    const groups = drawn(pieces, places).map((group) => this.#group(group));
    const spelled = words.map((word) => make("span", { text: this.#question.found.words[word] }));
    const under = make("span", { class: "words" }, ...spelled);
    const kind = words.length ? "run" : "run no-word";
    const none = make("span", { class: "words soft", text: t("tokens.no_word") });
    const row = make("span", { class: "row" }, ...groups);
    return make("span", { class: kind }, row, words.length ? under : none);
  }

  #group({ places, character }) {
    const buttons = places.map((place) => this.#button(place, character));
    if (character === null) return buttons[0];
    const hex = places.map((place) => this.#question.found.pieces[place].bytes).join(" ");
    const known = { character, hex, n: places.length };
    const title = t(character === "\ufffd" ? "tokens.half" : "tokens.bytes", known);
    return make(
      "span",
      { class: "bytes", title },
      make("span", { class: "character", text: character }),
      make("span", { class: "row" }, ...buttons),
    );
  }

  #button(place, character) {
    const { id, s, special, bytes, unknown } = this.#question.found.pieces[place];
    const kind = ["chip", special && "special", bytes && "bytes", unknown && "unknown"];
    const facts = { type: "button", "data-place": place, class: kind.filter(Boolean).join(" ") };
    const said = bytes ? t("tokens.byte", { hex: bytes, character }) : plain(s);
    const label = t("tokens.piece", { piece: said, place: place + 1, id });
    return make(
      "button",
      { ...facts, "aria-label": label, title: label, on: { click: () => this.#choose(place) } },
      bytes ? make("span", { text: bytes }) : makePiece(s),
      make("span", { class: "id", text: String(id) }),
    );
  }

  #choose(place, back = false) {
    const chosen = this.strip.querySelector('[aria-pressed="true"]');
    this.#place = place === this.#place ? -1 : place;
    this.#embedding.stop();
    this.#mark();
    if (back) chosen?.focus();
    if (this.#place < 0) return;
    const { id } = this.#question.found.pieces[place];
    const body = { model: this.state.model, side: "source", id, place };
    this.#embedding.ask(
      0,
      (signal) => Promise.all([ask("/api/embedding", body, { signal }), part("embedding")]),
      ([found]) => this.#tell(found, place),
      (error) => notify(this.notice, error.message, true),
    );
  }

  #tell(found, place) {
    const { id } = this.#question.found.pieces[place];
    notify(this.notice, "");
    this.detail.hidden = false;
    this.name.textContent = t("tokens.chosen", { piece: plain(found.s), place: place + 1 });
    this.facts.textContent = t("tokens.facts", { id, norm: decimal(found.norm) });
    const { d_model, heads } = this.trace?.wire?.model ?? {};
    this.embedding.show(found, place, d_model / heads || 0);
  }

  /** Mark the chosen piece; one button of the strip is a stop of the tab key. */
  #mark() {
    const buttons = [...this.strip.querySelectorAll("button")];
    const stop = Math.max(this.#place, 0);
    for (const button of buttons) {
      const place = Number(button.dataset.place);
      button.setAttribute("aria-pressed", String(place === this.#place));
      button.tabIndex = place === stop ? 0 : -1;
    }
    if (this.#place < 0) this.detail.hidden = true;
  }

  #key(event) {
    const move = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!move || event.altKey || event.metaKey) return;
    const buttons = [...this.strip.querySelectorAll("button")];
    const next = buttons[buttons.indexOf(event.target) + move];
    event.preventDefault();
    if (!next) return;
    for (const button of buttons) button.tabIndex = button === next ? 0 : -1;
    next.focus();
  }
}

customElements.define("heed-tokens-panel", TokensPanel);
