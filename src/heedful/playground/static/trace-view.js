/**
 * `<heed-trace>`: a whole trace: both sentences, their pieces, attention, output and search.
 */

import "heedful/attention.js";
import "heedful/beam-tree.js";
import "heedful/outputs.js";
import "heedful/tokens.js";
import { make } from "heedful/dom.js";
import { languages } from "heedful/wire.js";

const LEGEND =
  "▁ stands for a space. Hatched are specials: a language tag and the end, which are no words.";

export class TraceView extends HTMLElement {
  connectedCallback() {
    if (this.attention) return;
    this.top = make("header");
    this.pieces = [make("heed-tokens"), make("heed-tokens")];
    this.attention = make("heed-attention");
    this.outputs = make("heed-outputs");
    this.beam = make("heed-beam");
    this.search = panel("How the translation was searched for", this.beam);
    this.append(
      this.top,
      panel(
        "Pieces",
        make("h3", { text: "What the encoder reads" }),
        this.pieces[0],
        make("h3", { text: "What the decoder writes" }),
        this.pieces[1],
        make("p", { class: "soft", text: LEGEND }),
      ),
      panel("What each head looks at", this.attention),
      panel("What the decoder predicts", this.outputs),
      this.search,
    );
    this.addEventListener("step", ({ detail }) => this.attention.chooseStep(detail));
    this.addEventListener("row", ({ detail }) => this.outputs.choose(detail));
  }

  /**
   * Show a trace.
   * @param {import("heedful/wire.js").Trace} trace
   */
  show({ wire, source, target, maps }) {
    const spoken = languages(wire);
    this.top.replaceChildren(...heading(wire, spoken));
    this.pieces[0].show(source, wire.source.pieces, spoken.source);
    this.pieces[1].show(target, wire.target.pieces, spoken.target);
    this.attention.show(maps);
    this.outputs.show(wire);
    this.beam.show(wire.beam, wire.target.text);
  }
}

function heading({ model, source, target, forced, attention }, spoken) {
  const about =
    `${model.name ? `${model.name}: ` : ""}${model.encoder_layers} encoder and ` +
    `${model.decoder_layers} decoder layers, ${model.heads} heads, d_model ${model.d_model}`;
  const found = [
    make("p", { class: "soft", text: about }),
    make("h1", { lang: spoken.source || undefined, text: source.text }),
    make("p", { class: "translation", lang: spoken.target || undefined, text: target.text }),
  ];
  const given = "This translation was given; the search below found its own.";
  if (forced) found.push(make("p", { class: "soft", text: given }));
  const rough = "This trace is long: its weights are rounded to 1/255, and shown without digits.";
  if (attention.some((one) => one.enc !== "f32le")) {
    found.push(make("p", { class: "soft", text: rough }));
  }
  return found;
}

function panel(title, ...children) {
  return make("section", {}, make("h2", { text: title }), ...children);
}

customElements.define("heed-trace", TraceView);
