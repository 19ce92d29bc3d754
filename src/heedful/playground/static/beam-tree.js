/**
 * `<heed-beam>`: the tree that the beam search grew, and the translations that it ended with.
 */

import { draw, drawPieces, make, toggle } from "heedful/dom.js";
import { decimal, percent, plain } from "heedful/numbers.js";
import { layout, neighbour, pathTo } from "heedful/tree-layout.js";

const WIDE = 132;
const BOX = 104;
const HIGH = 44;
const LINE = 54;
const LETTERS = 11;

const OTHER =
  "This tree was grown anew, with weights that are not rounded, and ended elsewhere than the " +
  "translation above.";

export class BeamTree extends HTMLElement {
  #beam;
  #node = 0;
  #placed = [];
  #dropped = false;

  connectedCallback() {
    if (this.svg) return;
    this.found = make("ol", { class: "found" });
    this.svg = draw("svg", { role: "tree", tabindex: 0, "aria-label": "tree of the search" });
    this.said = make("p", { class: "said", "aria-live": "polite" });
    this.note = make("p", { class: "soft" });
    this.box = make("div", { class: "scroll tree" }, this.svg);
    const shown = toggle("Show what was dropped", (on) => {
      this.#dropped = on;
      this.#draw();
      this.#reveal();
    });
    this.other = make("p", { class: "soft", text: OTHER });
    this.append(
      this.note,
      this.other,
      this.found,
      make("div", { class: "title" }, this.said, make("div", { class: "choices" }, shown)),
      this.box,
    );
    this.svg.addEventListener("keydown", (event) => this.#key(event));
  }

  /**
   * Show the tree of a trace, its best translation chosen.
   * @param {any} beam
   * @param {string} translation - What the trace shows.
   */
  show(beam, translation) {
    this.#beam = beam;
    const counts = { kept: 0, dropped: 0, ended: 0 };
    for (const node of beam.nodes) counts[node.state] += 1;
    this.note.textContent =
      `Beam of ${beam.size}, length penalty ${beam.length_penalty}: ${counts.kept} beginnings ` +
      `kept, ${counts.dropped} dropped, ${counts.ended} ended. The score is the total log p ` +
      "divided by the length penalty.";
    this.other.hidden = beam.found[0]?.text === translation;
    this.found.replaceChildren(...beam.found.map((one) => this.#ended(one)));
    this.#choose(beam.found[0]?.node ?? 0);
    this.#reveal();
  }

  /** Scroll to where the chosen path begins. */
  #reveal() {
    const [first] = pathTo(this.#beam.nodes, this.#node);
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
      make("span", { class: "n", text: `score ${decimal(one.score)}` }),
      make("span", { class: "n soft", text: `log p ${decimal(one.logp)}` }),
    );
    button.dataset.node = one.node ?? "";
    button.addEventListener("click", () => this.#choose(one.node));
    return make("li", {}, button);
  }

  #choose(number) {
    this.#node = number;
    for (const button of this.found.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(button.dataset.node === String(number)));
    }
    this.#draw();
  }

  #draw() {
    const { nodes } = this.#beam;
    if (!nodes.length) return;
    const { placed, lines } = layout(nodes, this.#dropped);
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
    const rivals = this.#beam.nodes.filter((node) => node.step === step).length;
    const place = `rank ${rank + 1} of ${rivals} seen at step ${step}`;
    return (
      `${plain(token)}: log p ${decimal(log_prob)}, ${percent(Math.exp(log_prob))}; total ` +
      `${decimal(total)}, score ${decimal(score)}; ${place}, ${state}`
    );
  }

  #box({ node, x, y }, onPath) {
    const { number, token, log_prob, score, state, step } = node;
    const short = token.length > LETTERS ? `${token.slice(0, LETTERS - 1)}…` : token;
    const value = state === "ended" ? `score ${decimal(score)}` : percent(Math.exp(log_prob));
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
