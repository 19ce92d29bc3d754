/**
 * The numbers behind the tour's pictures: softmax step by step, waves, clocks, habits of heads.
 */

import { weightsOfHead } from "heedful/wire.js";

/** Scripts that are written without spaces between words. */
export const UNSPACED =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Khmer}]/u;
/** Words that name nothing: no good examples. */
export const SMALL = new RegExp(
  "^▁?(?:the|an?|it|its|this|that|these|those|and|but|or|so|because|when|while|if|since|which|" +
    "who|was|were|is|are|be|been|had|has|have|do|did|not|of|in|on|at|to|for|with|by|from|as|too|" +
    "very|never|he|she|they|his|her|their|der|die|das|den|dem|eine?|und|ist|war|它|的|了|是|在|" +
    "因为|因|为|所以|但|和|也|很)$",
  "iu",
);
/** The share of pieces that look at one distance, from which on it is called a habit. */
const HABIT = 0.6;

/**
 * Return a softmax with all that comes on the way: powers of e, their sum, and the shares.
 *
 * The highest score is taken from all first, which changes no share and keeps the powers small.
 * @param {ArrayLike<number>} scores - Minus infinity, or the lowest number there is, is masked.
 * @returns {{highest: number, powers: number[], sum: number, weights: number[]}}
 */
