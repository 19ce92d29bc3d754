/**
 * `<heed-play>`: the live page. It owns the state, asks for traces, and tells all panels.
 *
 * `data-state` says how it is (idle, loading, done, error), `data-seq` how many traces were drawn
 * to their end.
 */

import "heedful/attention.js";
import "heedful/outputs.js";
import "heedful/live/bar.js";
import "heedful/live/translator.js";
import { preferred, setVoice, t } from "heedful/i18n.js";
import { Address } from "heedful/live/address.js";
import { models } from "heedful/live/cards.js";
import { Gone, ask } from "heedful/live/client.js";
import { announce, copyFrom } from "heedful/live/copying.js";
import { Drawing, told } from "heedful/live/drawing.js";
import { ExactRow } from "heedful/live/exact-row.js";
import { makeFrame, partsOf } from "heedful/live/frame.js";
import { History } from "heedful/live/history.js";
import { saved } from "heedful/live/later.js";
import { Loading } from "heedful/live/loading.js";
import { python } from "heedful/live/python.js";
import { helpDialog, listen } from "heedful/live/shortcuts.js";
import { begun, changed, fitted, questionOf, switched } from "heedful/live/state.js";
import { undoable, viewOfAnother } from "heedful/live/state.js";
import { alsoTexts } from "heedful/live/texts.js";
import { Tracer } from "heedful/live/tracing.js";
import { Watch } from "heedful/live/watch.js";
import { atStep, settled } from "heedful/views.js";

/** Milliseconds after a key until a trace is asked for. */
const PAUSE = 120;
/** Characters of a sentence that is looked into, at most. */
export const LONGEST = 2000;

