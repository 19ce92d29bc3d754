/**
 * `<heed-machine>`: the model as the paper draws it, every head a dot; the way from panel to panel.
 *
 * A dot is the fuller, the more its head matters for the prediction. It tells `view` with the head
 * that is chosen, and `edit` with the heads that are switched off (`x`).
 */

import { make, onWidth, table, tell, toggle } from "heedful/dom.js";
import { t } from "heedful/i18n.js";
import { capital, decimal, headName, plain } from "heedful/numbers.js";
import { cardOf } from "heedful/live/cards.js";
import { ask } from "heedful/live/client.js";
import { fill, layout, neighbour } from "heedful/live/machine-layout.js";
import { picture, widest } from "heedful/live/machine-picture.js";
import { python } from "heedful/live/python.js";
import { Newest, Panel, complete, headOf, notice, notify, stepOf } from "heedful/live/panel.js";
import { switched } from "heedful/live/state.js";

/** Milliseconds after which the importance of a newly chosen step is asked for. */
const PAUSE = 80;
/** Pixels of a full dot's radius. */
const WHOLE = 7;
/** Positions that are added to the embeddings, as the paper does. */
const ADDED = ["sinusoidal", "learned"];

export class Machine extends Panel {
  #newest = new Newest();
  #known = new Map();
  #whole = false;
  #importance = null;
  #layout = null;
  #drawn = "";
  #painted = "";
  #told = "";
  #filled = null;
  #room = 0;
  #card = null;
  #buttons = [];

  build() {
    this.scope = [false, true].map((whole) => {
      const button = make("button", { type: "button", class: "toggle" });
      button.addEventListener("click", () => {
        this.#whole = whole;
        this.draw();
      });
      return button;
    });
    this.off = make("button", { type: "button", class: "toggle" });
    this.off.addEventListener("click", () => this.#toggle(this.#chosen()));
    this.notice = notice();
    this.figure = make("div", { class: "figure", role: "radiogroup" });
    this.figure.setAttribute("aria-label", t("machine.heads"));
    this.figure.addEventListener("keydown", (event) => this.#key(event));
    this.said = make("p", { class: "said", "aria-live": "polite" });
    this.numbers = make("div", { class: "scroll", hidden: "" });
    const shown = toggle(t("panels.table"), (on) => {
      this.numbers.hidden = !on;
      this.#fillTable();
    });
    this.norms = make("p", { class: "soft" });
    const scope = { class: "choices", role: "group", "aria-label": t("machine.scope") };
    this.append(
      make("div", { class: "title" }, make("div", scope, ...this.scope), shown),
      ...[this.notice, make("div", { class: "scroll" }, this.figure)],
      make("div", { class: "title" }, this.said, this.off),
      legend(),
      ...[this.numbers, this.norms],
    );
    [this.#drawn, this.#told] = ["", ""];
    if (!this.sized) {
      onWidth(this, (width) => {
        this.#room = width;
        this.#draw();
      });
    }
    this.sized = true;
  }

  draw() {
    this.#askCard();
    this.#askImportance();
    this.#draw();
  }

  /** The model's shape: a trace's, or before there is one the card's. */
  #shape() {
    return this.trace?.wire?.model?.decoder_layers ? this.trace.wire.model : this.#card;
  }

  #askCard() {
    const name = this.state?.model;
    if (!name || this.cardName === name || !this.seen) return;
    this.cardName = name;
    cardOf(name).then(
      (card) => {
        if (this.cardName !== name) return;
        this.#card = card;
        this.#draw();
      },
      () => {
        this.cardName = undefined;
      },
    );
  }

  #askImportance() {
    if (!complete(this.trace)) {
      this.#newest.stop();
      this.#importance = null;
      this.askedFor = "";
      return;
    }
    const step = this.#whole ? null : stepOf(this.trace, this.state);
    const asked = `${this.trace.id} ${step}`;
    if (asked === this.askedFor || !this.seen) return;
    this.askedFor = asked;
    if (this.#known.has(asked)) {
      this.#newest.stop();
      this.#importance = this.#known.get(asked);
      return;
    }
    this.#newest.ask(
      this.#importance ? PAUSE : 0,
      (signal) => ask("/api/importance", { id: this.trace.id, step }, { signal }),
      (found) => {
        if (this.#known.size > 200) this.#known.clear();
        this.#known.set(asked, found);
        this.#importance = found;
        notify(this.notice, "");
        this.#draw();
      },
      (error) => {
        this.askedFor = "";
        notify(this.notice, error.message, true);
      },
    );
  }

