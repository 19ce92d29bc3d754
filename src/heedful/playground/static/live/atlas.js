/**
 * `<heed-atlas>`: every head of the model in this sentence, with what it was measured to do over
 * many. It tells `view` with a head that is chosen.
 */

import { make, onTheme, tell } from "heedful/dom.js";
import { hasText, t } from "heedful/i18n.js";
import { KINDS, capital, headName, percent } from "heedful/numbers.js";
import { paintSmall } from "heedful/small-map.js";
import { get } from "heedful/live/client.js";
import { onNear } from "heedful/live/later.js";
import { named } from "heedful/live/said.js";
import { Newest, Panel, headOf, notice, notify } from "heedful/live/panel.js";

const ROLES = ["positional", "syntactic", "rare-word", "coreference", "sink"];

export class Atlas extends Panel {
  #newest = new Newest();
  #model;
  #known = null;
  #role = "";
  /** What the tiles are of, and what is painted in them. */
  #built = null;
  #painted = [];
  #near = false;
  #tiles = new Map();

  build() {
    this.notice = notice();
    this.filters = make("div", { class: "choices", role: "group" });
    this.filters.setAttribute("aria-label", t("atlas.roles"));
    this.rule = make("p", { class: "soft" });
    this.verdict = make("p", { class: "verdict", lang: "en" });
    this.kinds = make("div", { class: "kinds" });
    this.foreign = make("p", { class: "soft", text: t("atlas.verdict") });
    this.append(this.notice, this.foreign, this.verdict, this.filters, this.rule, this.kinds);
    this.append(make("p", { class: "caption", text: t("atlas.caption") }));
    this.#built = null;
    if (this.watched) return;
    this.watched = true;
    onNear(this, (near) => {
      this.#near = near;
      if (near) this.draw();
    });
    onTheme(() => {
      this.#painted = [];
      this.#paint();
    });
  }

