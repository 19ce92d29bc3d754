/**
 * Pieces and the words that they spell: what is a row or a column of a map.
 */

/**
 * One side of a map: its pieces, and which share of each lies in which word.
 * @typedef {object} Side
 * @property {string[]} tokens
 * @property {[number, number][][]} shares - Of each piece: words with shares; of a tag none.
 * @property {string[]} words
 * @property {string[]} [reads] - Of the decoder's rows: the piece that is read there.
 */

/**
 * A row or a column: a piece, or a word with the pieces that spell it.
 * @typedef {object} Group
 * @property {string} text
 * @property {string} [reads]
 * @property {boolean} special - Whether it is no word: `</s>`, `<s>` or a language tag.
 * @property {number} [word] - Which word it is, where it is one.
 * @property {[number, number][]} parts - Pieces with their shares.
 */

/**
 * Return a saved side.
 * @param {{pieces: {s: string, shares: [number, number][]}[], words: string[]}} saved
 * @returns {Side}
 */
export function side({ pieces, words }) {
  return {
    tokens: pieces.map((piece) => piece.s),
    shares: pieces.map((piece) => piece.shares),
    words,
  };
}

/**
 * Return the translation where its pieces are read: one row later than they are predicted.
 * @param {Side} target
 * @param {string[]} reads
 * @returns {Side}
 */
export function asRead(target, reads) {
  return { tokens: reads, shares: [[], ...target.shares.slice(0, -1)], words: target.words };
}

/**
 * Return each piece as a group of its own.
 * @param {Side} side
 * @returns {Group[]}
 */
export function byPiece({ tokens, shares, reads }) {
  return tokens.map((text, piece) => ({
    text,
    reads: reads?.[piece],
    special: shares[piece].length === 0,
    parts: [[piece, 1]],
  }));
}

/**
 * Return the words in order, and what is no word in its place between them.
 * @param {Side} side
 * @returns {Group[]}
 */
export function byWord({ tokens, shares, words }) {
  /** @type {Group[]} */
  const groups = [];
  const ofWord = new Map();
  shares.forEach((inWords, piece) => {
    if (inWords.length === 0) {
      groups.push({ text: tokens[piece], special: true, parts: [[piece, 1]] });
    }
    for (const [word, share] of inWords) {
      if (!ofWord.has(word)) {
        ofWord.set(word, { text: words[word], word, special: false, parts: [] });
        groups.push(ofWord.get(word));
      }
      ofWord.get(word).parts.push([piece, share]);
    }
  });
  return groups;
}

/**
 * Return the number of the group that a piece lies in, -1 if it is in none.
 * @param {Group[]} groups
 * @param {number} piece
 */
export function groupOf(groups, piece) {
  return groups.findIndex((group) => group.parts.some(([part]) => part === piece));
}