export class Play extends HTMLElement {
  #models = [];
  #trace = null;
  #drawing = new Drawing();
  #seq = 0;
  /** The question whose trace is shown, or is on its way. */
  #asked = "";
  /** Whose trace was drawn last: the model, and the sentence with its translation. */
  #of = { model: "", sentence: "" };
  /** Whether what is chosen came with an address, and holds for the trace to come. */
  #given = true;
  #address = new Address(preferred(), (found) => this.#called(found));
  #row = new ExactRow();
  #watch = new Watch({
    gone: () => (this.frame.banner.hidden = false),
    back: () => this.#back(),
  });
  #loading = new Loading({
    loaded: (panel) => told(panel, () => this.#tell(panel)),
    gone: () => this.#watch.gone(),
  });
  #tracer = new Tracer({
    grew: (trace) => this.#grew(trace),
    wrote: (wire, text) => this.frame.bar.wrote(wire, text),
    failed: (error) => this.#failed(error),
  });

  connectedCallback() {
    if (this.frame) return;
    const { state, broken } = this.#address.read();
    this.state = state;
    document.title = t("page.title");
    this.#history = new History(undoable(state));
    this.help = helpDialog((keys) => this.change({ keys }));
    this.frame = makeFrame(this.#doings());
    this.replaceChildren(...this.frame.elements, this.help.element);
    this.#listen();
    this.#say("idle");
    if (broken) this.frame.show(t("page.broken"));
    this.frame.panels.outputs.lookUp = (step, piece) =>
      ask("/api/rank", { id: this.#trace.id, step, piece });
    this.#follow();
    this.#begin();
    this.#loading.panels(this.#all, this.frame.panels.atlas);
  }

  /** @type {History} */
  #history;

  #doings() {
    return {
      tab: (tab) => this.change({ tab }),
      panel: (panel) => this.change({ panel }),
      lang: (lang) => this.change({ lang }),
      theme: (theme) => this.change({ theme }),
      help: () => this.help.open(this.state.keys),
      retry: () => this.#watch.again(),
      python: (name, button) => this.#python(name, button),
    };
  }

  #listen() {
    const on = (name, act) => this.addEventListener(name, ({ detail }) => act(detail));
    on("edit", (detail) => this.change({ edits: { ...this.state.edits, ...detail } }));
    on("view", (detail) => this.#view(detail));
    on("pick-pair", (detail) => this.#view(detail));
    on("head-picked", ({ kind, layer, head }) =>
      this.#view({ kind: kind ?? this.state.view.kind, layer, head }),
    );
    on("row", (step) => this.#view({ step }));
    on("step", (step) => {
      const view = this.#trace ? atStep(this.#trace.maps, this.state.view, step) : {};
      this.#view({ ...view, step });
    });
    on("ask", (detail) => this.#question(detail));
    on("change", (detail) => detail && this.change(detail));
    on("go", (panel) => {
      this.change({ panel });
      this.frame.reveal(panel);
    });
    on("save", (detail) => this.#save(detail));
    on("undo", () => this.undo());
    on("redo", () => this.redo());
    on("share", (button) => this.#share(button));
    on("gone", () => this.#watch.gone());
    listen(
      {
        input: () => this.#focusInput(),
        help: () => this.help.open(this.state.keys),
        undo: () => this.undo(),
        redo: () => this.redo(),
        ablate: () => this.#ablate(),
      },
      () => this.state.keys,
    );
    document.addEventListener("language", () => (document.title = t("page.title")));
  }

  async #begin() {
    try {
      this.#models = await models();
      if (this.#models.some(({ writes }) => writes)) await alsoTexts("live/text-writes");
    } catch (error) {
      return this.#failed(error);
    }
    const [first] = this.#models;
    const known = this.#models.some(({ name }) => name === this.state.model);
    if (this.state.model && !known) {
      this.frame.show(t("page.noModel", { name: this.state.model, first: first?.name ?? "" }));
    }
    this.frame.bar.models(this.#models);
    this.frame.translator.models(this.#models.filter(({ writes }) => !writes));
    this.change(known ? {} : { model: first?.name ?? "" }, { noted: false, first: true });
    this.#history = new History(undoable(this.state));
    this.#follow();
  }

  get #model() {
    return this.#models.find(({ name }) => name === this.state.model);
  }

  /**
   * Change the state: tell all, note it, and ask what has to be asked.
   * @param {Partial<import("heedful/live/state-url.js").State>} change
   * @param {{noted?: boolean, typed?: boolean, first?: boolean}} [how]
   */
  change(change, { noted = true, typed = false, first = false } = {}) {
    const before = this.state;
    this.state = fitted(changed(before, change), change, this.#models);
    if (first || before.tab !== this.state.tab) this.#begun();
    if (noted) this.#history.note(undoable(this.state), typed ? "typed" : "", performance.now());
    if (this.#trace && this.state.tab !== "translate") {
      this.state.view = settled(this.#trace.maps, this.state.view);
    }
    this.#follow();
    this.#write({ entry: before.tab !== this.state.tab });
    if (this.#model) this.#need(typed ? PAUSE : 0);
  }

  /** Whoever looks inside for the first time finds a sentence there. */
  #begun() {
    const { tab, text } = this.state;
    const example = this.#model?.examples[0];
    if (tab === "translate" || text.trim() || !example) return;
    this.state = changed(this.state, { text: example.text, from: "", to: example.to });
  }

  #view(detail) {
    const view = { ...this.state.view, ...detail };
    this.change({ view }, { noted: false });
    this.#exact();
  }

  #question({ typed = false, ...detail }) {
    const given = "text" in detail || "to" in detail || "model" in detail;
    const target = given && !("target" in detail) ? { target: null } : {};
    this.change({ ...target, ...detail }, { typed });
  }

  #follow() {
    const { lang, theme, tab } = this.state;
    this.#loading.speak(lang, () => lang === this.state.lang);
    if (tab === "tour") this.#loading.open("tour", this.frame.tour);
    if ((document.documentElement.dataset.theme ?? "auto") !== theme) {
      if (theme === "auto") delete document.documentElement.dataset.theme;
      else document.documentElement.dataset.theme = theme;
      document.dispatchEvent(new CustomEvent("theme"));
    }
    const writes = Boolean(this.#model?.writes);
    setVoice(writes ? "writes" : "");
    const translator = this.#models.some((one) => !one.writes);
    this.frame.follow(this.state, partsOf(writes, translator, this.#model?.card?.kind));
    this.frame.bar.steps(this.#history.canUndo, this.#history.canRedo);
    this.#tellAll((panel) => panel.update?.(this.state));
  }

  get #all() {
    const { bar, translator, tour, panels } = this.frame;
    return [bar, translator, ...Object.values(panels), tour];
  }

  /** Tell every panel something; one that fails leaves the others as they are. */
  #tellAll(tell) {
    for (const panel of this.#all) told(panel, () => tell(panel));
  }

  /** Tell a panel all that there is. */
  #tell(panel) {
    if (this.#trace) panel.show?.(this.#trace, this.state);
    else panel.empty?.();
    panel.update?.(this.state);
  }

  #need(pause) {
    const { tab, text } = this.state;
    if (tab === "translate") return this.#leave();
    const body = questionOf(this.state, this.#model.writes);
    const asked = JSON.stringify(body);
    if (asked === this.#asked) return;
    this.#asked = asked;
    this.frame.bar.fail("");
    if (!text.trim()) return this.#none();
    if (text.length > LONGEST) {
      const facts = { n: text.length, most: LONGEST };
      return this.#failed(new Error(t("bar.long", facts)));
    }
    this.#say("loading");
    this.#tracer.ask(body, pause);
  }

  /** Nobody looks inside: a trace that is not whole will be asked for anew. */
  #leave() {
    if (!this.#tracer.stop()) return;
    this.#asked = "";
    this.#say("idle");
  }

  #none() {
    this.#tracer.stop();
    this.#trace = null;
    this.#say("idle");
    this.#tellAll((panel) => this.#tell(panel));
  }

  #grew(trace) {
    this.#watch.stop();
    this.frame.banner.hidden = true;
    this.#trace = trace;
    this.#another(JSON.parse(this.#asked || "{}"));
    const { steps, begins = 0 } = trace.wire;
    const asked = begun(this.state.view, begins);
    const step = steps ? Math.min(asked.step, steps.length - 1) : this.state.view.step;
    this.state.view = settled(trace.maps, { ...asked, step });
    this.#draw(trace);
  }

  /** Draw what is seen first, then the rest: of a trace that grows only that it is another. */
  #draw(trace) {
    const asked = this.#asked;
    const show = (panel) => () => {
      if (trace === this.#trace) told(panel, () => panel.show?.(trace, this.state));
    };
    const { bar, tour, panels } = this.frame;
    const first = [bar, panels.attention, tour];
    const rest = this.#all.filter((panel) => !first.includes(panel));
    const end = () => trace.complete && asked === this.#asked && this.#done();
    this.#drawing.draw(first.map(show), [...rest.map(show), end]);
  }

  #done() {
    this.#seq += 1;
    this.#say("done");
    this.#write();
    this.#exact();
  }

  /** If the trace is another sentence's, other rows are chosen, unless an address named them. */
  #another({ model, text, from, to, target }) {
    const of = { model, sentence: JSON.stringify([text, from, to, target]) };
    const other = of.model !== this.#of.model || of.sentence !== this.#of.sentence;
    if (other && !this.#given) {
      this.state.view = viewOfAnother(this.state.view, of.model !== this.#of.model);
    }
    [this.#of, this.#given] = [of, false];
  }

  #say(state) {
    this.dataset.state = state;
    this.dataset.seq = String(this.#seq);
    this.setAttribute("aria-busy", String(state === "loading"));
  }

  #failed(error) {
    this.#tracer.stop();
    this.#asked = "";
    this.#say("error");
    if (error instanceof Gone) this.#watch.gone();
    else this.frame.bar.fail(error.message || t("page.failed"));
  }

  /** The server answers again, maybe another, which keeps no trace: ask anew. */
  #back() {
    this.frame.banner.hidden = true;
    this.#asked = "";
    announce(t("page.back"));
    this.#follow();
    if (this.#models.length === 0) return this.#begin();
    this.frame.translator.again();
    this.#need(0);
  }

  /** Ask for the exact row, where the map that is shown is rounded. */
  #exact() {
    const trace = this.#trace;
    this.#row.ask(trace, this.state.view, (whose, weights) => {
      if (this.#trace?.id === trace.id) this.frame.panels.attention.exactRow(whose, weights);
    });
  }

  /** Take back the last change. */
  undo() {
    this.#restore(this.#history.undo());
  }

  /** Do again what was taken back. */
  redo() {
    this.#restore(this.#history.redo());
  }

  #restore(value) {
    if (value !== undefined) this.change(structuredClone(value), { noted: false });
  }

  #ablate() {
    const { kind, layer, head } = this.state.view;
    if (layer === null || this.state.tab !== "inside") return;
    const ablate = switched(this.state.edits.ablate, `${kind}.${layer}.${head}`);
    this.change({ edits: { ...this.state.edits, ablate } });
  }

  #focusInput() {
    const { bar, translator } = this.frame;
    if (this.state.tab === "tour") this.change({ tab: "inside" });
    (this.state.tab === "translate" ? translator : bar).focusInput();
  }

  #python(name, button) {
    const panel = this.frame.panels[name];
    const own = typeof panel.python === "function";
    copyFrom(button, own ? panel.python(this.#trace, this.state) : python(name, this.state));
  }

  async #save(detail) {
    try {
      await saved(detail, this.#trace, this.frame.panels);
    } catch (error) {
      if (error instanceof Gone) this.#watch.gone();
      else this.frame.bar.fail(error.message);
    }
  }

  #share(button) {
    this.#write({ now: true });
    copyFrom(button, location.href);
  }

  /** Write the state into the address; the first model needs no name there. */
  #write(how) {
    const usual = this.state.model === this.#models[0]?.name;
    this.#address.write({ ...this.state, ...(usual ? { model: "" } : {}) }, how);
  }

  /** Another address is called for. */
  #called({ state, broken }) {
    this.frame.show(broken ? t("page.broken") : "");
    if (!this.#models.some(({ name }) => name === state.model)) {
      state.model = this.#models[0]?.name ?? "";
    }
    this.#given = true;
    this.change(state);
  }
}

customElements.define("heed-play", Play);
