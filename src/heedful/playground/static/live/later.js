/**
 * What is not seen at first: it is loaded when it is called for, or once the page has been quiet
 * for a while. From then on all of it is there, whatever becomes of the server.
 */

import { make } from "heedful/dom.js";
import { LANGUAGES } from "heedful/i18n.js";
import { Gone } from "heedful/live/client.js";
import { imported } from "heedful/live/imported.js";
import { alsoTexts, loadTexts } from "heedful/live/texts.js";

/** Milliseconds after which nothing has been loaded for long enough. */
const QUIET = 2500;
/** How far from what is seen something is wanted. */
const NEAR = { rootMargin: "400px" };

/** @type {Record<string, () => Promise<any>>} */
const PARTS = {
  atlas: () => imported("live/atlas"),
  compared: () => imported("live/compared"),
  embedding: () => imported("live/embedding-view"),
  export: () => imported("live/export"),
  tour,
};

async function tour() {
  await Promise.all([alsoTexts("live/text-tour"), styled("live/tour.css")]);
  return imported("live/tour");
}

/** @type {Map<string, Promise<any>>} */
const asked = new Map();

/**
 * Load a part, once; throws Gone if nobody answers.
 * @param {string} name
 * @returns {Promise<any>} - Its module.
 */
export function part(name) {
  if (!asked.has(name)) asked.set(name, PARTS[name]().catch(() => forgotten(name)));
  return asked.get(name);
}

/**
 * Save what is shown as a file; throws what `export.js` does.
 * @param {{what: string, format: string}} asked
 * @param {any} trace
 * @param {Record<string, any>} panels
 */
export async function saved({ what, format }, trace, panels) {
  const { save } = await part("export");
  await save(what, format, trace, panels);
}

/** What could not be loaded may be asked for again. */
function forgotten(name) {
  asked.delete(name);
  throw new Gone();
}

/** Load a style sheet. */
function styled(path) {
  return new Promise((done, failed) => {
    const link = make("link", { rel: "stylesheet", href: `/static/${path}` });
    link.addEventListener("load", done);
    link.addEventListener("error", () => {
      link.remove();
      failed(new Error(path));
    });
    document.head.append(link);
  });
}

/** Load all parts and languages, one after the other, when there is nothing else to do. */
export async function loadRest() {
  await new Promise((quiet) => setTimeout(quiet, QUIET));
  const all = [
    ...Object.keys(PARTS).map((name) => () => part(name)),
    ...LANGUAGES.map((one) => () => loadTexts(one)),
  ];
  // One that cannot be loaded now is asked for again when it is called for.
  for (const load of all) await load().catch(() => {});
}

/**
 * Call back when an element is nearly seen, and when it is not any more.
 * @param {Element} element
 * @param {(near: boolean) => void} changed
 */
export function onNear(element, changed) {
  const watch = new IntersectionObserver((seen) => changed(seen.at(-1).isIntersecting), NEAR);
  watch.observe(element);
}
