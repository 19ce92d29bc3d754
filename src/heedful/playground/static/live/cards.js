/**
 * What kind of model each name stands for; the server is asked once.
 */

import { get } from "heedful/live/client.js";

/** @type {Promise<any> | null} */
let asked = null;

/**
 * Return a model's card: its layers, its positions, where its norms stand.
 * @param {string} name
 * @returns {Promise<any>}
 */
export async function cardOf(name) {
  asked ??= get("/api/models").catch((error) => {
    asked = null;
    throw error;
  });
  const { models } = await asked;
  return models.find((model) => model.name === name)?.card ?? null;
}