  /** Draw; what costs most, and what must be asked for, when it is nearly seen. */
  draw() {
    if (this.#near) this.#ask();
    this.#build();
    this.#mark();
    if (this.#near) this.#paint();
  }

  #ask() {
    const model = this.state?.model;
    if (!model || model === this.#model || !this.seen) return;
    this.#model = model;
    this.#known = null;
    this.#newest.ask(
      0,
      (signal) => get(`/api/atlas?model=${encodeURIComponent(model)}`, { signal }),
      (found) => {
        this.#known = found;
        notify(this.notice, "");
        this.draw();
      },
      (error) => {
        notify(this.notice, error.message);
        this.draw();
      },
    );
  }

  /** Make a tile for every head of the trace. */
  #build() {
    const maps = this.trace?.maps ?? {};
    const there = KINDS.filter((kind) => maps[kind]);
    const about = there.map((kind) => [kind, maps[kind].layers, maps[kind].heads]).join();
    if (this.#built?.about === about && this.#built.known === this.#known) return;
    this.#built = { about, known: this.#known };
    this.#painted = [];
    this.#tiles.clear();
    const found = new Map(
      (this.#known?.heads ?? []).map((one) => [`${one.kind}.${one.layer}.${one.head}`, one]),
    );
    this.kinds.replaceChildren(
      ...[["encoder"], ["decoder", "cross"]].map((side) =>
        make(
          "div",
          { class: "side" },
          ...side
            .filter((kind) => maps[kind])
            .flatMap((kind) => [
              make("h3", { text: t(`kind.${kind}`) }),
              this.#tilesOf(maps[kind], found),
            ]),
        ),
      ),
    );
    this.verdict.textContent = named(this.#known?.verdict ?? "");
    this.verdict.hidden = this.foreign.hidden = !this.#known?.verdict;
    this.#filter();
  }

  #tilesOf({ kind, layers, heads }, found) {
    const tiles = Array.from({ length: layers * heads }, (_, place) => {
      const [layer, head] = [Math.floor(place / heads), place % heads];
      const name = `${kind}.${layer}.${head}`;
      const one = { kind, layer, head, ...found.get(name) };
      const tile = this.#tile(one);
      this.#tiles.set(name, { ...one, tile });
      return tile;
    });
    const box = make("div", { class: "tiles" }, ...tiles);
    box.style.setProperty("--few", Math.min(heads, 4));
    box.style.setProperty("--many", Math.min(heads, 8));
    return box;
  }

  #tile({ kind, layer, head, roles, role, relation, scores = {} }) {
    const tags = rolesOf({ roles, role }).map((one) =>
      make("span", { class: "tag", text: roleName(one) }),
    );
    const place = t("atlas.place", { layer: layer + 1, head: head + 1 });
    const button = make(
      "button",
      { type: "button", class: "tile" },
      make("canvas", { "aria-hidden": "true" }),
      make("span", { class: "place", text: place }),
      ...tags,
    );
    const said = scored({ ...scores, ...(relation ? { relation } : {}) });
    const label = [capital(headName(kind, layer, head)), ...tags.map((tag) => tag.textContent)];
    button.setAttribute("aria-label", label.join(", "));
    button.title = [label.join(", "), ...said].join("\n");
    button.addEventListener("click", () => tell(this, "view", { kind, layer, head }));
    return button;
  }

  /** Offer the roles that some head has. */
  #filter() {
    const counts = new Map(ROLES.map((role) => [role, 0]));
    for (const one of this.#tiles.values()) {
      for (const role of rolesOf(one)) counts.set(role, (counts.get(role) ?? 0) + 1);
    }
    const there = [...counts].filter(([, count]) => count > 0);
    this.filters.hidden = !there.length;
    const buttons = [["", this.#tiles.size], ...there].map(([role, count]) => {
      const text = role ? roleName(role) : t("atlas.all");
      const facts = { type: "button", class: "toggle", "data-role": role };
      const button = make("button", { ...facts, text: t("atlas.filter", { text, count }) });
      button.addEventListener("click", () => {
        this.#role = role;
        this.#mark();
      });
      return button;
    });
    this.filters.replaceChildren(...buttons);
    if (!counts.get(this.#role)) this.#role = "";
  }

  /** Mark the chosen head, and those that have the chosen role. */
  #mark() {
    const chosen = headOf(this.trace, this.state);
    for (const { kind, layer, head, tile, ...one } of this.#tiles.values()) {
      const own = kind === chosen.kind && layer === chosen.layer && head === chosen.head;
      tile.setAttribute("aria-pressed", String(own));
      tile.classList.toggle("other", Boolean(this.#role) && !rolesOf(one).includes(this.#role));
    }
    for (const button of this.filters.children) {
      button.setAttribute("aria-pressed", String(button.dataset.role === this.#role));
    }
    const key = `atlas.rule_${this.#role}`;
    this.rule.textContent = this.#role && hasText(key) ? t(key) : "";
  }

  /** Paint the maps that are others. */
  #paint() {
    const maps = KINDS.map((kind) => this.trace?.maps[kind]);
    const same = maps.map((map, place) => map === this.#painted[place]);
    this.#painted = maps;
    for (const { kind, layer, head, tile } of this.#tiles.values()) {
      const place = KINDS.indexOf(kind);
      const map = maps[place];
      if (map && !same[place]) paintSmall(tile.firstChild, map, layer, head);
    }
  }
}

/** Return the roles of a head, however they were written. */
function rolesOf({ roles, role }) {
  if (Array.isArray(roles)) return roles;
  if (Array.isArray(role)) return role;
  return role && role !== "none" ? String(role).split(/,\s*/) : [];
}

/** Name a role; one that is not known has its own name. */
function roleName(role) {
  const [, base = role, rest = ""] = /^([\w-]+)(.*)$/.exec(role) ?? [];
  return hasText(`atlas.role_${base}`) ? t(`atlas.role_${base}`) + rest : role;
}

/** Write the scores of a head, a line each. */
function scored(scores) {
  return Object.entries(scores)
    .filter(([, value]) => typeof value === "number" || typeof value === "string")
    .map(([name, value]) => {
      const key = `atlas.score_${name}`;
      const share = typeof value === "number" && name !== "offset" ? percent(value) : String(value);
      return t("atlas.score", { name: hasText(key) ? t(key) : name, value: share });
    });
}

customElements.define("heed-atlas", Atlas);
