/**
 * A text with what was changed in it: crossed out what is gone, underlined what is new.
 */

import { make } from "heedful/dom.js";
import { diff, wordsAndSpaces } from "heedful/live/diff.js";

/**
 * Fill a line with a text, and mark what differs from another.
 * @param {any} line
 * @param {string} one
 * @param {string} other
 * @param {"both" | "gone" | "new"} [which] - What is shown: both texts in one, or one of them.
 * @param {(text: string) => string[]} [split]
 */
export function mark(line, one, other, which = "both", split = wordsAndSpaces) {
  const tags = { gone: "del", new: "ins" };
  const parts = diff(split(one), split(other)).filter(
    ({ kind }) => kind === "same" || which === "both" || which === kind,
  );
  line.replaceChildren(
    ...parts.map(({ kind, text }) => (kind === "same" ? text : make(tags[kind], { text }))),
  );
}
