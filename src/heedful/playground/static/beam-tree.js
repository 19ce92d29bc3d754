/**
 * `<heed-beam>`: the tree that the beam search grew, and the translations that it ended with.
 *
 * With the attribute `live` it tells `ask`, a translation that is to be looked into, and `compare`,
 * one that is to be seen beside it; null: none any more.
 */

import { draw, drawPieces, make, onLanguage, tell, toggle } from "heedful/dom.js";
import { t } from "heedful/i18n.js";
import { decimal, percent, plain } from "heedful/numbers.js";
import { layout, neighbour, pathTo } from "heedful/tree-layout.js";

const WIDE = 132;
const BOX = 104;
const HIGH = 44;
const LINE = 54;
const LETTERS = 11;

export class BeamTree extends HTMLElement {
  #wire;
  /** Steps that are shown. */
  #until = Infinity;
  #node = 0;
  /** What is compared, of what was found. */
  #other = null;
  #placed = [];
  #dropped = false;

  connectedCallback() {
    if (this.svg) return;
    this.#build();
    onLanguage(() => {
      this.#build();
      if (this.#wire) this.#list();
    });
  }

  #build() {
    this.found = make("ol", { class: "found" });
    this.svg = draw("svg", { role: "tree", tabindex: 0, "aria-label": t("beam.label") });
    this.said = make("p", { class: "said", "aria-live": "polite" });
    this.note = make("p", { class: "soft" });
    this.box = make("div", { class: "scroll tree" }, this.svg);
    const change = (on) => {
      this.#dropped = on;
      this.#draw();
      this.#reveal();
    };
    this.other = make("p", { class: "soft" });
    const choices = [this.#replay(), toggle(t("beam.dropped"), change, this.#dropped)];
    this.replaceChildren(
      this.note,
      this.other,
      this.found,
      make("div", { class: "title" }, this.said, make("div", { class: "choices" }, ...choices)),
      this.box,
    );
    this.svg.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Make what replays the search: the tree as it was after so many steps. */
  #replay() {
    this.range = make("input", { type: "range", min: 1, step: 1 });
    this.far = make("output", { class: "n" });
    this.range.addEventListener("input", () => {
      this.#until = Number(this.range.value);
      this.#draw();
    });
    const name = make("span", { text: t("beam.replay") });
    return make("label", { class: "replay" }, name, this.range, this.far);
  }

  /**
   * Show the tree of a trace, if it is there, its best translation chosen.
   * @param {{wire: any}} trace
   */
  show({ wire }) {
    this.toggleAttribute("data-stale", !wire.beam);
    if (!wire.beam || wire.beam === this.#wire?.beam) return;
    this.#wire = wire;
    this.#until = Infinity;
    this.#other = null;
    this.#node = wire.beam.found[0]?.node ?? 0;
    this.#list();
    this.#reveal();
  }

  #list() {
    const { beam, target } = this.#wire;
    const counts = { kept: 0, dropped: 0, ended: 0 };
    for (const node of beam.nodes) counts[node.state] += 1;
    const facts = { size: beam.size, penalty: beam.length_penalty };
    this.note.textContent = t("beam.note", { ...facts, ...counts });
    this.other.textContent = t(this.#wire.forced ? "trace.forced" : "beam.other");
    this.other.hidden = beam.found[0]?.text === target.text;
    const focused = this.found.contains(document.activeElement);
    this.found.replaceChildren(...beam.found.map((one) => this.#ended(one)));
    this.#choose(this.#node);
    if (focused) this.found.querySelector("[aria-pressed='true']")?.focus();
  }

  /** Scroll to where the chosen path begins. */
  #reveal() {
    const [first] = pathTo(this.#wire.beam.nodes, this.#node);
    const place = this.#placed.find(({ node }) => node.number === first);
    this.box.scrollLeft = 0;
    this.box.scrollTop = (place?.y ?? 0) * LINE - this.box.clientHeight / 2;
  }

  #ended(one) {
    const facts = { type: "button", disabled: one.node === null ? "" : undefined };
    const button = make(
      "button",
      facts,
      make("span", { text: one.text }),
      make("span", { class: "n", text: t("beam.score", { score: decimal(one.score) }) }),
      make("span", { class: "n soft", text: t("beam.logp", { logp: decimal(one.logp) }) }),
    );
    button.dataset.node = one.node ?? "";
    button.addEventListener("click", () => this.#choose(one.node));
    const line = make("li", {}, button);
    if (this.hasAttribute("live") && one.text && one.text !== this.#wire.target.text) {
      const use = make("button", { type: "button", class: "toggle", text: t("beam.use") });
      use.addEventListener("click", () => tell(this, "ask", { target: one.text }));
      line.append(this.#comparing(one), use);
    }
    return line;
  }

  #comparing(one) {
    const button = toggle(
      t("beam.compare"),
      (on) => {
        this.#other = on ? one : null;
        for (const other of this.found.querySelectorAll(".compare")) {
          if (other !== button) other.setAttribute("aria-pressed", "false");
        }
        tell(this, "compare", this.#other);
      },
      one === this.#other,
    );
    button.classList.add("compare");
    return button;
  }

  #choose(number) {
    this.#node = number;
    for (const button of this.found.querySelectorAll("button[data-node]")) {
      button.setAttribute("aria-pressed", String(button.dataset.node === String(number)));
    }
    this.#draw();
  }

  #draw() {
    const { nodes } = this.#wire.beam;
    if (!nodes.length) return;
    const steps = Math.max(...nodes.map(({ step }) => step));
    const until = Math.min(this.#until, steps);
    [this.range.max, this.range.value] = [steps, until];
    this.far.textContent = t("beam.replay.said", { step: until, steps });
    const shown = nodes.filter(({ step }) => step <= until);
    const { placed, lines } = layout(shown, this.#dropped);
    const path = new Set(pathTo(nodes, this.#node));
    this.#placed = placed;
    const at = new Map(placed.map((one) => [one.node.number, one]));
    const width = WIDE * Math.max(...placed.map(({ x }) => x + 1));
    this.svg.setAttribute("width", width);
    this.svg.setAttribute("height", lines * LINE);
    this.svg.setAttribute("viewBox", `0 0 ${width} ${lines * LINE}`);
    this.svg.replaceChildren(
      ...placed
        .filter(({ node }) => node.parent !== null)
        .map((one) => edge(at.get(one.node.parent), one, path.has(one.node.number))),
      ...placed.map((one) => this.#box(one, path.has(one.node.number))),
    );
    this.svg.setAttribute("aria-activedescendant", `heed-node-${this.#node}`);
    this.said.textContent = this.#about(nodes[this.#node]);
  }

  #about({ step, token, log_prob, total, score, rank, state }) {
    const rivals = this.#wire.beam.nodes.filter((node) => node.step === step).length;
    return t("beam.node", {
      ...{ piece: plain(token), logp: decimal(log_prob), share: percent(Math.exp(log_prob)) },
      ...{ total: decimal(total), score: decimal(score), rank: rank + 1, rivals, step },
      state: t(`beam.state.${state}`),
    });
  }

  #box({ node, x, y }, onPath) {
    const { number, token, log_prob, score, state, step } = node;
    const short = token.length > LETTERS ? `${token.slice(0, LETTERS - 1)}…` : token;
    const value =
      state === "ended" ? t("beam.score", { score: decimal(score) }) : percent(Math.exp(log_prob));
    const group = draw(
      "g",
      {
        role: "treeitem",
        id: `heed-node-${number}`,
        class: `node ${state}${onPath ? " path" : ""}${number === this.#node ? " chosen" : ""}`,
        transform: `translate(${x * WIDE + 4} ${y * LINE + 5})`,
        "aria-level": step,
        "aria-selected": String(number === this.#node),
        "aria-label": this.#about(node),
      },
      draw("rect", { width: BOX, height: HIGH, rx: 7 }),
      drawPieces([short], { x: 9, y: 18 }),
      draw("text", { x: 9, y: 35, class: "value", text: value }),
    );
    group.addEventListener("click", () => this.#choose(number));
    return group;
  }

  #key(event) {
    if (!event.key.startsWith("Arrow")) return;
    event.preventDefault();
    const next = neighbour(this.#placed, this.#node, event.key);
    if (next === undefined) return;
    this.#choose(next);
    this.svg.querySelector(".chosen")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }
}

function edge(from, to, onPath) {
  const [x1, y1] = [from.x * WIDE + 4 + BOX, from.y * LINE + 5 + HIGH / 2];
  const [x2, y2] = [to.x * WIDE + 4, to.y * LINE + 5 + HIGH / 2];
  const half = (x2 - x1) / 2;
  const d = `M${x1} ${y1} C${x1 + half} ${y1} ${x2 - half} ${y2} ${x2} ${y2}`;
  return draw("path", { d, class: `link ${to.node.state}${onPath ? " path" : ""}` });
}

customElements.define("heed-beam", BeamTree);
