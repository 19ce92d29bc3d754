/**
 * Loads the panels of the page, those that are not seen at first later, and its languages.
 */

import { language, setLanguage } from "heedful/i18n.js";
import { loadRest, onNear, part } from "heedful/live/later.js";
import { loadTexts } from "heedful/live/texts.js";

/** The panels that are needed for the first trace. */
const FIRST = ["tokens-panel", "machine", "evidence", "search-panel", "what-if"];

export class Loading {
  #told;

  /**
   * @param {{loaded: (panel: any) => void, gone: () => void}} told - What to call when a panel can
   *   be told something, and when nobody answers.
   */
  constructor(told) {
    this.#told = told;
  }

  /**
   * Load the panels; one that cannot be loaded leaves the others as they are.
   * @param {any[]} panels
   * @param {any} atlas - It is loaded when it is nearly seen.
   */
  async panels(panels, atlas) {
    await Promise.all(
      FIRST.map((name) =>
        import(`heedful/live/${name}.js`).catch((error) => console.error(name, error)),
      ),
    );
    panels.forEach(this.#told.loaded);
    onNear(atlas, (near) => near && this.open("atlas", atlas));
    await loadRest();
    this.#told.loaded(atlas);
  }

  /**
   * Load a panel that is called for.
   * @param {string} name
   * @param {any} panel
   */
  async open(name, panel) {
    if (panel.show) return;
    try {
      await part(name);
      this.#told.loaded(panel);
    } catch {
      this.#told.gone();
    }
  }

  /**
   * Speak another language, once its texts are there.
   * @param {string} lang
   * @param {() => boolean} wanted - Whether it is still to be spoken then.
   */
  async speak(lang, wanted) {
    if (lang === language()) return;
    try {
      await loadTexts(lang);
      if (wanted()) setLanguage(lang);
    } catch {
      this.#told.gone();
    }
  }
}