  /** Draw, if something that is drawn is another: pointing at maps tells a state at every move. */
  #draw() {
    const shape = this.#shape();
    this.figure.hidden = !shape;
    if (!shape || this.#room === 0) return;
    const { edits } = this.state ?? {};
    const shown = [this.#chosen(), edits?.ablate, this.trace?.id, this.#room, this.#whole];
    const known = [stepOf(this.trace, this.state), complete(this.trace), this.askedFor, shape];
    const told = JSON.stringify([shown, known, this.#card, this.trace?.source?.tokens.length]);
    if (told === this.#told && this.#importance === this.#filled) return;
    [this.#told, this.#filled] = [told, this.#importance];
    this.#lay(shape);
    this.#paint(shape);
    this.#dots();
    this.#say();
    this.#fillTable();
  }

  /** Make the picture and its buttons, if the room or the model is another. */
  #lay(shape) {
    const added = ADDED.includes(this.#card?.position);
    const size = [shape.encoder_layers, shape.decoder_layers, shape.heads];
    const asked = JSON.stringify([size, this.#room, added]);
    if (asked === this.#drawn) return;
    [this.#drawn, this.#painted] = [asked, ""];
    const room = Math.max(this.#room, 230);
    this.#layout = layout(shape, room, widest(), added);
    const { width, height, dots } = this.#layout;
    this.figure.style.width = `${width}px`;
    this.figure.style.height = `${height}px`;
    this.#buttons = dots.map((dot, place) => {
      const button = make("button", { type: "button", role: "radio", class: "dot" }, make("i"));
      [button.style.left, button.style.top] = [`${dot.x}px`, `${dot.y}px`];
      button.addEventListener("click", () => this.#choose(place));
      return button;
    });
    this.figure.replaceChildren((this.svg = picture.empty()), ...this.#buttons);
  }

  /** Draw the picture, if something in it is another. */
  #paint(shape) {
    const facts = this.#facts();
    const painted = JSON.stringify(facts);
    if (painted === this.#painted) return;
    this.#painted = painted;
    picture(this.svg, this.#layout, { ...facts, shape });
  }

  #facts() {
    const { wire, source } = this.trace ?? {};
    const step = complete(this.trace) ? wire.steps[stepOf(this.trace, this.state)] : null;
    const written = wire?.steps?.slice(0, step?.i ?? 0).map(({ predicts }) => plain(predicts));
    return {
      position: this.#card?.position,
      pieces: source?.tokens.length ?? 0,
      reads: source ? t("machine.pieces", { n: source.tokens.length }) : "",
      written: step ? [plain(wire.steps[0].reads), ...written].join(" ") : "",
      step: step && { predicts: step.predicts, logp: step.logp },
    };
  }

  #dots() {
    const chosen = this.#place();
    const off = new Set(this.state?.edits?.ablate ?? []);
    const largest = this.#largest();
    this.#layout.dots.forEach((dot, place) => {
      const button = this.#buttons[place];
      const value = this.#value(dot);
      const isOff = isAblated(off, dot);
      const name = headName(dot.kind, dot.layer, dot.head);
      const parts = [capital(name)];
      if (value !== undefined) parts.push(t("machine.matters", { value: decimal(value) }));
      if (isOff) parts.push(t("machine.is_off"));
      button.setAttribute("aria-label", parts.join(", "));
      button.title = parts.join(", ");
      button.setAttribute("aria-checked", String(place === chosen));
      button.tabIndex = place === Math.max(chosen, 0) ? 0 : -1;
      button.classList.toggle("off", isOff);
      const size = `${2 * fill(value ?? 0, largest, WHOLE)}px`;
      [button.firstChild.style.width, button.firstChild.style.height] = [size, size];
    });
  }

  #value({ kind, layer, head }) {
    return this.#importance?.[kind]?.[layer]?.[head];
  }

  #values() {
    const { encoder = [], decoder = [], cross = [] } = this.#importance ?? {};
    return [encoder, decoder, cross].flat(2);
  }

  #largest() {
    return Math.max(0, ...this.#values());
  }

  /** Return the chosen head. */
  #chosen() {
    return headOf(this.trace, this.state);
  }

  #place() {
    const { kind, layer, head } = this.#chosen();
    return this.#layout.dots.findIndex(
      (dot) => dot.kind === kind && dot.layer === layer && dot.head === head,
    );
  }

  #choose(place) {
    const { kind, layer, head } = this.#layout.dots[place];
    tell(this, "view", { kind, layer, head });
  }

  #toggle({ kind, layer, head }) {
    const given = this.state?.edits?.ablate ?? [];
    if (given.includes(`${kind}.${layer}`)) return;
    tell(this, "edit", { ablate: switched(given, `${kind}.${layer}.${head}`) });
  }

