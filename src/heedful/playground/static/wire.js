/**
 * A trace as it is saved becomes one that can be drawn: maps of numbers, pieces and words.
 *
 * `heedful.inspect.wire` writes what is read here. Layers and heads are counted from 0.
 */

import { t } from "heedful/i18n.js";
import { asRead, side } from "heedful/words.js";

/** The version of saved traces that is read here. */
export const VERSION = 1;

/**
 * The maps of one kind of attention.
 * @typedef {object} AttentionMap
 * @property {"encoder" | "decoder" | "cross"} kind
 * @property {number} layers
 * @property {number} heads
 * @property {import("heedful/words.js").Side} queries
 * @property {import("heedful/words.js").Side} keys
 * @property {boolean} exact - Whether the weights are Python's, and not rounded to 1/255.
 * @property {Float32Array} weights - In the order layer, head, query, key.
 * @property {number[][][]} sink - What each row gives to no word: layer, head, query.
 */

/**
 * @typedef {object} Trace
 * @property {any} wire - All that was saved.
 * @property {import("heedful/words.js").Side} source
 * @property {import("heedful/words.js").Side | null} target - null: it is not there yet.
 * @property {Record<string, AttentionMap>} maps
 */

/**
 * Read a saved trace; throws an Error with a sentence for one of another version or form.
 * @param {any} wire
 * @returns {Trace}
 */
export function read(wire) {
  if (wire?.v !== VERSION) {
    throw new Error(t("trace.version", { known: VERSION, given: String(wire?.v) }));
  }
  return readPart(wire);
}

/**
 * Read as much of a trace as there is: the encoder's maps come before there is a translation.
 * @param {any} wire
 * @param {Map<any, AttentionMap>} [known] - The maps that were read before; new ones are added.
 * @returns {Trace}
 */
export function readPart(wire, known = new Map()) {
  const source = side(wire.source);
  const target = wire.target ? side(wire.target) : null;
  const decoder = wire.attention.find(({ kind }) => kind === "decoder");
  const cross = wire.attention.find(({ kind }) => kind === "cross");
  const reads = wire.steps?.map((step) => step.reads) ?? decoder?.keys ?? cross?.queries ?? [];
  const written = target && { ...target, reads };
  const sides = writes(wire)
    ? { decoder: alone(target, source, reads) }
    : {
        encoder: [source, source],
        decoder: [written, target && asRead(target, reads)],
        cross: [written, source],
      };
  const maps = {};
  for (const saved of wire.attention) {
    if (!known.has(saved)) known.set(saved, attentionMap(saved, sides[saved.kind]));
    maps[saved.kind] = known.get(saved);
  }
  return { wire, source, target, maps };
}

/**
 * Whether a trace is of a model that goes on with texts: it has the decoder's side alone.
 * @param {any} wire
 */
export function writes({ model }) {
  return model.encoder_layers === 0;
}

/** Return the sides of the attention where there is no encoder: words are where they are read. */
function alone(target, source, reads) {
  if (!target) return [];
  const shares = [source.shares[0], ...target.shares.slice(0, -1)];
  const keys = { ...asRead(target, reads), shares };
  return [{ ...keys, tokens: target.tokens, reads }, keys];
}

function attentionMap(saved, [queries, keys]) {
  const { kind, layers, heads, sink } = saved;
  const weights = weightsOf(saved);
  if (weights.length !== layers * heads * queries.tokens.length * keys.tokens.length) {
    throw new Error(t("trace.damaged", { kind: t(`kind.${kind}`).toLowerCase() }));
  }
  return { kind, layers, heads, queries, keys, exact: saved.enc === "f32le", weights, sink };
}

/**
 * Decode the weights of a kind: `f32le`, or `u8-rowsum255`, of which a row sums to 255.
 * @param {{enc: string, data: string}} saved
 * @returns {Float32Array}
 */
export function weightsOf({ enc, data }) {
  const letters = atob(data);
  const bytes = new Uint8Array(letters.length);
  for (let place = 0; place < bytes.length; place++) bytes[place] = letters.charCodeAt(place);
  if (enc === "f32le") return new Float32Array(bytes.buffer);
  if (enc === "u8-rowsum255") return Float32Array.from(bytes, (value) => value / 255);
  throw new Error(t("trace.encoding", { enc }));
}

/**
 * Return the weights of one head: queries times keys, row by row.
 * @param {AttentionMap} map
 * @param {number} layer
 * @param {number} head
 * @returns {Float32Array}
 */
export function weightsOfHead(map, layer, head) {
  const size = map.queries.tokens.length * map.keys.tokens.length;
  const start = (layer * map.heads + head) * size;
  return map.weights.subarray(start, start + size);
}

/**
 * Return the head that gives least to `</s>`, `<s>` and the tag: a good one to begin with.
 * @param {AttentionMap} map
 * @returns {{layer: number, head: number}}
 */
export function busiestHead(map) {
  const mean = (row) => row.reduce((sum, value) => sum + value, 0) / row.length;
  let best = { layer: 0, head: 0, sink: Infinity };
  map.sink.forEach((layer, number) =>
    layer.forEach((row, head) => {
      if (mean(row) < best.sink) best = { layer: number, head, sink: mean(row) };
    }),
  );
  return { layer: best.layer, head: best.head };
}

/**
 * Return the languages of both sides for `lang`, empty where nobody said.
 * @param {any} wire
 * @returns {{source: string, target: string}}
 */
export function languages(wire) {
  const { from, to } = wire.model;
  if (writes(wire)) return { source: "", target: "" };
  const target = wire.to ?? to ?? "";
  if (target !== from) return { source: from ?? "", target };
  return { source: /\p{Script=Han}/u.test(wire.source.text) ? "zh" : "", target };
}
