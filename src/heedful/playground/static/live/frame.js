/**
 * What stands around: the tabs, the settings of the page, notices, and the panels in their order.
 */

import { make } from "heedful/dom.js";
import { say } from "heedful/live/say.js";
import { REPLACED } from "heedful/live/state.js";
import { tabList, tabPanel } from "heedful/live/tabs.js";

/** The panels, in the order in which they are read, by the columns in which they stand. */
export const COLUMNS = [
  ["tokens", "machine"],
  ["attention"],
  ["evidence"],
  ["outputs", "beam", "what-if", "atlas"],
];

/** What each panel is made of. */
const ELEMENTS = {
  tokens: "heed-tokens-panel",
  machine: "heed-machine",
  attention: "heed-attention",
  evidence: "heed-evidence",
  outputs: "heed-outputs",
  beam: "heed-search",
  "what-if": "heed-what-if",
  atlas: "heed-atlas",
};

export const PANELS = COLUMNS.flat();

const TABS = ["translate", "inside", "tour"];
/** Of a model without an encoder, which searches for nothing and translates nothing. */
const WITHOUT = ["beam", "atlas"];
/** Of a model that is no Transformer: what is about heads that look at their own side. */
const OF_TRANSFORMERS = ["machine", "evidence", "atlas"];

/**
 * Return which tabs and panels there are.
 * @param {boolean} writes - Whether the model goes on with texts.
 * @param {boolean} translator - Whether there is a model that translates.
 * @param {string} [kind] - The model's kind.
 */
export function partsOf(writes, translator, kind = "") {
  if (REPLACED.includes(kind)) {
    const panels = PANELS.filter((name) => !OF_TRANSFORMERS.includes(name));
    return { tabs: ["translate", "inside"], panels };
  }
  if (!writes) return { tabs: TABS, panels: PANELS };
  const panels = PANELS.filter((name) => !WITHOUT.includes(name));
  return { tabs: translator ? ["translate", "inside"] : ["inside"], panels };
}

const THEMES = ["auto", "light", "dark"];
const LANGUAGES = { en: "English", zh: "中文" };

/**
 * Make the frame.
 * @param {Record<string, (value?: any) => void>} on - What is done: tab, panel, lang, theme, help,
 *   retry, and python with the name of a panel and its button.
 */
export function makeFrame(on) {
  const panels = Object.fromEntries(
    PANELS.map((name) => [name, make(ELEMENTS[name], { live: "" })]),
  );
  const parts = {
    panels,
    translator: make("heed-translator"),
    bar: make("heed-bar"),
    tour: make("heed-tour"),
  };
  const tabs = tabList({
    label: "page.tabs",
    tabs: TABS.map((name) => ({
      ...{ name, say: `tab.${name}`, controls: name },
    })),
    choose: on.tab,
  });
  const settings = makeSettings(on);
  const notices = makeNotices(on);
  const inside = makeInside(parts, on);
  const bodies = {
    translate: tabPanel("translate", parts.translator),
    inside: tabPanel("inside", parts.bar, inside.element),
    tour: tabPanel("tour", parts.tour),
  };
  const main = make("main", { tabindex: -1 }, ...Object.values(bodies));
  const skip = say("button", { type: "button", class: "skip", say: "page.skip" });
  skip.addEventListener("click", () => main.focus());
  const mark = make("h1", { class: "mark", translate: "no", text: "heedful" });
  const header = make("header", { class: "page-top" }, mark, tabs.element, settings.element);
  const elements = [skip, header, notices.banner, notices.notice, main, notices.said];
  let followed = "";
  const follow = ({ tab, panel, only, lang, theme }, there) => {
    const next = [tab, panel, only, lang, theme, there.tabs, there.panels].join();
    if (next === followed) return;
    followed = next;
    tabs.select(tab, there.tabs);
    tabs.element.hidden = there.tabs.length < 2;
    for (const [name, body] of Object.entries(bodies)) body.hidden = name !== tab;
    bodies.inside.hidden = tab === "translate"; // the tour lies beside the panels
    inside.select(panel, only, there.panels);
    settings.select(lang, theme);
  };
  return { ...parts, ...notices, elements, follow, reveal };
}

