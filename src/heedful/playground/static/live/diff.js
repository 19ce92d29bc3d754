/**
 * What changed from one text to another: the longest common subsequence stays.
 */

/** Middles of texts that have more pairs of parts than this are not compared. */
const PAIRS = 4e6;

const UNSPACED = String.raw`[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]`;
const WORD = String.raw`(?:(?!${UNSPACED})[\p{L}\p{N}\p{M}'’-])+`;
const PART = new RegExp(String.raw`${UNSPACED}|${WORD}|\s+|.`, "gsu");

/**
 * A part of both texts, of the first alone, or of the second alone.
 * @typedef {{kind: "same" | "gone" | "new", text: string}} Change
 */

/**
 * Split a text into words, spaces, marks and, where no spaces part words, characters.
 * @param {string} text
 * @returns {string[]}
 */
export function wordsAndSpaces(text) {
  return text.match(PART) ?? [];
}

/**
 * Return what is the same and what is not, the first text's part before the second's.
 * @param {string[]} one
 * @param {string[]} other
 * @returns {Change[]}
 */
export function diff(one, other) {
  const [short, long] = [one, other].sort((a, b) => a.length - b.length);
  let start = 0;
  while (start < short.length && one[start] === other[start]) start++;
  let end = 0;
  while (end < short.length - start && one.at(-1 - end) === other.at(-1 - end)) end++;
  const middle = [one, other].map((parts) => parts.slice(start, parts.length - end));
  return joined([
    ...one.slice(0, start).map((text) => ({ kind: "same", text })),
    ...between(middle[0], middle[1]),
    ...long.slice(long.length - end).map((text) => ({ kind: "same", text })),
  ]);
}

/** Compare what lies between a common beginning and a common end. */
function between(one, other) {
  const all = (parts, kind) => parts.map((text) => ({ kind, text }));
  if (one.length * other.length > PAIRS) return [...all(one, "gone"), ...all(other, "new")];
  const width = other.length + 1;
  /** Of each pair of places: the length of what is common after them. */
  const common = new Uint32Array((one.length + 1) * width);
  for (let a = one.length - 1; a >= 0; a--) {
    for (let b = other.length - 1; b >= 0; b--) {
      common[a * width + b] =
        one[a] === other[b]
          ? common[(a + 1) * width + b + 1] + 1
          : Math.max(common[(a + 1) * width + b], common[a * width + b + 1]);
    }
  }
  const found = [];
  let [a, b] = [0, 0];
  while (a < one.length || b < other.length) {
    if (a < one.length && b < other.length && one[a] === other[b]) {
      found.push({ kind: "same", text: one[a++] });
      b++;
    } else if (
      a < one.length &&
      (b === other.length || common[(a + 1) * width + b] >= common[a * width + b + 1])
    ) {
      found.push({ kind: "gone", text: one[a++] });
    } else {
      found.push({ kind: "new", text: other[b++] });
    }
  }
  return found;
}

/** Join neighbours of a kind. */
function joined(changes) {
  /** @type {Change[]} */
  const found = [];
  for (const { kind, text } of changes) {
    if (found.at(-1)?.kind === kind) found.at(-1).text += text;
    else found.push({ kind, text });
  }
  return found;
}
