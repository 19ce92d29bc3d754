/**
 * Pieces as a strip shows them: in runs that spell whole words, bytes under their character.
 */

/**
 * A piece as `/api/tokens` gives it.
 * @typedef {{id: number, s: string, shares: [number, number][], special: boolean,
 *   bytes: string | null, unknown: boolean}} Piece
 */

/**
 * Neighbouring pieces that spell the same words; a sign for the model is a run of its own.
 * @typedef {{places: number[], words: number[]}} Run
 */

/**
 * Return the runs of a sentence, in order: no word lies in two of them.
 * @param {{shares: [number, number][]}[]} pieces
 * @returns {Run[]}
 */
export function runs(pieces) {
  /** @type {Run[]} */
  const found = [];
  pieces.forEach(({ shares }, place) => {
    const words = shares.map(([word]) => word);
    const last = found.at(-1);
    if (last && words.some((word) => last.words.includes(word))) {
      last.places.push(place);
      last.words.push(...words.filter((word) => !last.words.includes(word)));
    } else {
      found.push({ places: [place], words });
    }
  });
  return found;
}

/**
 * Pieces that are drawn together.
 * @typedef {object} Drawn
 * @property {number[]} places
 * @property {string | null} character - What bytes spell together; null: a piece of letters.
 */

/**
 * Group the pieces of a run: bytes that spell a character together, all others alone.
 *
 * Bytes that spell nothing stay one by one, with "\ufffd" as their character.
 * @param {{bytes: string | null}[]} pieces - Of the whole sentence.
 * @param {number[]} places
 * @returns {Drawn[]}
 */
export function drawn(pieces, places) {
  /** @type {Drawn[]} */
  const found = [];
  for (let at = 0; at < places.length; at++) {
    if (!pieces[places[at]].bytes) {
      found.push({ places: [places[at]], character: null });
      continue;
    }
    const end = endOfCharacter(pieces, places, at);
    const own = places.slice(at, end);
    found.push({ places: own, character: spelled(own.map((place) => pieces[place].bytes)) });
    at = end - 1;
  }
  return found;
}

/** Return where the pieces that spell a character end; the next place if they spell none. */
function endOfCharacter(pieces, places, start) {
  const bytes = [];
  for (let end = start; end < places.length && pieces[places[end]].bytes; end++) {
    bytes.push(pieces[places[end]].bytes);
    if (spelled(bytes) !== "\ufffd") return end + 1;
  }
  return start + 1;
}

/**
 * Return what bytes spell in UTF-8, "\ufffd" if they spell nothing.
 * @param {string[]} hex - Bytes of pieces, such as ["e7 8c", "ab"].
 */
export function spelled(hex) {
  const bytes = hex.join(" ").trim().split(/\s+/).map((byte) => Number.parseInt(byte, 16));
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(bytes)).trim();
  } catch {
    return "\ufffd";
  }
}
