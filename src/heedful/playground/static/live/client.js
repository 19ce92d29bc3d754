/**
 * Asks the server that the page came from, and no other.
 *
 * What it refuses is a `Refused` with a sentence; if there is no answer at all, it is `Gone`. A
 * question that was called back is the browser's own AbortError.
 */

import { hasText, t } from "heedful/i18n.js";

/** The server refused: `message` is a sentence that says what, `status` the answer's number. */
export class Refused extends Error {
  /**
   * @param {{error?: string, code?: string, facts?: Record<string, string | number>}} said
   * @param {number} status
   */
  constructor(said, status) {
    super(refusal(said, status));
    this.name = "Refused";
    this.status = status;
  }
}

/** Nobody answered. */
export class Gone extends Error {
  constructor() {
    super(t("client.gone"));
    this.name = "Gone";
  }
}

/** Tells this page from others, so that its newest question alone is worked on. */
const PAGE = Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) =>
  byte.toString(16).padStart(2, "0"),
).join("");

/** Whether an error only says that a question was called back. */
export function called(error) {
  return error?.name === "AbortError";
}

/**
 * Send something, and return the answer once it has begun.
 * @param {string} path
 * @param {RequestInit} how
 * @returns {Promise<Response>}
 */
export async function send(path, how) {
  let answer;
  try {
    answer = await fetch(path, { credentials: "same-origin", redirect: "error", ...how });
  } catch (error) {
    throw called(error) ? error : new Gone();
  }
  if (!answer.ok) throw new Refused(await answer.json().catch(() => ({})), answer.status);
  return answer;
}

/** Say a refusal in the page's language, where it is known there; else as the server says it. */
function refusal({ error, code, facts }, status) {
  const known = [`refused.${code}`, `refused.${status}`].find(hasText);
  if (known) return t(known, facts);
  return typeof error === "string" && error ? whole(error) : t("client.refused", { status });
}

/** Return a sentence with its capital and its full stop. */
function whole(said) {
  const begun = said[0].toUpperCase() + said.slice(1);
  return /[.!?。]$/.test(begun) ? begun : `${begun}.`;
}

function posted(body, signal) {
  const headers = { "Content-Type": "application/json", "X-Heed-Page": PAGE };
  return { method: "POST", headers, body: JSON.stringify(body), signal };
}

/** Read an answer to its end; a server that breaks off is gone. */
async function readAll(reading) {
  try {
    return await reading;
  } catch (error) {
    throw called(error) ? error : new Gone();
  }
}

/**
 * Ask, and return the answer.
 * @param {string} path
 * @param {object} body
 * @param {{signal?: AbortSignal}} [how]
 * @returns {Promise<any>}
 */
export async function ask(path, body, { signal } = {}) {
  const answer = await send(path, posted(body, signal));
  return readAll(answer.json());
}

/**
 * Ask, and return the answer as it is: a page, a file.
 * @param {string} path
 * @param {object} body
 * @param {{signal?: AbortSignal}} [how]
 * @returns {Promise<Blob>}
 */
export async function askBlob(path, body, { signal } = {}) {
  const answer = await send(path, posted(body, signal));
  return readAll(answer.blob());
}

/**
 * Ask for what has an address.
 * @param {string} path
 * @param {{signal?: AbortSignal}} [how]
 * @returns {Promise<any>}
 */
export async function get(path, { signal } = {}) {
  const answer = await send(path, { signal, headers: { "X-Heed-Page": PAGE } });
  return readAll(answer.json());
}

/**
 * Ask, and call back with the lines of the answer as they come: those that come together at once.
 *
 * A line that has `error` ends it: it is thrown, as if the server had refused.
 * @param {string} path
 * @param {object} body
 * @param {{signal?: AbortSignal, onEvents: (events: any[]) => void}} how
 */
export async function stream(path, body, { signal, onEvents }) {
  const answer = await send(path, posted(body, signal));
  const reader = answer.body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { value, done } = await readAll(reader.read());
    const lines = (rest + decoder.decode(value, { stream: !done })).split("\n");
    rest = done ? "" : lines.pop();
    const events = lines.filter((line) => line.trim()).map((line) => JSON.parse(line));
    const wrong = events.find((event) => event.error);
    if (wrong) throw new Refused(wrong, answer.status);
    if (events.length && !signal?.aborted) onEvents(events);
    if (done) return;
  }
}
