/**
 * What a model writes: a translation, or a text behind a prompt, which stands faint in it; and the
 * text that some of its pieces spell.
 */

import { make } from "heedful/dom.js";
import { writes } from "heedful/wire.js";

/**
 * Return what is written, the prompt in it faint.
 * @param {any} wire
 * @param {string} text - The whole text.
 * @returns {(Node | string)[]}
 */
export function written(wire, text) {
  const prompt = wire.source.text;
  if (!writes(wire) || !text.startsWith(prompt)) return [text];
  return [make("span", { class: "given", text: prompt }), text.slice(prompt.length)];
}

/**
 * Return the prompt that a piece makes of the text before a step; null where it cannot be typed.
 * @param {import("heedful/wire.js").Trace} trace
 * @param {number} step
 * @param {string} piece - In place of the one that was predicted there.
 * @returns {string | null}
 */
export function branched({ wire, source, target }, step, piece) {
  const before = [[wire.steps[0].reads, source.shares[0]]];
  target.tokens.slice(0, step).forEach((token, place) => {
    before.push([token, target.shares[place]]);
  });
  const spelled = before.filter(([token, shares]) => shares.length || /^[▁↵]+$/.test(token));
  const pieces = [...spelled.map(([token]) => token), piece];
  if (pieces.some((one) => /<[^ ]+>/.test(one))) return null;
  const text = pieces.join("").replaceAll("▁", " ").replaceAll("↵", "\n");
  return wire.source.text.startsWith(" ") ? text : text.replace(/^ /, "");
}
