/**
 * The texts of a saved page, which can load nothing: all languages.
 */

import { addTexts } from "heedful/i18n.js";
import { TEXTS as ENGLISH } from "heedful/text-en.js";
import { TEXTS as CHINESE } from "heedful/text-zh.js";

addTexts("en", ENGLISH);
addTexts("zh", CHINESE);
