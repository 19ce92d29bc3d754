/**
 * Modules that are loaded when they are called for, and once more where that has failed.
 */

/** How often a module could not be loaded. @type {Map<string, number>} */
const failures = new Map();

/**
 * Import a module, such as "live/tour"; throws where it cannot be loaded. Browsers keep a failure
 * for an address, as Chromium 150 does: it is asked for by another one the next time.
 * @param {string} name
 * @returns {Promise<any>}
 */
export async function imported(name) {
  const failed = failures.get(name) ?? 0;
  try {
    return await import(`heedful/${name}.js${failed ? `?again=${failed}` : ""}`);
  } catch (error) {
    failures.set(name, failed + 1);
    throw error;
  }
}
