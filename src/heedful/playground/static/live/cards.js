/**
 * Which models there are, and what kind each is; the server is asked once.
 */

import { get } from "heedful/live/client.js";

/** @type {Promise<any> | null} */
let asked = null;

function listed() {
  asked ??= get("/api/models").catch((error) => {
    asked = null;
    throw error;
  });
  return asked;
}

/**
 * Return all models as the server lists them.
 * @returns {Promise<any[]>}
 */
export async function models() {
  return (await listed()).models;
}

/**
 * Return the recurrent model that stands beside them in the tour, null if there is none.
 * @returns {Promise<any>}
 */
export async function beside() {
  return (await listed()).beside;
}

/**
 * Return a model's card: its layers, its positions, where its norms stand.
 * @param {string} name
 * @returns {Promise<any>}
 */
export async function cardOf(name) {
  return (await models()).find((model) => model.name === name)?.card ?? null;
}
