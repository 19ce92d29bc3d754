/**
 * Whole files are translated: their names, their formats, and what the server said of them.
 */

import { send } from "heedful/live/client.js";

/** Content types by the end of a file's name. */
const TYPES = {
  txt: "text/plain",
  md: "text/markdown",
  markdown: "text/markdown",
  html: "text/html",
  htm: "text/html",
  srt: "application/x-subrip",
};

/** Bytes that are sent at most, as the server has it. */
export const MOST_BYTES = 1_048_576;

/** What a box to choose files offers. */
export const ACCEPTED = Object.keys(TYPES)
  .map((end) => `.${end}`)
  .join(",");

/**
 * Return the content type of a file, undefined if it is none that is translated.
 * @param {string} name
 * @returns {string | undefined}
 */
export function typeOf(name) {
  const end = /\.([^.]+)$/.exec(name)?.[1].toLowerCase() ?? "";
  return Object.hasOwn(TYPES, end) ? TYPES[end] : undefined;
}

/**
 * Return what the translation of a file is called.
 * @param {string} name
 * @param {string} to - The language, empty where it has no name.
 */
export function nameOfTranslation(name, to) {
  const [, begin, end] = /^(.*)\.([^.]+)$/.exec(name) ?? ["", name, "txt"];
  return `${begin}.${to || "translated"}.${end}`;
}

/**
 * Have a file translated.
 * @param {File} file
 * @param {{from: string, to: string, model: string}} how
 * @param {AbortSignal} [signal]
 * @returns {Promise<{text: string, to: string | null, notes: string[], kept: number[]}>}
 */
export async function translated(file, how, signal) {
  const given = Object.entries(how).filter(([, value]) => value);
  const headers = { "Content-Type": typeOf(file.name) ?? "", Accept: "application/json" };
  const asked = { method: "POST", headers, body: file, signal };
  const answer = await send(`/v1/documents?${new URLSearchParams(given)}`, asked);
  return answer.json();
}
