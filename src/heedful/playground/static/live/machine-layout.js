/**
 * Where the parts of the machine stand, drawn as the paper draws it: the encoder on the left, the
 * decoder on the right, from the bottom to the top.
 */

/** Pixels that a head takes, which is also what a finger needs. */
export const DOT = 26;

const PAD = 5;
const GUTTER = 14;
const LINE = 15;
const PART = 20;
const GAP = 4;
const BOX = 34;
const WIRE = 18;
/** Pixels above the layers of a side, for its name. */
const TITLE = 22;

/**
 * The shape of a model.
 * @typedef {{encoder_layers: number, decoder_layers: number, heads: number}} Shape
 */

/**
 * A head's dot, by its middle.
 * @typedef {{kind: "encoder" | "decoder" | "cross", layer: number, head: number, x: number,
 *   y: number}} Dot
 */

/**
 * A box; `what` says which part of the machine it is, `beside` whether its name stands left of its
 * dots and not above them.
 * @typedef {{what: string, x: number, y: number, width: number, height: number, layer?: number,
 *   beside?: boolean}} Box
 */

/**
 * The whole; wires are paths, with the heads of their arrows.
 * @typedef {{width: number, height: number, dots: Dot[], boxes: Box[], wires: string[]}} Layout
 */

/**
 * Lay a model out.
 * @param {Shape} shape
 * @param {number} room - Pixels from left to right.
 * @param {number} name - Pixels that the longest name of an attention takes.
 * @param {boolean} placed - Whether positions are added to the embeddings.
 * @returns {Layout}
 */
export function layout(shape, room, name, placed) {
  if (shape.encoder_layers === 0) return alone(shape, room, name, placed);
  const between = room < 420 ? 22 : 52;
  const column = Math.min(Math.floor((room - between) / 2) - 1, 330);
  const width = 2 * column + between + 2;
  const inner = column - 2 * PAD - GUTTER;
  const layers = {
    encoder: stack(shape.encoder_layers, ["encoder"], shape.heads, inner, name),
    decoder: stack(shape.decoder_layers, ["decoder", "cross"], shape.heads, inner, name),
  };
  const tall = Math.max(layers.encoder.height + BOX, layers.decoder.height + 2 * BOX + WIRE);
  const height = tall + 2 * WIRE + 2 * BOX + (placed ? WIRE : 0) + GAP + 2;
  const found = { width, height, dots: [], boxes: [], wires: [] };
  const floor = height - 1 - 2 * BOX - WIRE - (placed ? WIRE : 0);
  const facts = { column, floor, height, placed };
  side(found, "encoder", layers.encoder, { x: 1, ...facts });
  side(found, "decoder", layers.decoder, { x: 1 + column + between, ...facts });
  toDecoder(found, 1 + column, between);
  return found;
}

/** Lay out a decoder without an encoder, which looks at its own text alone. */
function alone(shape, room, name, placed) {
  const column = Math.min(room - 2, 420);
  const inner = column - 2 * PAD - GUTTER;
  const layers = stack(shape.decoder_layers, ["decoder"], shape.heads, inner, name);
  const below = 2 * BOX + WIRE + (placed ? WIRE : 0) + 1;
  const height = layers.height + 2 * BOX + 2 * WIRE + below + GAP + 1;
  const found = { width: column + 2, height, dots: [], boxes: [], wires: [] };
  side(found, "decoder", layers, { x: 1, column, floor: height - below, height, placed });
  return found;
}

/** Return the boxes and dots of layers above each other, by their distance from the left bottom. */
function stack(count, kinds, heads, inner, name) {
  const fits = Math.max(Math.floor((inner - 4) / DOT), 1);
  const lines = Math.ceil(heads / Math.min(heads, fits));
  const row = Math.ceil(heads / lines);
  const beside = inner >= row * DOT + name + 16;
  const high = lines * DOT + 4 + (beside ? 0 : LINE);
  const [boxes, dots] = [[], []];
  let y = PAD;
  for (let layer = 0; layer < count; layer++) {
    const start = y;
    for (const kind of kinds) {
      y += high;
      boxes.push({ what: kind, layer, x: 0, y, width: inner, height: high, beside });
      const left = beside ? inner - row * DOT - 2 : (inner - row * DOT) / 2;
      for (let head = 0; head < heads; head++) {
        const [line, place] = [Math.floor(head / row), head % row];
        const x = left + (place + 0.5) * DOT;
        dots.push({ kind, layer, head, x, y: y - (high - 2 - (lines - line - 0.5) * DOT) });
      }
      y += GAP;
    }
    y += PART;
    boxes.push({ what: "feed_forward", layer, x: 0, y, width: inner, height: PART });
    boxes.push({ what: "number", layer, x: -GUTTER, y, width: GUTTER, height: y - start });
    y += 2 * GAP + 2;
  }
  return { boxes, dots, height: y - GAP + TITLE };
}