export function softmax(scores) {
  const all = Array.from(scores);
  const highest = Math.max(...all);
  const powers = all.map((score) => Math.exp(score - highest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return { highest, powers, sum, weights: powers.map((power) => power / sum) };
}

/**
 * Return scores that give these shares: they are known up to what is added to all of them.
 * @param {ArrayLike<number>} weights
 * @returns {number[]}
 */
export function scoresOf(weights) {
  return Array.from(weights, (weight) => Math.log(weight));
}

/**
 * Return the paper's position pattern at some of its places: sine at even ones, cosine at odd.
 * @param {number} position - From 0.
 * @param {number} place - From 0, below d_model.
 * @param {number} d_model
 */
export function sinusoid(position, place, d_model) {
  const even = place - (place % 2);
  const angle = position * 10_000 ** (-even / d_model);
  return place % 2 ? Math.cos(angle) : Math.sin(angle);
}

/**
 * Return at most so many places of d_model, in pairs of sine and cosine, evenly spread.
 * @param {number} d_model
 * @param {number} count
 * @returns {number[]}
 */
export function spread(d_model, count) {
  const pairs = Math.floor(d_model / 2);
  const taken = Math.min(pairs, Math.floor(count / 2));
  const first = Array.from({ length: taken }, (_, one) => 2 * Math.floor((one * pairs) / taken));
  return first.flatMap((place) => [place, place + 1]);
}

/**
 * Return how far rotary positions turn a pair of numbers at a position, in radians below a turn.
 * @param {number} position
 * @param {number} pair - From 0, below d_k / 2.
 * @param {number} d_k
 * @param {number} theta
 */
export function turned(position, pair, d_k, theta) {
  return (position * theta ** ((-2 * pair) / d_k)) % (2 * Math.PI);
}

/**
 * @typedef {object} Habit
 * @property {"offset" | "special" | "none"} kind
 * @property {number} [offset] - Of what is looked at, seen from what looks.
 * @property {number} share - Of the pieces that look there, or of the weight on specials.
 */

/**
 * Return what a head mostly does on this sentence: one offset, or specials, or nothing simple.
 * @param {import("heedful/wire.js").AttentionMap} map
 * @param {number} layer
 * @param {number} head
 * @returns {Habit}
 */
export function habit(map, layer, head) {
  const width = map.keys.tokens.length;
  const weights = weightsOfHead(map, layer, head);
  const rows = map.queries.tokens.length;
  const sink = map.sink[layer][head].reduce((sum, share) => sum + share, 0) / rows;
  const counts = new Map();
  for (let row = 0; row < rows; row++) {
    const offset = largest(weights.subarray(row * width, (row + 1) * width)) - row;
    counts.set(offset, (counts.get(offset) ?? 0) + 1);
  }
  const [offset, count] = [...counts].reduce((best, one) => (one[1] > best[1] ? one : best));
  if (rows > 2 && count / rows >= HABIT) return { kind: "offset", offset, share: count / rows };
  if (sink > 0.5) return { kind: "special", share: sink };
  return { kind: "none", share: count / rows };
}

/**
 * Return the place of the largest of some numbers.
 * @param {ArrayLike<number>} numbers
 */
export function largest(numbers) {
  let best = 0;
  for (let place = 1; place < numbers.length; place++) {
    if (numbers[place] > numbers[best]) best = place;
  }
  return best;
}

/**
 * Return the row of a head: what one query gives to every key.
 * @param {import("heedful/wire.js").AttentionMap} map
 * @param {{layer: number, head: number}} head
 * @param {number} row
 * @returns {Float32Array}
 */
export function rowOfHead(map, { layer, head }, row) {
  const width = map.keys.tokens.length;
  return weightsOfHead(map, layer, head).subarray(row * width, (row + 1) * width);
}

/**
 * Return the head whose row is shared out most evenly without being flat: a good one to explain.
 *
 * It is the one whose largest share is nearest to a half and goes to a word.
 * @param {import("heedful/wire.js").AttentionMap} map
 * @param {number} row
 * @returns {{layer: number, head: number}}
 */
export function tellingHead(map, row) {
  let best = { layer: 0, head: 0, off: Infinity };
  for (let layer = 0; layer < map.layers; layer++) {
    for (let head = 0; head < map.heads; head++) {
      const weights = rowOfHead(map, { layer, head }, row);
      const top = largest(weights);
      const word = map.keys.shares[top].length > 0 && top !== row;
      const off = Math.abs(weights[top] - 0.5) + (word ? 0 : 1);
      if (off < best.off) best = { layer, head, off };
    }
  }
  return { layer: best.layer, head: best.head };
}

/**
 * Return the words of a text in another order, the same for the same seed; the last mark stays.
 * @param {string} text
 * @param {number} seed
 * @returns {string}
 */
export function shuffled(text, seed) {
  const [, rest, end] = /^(.*?)(\p{P}*)$/su.exec(text.trim());
  const spaced = /\s/.test(rest) || !UNSPACED.test(rest);
  const words = spaced ? rest.split(/\s+/) : Array.from(rest);
  let state = seed * 2654435761 + 12345;
  for (let place = words.length - 1; place > 0; place--) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const other = Math.floor((state / 2 ** 32) * (place + 1));
    [words[place], words[other]] = [words[other], words[place]];
  }
  return words.join(spaced ? " " : "") + end;
}

/**
 * Return the piece that the tour begins with: "it" where there is one, else one in the middle.
 * @param {import("heedful/words.js").Side} source
 * @returns {number}
 */
export function firstPiece(source) {
  const { tokens, shares } = source;
  const it = itPiece(source);
  if (it >= 0) return it;
  const words = [...tokens.keys()].filter((piece) => shares[piece].length > 0);
  return words[Math.floor(words.length / 2)] ?? 0;
}

/**
 * Return the step that the tour begins with: the second word of the translation, if it has one.
 * @param {string[]} tokens
 */
export function firstStep(tokens) {
  const words = [...tokens.keys()].filter((place) => /[\p{L}\p{N}]/u.test(tokens[place]));
  return words[1] ?? 0;
}

/**
 * Return the piece that is "it" or 它 and nothing else, -1 if there is none.
 * @param {import("heedful/words.js").Side} side
 */
export function itPiece(side) {
  return pieceOf(side, ["it", "它"]);
}

/**
 * Return the step at which a translation says a pronoun for "it", -1 if it says none.
 * @param {import("heedful/words.js").Side} side
 */
export function pronounStep(side) {
  return pieceOf(side, ["er", "sie", "es", "it", "它"]);
}

/** Return the first piece that is one of some words, and no part of another, -1 if none is. */
function pieceOf({ tokens, shares, words }, wanted) {
  return tokens.findIndex((token, piece) => {
    if (shares[piece].length !== 1 || token === "▁") return false;
    const word = words[shares[piece][0][0]].toLowerCase();
    return wanted.includes(word) && token.replace("▁", "").toLowerCase() === word;
  });
}

/**
 * Return the word that "it" is compared with: the story's cat, else what gets most from it of all
 * that are no small words.
 * @param {import("heedful/wire.js").AttentionMap} map
 * @param {number} row - That of "it".
 * @param {number[]} words - Pieces that it may be compared with.
 */
export function nounPiece(map, row, words) {
  const { tokens } = map.keys;
  const story = words.find((place) => /^▁?(?:cat|猫)$/iu.test(tokens[place]));
  if (story !== undefined || words.length === 0) return story ?? 0;
  const large = words.filter((place) => !SMALL.test(tokens[place]));
  const total = new Float64Array(tokens.length);
  for (let one = 0; one < map.layers * map.heads; one++) {
    const head = { layer: Math.floor(one / map.heads), head: one % map.heads };
    rowOfHead(map, head, row).forEach((weight, place) => (total[place] += weight));
  }
  const among = large.length ? large : words;
  return among.reduce((best, place) => (total[place] > total[best] ? place : best));
}

/**
 * Return the German pronouns of a sentence, in its order.
 * @param {string} text
 * @returns {string[]}
 */
export function pronouns(text) {
  return text.toLowerCase().match(/(?<!\p{L})(?:er|sie|es|ihn|ihm|ihr)(?!\p{L})/gu) ?? [];
}

/**
 * Return the number of a step that there is, whatever was asked for.
 * @param {unknown} asked
 * @param {number} count
 */
export function stepThatIs(asked, count) {
  const number = Math.trunc(Number(asked));
  return Number.isFinite(number) ? Math.min(Math.max(number, 0), count - 1) : 0;
}
