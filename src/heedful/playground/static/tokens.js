/**
 * `<heed-tokens>`: the pieces of a side, word by word; what is no word is hatched.
 */

import { make, makePiece } from "heedful/dom.js";
import { t } from "heedful/i18n.js";
import { byWord } from "heedful/words.js";

export class Tokens extends HTMLElement {
  /**
   * Draw the pieces of a side.
   * @param {import("heedful/words.js").Side} side
   * @param {{id: number}[]} pieces
   * @param {string} language - Empty where nobody said.
   */
  show(side, pieces, language) {
    const drawn = new Set();
    const words = byWord(side).map((group) => {
      const own = group.parts.map(([piece]) => piece).filter((piece) => !drawn.has(piece));
      own.forEach((piece) => drawn.add(piece));
      return make("span", { class: "word" }, ...own.map((piece) => chip(side, pieces, piece)));
    });
    const strip = make("p", { class: "tokens", lang: language || undefined });
    strip.append(...words.filter((word) => word.firstChild));
    this.replaceChildren(strip);
  }
}

function chip({ tokens, shares }, pieces, piece) {
  const text = tokens[piece];
  const bytes = /^(<0x[0-9A-F]{2}>)+$/.test(text);
  const special = shares[piece].length === 0;
  const kind = special ? "special" : bytes ? "bytes" : "";
  const facts = { place: piece + 1, id: pieces[piece].id };
  const title = t(kind ? `pieces.piece.${kind}` : "pieces.piece", facts);
  return makePiece(text, { class: `chip ${kind}`, title });
}

customElements.define("heed-tokens", Tokens);