/** Put a side into the picture: what it reads, its layers, and what it writes. */
function side(found, what, layers, { x, column, floor, height, placed }) {
  const middle = x + column / 2;
  const left = x + PAD + GUTTER;
  const top = floor - layers.height;
  const box = (name, y, high = BOX) => {
    found.boxes.push({ what: `${what}.${name}`, x, y, width: column, height: high });
  };
  const wire = (from, to) =>
    found.wires.push(`M${middle} ${from} V${to + 1} m-3.5 6 l3.5 -6 l3.5 6`);
  box("input", height - 1 - BOX);
  box("embedding", height - 1 - 2 * BOX - GAP);
  box("frame", top, layers.height);
  box("title", top, TITLE);
  wire(height - 1 - 2 * BOX - GAP, floor);
  if (placed) {
    const y = floor + WIRE - GAP;
    found.boxes.push({ what: "position", x: middle - 8, y: y - 8, width: 16, height: 16 });
  }
  for (const one of layers.boxes) {
    found.boxes.push({ ...one, x: left + one.x, y: floor - one.y });
  }
  for (const dot of layers.dots) {
    found.dots.push({ ...dot, x: left + dot.x, y: floor - dot.y });
  }
  if (what === "encoder") {
    box("memory", top - WIRE - BOX);
    wire(top, top - WIRE);
  } else {
    box("softmax", top - WIRE - BOX);
    wire(top, top - WIRE);
    box("output", top - 2 * WIRE - 2 * BOX);
    wire(top - WIRE - BOX, top - 2 * WIRE - BOX);
  }
}

/** Lead the memory to every attention to the source. */
function toDecoder(found, column, between) {
  const memory = found.boxes.find(({ what }) => what === "encoder.memory");
  const way = column + between / 2;
  const from = memory.y + memory.height / 2;
  const crosses = found.boxes.filter(({ what }) => what === "cross");
  const ends = crosses.map((box) => box.y + box.height / 2);
  if (!ends.length) return;
  const all = [from, ...ends];
  const spine = `M${way} ${Math.min(...all)} V${Math.max(...all)}`;
  found.wires.push(`M${column} ${from} H${way} ${spine}`);
  crosses.forEach(({ x }, place) =>
    found.wires.push(`M${way} ${ends[place]} H${x - 1} m-6 -3.5 l6 3.5 l-6 3.5`),
  );
}

/**
 * Return the dot that an arrow key leads to, or undefined.
 * @param {Dot[]} dots
 * @param {number} place
 * @param {string} key
 * @returns {number | undefined}
 */
export function neighbour(dots, place, key) {
  const here = dots[place];
  const [across, way] = {
    ArrowLeft: [true, -1],
    ArrowRight: [true, 1],
    ArrowUp: [false, -1],
    ArrowDown: [false, 1],
  }[key] ?? [false, 0];
  let best;
  dots.forEach((dot, at) => {
    const ahead = way * (across ? dot.x - here.x : dot.y - here.y);
    const aside = Math.abs(across ? dot.y - here.y : dot.x - here.x);
    if (!(ahead > 1) || aside > (across ? DOT / 2 : DOT * 2.5)) return;
    const far = ahead + 2 * aside;
    if (!best || far < best.far) best = { at, far };
  });
  if (best || !across) return best?.at;
  return crossing(dots, here, way);
}

/** From one side to the other: the nearest dot there, whatever its height. */
function crossing(dots, here, way) {
  const others = dots
    .map((dot, at) => ({ at, ahead: way * (dot.x - here.x), aside: Math.abs(dot.y - here.y) }))
    .filter(({ ahead }) => ahead > DOT);
  others.sort((a, b) => a.aside - b.aside || a.ahead - b.ahead);
  return others[0]?.at;
}

/**
 * Return the radius of what fills a dot: its area is the share of what fills it whole.
 * @param {number} value
 * @param {number} largest
 * @param {number} whole - The radius of a full dot.
 */
export function fill(value, largest, whole) {
  return largest > 0 ? whole * Math.sqrt(Math.min(Math.max(value / largest, 0), 1)) : 0;
}