  #key(event) {
    const place = this.#buttons.indexOf(event.target);
    if (place < 0 || event.altKey || event.metaKey || event.ctrlKey) return;
    if (event.key === "x") {
      event.preventDefault();
      event.stopPropagation();
      this.#toggle(this.#layout.dots[place]);
      return;
    }
    if (!event.key.startsWith("Arrow")) return;
    event.preventDefault();
    const next = neighbour(this.#layout.dots, place, event.key);
    if (next === undefined) return;
    this.#buttons[next].focus();
    this.#choose(next);
  }

  #say() {
    const { wire } = this.trace ?? {};
    const step = complete(this.trace) ? wire.steps[stepOf(this.trace, this.state)] : null;
    const piece = step ? plain(step.predicts) : "";
    this.scope[0].textContent = step
      ? t("machine.step", { step: step.i + 1, piece })
      : t("machine.step_none");
    this.scope[1].textContent = t("machine.whole");
    this.scope.forEach((button, place) =>
      button.setAttribute("aria-pressed", String(Boolean(place) === this.#whole)),
    );
    const chosen = this.#chosen();
    const off = isAblated(new Set(this.state?.edits?.ablate ?? []), chosen);
    this.off.textContent = t(off ? "machine.on" : "machine.off");
    this.off.disabled = !complete(this.trace);
    const value = this.#value(chosen);
    const said = [t("panels.sentence", { text: capital(headName(...Object.values(chosen))) })];
    if (value !== undefined) {
      const rank = this.#values().filter((other) => other > value).length + 1;
      const facts = { value: decimal(value), rank, of: this.#values().length };
      said.push(t(this.#whole ? "machine.said_whole" : "machine.said", { ...facts, piece }));
    }
    if (off) said.push(t("machine.said_off"));
    this.said.textContent = said.join(t("panels.joint"));
    const norms = this.#card?.residual ?? "";
    this.norms.textContent = norms && t(norms.startsWith("pre") ? "machine.pre" : "machine.post");
  }

  /** Return Python that gives what is shown. */
  python(_, state) {
    const step = this.#whole ? "None" : stepOf(this.trace, state);
    return [
      python("", state),
      "from heedful.inspect.importance import importance",
      "",
      `print(importance(seen, step=${step}))  # of each kind: layer by layer, head by head`,
      "",
    ].join("\n");
  }

  #fillTable() {
    if (this.numbers.hidden || !this.#importance) return;
    const lines = ["encoder", "decoder", "cross"].flatMap((kind) =>
      (this.#importance[kind] ?? []).map((heads, layer) => [
        capital(headName(kind, layer)),
        ...heads.map((value) => decimal(value)),
      ]),
    );
    const heads = lines[0].slice(1).map((_, head) => t("head.n", { head: head + 1 }));
    this.numbers.replaceChildren(table(t("machine.table"), ["", ...heads], lines));
  }
}

function isAblated(off, { kind, layer, head }) {
  return off.has(`${kind}.${layer}.${head}`) || off.has(`${kind}.${layer}`);
}

/** Say what a dot's filling, its ring and its frame mean. */
function legend() {
  const one = (kind, key) =>
    make("li", {}, make("span", { class: `dot ${kind}` }, make("i")), t(key));
  return make(
    "ul",
    { class: "legend" },
    one("much", "machine.legend_much"),
    one("little", "machine.legend_little"),
    one("off", "machine.legend_off"),
    make("li", { class: "soft", text: t("machine.keys") }),
    make("li", { class: "soft", text: t("machine.estimate") }),
  );
}

customElements.define("heed-machine", Machine);
