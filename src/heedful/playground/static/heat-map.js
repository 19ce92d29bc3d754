/**
 * `<heed-heat-map>`: the map of a head; a row is chosen by pointing at it or by the arrow keys.
 *
 * It tells `pick` with the row and the column. To a screen reader it is a grid of which one cell
 * is there at a time.
 */

import { css, inkOn, parse, ramp } from "heedful/colours.js";
import { make, onTheme, onWidth, tell, variable } from "heedful/dom.js";
import { t } from "heedful/i18n.js";
import { marked, percent, plain, rowLabel, rowName } from "heedful/numbers.js";

/** Cells of maps with more rows or columns than this are small. */
const MANY = 64;
const GAP = 8;
/** Pixels that a canvas has at most. */
const PIXELS = 16e6;

export class HeatMap extends HTMLElement {
  /** @type {import("heedful/views.js").View | undefined} */
  #view;
  #row = 0;
  #column = 0;
  #upright = true;
  /** Pixels that there are for it; 0: nobody sees it. */
  #width = 0;
  /** Pixels that the map takes. */
  size = { width: 0, height: 0 };
  #place = { left: 0, top: 0, cell: 24 };

  connectedCallback() {
    if (this.canvas) return;
    this.canvas = make("canvas", { "aria-hidden": "true" });
    this.cell = make("div", { role: "gridcell", id: "heed-cell" });
    this.line = make("div", { role: "row" }, this.cell);
    this.marks = ["row-mark", "cell-mark"].map((name) =>
      make("div", { class: name, "aria-hidden": "true" }),
    );
    this.grid = make(
      "div",
      { role: "grid", tabindex: 0, class: "grid", "aria-activedescendant": "heed-cell" },
      this.canvas,
      ...this.marks,
      make("div", { class: "unseen", role: "rowgroup" }, this.line),
    );
    this.append(this.grid);
    this.grid.addEventListener("keydown", (event) => this.#key(event));
    for (const name of ["pointermove", "pointerdown"]) {
      this.canvas.addEventListener(name, (event) => this.#point(event));
    }
    onWidth(this, (width) => {
      this.#width = width;
      this.#draw();
    });
    onTheme(() => this.#draw());
  }

  /**
   * Draw a view with a row and a column chosen.
   * @param {import("heedful/views.js").View} view
   * @param {number} row
   * @param {number} column
   * @param {string} name
   */
  show(view, row, column, name) {
    const same = view === this.#view;
    [this.#view, this.#row, this.#column] = [view, row, column];
    this.grid.setAttribute("aria-label", name);
    this.grid.setAttribute("aria-rowcount", view.rows.length);
    this.grid.setAttribute("aria-colcount", view.columns.length);
    this.line.setAttribute("aria-rowindex", row + 1);
    this.cell.setAttribute("aria-colindex", column + 1);
    const weight = view.weights[row * view.columns.length + column];
    const names = [rowName(view.rows[row]), plain(view.columns[column]?.text ?? t("nothing"))];
    this.cell.textContent = `${names.join(", ")}, ${percent(weight ?? 0, view.exact)}`;
    if (same) this.#mark();
    else this.#draw();
  }

  #pick(row, column) {
    const last = [this.#view.rows.length - 1, this.#view.columns.length - 1];
    const asked = [row, column].map((place, side) => Math.min(Math.max(place, 0), last[side]));
    if (asked[0] !== this.#row || asked[1] !== this.#column) {
      tell(this, "pick", { row: asked[0], column: asked[1] });
    }
  }

  #key(event) {
    if (event.altKey || event.metaKey || !this.#view) return;
    const [row, column, end] = [this.#row, this.#column, this.#view.columns.length - 1];
    const down = this.#view.rows.length - 1;
    const whole = event.ctrlKey;
    const moves = {
      ArrowUp: [row - 1, column],
      ArrowDown: [row + 1, column],
      ArrowLeft: [row, column - 1],
      ArrowRight: [row, column + 1],
      Home: [whole ? 0 : row, 0],
      End: [whole ? down : row, end],
    };
    if (event.key in moves) this.#pick(...moves[event.key]);
    else if (event.key === "PageUp") tell(this, "layer", -1);
    else if (event.key === "PageDown") tell(this, "layer", 1);
    else if (/^[1-9]$/.test(event.key) && !whole) tell(this, "head", Number(event.key) - 1);
    else return;
    event.preventDefault();
  }

  #point({ offsetX, offsetY }) {
    const { left, top, cell } = this.#place;
    const row = Math.floor((offsetY - top) / cell);
    const column = Math.floor((offsetX - left) / cell);
    if (row < 0 || row >= this.#view.rows.length || column >= this.#view.columns.length) return;
    this.#pick(row, column < 0 ? this.#column : column);
  }

  #draw() {
    if (!this.#view || this.#width === 0) return;
    const { rows, columns } = this.#view;
    const ink = this.canvas.getContext("2d");
    const font = `13px ${variable("font-family")}`;
    ink.font = font;
    const wide = (texts) => Math.max(0, ...texts.map((text) => ink.measureText(text).width));
    const left = Math.ceil(wide(rows.map(rowLabel))) + GAP;
    const names = columns.map((column) => column.text);
    const longest = wide(names);
    const least = Math.max(rows.length, columns.length) > MANY ? 10 : 26;
    const room = this.#width - left - 2;
    let cell = Math.min(Math.max(Math.floor(room / Math.max(columns.length, 1)), least), 46);
    const upright = longest <= cell - 4;
    const over = upright ? 0 : Math.ceil(0.71 * ink.measureText(names.at(-1) ?? "").width);
    if (!upright) {
      cell = Math.min(Math.max(Math.floor((room - over) / columns.length), least), 46);
    }
    const top = (upright ? 18 : Math.ceil(0.71 * longest) + 14) + GAP;
    const size = [left + cell * columns.length + over + 2, top + cell * rows.length + 2];
    const scale = Math.min(devicePixelRatio, Math.sqrt(PIXELS / (size[0] * size[1])));
    this.#place = { left, top, cell };
    [this.canvas.width, this.canvas.height] = size.map((side) => Math.ceil(side * scale));
    this.canvas.style.width = `${size[0]}px`;
    this.canvas.style.height = `${size[1]}px`;
    ink.scale(scale, scale);
    this.#upright = upright;
    this.size = { width: size[0], height: size[1] };
    this.#paint(ink);
    this.#mark();
  }

  #paint(ink) {
    ink.font = `13px ${variable("font-family")}`;
    this.#cells(ink);
    this.#names(ink, this.#upright);
  }

  /**
   * Paint the map as it is shown, with what is chosen in it.
   * @param {any} ink - A canvas's, or what does the same.
   */
  paint(ink) {
    this.#paint(ink);
    this.#chosen(ink);
  }

  /** Move the frames to what is chosen: the map itself needs not be painted anew. */
  #mark() {
    const { left, top, cell } = this.#place;
    const { columns } = this.#view;
    const y = top + this.#row * cell;
    const frames = [
      [left, y, cell * columns.length],
      [left + this.#column * cell, y, cell],
    ];
    this.marks.forEach((mark, place) => {
      const [x, at, width] = frames[place];
      mark.hidden = columns.length === 0;
      mark.style.transform = `translate(${x}px, ${at}px)`;
      mark.style.width = `${width}px`;
      mark.style.height = `${cell}px`;
    });
  }

  #cells(ink) {
    const { rows, columns, weights, exact } = this.#view;
    const { left, top, cell } = this.#place;
    const colour = ramp(parse(variable("--card")));
    ink.textAlign = "center";
    ink.textBaseline = "middle";
    ink.save();
    ink.font = `${exact ? 11 : 10}px ${variable("font-family")}`;
    rows.forEach((_, row) =>
      columns.forEach((_, column) => {
        const weight = weights[row * columns.length + column];
        const [x, y] = [left + column * cell, top + row * cell];
        const filled = colour(weight);
        ink.fillStyle = css(filled);
        ink.fillRect(x, y, cell, cell);
        if (cell < 24 || weight < 0.005) return;
        ink.fillStyle = inkOn(filled);
        ink.fillText((100 * weight).toFixed(0), x + cell / 2, y + cell / 2 + 0.5);
      }),
    );
    ink.restore();
    ink.strokeStyle = variable("--line");
    ink.strokeRect(left - 0.5, top - 0.5, cell * columns.length + 1, cell * rows.length + 1);
  }

  #names(ink, upright) {
    const { rows, columns } = this.#view;
    const { left, top, cell } = this.#place;
    const inks = ["--ink", "--soft", "--faint"].map((name) => variable(name));
    ink.textAlign = "left";
    rows.forEach((row, place) => {
      if (cell < 12 && place % 2) return;
      write(ink, labelled(row, inks), left - GAP, top + (place + 0.5) * cell, 1);
    });
    columns.forEach(({ text, special }, place) => {
      if (cell < 12 && place % 2) return;
      ink.save();
      ink.translate(left + (place + 0.5) * cell, top - GAP - (upright ? 7 : 0));
      if (!upright) ink.rotate(-Math.PI / 4);
      write(ink, labelled({ text, special }, inks), 0, 0, upright ? 0.5 : 0);
      ink.restore();
    });
  }

  #chosen(ink) {
    const { columns } = this.#view;
    const { left, top, cell } = this.#place;
    if (columns.length === 0) return;
    const [x, y] = [left + this.#column * cell, top + this.#row * cell];
    ink.strokeStyle = variable("--ink");
    ink.lineWidth = 1.5;
    ink.strokeRect(left - 0.5, y, cell * columns.length + 1, cell);
    ink.strokeStyle = variable("--mark");
    ink.lineWidth = 3;
    ink.strokeRect(x, y, cell, cell);
  }
}

/** Return the parts of a label with their colours: what is read is softer, marks are faint. */
function labelled({ text, reads, special }, [strong, soft, faint]) {
  const parts = (piece, colour) => {
    const [mark, rest] = marked(piece);
    return [[mark, faint], [rest, colour]];
  };
  const own = parts(text, special ? soft : strong);
  return reads === undefined ? own : [...parts(reads, soft), [" → ", soft], ...own];
}

/** Write parts one after the other; `before` is the share of them that stands before x. */
function write(ink, parts, x, y, before) {
  const widths = parts.map(([text]) => ink.measureText(text).width);
  let at = x - before * widths.reduce((sum, width) => sum + width, 0);
  parts.forEach(([text, colour], place) => {
    ink.fillStyle = colour;
    ink.fillText(text, at, y);
    at += widths[place];
  });
}

customElements.define("heed-heat-map", HeatMap);
