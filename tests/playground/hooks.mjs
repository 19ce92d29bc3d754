/** Lets Node find `heedful/NAME.js`, as the page's import map lets a browser find it. */

import { register } from "node:module";

const STATIC = new URL("../../src/heedful/playground/static/", import.meta.url);

register(
  "data:text/javascript," +
    encodeURIComponent(`
      export function resolve(name, context, next) {
        if (!name.startsWith("heedful/")) return next(name, context);
        const url = new URL(name.slice("heedful/".length), ${JSON.stringify(STATIC.href)}).href;
        return { url, format: "module", shortCircuit: true };
      }
    `),
  import.meta.url,
);
