/**
 * Which models there are, and what kind each is; the server is asked once.
 */

import { get } from "heedful/live/client.js";

/** @type {Promise<any[]> | null} */
let asked = null;

/**
 * Return all models as the server lists them.
 * @returns {Promise<any[]>}
 */
export function models() {
  asked ??= get("/api/models").then(
    (found) => found.models,
    (error) => {
      asked = null;
      throw error;
    },
  );
  return asked;
}

/**
 * Return a model's card: its layers, its positions, where its norms stand.
 * @param {string} name
 * @returns {Promise<any>}
 */
export async function cardOf(name) {
  return (await models()).find((model) => model.name === name)?.card ?? null;
}
