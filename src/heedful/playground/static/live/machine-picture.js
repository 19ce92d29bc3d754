/**
 * The drawing behind the dots of the machine: boxes, names and the ways between them.
 */

import { draw, variable } from "heedful/dom.js";
import { t } from "heedful/i18n.js";
import { percent, plain } from "heedful/numbers.js";

/** The names of the three attentions, as short as they stand in a box. */
const NAMES = ["encoder", "decoder", "cross"];
/** Pixels of a letter of small text, roughly; Chinese letters are as wide as they are high. */
const SMALL = 12;

/** Return how wide the longest name of an attention is. */
export function widest() {
  const ink = document.createElement("canvas").getContext("2d");
  ink.font = `${SMALL}px ${variable("font-family")}`;
  return Math.max(...NAMES.map((kind) => ink.measureText(t(`machine.${kind}`)).width));
}

/**
 * Draw the machine.
 * @param {SVGElement} svg
 * @param {import("heedful/live/machine-layout.js").Layout} laid
 * @param {{pieces: number, reads: string, written: string, step: any, position?: string,
 *   shape: import("heedful/live/machine-layout.js").Shape & {d_model: number}}} facts
 */
export function picture(svg, laid, facts) {
  const { width, height, boxes, wires } = laid;
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("width", width);
  svg.setAttribute("height", height);
  const { encoder_layers: encoder, decoder_layers: decoder, heads } = facts.shape;
  const said = t("machine.picture", { encoder, decoder, heads });
  const frames = boxes.filter(({ what }) => what.endsWith(".frame"));
  const others = boxes.filter(({ what }) => !what.endsWith(".frame"));
  svg.replaceChildren(
    draw("title", { text: said }),
    ...frames.flatMap((box) => drawBox(box, facts)),
    ...wires.map((path) => draw("path", { d: path, class: "wire" })),
    ...others.flatMap((box) => drawBox(box, facts)),
  );
}

/** Return a picture with nothing in it. */
picture.empty = () => draw("svg", { role: "img", class: "picture" });

/** Draw a box with its name and, in a second line, what is in it now. */
function drawBox(box, facts) {
  const { what, x, y, width, height, beside } = box;
  const part = what.split(".").at(-1);
  if (part === "number") {
    const place = { x: x + width / 2, y: y + 10, class: "number" };
    return [draw("text", { ...place, "text-anchor": "middle", text: String(box.layer + 1) })];
  }
  const rect = draw("rect", { x, y, width, height, rx: 6, class: `part ${part}` });
  if (part === "frame") return [rect];
  if (part === "title") return [title(box, what, facts.shape)];
  if (part === "position") return [plus(box)];
  if (NAMES.includes(part)) {
    const place = beside
      ? { x: x + 8, y: y + height / 2 + 1 }
      : { x: x + width / 2, y: y + 10, "text-anchor": "middle" };
    return [rect, draw("text", { ...place, class: "small", text: t(`machine.${part}`) })];
  }
  const [name, now] = words(part, facts, what);
  const middle = { x: x + width / 2, "text-anchor": "middle" };
  const lines = now
    ? [
        draw("text", { ...middle, y: y + height / 2 - 7, class: "small", text: name }),
        draw("text", { ...middle, y: y + height / 2 + 8, text: fitted(now, width) }),
      ]
    : [draw("text", { ...middle, y: y + height / 2 + 1, class: "small", text: name })];
  return [rect, ...lines];
}

/** Return the name of a part and what is in it now. */
function words(part, { pieces, reads, written, step, position, shape }, what) {
  const encoder = what.startsWith("encoder");
  if (part === "input") {
    return encoder ? [t("machine.source"), reads] : [t("machine.written"), written];
  }
  if (part === "embedding") {
    const key = position === "sinusoidal" || position === "learned" ? "positions" : "embedding";
    return [t("machine.embedding"), key === "positions" ? t("machine.positions") : ""];
  }
  if (part === "memory") return [t("machine.memory"), memory(pieces, shape.d_model)];
  if (part === "softmax") return [t("machine.linear"), t("machine.softmax")];
  if (part === "output") {
    const said = step ? `${plain(step.predicts)} ${percent(Math.exp(step.logp))}` : "";
    return [t("machine.output"), said];
  }
  return [t(`machine.${part}`), ""];
}

/** How many numbers the memory holds: of each piece as many as the model is wide. */
function memory(pieces, width) {
  const facts = { pieces, n: width };
  return t(pieces ? "machine.numbers" : "machine.numbers_each", facts);
}

/** The name of a side, with how many layers it has. */
function title({ x, y, width, height }, what, shape) {
  const side = what.split(".")[0];
  const text = t(`machine.title_${side}`, { n: shape[`${side}_layers`] });
  const place = { x: x + width / 2, y: y + height / 2 + 1, "text-anchor": "middle" };
  return draw("text", { ...place, class: "side", text });
}

/** The place where positions are added. */
function plus({ x, y, width }) {
  const [middle, arm] = [width / 2, width / 2 - 4];
  const [across, down] = [x + middle, y + middle];
  const lines = `M${across - arm} ${down} h${2 * arm} M${across} ${down - arm} v${2 * arm}`;
  return draw(
    "g",
    { class: "plus" },
    draw("circle", { cx: x + middle, cy: y + middle, r: middle }),
    draw("path", { d: lines }),
    draw("title", { text: t("machine.positions") }),
  );
}

/** Return the end of a text that fits into a box, roughly; what is cut is marked. */
function fitted(text, width) {
  const wide = (letter) => (/[\u2e80-\uffef]/.test(letter) ? 13 : 7.2);
  const letters = [...text];
  let room = width - 16;
  let start = letters.length;
  while (start > 0 && room - wide(letters[start - 1]) > 0) room -= wide(letters[--start]);
  return start ? `…${letters.slice(start).join("")}` : text;
}
