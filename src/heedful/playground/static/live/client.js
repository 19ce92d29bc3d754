/**
 * Asks the server that the page came from, and no other.
 *
 * What it refuses is a `Refused` with its sentence; if there is no answer at all, it is `Gone`.
 * A question that was called back is the browser's own AbortError.
 */

import { t } from "heedful/i18n.js";

/** The server refused: `message` is its sentence, `status` its number. */
export class Refused extends Error {
  /**
   * @param {string} sentence
   * @param {number} status
   */
  constructor(sentence, status) {
    super(sentence);
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
  if (!answer.ok) throw new Refused(await sentenceOf(answer), answer.status);
  return answer;
}

async function sentenceOf(answer) {
  const text = await answer.text().catch(() => "");
  try {
    const said = JSON.parse(text).error;
    if (typeof said === "string" && said) return whole(said);
  } catch {
    // It was no JSON: the status says what there is to say.
  }
  return t("client.refused", { status: answer.status });
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
 * Ask, and call back with every line of the answer as it comes.
 *
 * A line that has `error` ends it: it is thrown, as if the server had refused.
 * @param {string} path
 * @param {object} body
 * @param {{signal?: AbortSignal, onEvent: (event: any) => void}} how
 */
export async function stream(path, body, { signal, onEvent }) {
  const answer = await send(path, posted(body, signal));
  const reader = answer.body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { value, done } = await readAll(reader.read());
    const lines = (rest + decoder.decode(value, { stream: !done })).split("\n");
    rest = done ? "" : lines.pop();
    for (const line of lines) {
      if (line.trim() === "") continue;
      const event = JSON.parse(line);
      if (event.error) throw new Refused(whole(event.error), answer.status);
      onEvent(event);
    }
    if (done) return;
  }
}
