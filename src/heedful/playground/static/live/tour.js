/**
 * `<heed-tour>`: step by step through the machine, on the user's own sentence.
 *
 * It is open while the page's tab is "tour". It tells `change` with what is to be otherwise in the
 * state (the step, the tab when it is closed, the panel that shows the same), and `view`, `step`,
 * `pick-pair` and `ask` as the panels do.
 */

import { make, tell } from "heedful/dom.js";
import { t } from "heedful/i18n.js";
import { languages } from "heedful/wire.js";
import { beside, models } from "heedful/live/cards.js";
import { ask, get } from "heedful/live/client.js";
import { FIGURES } from "heedful/live/tour-figures.js";
import { tries } from "heedful/live/tour-it.js";
import { counted } from "heedful/live/tour-kit.js";
import { firstPiece, firstStep, stepThatIs } from "heedful/live/tour-maths.js";
import { cellOf } from "heedful/live/tour-rnn.js";
import { codeOf, ready, stepsOf } from "heedful/live/tour-steps.js";

/** Keys that go from step to step, where nothing in the tour needs them itself. */
const KEYS = {
  ArrowRight: (step) => step + 1,
  ArrowLeft: (step) => step - 1,
  Home: () => 0,
  End: (step, count) => count - 1,
};

export class Tour extends HTMLElement {
  #trace = null;
  #state = null;
  #models = null;
  #beside = null;
  #steps = stepsOf(null);
  #step = 0;
  #choice = {};
  #answers = new Map();
  #open = new AbortController();
  #opener = null;
  #width = 0;

