/**
 * The tour's figure of the whole machine: every layer of both stacks, one kind of part lit.
 */

import { make, makePiece } from "heedful/dom.js";
import { t } from "heedful/i18n.js";
import { percent } from "heedful/numbers.js";
import { radios, said } from "heedful/live/tour-kit.js";

/** @typedef {import("heedful/live/tour-kit.js").Look} Look */

/** Parts that can be lit, in the order of the way through the machine. */
const PARTS = ["embed", "attention", "feedforward", "residual", "masked", "cross", "softmax"];

/**
 * @param {Look} look
 * @returns {Node[]}
 */
export function machine(look) {
  const part = look.choice.part ?? "feedforward";
  const choose = radios({
    label: t("tour.layers.choose"),
    key: "part",
    items: PARTS.map((name) => document.createTextNode(t(`tour.part.${name}`))),
    chosen: PARTS.indexOf(part),
    choose: (place) => look.choose({ part: PARTS[place] }),
  });
  const more = [...formula(look, part), ...lens(look, part)];
  return [choose, picture(look, part), said(told(look, part)), ...more];
}

/** Draw both stacks, from what comes in to what goes out. */
function picture(look, part) {
  const { model, source, target } = look.trace.wire;
  const { encoder_layers: encoder, decoder_layers: decoder } = model;
  const label = t("tour.layers.label", counts(model));
  const begun = `<s> ${target?.text || "…"}`;
  return make(
    "div",
    { class: `machine lit-${part}`, role: "img", "aria-label": label },
    stack(
      make("p", { class: "stack-end", lang: look.spoken.source, text: source.text }),
      block("embed"),
      ...layers(encoder, ["attention", "feedforward"]),
      make("p", { class: "stack-name soft", text: t("tour.layers.encoder", { n: encoder }) }),
    ),
    stack(
      make("p", { class: "stack-end", lang: look.spoken.target, text: begun }),
      block("embed"),
      ...layers(decoder, ["masked", "cross", "feedforward"]),
      block("softmax"),
      make("p", { class: "stack-name soft", text: t("tour.layers.decoder", { n: decoder }) }),
    ),
  );
}

function stack(...children) {
  return make("div", { class: "stack" }, ...children);
}

function counts(model) {
  return { encoder: model.encoder_layers, decoder: model.decoder_layers, heads: model.heads };
}

function layers(count, names) {
  return Array.from({ length: count }, (_, layer) =>
    make(
      "div",
      { class: "layer" },
      make("span", { class: "number soft n", text: String(layer + 1) }),
      ...names.map(block),
    ),
  );
}

function block(name) {
  return make("span", { class: `block ${name}`, text: t(`tour.block.${name}`) });
}

/** Say what a part does, with the model's own sizes. */
function told(look, part) {
  const { model } = look.trace.wire;
  const d_ff = look.card?.d_ff;
  const facts = {
    d: model.d_model,
    dk: model.d_model / model.heads,
    heads: model.heads,
    ff: d_ff ?? "?",
    encoder: model.encoder_layers,
    decoder: model.decoder_layers,
    vocabulary: model.vocabulary[1].toLocaleString("en"),
  };
  if (part === "feedforward" && !d_ff) return t("tour.layers.feedforward.unknown", facts);
  return t(`tour.layers.${part}`, facts);
}

/** Write what a sublayer computes, in the order in which this model normalises. */
function formula(look, part) {
  const wiring = look.card?.residual;
  if (part !== "residual" || !["pre_norm", "post_norm"].includes(wiring)) return [];
  const written = { pre_norm: "x + f(norm(x))", post_norm: "norm(x + f(x))" };
  return [
    make("p", { class: "formula" }, make("code", { text: written[wiring] })),
    make("p", { class: "note", text: t(`tour.layers.${wiring}`) }),
  ];
}

/** Show what each decoder layer would say at the chosen step, where the last part is lit. */
function lens(look, part) {
  const spoken = look.trace.wire.lens;
  if (part !== "softmax" || !spoken?.length) return [];
  const { step } = look.choice;
  const lines = spoken.map((layer, place) => {
    const [piece, value] = layer[step].top[0];
    return make(
      "li",
      {},
      make("span", { class: "soft", text: t("tour.layers.says", { n: place + 1 }) }),
      makePiece(piece, { class: "piece", lang: look.spoken.target }),
      make("span", { class: "n", text: percent(Math.exp(value)) }),
    );
  });
  return [
    make("p", { class: "note", text: t("tour.layers.lens", { n: step + 1 }) }),
    make("ol", { class: "said-by-layers" }, ...lines),
  ];
}
