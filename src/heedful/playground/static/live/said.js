/**
 * The server's sentences about what was measured, as the page says them.
 *
 * English is the server's own, but for the names of heads: it counts them from 0, the page from 1.
 * Other languages say the same, by the same rules, from the same numbers (`str` of Evidence and
 * of Difference in heedful.inspect).
 */

import { filled, language, speaksOf, t } from "heedful/i18n.js";

/** How heads are named in English, whatever the page speaks. */
const NAMES = {
  encoder: "head {head} of encoder layer {layer}",
  decoder: "head {head} of decoder layer {layer} (to itself)",
  cross: "head {head} of decoder layer {layer} (to the source)",
};
/** Where there is a decoder alone. */
const ALONE = { decoder: "head {head} of layer {layer}" };

/**
 * Name heads in a sentence of the server as the page counts: `encoder.4.3` is layer 5, head 4.
 * @param {string} text - In English.
 */
export function named(text) {
  const names = speaksOf() === "writes" ? ALONE : NAMES;
  return text.replace(/\b(encoder|decoder|cross)\.(\d+)\.(\d+)\b/g, (_, kind, layer, head) =>
    filled(names[kind], { layer: Number(layer) + 1, head: Number(head) + 1 }),
  );
}

/** Begin with a capital and end with a full stop. */
function whole(text) {
  const begun = text.slice(0, 1).toUpperCase() + text.slice(1);
  return /[.!?。]$/.test(begun) || !begun ? begun : `${begun}.`;
}

/**
 * Say what bears on a pair.
 * @param {any} found - An answer of `/api/evidence`.
 */
export function evidenceSaid(found) {
  return language() === "en" ? whole(named(found.said)) : evidenceRetold(found);
}

/**
 * Say what bears on a pair in the page's language.
 * @param {any} found
 */
export function evidenceRetold({ heads, over_half: over, of, step, agree, signals, ...rest }) {
  const { ablate_top: top, value_zeroing: zeroing } = rest;
  const what = t(step === null ? "said.translation" : "said.prediction");
  const [kind, layer, head] = top.head.split(".");
  const facts = {
    ...{ n: over, of, what },
    head: t(`said.head_${kind}`, { layer: Number(layer) + 1, head: Number(head) + 1 }),
    share: `${(100 * heads[0].weight).toFixed(0)}%`,
    silent: moved(zeroing.change),
    without: moved(top.change),
    stays: t(top.changed ? "said.other" : "said.same"),
  };
  const verdict = !agree ? "said.apart" : signals[0] ? "said.agree" : "said.little";
  const looked = t(over ? "said.looked" : "said.looked_none", facts);
  return [looked, t("said.changes", facts), t(verdict)].join(t("panels.joint"));
}

function moved(change) {
  const key = change <= 0 ? "said.loses" : "said.gains";
  return t(key, { value: Math.abs(change).toFixed(3) });
}

/**
 * Say what a change of the model or its sentence did.
 * @param {any} found - An answer of `/api/what_if`.
 */
export function differenceSaid(found) {
  return language() === "en" ? whole(found.said) : differenceRetold(found);
}

/**
 * Say what a change did in the page's language.
 * @param {any} found
 */
export function differenceRetold({ changed, lost, log_probs: logProbs }) {
  const said = t(changed ? "said.differs" : "said.stays", { moved: moved(-lost) });
  const unused = !changed && Math.abs(lost) < 0.01 * logProbs.length;
  return t(unused ? "said.unused" : "said.full", { said });
}
