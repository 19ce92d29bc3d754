/**
 * What is seen, as a file: the trace as a page of its own, pictures as SVG or as PNG.
 */

import { make } from "heedful/dom.js";
import { t } from "heedful/i18n.js";
import { askBlob } from "heedful/live/client.js";
import { SvgInk } from "heedful/live/svg-ink.js";

/** Pixels of a PNG for each of the picture's. */
const SHARP = 2;
/** Pixels of a PNG's side at most: more is drawn less sharp. */
const SIDE = 12_000;
const MARGIN = 16;
/** What of a style stands in a picture that leaves its page. */
const STYLE = [
  ...["fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-linecap", "opacity"],
  ...["font-family", "font-size", "font-weight"],
  ...["text-anchor", "dominant-baseline"],
];

/** What has no meaning outside the page. */
const DROPPED = ["style", "class", "role", "id", "tabindex"];

/**
 * Save something.
 * @param {string} what - html, arcs, map or tree.
 * @param {string} format - HTML, SVG or PNG.
 * @param {any} trace
 * @param {Record<string, any>} panels
 */
export async function save(what, format, trace, panels) {
  if (!trace?.complete) throw new Error(t("save.nothing"));
  const name = nameOf(trace.wire.source.text);
  if (what === "html") {
    return download(await askBlob("/api/export", { id: trace.id }), `${name}.html`);
  }
  const svg = picture(what, panels);
  if (!svg) throw new Error(t("save.nothing"));
  const blob = format === "SVG" ? svgBlob(svg) : await pngBlob(svg);
  download(blob, `${name}-${what}.${format.toLowerCase()}`);
}

/**
 * Return a name for a file: the first words of a sentence.
 * @param {string} text
 */
export function nameOf(text) {
  const words = text.match(/[\p{L}\p{N}]+/gu) ?? [];
  return words.join("-").slice(0, 40).replace(/-+$/, "") || "trace";
}

function download(blob, name) {
  const address = URL.createObjectURL(blob);
  const link = make("a", { href: address, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

/** Return a picture that stands alone, or null if there is none yet. */
function picture(what, { attention, beam }) {
  if (what === "map") {
    const { width, height } = attention.map.size;
    if (!width) return null;
    const ink = new SvgInk(width, height);
    attention.map.paint(ink);
    return framed(ink.svg, attention);
  }
  const shown = what === "arcs" ? attention.arcs.svg : beam.svg;
  if (!shown?.firstChild) return null;
  return framed(withStyle(shown), attention);
}

/** Return a copy of a picture whose style stands in it. */
function withStyle(svg) {
  const copy = svg.cloneNode(true);
  const all = (root) => [root, ...root.querySelectorAll("*")];
  const copies = all(copy);
  all(svg).forEach((element, place) => {
    const style = getComputedStyle(element);
    for (const name of STYLE) copies[place].setAttribute(name, style.getPropertyValue(name));
    for (const name of DROPPED) copies[place].removeAttribute(name);
    for (const { name } of [...copies[place].attributes]) {
      if (name.startsWith("aria-")) copies[place].removeAttribute(name);
    }
  });
  return copy;
}

/** Put the page's background behind a picture, and a margin around it. */
function framed(svg, element) {
  const [width, height] = ["width", "height"].map((name) => Number(svg.getAttribute(name)));
  const all = [width + 2 * MARGIN, height + 2 * MARGIN];
  svg.setAttribute("viewBox", `${-MARGIN} ${-MARGIN} ${all[0]} ${all[1]}`);
  svg.setAttribute("width", all[0]);
  svg.setAttribute("height", all[1]);
  const behind = document.createElementNS(svg.namespaceURI, "rect");
  const place = { x: -MARGIN, y: -MARGIN, width: all[0], height: all[1] };
  for (const [name, value] of Object.entries(place)) behind.setAttribute(name, String(value));
  behind.setAttribute("fill", getComputedStyle(element).getPropertyValue("--card").trim());
  svg.prepend(behind);
  return svg;
}

function svgBlob(svg) {
  const text = new XMLSerializer().serializeToString(svg);
  return new Blob([text], { type: "image/svg+xml" });
}

async function pngBlob(svg) {
  const [width, height] = ["width", "height"].map((name) => Number(svg.getAttribute(name)));
  const scale = Math.min(SHARP, SIDE / Math.max(width, height));
  const address = URL.createObjectURL(svgBlob(svg));
  try {
    const image = new Image(width, height);
    image.src = address;
    await image.decode();
    const canvas = make("canvas", { width: width * scale, height: height * scale });
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
    if (!blob) throw new Error(t("page.failed"));
    return blob;
  } finally {
    URL.revokeObjectURL(address);
  }
}
