/**
 * Shows the trace that is written in the page itself.
 */

import "heedful/both-languages.js";
import "heedful/trace-view.js";
import { make } from "heedful/dom.js";
import { preferred, setLanguage } from "heedful/i18n.js";
import { read } from "heedful/wire.js";

setLanguage(preferred());
const shown = document.querySelector("heed-trace");
try {
  shown.show(read(JSON.parse(document.getElementById("trace").textContent)));
} catch (error) {
  shown.replaceChildren(make("p", { role: "alert", text: error.message }));
  throw error;
}
