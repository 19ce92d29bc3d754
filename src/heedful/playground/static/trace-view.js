/**
 * `<heed-trace>`: a whole trace: both sentences, their pieces, attention, output and search.
 */

import "heedful/attention.js";
import "heedful/beam-tree.js";
import "heedful/outputs.js";
import "heedful/tokens.js";
import { make } from "heedful/dom.js";
import { setVoice, t } from "heedful/i18n.js";
import { languages, writes } from "heedful/wire.js";
import { written } from "heedful/written.js";

export class TraceView extends HTMLElement {
  #build() {
    if (this.attention) return;
    this.top = make("header");
    this.pieces = [make("heed-tokens"), make("heed-tokens")];
    this.attention = make("heed-attention");
    this.outputs = make("heed-outputs");
    this.beam = make("heed-beam");
    this.search = panel(t("beam.title"), this.beam);
    this.append(
      this.top,
      panel(
        t("pieces.title"),
        make("h3", { text: t("pieces.source") }),
        this.pieces[0],
        make("h3", { text: t("pieces.target") }),
        this.pieces[1],
        make("p", { class: "soft", text: t("pieces.legend") }),
      ),
      panel(t("attention.title"), this.attention),
      panel(t("outputs.title"), this.outputs),
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
    setVoice(writes(wire) ? "writes" : "");
    this.#build();
    const spoken = languages(wire);
    this.top.replaceChildren(...heading(wire, spoken));
    this.pieces[0].show(source, wire.source.pieces, spoken.source);
    this.pieces[1].show(target, wire.target.pieces, spoken.target);
    this.attention.show({ maps, wire });
    this.outputs.show({ wire });
    this.search.hidden = !wire.beam;
    if (wire.beam) this.beam.show({ wire });
  }
}

function heading(wire, spoken) {
  const { model, source, target, forced, attention } = wire;
  const { name, encoder_layers: encoder, decoder_layers: decoder, heads, d_model: width } = model;
  const about = t("trace.model", { encoder, decoder, n: heads, width });
  const found = [
    make("p", { class: "soft", text: name ? t("trace.named", { name, about }) : about }),
    make("h1", { lang: spoken.source || undefined, dir: "auto", text: source.text }),
    make(
      "p",
      { class: "translation", lang: spoken.target || undefined, dir: "auto" },
      ...written(wire, target.text),
    ),
  ];
  if (forced) found.push(make("p", { class: "soft", text: t("trace.forced") }));
  if (attention.some((one) => one.enc !== "f32le")) {
    found.push(make("p", { class: "soft", text: t("trace.rounded") }));
  }
  return found;
}

function panel(title, ...children) {
  return make("section", {}, make("h2", { text: title }), ...children);
}

customElements.define("heed-trace", TraceView);
