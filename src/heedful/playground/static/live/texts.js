/**
 * The texts of the live page: those of a language are loaded when it is chosen.
 */

import { addTexts, language } from "heedful/i18n.js";
import { imported } from "heedful/live/imported.js";

/** The files of texts that are needed: NAME-en.js, NAME-zh.js. */
const names = ["text", "live/text-shell", "live/text-panels"];
/** Those that one language alone needs: NAME-zh.js. @type {Record<string, string[]>} */
const OWN = { zh: ["live/text-refused"] };

async function load(name, chosen) {
  const { TEXTS } = await imported(`${name}-${chosen}`);
  addTexts(chosen, TEXTS);
}

/**
 * Load what is said in a language; what is there already is not loaded again.
 * @param {string} chosen
 */
export async function loadTexts(chosen) {
  await Promise.all([...names, ...(OWN[chosen] ?? [])].map((name) => load(name, chosen)));
}

/**
 * Load a file of texts more, and from now on with every language.
 * @param {string} name
 */
export async function alsoTexts(name) {
  if (!names.includes(name)) names.push(name);
  await load(name, language());
}
