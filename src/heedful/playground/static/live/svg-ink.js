/**
 * What draws on a canvas draws an SVG: as much of a canvas's ink as a heat map uses.
 */

import { draw } from "heedful/dom.js";

const ANCHORS = { left: "start", center: "middle", right: "end" };

export class SvgInk {
  fillStyle = "#000";
  strokeStyle = "#000";
  lineWidth = 1;
  font = "13px sans-serif";
  textAlign = "left";
  textBaseline = "alphabetic";
  #measure = document.createElement("canvas").getContext("2d");
  #moves = [];
  #saved = [];

  /**
   * @param {number} width
   * @param {number} height
   */
  constructor(width, height) {
    this.svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, width, height });
  }

  save() {
    const { fillStyle, strokeStyle, lineWidth, font, textAlign, textBaseline } = this;
    const all = { fillStyle, strokeStyle, lineWidth, font, textAlign, textBaseline };
    this.#saved.push([all, [...this.#moves]]);
  }

  restore() {
    const [all, moves] = this.#saved.pop();
    Object.assign(this, all);
    this.#moves = moves;
  }

  translate(x, y) {
    this.#moves.push(`translate(${round(x)} ${round(y)})`);
  }

  rotate(angle) {
    this.#moves.push(`rotate(${round((180 * angle) / Math.PI)})`);
  }

  measureText(text) {
    this.#measure.font = this.font;
    return this.#measure.measureText(text);
  }

  fillRect(x, y, width, height) {
    this.#add("rect", { ...box(x, y, width, height), fill: this.fillStyle });
  }

  strokeRect(x, y, width, height) {
    const line = { fill: "none", stroke: this.strokeStyle, "stroke-width": this.lineWidth };
    this.#add("rect", { ...box(x, y, width, height), ...line });
  }

  fillText(text, x, y) {
    const [, size, family] = /([\d.]+)px (.*)/.exec(this.font) ?? ["", "13", "sans-serif"];
    const place = { x: round(x), y: round(y), "text-anchor": ANCHORS[this.textAlign] };
    const middle = this.textBaseline === "middle" ? { "dominant-baseline": "central" } : {};
    const letters = { "font-size": size, "font-family": family, fill: this.fillStyle };
    this.#add("text", { ...place, ...middle, ...letters, "xml:space": "preserve", text });
  }

  #add(tag, facts) {
    const transform = this.#moves.length ? { transform: this.#moves.join(" ") } : {};
    this.svg.append(draw(tag, { ...facts, ...transform }));
  }
}

function box(x, y, width, height) {
  return { x: round(x), y: round(y), width: round(width), height: round(height) };
}

function round(value) {
  return Math.round(100 * value) / 100;
}