  connectedCallback() {
    if (this.frame) return;
    this.hidden = true;
    this.#build();
    document.addEventListener("language", () => this.#write());
    this.addEventListener("keydown", (event) => this.#key(event));
    this.figure.addEventListener("answered", ({ target }) => this.#say(target));
    const told = new MutationObserver(() => this.#stateTold());
    if (this.#page) told.observe(this.#page, { attributeFilter: ["data-state"] });
    new ResizeObserver(() => this.#resized()).observe(this.figure);
  }

  #build() {
    const button = (name, click) =>
      make("button", { type: "button", class: name, "data-key": name, on: { click } });
    this.progress = make("p", { class: "progress" });
    this.dots = make("div", { class: "dots", "aria-hidden": "true" });
    this.smaller = button("smaller", () => this.#fold(!this.classList.contains("folded")));
    this.close = button("close", () => this.#shut());
    this.heading = make("h2", { tabindex: "-1", id: "tour-heading" });
    this.prose = make("div", { class: "prose" });
    this.figure = make("div", { class: "figure" });
    this.look = button("look", () => this.#show());
    this.code = make("p", { class: "code soft" });
    this.back = button("back", () => this.#go(this.#step - 1));
    this.next = button("next", () => this.#go(this.#step + 1));
    this.jump = make("select", { "data-key": "jump" });
    this.jump.addEventListener("change", () => this.#go(Number(this.jump.value)));
    this.keys = make("p", { class: "soft keys" });
    this.live = make("p", { class: "unseen", "aria-live": "polite" });
    const links = make("div", { class: "links" }, this.look, this.code, this.keys);
    this.body = make("div", { class: "tour-body" }, this.heading, this.prose, this.figure, links);
    const tools = make("div", { class: "tools" }, this.smaller, this.close);
    this.frame = make(
      "div",
      { class: "frame", role: "dialog", "aria-labelledby": "tour-heading" },
      make("div", { class: "tour-top" }, this.progress, this.dots, tools),
      this.body,
      make("div", { class: "tour-bottom" }, this.back, this.jump, this.next),
      this.live,
    );
    this.append(this.frame);
  }

  /**
   * Show a trace, complete or in part.
   * @param {any} trace
   * @param {any} state
   */
  show(trace, state) {
    const before = this.#trace;
    this.#trace = trace;
    if (before?.wire.source.text !== trace.wire.source.text) this.#forget();
    else if (before?.id !== trace.id) this.#answers.clear();
    this.update(state, true);
  }

  /**
   * Follow the page's state.
   * @param {any} state
   * @param {boolean} [anew] - Whether the trace is another.
   */
  update(state, anew = false) {
    this.#state = state;
    const step = stepThatIs(state.step_of_tour, this.#steps.length);
    const moved = step !== this.#step;
    this.#step = step;
    if (state.tab !== "tour") return this.#hide();
    if (this.hidden) return this.#appear();
    if (moved) return this.#arrive();
    if (anew) this.#write();
  }

  /** Show that there is no trace. */
  empty() {
    this.#trace = null;
    this.#forget();
    if (!this.hidden) this.#write();
  }

  /** Forget what was chosen and asked about another sentence. */
  #forget() {
    this.#open.abort();
    this.#open = new AbortController();
    this.#answers.clear();
    this.#choice = {};
  }

  #appear() {
    this.#opener = document.activeElement;
    this.hidden = false;
    document.documentElement.dataset.tour = "open";
    this.#learn().then(() => this.hidden || this.#arrive());
  }

  /** Ask what the models are like, and whether one stands beside them: it is not in a trace. */
  async #learn() {
    if (this.#models) return;
    try {
      [this.#models, this.#beside] = await Promise.all([models(), beside()]);
      this.#steps = stepsOf(this.#beside);
      this.#step = stepThatIs(this.#state.step_of_tour, this.#steps.length);
    } catch {
      // They are asked for again when the tour is opened anew.
    }
  }

  #hide() {
    if (this.hidden) return;
    const within = this.contains(document.activeElement);
    this.hidden = true;
    delete document.documentElement.dataset.tour;
    this.#mark(null);
    if (within) this.#opener?.focus?.();
  }

  /** Close at the user's wish. */
  #shut() {
    tell(this, "change", { tab: "inside" });
    this.#hide();
  }

  #go(asked) {
    const step = stepThatIs(asked, this.#steps.length);
    if (asked < 0 || asked >= this.#steps.length || step === this.#step) return;
    this.#step = step;
    tell(this, "change", { step_of_tour: step });
    this.#arrive();
  }

  /** Stand at a step: its heading has the focus, so that it is read out. */
  #arrive() {
    this.#write();
    this.#mark(null);
    this.#fold(false);
    this.live.textContent = "";
    this.body.scrollTop = 0;
    this.heading.focus({ preventScroll: true });
  }

  #key(event) {
    if (event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.isComposing) return;
    if (event.key === "Escape") {
      event.preventDefault();
      this.#shut();
    } else if (KEYS[event.key] && !event.target.closest("input, select, textarea")) {
      event.preventDefault();
      this.#go(KEYS[event.key](this.#step, this.#steps.length));
    }
  }

  /** Write all texts of the step, and draw its figure. */
  #write() {
    const step = this.#steps[this.#step];
    const facts = this.#facts();
    const count = { n: this.#step + 1, of: this.#steps.length };
    this.progress.textContent = t("tour.progress", count);
    const dot = (_, place) => make("i", { class: place <= this.#step ? "done" : "" });
    this.dots.replaceChildren(...this.#steps.map(dot));
    this.heading.textContent = t(`tour.${step.name}.title`, facts);
    const paragraphs = [1, 2, 3].map((number) => t(`tour.${step.name}.${number}`, facts));
    const known = paragraphs.filter((text) => !text.startsWith(`tour.${step.name}.`));
    this.prose.replaceChildren(...known.map((text) => make("p", { text })));
    this.#name();
    const links = codeOf(step, this.#card()).map(linked);
    this.code.replaceChildren(t("tour.code"), " ", ...links.flatMap((one) => [one, " "]));
    this.back.disabled = this.#step === 0;
    this.next.disabled = this.#step === this.#steps.length - 1;
    this.look.hidden = !step.panel || !ready(step, this.#trace);
    this.#draw();
  }

  #name() {
    this.look.textContent = t("tour.show");
    this.back.textContent = t("tour.back");
    this.next.textContent = t("tour.next");
    this.close.textContent = t("tour.close");
    this.keys.textContent = t("tour.keys");
    const folded = this.classList.contains("folded");
    this.smaller.textContent = t(folded ? "tour.larger" : "tour.smaller");
    this.smaller.setAttribute("aria-expanded", String(!folded));
    this.jump.setAttribute("aria-label", t("tour.jump"));
    const names = this.#steps.map(({ name }, place) =>
      make("option", { value: place, text: `${place + 1}. ${t(`tour.${name}.short`)}` }),
    );
    this.jump.replaceChildren(...names);
    this.jump.value = String(this.#step);
  }

  /** Draw the figure; whatever had the focus in it has it again. */
  #draw() {
    const active = this.figure.contains(document.activeElement) ? document.activeElement : null;
    const key = active?.dataset.key;
    this.#width = this.figure.clientWidth;
    const step = this.#steps[this.#step];
    this.figure.dataset.step = step.name;
    this.figure.replaceChildren(...this.#nodes(step));
    if (!active) return;
    const same = [...this.figure.querySelectorAll("[data-key]")].find(
      (one) => one.dataset.key === key,
    );
    (same ?? this.heading).focus({ preventScroll: true });
  }

  #nodes(step) {
    if (ready(step, this.#trace)) return FIGURES[step.name](this.#look());
    if (!this.#trace && !this.#state?.text) {
      return [make("p", { class: "note", text: t("tour.nothing") }), tries(this.#look())];
    }
    if (this.#page?.dataset.state === "error") {
      return [make("p", { class: "note", text: t("tour.failed") })];
    }
    return [make("p", { class: "note waiting", text: t("tour.waiting") })];
  }

  /** Return what a figure is given. */
  #look() {
    const { signal } = this.#open;
    const kept = (path, body, question) => {
      const key = `${path} ${JSON.stringify(body)}`;
      if (!this.#answers.has(key)) {
        const answer = question();
        this.#answers.set(key, answer);
        answer.catch(() => this.#answers.delete(key));
      }
      return this.#answers.get(key);
    };
    return {
      trace: this.#trace,
      id: this.#trace?.complete ? this.#trace.id : null,
      state: this.#state,
      model: this.#model(),
      card: this.#card(),
      ways: this.#played()?.ways ?? [],
      beside: this.#beside,
      spoken: this.#trace ? languages(this.#trace.wire) : { source: "", target: "" },
      choice: { ...this.#first(), ...this.#choice },
      choose: (change) => this.#choose(change),
      ask: (path, body) => kept(path, body, () => ask(path, body, { signal })),
      get: (path) => kept(path, null, () => get(path, { signal })),
      width: Math.max(this.#width, 240),
      tell: (name, detail) => tell(this, name, detail),
    };
  }

  #choose(change) {
    this.#choice = { ...this.#choice, ...change };
    this.#draw();
    this.#say(this.figure);
  }

  /** What is chosen before anything was. */
  #first() {
    if (!this.#trace) return {};
    const { source, target } = this.#trace;
    const piece = firstPiece(source);
    const written = target?.tokens ?? [];
    const last = Math.max(written.length - 1, 0);
    const step = Math.min(this.#state.view?.step || firstStep(written), last);
    return { piece, step };
  }

  #model() {
    return this.#state?.model || this.#trace?.wire.model.name || "";
  }

  #played() {
    return this.#models?.find(({ name }) => name === this.#model()) ?? this.#models?.[0];
  }

  #card() {
    const model = this.#played();
    return model ? { ...model.card, atlas: model.atlas } : null;
  }

  /** Return the numbers that the texts of the steps name. */
  #facts() {
    const model = this.#trace?.wire.model ?? {};
    const { d_model, heads } = model;
    const facts = {
      words: this.#trace && counted(this.#trace.source),
      d: d_model,
      dk: d_model / heads || undefined,
      heads,
      encoder: model.encoder_layers,
      decoder: model.decoder_layers,
      all: model.encoder_layers * heads || undefined,
      vocabulary: model.vocabulary?.[0].toLocaleString("en"),
      targets: model.vocabulary?.[1].toLocaleString("en"),
      beam: this.#state?.beam,
      ff: this.#card()?.d_ff,
      rnn: this.#beside && cellOf(this.#beside),
    };
    return Object.fromEntries(Object.entries(facts).map(([name, value]) => [name, value ?? "…"]));
  }

  /** Let the panel behind the tour show the same. */
  #show() {
    const { panel, show } = this.#steps[this.#step];
    tell(this, "change", { panel });
    for (const [name, detail] of show(this.#look())) tell(this, name, detail);
    const element = document.getElementById(`panel-${panel}`);
    if (!element) return;
    this.#mark(element);
    if (matchMedia("(max-width: 63.99rem)").matches) {
      this.#fold(true);
      this.smaller.focus();
    }
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    element.scrollIntoView({ block: "start", behavior: still ? "auto" : "smooth" });
  }

  /** Frame a panel, and no other. */
  #mark(element) {
    for (const one of document.querySelectorAll("[data-toured]")) delete one.dataset.toured;
    if (element) element.dataset.toured = "";
  }

  /** Make the tour a bar at the edge, or large again. */
  #fold(folded) {
    this.classList.toggle("folded", folded);
    this.#name();
  }

  /** Read out what a figure says. */
  #say(within) {
    this.live.textContent = within.querySelector(".said")?.textContent ?? "";
  }

  get #page() {
    return this.closest("heed-play");
  }

  /** A trace that comes to no end is told by the page's own state alone. */
  #stateTold() {
    if (!this.hidden && !ready(this.#steps[this.#step], this.#trace)) this.#draw();
  }

  #resized() {
    if (this.hidden || Math.abs(this.figure.clientWidth - this.#width) < 2) return;
    requestAnimationFrame(() => this.#draw());
  }
}

/** Make a link to lines of code. */
function linked(name) {
  const [path, symbol] = name.split(":");
  const address = `/code/${path}?symbol=${encodeURIComponent(symbol)}`;
  const text = `${path} · ${symbol}`;
  return make("a", { href: address, target: "_blank", rel: "noopener", text });
}

customElements.define("heed-tour", Tour);