/** Scroll to a panel; whoever reads on reads on there. */
function reveal(name) {
  const title = document.getElementById(`title-${name}`);
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  title.closest("section").scrollIntoView({ block: "start", behavior: still ? "auto" : "smooth" });
  title.focus({ preventScroll: true });
}

function makeInside({ panels }, on) {
  const tabs = tabList({
    label: "page.panels",
    tabs: PANELS.map((name) => ({ name, say: `panel.${name}`, controls: `panel-${name}` })),
    choose: on.panel,
  });
  tabs.element.classList.add("of-panels");
  const sections = Object.fromEntries(
    PANELS.map((name) => [name, makeSection(name, panels[name], on.python)]),
  );
  const columns = COLUMNS.map((names) =>
    make("div", { class: "column" }, ...names.map((name) => sections[name])),
  );
  const element = make("div", { class: "panels" }, tabs.element, ...columns);
  const select = (chosen, only, there) => {
    const wanted = there.filter((name) => only.includes(name));
    const shown = wanted.length ? wanted : there;
    const open = shown.includes(chosen) ? chosen : shown[0];
    tabs.select(open, shown);
    element.toggleAttribute("data-some", wanted.length > 0);
    for (const name of PANELS) {
      sections[name].classList.toggle("open", name === open);
      sections[name].hidden = !shown.includes(name);
    }
    columns.forEach((column, place) => {
      column.hidden = !COLUMNS[place].some((name) => shown.includes(name));
    });
  };
  return { element, select };
}

function makeSection(name, panel, python) {
  const facts = { type: "button", class: "quiet", say: "panel.python" };
  const copy = say("button", { ...facts, "data-python": name });
  copy.addEventListener("click", () => python(name, copy));
  const title = say("h2", { id: `title-${name}`, tabindex: -1, say: `panel.${name}` });
  return make(
    "section",
    { class: "panel", id: `panel-${name}`, "aria-labelledby": `title-${name}` },
    make("div", { class: "title" }, title, copy),
    say("p", { class: "soft when-empty", say: "panel.empty" }),
    panel,
  );
}

function makeSettings(on) {
  const languages = Object.entries(LANGUAGES).map(([code, name]) =>
    make("option", { value: code, lang: code === "zh" ? "zh-CN" : code, text: name }),
  );
  const language = say("select", { label: "page.language", id: "language" }, ...languages);
  const themes = THEMES.map((name) => say("option", { value: name, say: `theme.${name}` }));
  const theme = say("select", { label: "page.theme", id: "theme" }, ...themes);
  const help = say("button", {
    ...{ type: "button", class: "quiet", id: "help", text: "?" },
    ...{ label: "page.help", title: "page.help" },
  });
  language.addEventListener("change", () => on.lang(language.value));
  theme.addEventListener("change", () => on.theme(theme.value));
  help.addEventListener("click", on.help);
  const element = make("div", { class: "settings" }, language, theme, help);
  const select = (lang, chosen) => {
    [language.value, theme.value] = [lang, chosen];
  };
  return { element, select };
}

function makeNotices(on) {
  const retry = say("button", { type: "button", class: "toggle", say: "page.retry" });
  retry.addEventListener("click", on.retry);
  const gone = say("p", { say: "page.gone" });
  const banner = make("div", { class: "banner", role: "alert", hidden: "" }, gone, retry);
  const text = make("p");
  const close = say("button", { type: "button", class: "quiet", say: "page.close" });
  const notice = make("div", { class: "news", role: "status", hidden: "" }, text, close);
  const show = (sentence) => {
    text.textContent = sentence;
    notice.hidden = sentence === "";
  };
  close.addEventListener("click", () => show(""));
  const said = make("p", { class: "said-once", role: "status" });
  let timer = 0;
  document.addEventListener("announce", ({ detail }) => {
    window.clearTimeout(timer);
    said.textContent = detail;
    timer = window.setTimeout(() => (said.textContent = ""), 4000);
  });
  return { banner, notice, said, show };
}
