/**
 * The map of a head as a picture of a few pixels, one for each weight.
 */

import { parse, shades } from "heedful/colours.js";
import { variable } from "heedful/dom.js";
import { weightsOfHead } from "heedful/wire.js";

/** The shades that were used last, and the background that they begin at. */
let last = { card: "", all: new Uint32Array(256) };

/**
 * Paint a head's map over what was painted before.
 * @param {HTMLCanvasElement} canvas
 * @param {import("heedful/wire.js").AttentionMap} map
 * @param {number} layer
 * @param {number} head
 */
export function paintSmall(canvas, map, layer, head) {
  const card = variable("--card");
  if (card !== last.card) last = { card, all: shades(parse(card)) };
  const [width, height] = [map.keys, map.queries].map(({ tokens }) => tokens.length);
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const image = new ImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  const weights = weightsOfHead(map, layer, head);
  for (let place = 0; place < pixels.length; place++) {
    pixels[place] = last.all[Math.round(255 * weights[place])];
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}
