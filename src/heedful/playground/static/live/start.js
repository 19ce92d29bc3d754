/**
 * Begins the page: first the texts of its language, then what shows them.
 */

import { preferred, setLanguage } from "heedful/i18n.js";
import { fromHash } from "heedful/live/state-url.js";
import { loadTexts } from "heedful/live/texts.js";

const { lang } = fromHash(location.hash, preferred()).state;
await loadTexts(lang);
setLanguage(lang);
await import("heedful/live/play.js");
