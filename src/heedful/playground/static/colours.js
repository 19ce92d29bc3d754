/**
 * Colours: a ramp for shares that begins at the background, and one colour for each of 8 heads.
 */

/** @typedef {[number, number, number]} Colour - Red, green, blue from 0 to 255. */

/** Okabe and Ito's colours, which people see apart whatever cones they lack; black is the ink's. */
export const HEADS = [
  "#e69f00",
  "#56b4e9",
  "#009e73",
  "#f0e442",
  "#0072b2",
  "#d55e00",
  "#cc79a7",
  "var(--ink)",
];

/**
 * Return the colour of a head; of more than 8 heads all have the ink's.
 * @param {number} head
 * @param {number} heads
 */
export function headColour(head, heads) {
  return heads > HEADS.length ? "var(--ink)" : HEADS[head];
}

/** Viridis at equal steps, from its dark end. */
const VIRIDIS = ["#440154", "#3b528b", "#21918c", "#5ec962", "#fde725"].map(parse);

/**
 * Read `#rrggbb`.
 * @param {string} text
 * @returns {Colour}
 */
export function parse(text) {
  const number = Number.parseInt(text.slice(1), 16);
  return [number >> 16, (number >> 8) & 255, number & 255];
}

/**
 * Return the ramp on a background: 0 is the background, 1 what differs from it most.
 * @param {Colour} background
 * @returns {(share: number) => Colour}
 */
export function ramp(background) {
  const stops = luminance(background) < 0.2 ? VIRIDIS : [...VIRIDIS].reverse();
  const all = [background, ...stops.slice(1)];
  return (share) => {
    const place = Math.min(Math.max(share, 0), 1) * (all.length - 1);
    const first = Math.min(Math.floor(place), all.length - 2);
    return mixed(all[first], all[first + 1], place - first);
  };
}

/**
 * Return the ramp in 256 steps, each as the four bytes of a pixel.
 * @param {Colour} background
 * @returns {Uint32Array}
 */
export function shades(background) {
  const colour = ramp(background);
  const pixels = Array.from({ length: 256 }, (_, step) => [...colour(step / 255), 255]);
  return new Uint32Array(Uint8Array.from(pixels.flat()).buffer);
}

/**
 * @param {Colour} one
 * @param {Colour} other
 * @param {number} share - Of the other.
 * @returns {Colour}
 */
function mixed(one, other, share) {
  return /** @type {Colour} */ (
    one.map((value, place) => Math.round(value + (other[place] - value) * share))
  );
}

/**
 * Return the relative luminance of WCAG 2, from 0 to 1.
 * @param {Colour} colour
 */
export function luminance(colour) {
  const [red, green, blue] = colour.map((value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/**
 * Return the contrast of two colours as WCAG 2 counts it, from 1 to 21.
 * @param {Colour} one
 * @param {Colour} other
 */
export function contrast(one, other) {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

/**
 * Return black or white, whichever is read better on a colour.
 * @param {Colour} colour
 */
export function inkOn(colour) {
  return contrast(colour, [0, 0, 0]) >= contrast(colour, [255, 255, 255]) ? "#000" : "#fff";
}

/**
 * Write a colour for CSS.
 * @param {Colour} colour
 */
export function css([red, green, blue]) {
  return `rgb(${red} ${green} ${blue})`;
}
