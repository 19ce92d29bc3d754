/**
 * The state of the page, and how it stands in the address: whoever opens the address sees the same.
 *
 * What is as it is at first is left out. An address that cannot be read gives the first state.
 */

/**
 * @typedef {object} View - What is chosen; null: nothing yet.
 * @property {"encoder" | "decoder" | "cross"} kind
 * @property {number | null} layer
 * @property {number | null} head
 * @property {number | null} row
 * @property {number | null} column
 * @property {boolean} words
 * @property {boolean} hide
 * @property {number | null} step
 */

/**
 * @typedef {object} Edits
 * @property {string[]} ablate - Heads ("encoder.4.3") and layers ("cross.1").
 * @property {"mean" | "zero" | "uniform"} how
 * @property {Record<string, string>} replace
 * @property {string | null} prefix
 */

/**
 * @typedef {object} State
 * @property {"translate" | "inside" | "tour"} tab
 * @property {string} panel - The panel that a narrow screen shows.
 * @property {string[]} only - Panels that are shown, for a lesson; none: all.
 * @property {string} model - Empty: the first.
 * @property {string} from - Empty: it is detected.
 * @property {string} to
 * @property {string} text
 * @property {string | null} target - A translation that was given.
 * @property {number} beam
 * @property {number} length_penalty
 * @property {number} most - Pieces that are written behind a prompt, at most.
 * @property {number} temperature - At which they are drawn; 0: the likeliest are taken.
 * @property {number} seed
 * @property {Edits} edits
 * @property {View} view
 * @property {"en" | "zh"} lang
 * @property {"auto" | "light" | "dark"} theme
 * @property {number} step_of_tour
 * @property {boolean} keys - Whether single keys do something.
 */

/** The most that a beam may hold, as the server has it. */
export const MOST_BEAM = 16;
/** The most pieces that may be written behind a prompt, as the server has it. */
export const MOST_PIECES = 512;

/**
 * Return the state that a page begins with.
 * @param {"en" | "zh"} lang
 * @returns {State}
 */
export function firstState(lang = "en") {
  return {
    tab: "translate",
    panel: "tokens",
    only: [],
    model: "",
    from: "",
    to: "",
    text: "",
    target: null,
    beam: 4,
    length_penalty: 0.6,
    most: 20,
    temperature: 0,
    seed: 1,
    edits: { ablate: [], how: "mean", replace: {}, prefix: null },
    view: firstView(),
    lang,
    theme: "auto",
    step_of_tour: 0,
    keys: true,
  };
}

/** @returns {View} */
export function firstView() {
  const nothing = { layer: null, head: null, row: null, column: null };
  return { kind: "encoder", ...nothing, words: false, hide: false, step: null };
}

/** The panels of the page, in the order in which they are read. */
const PANELS = [
  ...["tokens", "machine", "attention", "evidence"],
  ...["outputs", "beam", "what-if", "atlas"],
];

/** What is written, in this order: its name in the address, how it is written and read. */
const PARTS = [
  part("tab", ["tab"], oneOf("translate", "inside", "tour")),
  part("panel", ["panel"], oneOf(...PANELS)),
  part("only", ["only"], severalOf(...PANELS)),
  part("model", ["model"], text()),
  part("from", ["from"], text()),
  part("to", ["to"], text()),
  part("text", ["text"], text()),
  part("target", ["target"], text()),
  part("beam", ["beam"], whole(1, MOST_BEAM)),
  part("penalty", ["length_penalty"], number(0, 10)),
  part("most", ["most"], whole(1, MOST_PIECES)),
  part("temperature", ["temperature"], number(0, 100)),
  part("seed", ["seed"], whole(0, 2 ** 53 - 1)),
  part("off", ["edits", "ablate"], heads()),
  part("how", ["edits", "how"], oneOf("mean", "zero", "uniform")),
  part("replace", ["edits", "replace"], pairs()),
  part("prefix", ["edits", "prefix"], text()),
  part("kind", ["view", "kind"], oneOf("encoder", "decoder", "cross")),
  part("layer", ["view", "layer"], whole(0, 999)),
  part("head", ["view", "head"], whole(0, 999)),
  part("row", ["view", "row"], whole(0, 9999)),
  part("column", ["view", "column"], whole(0, 9999)),
  part("words", ["view", "words"], yesNo()),
  part("hide", ["view", "hide"], yesNo()),
  part("step", ["view", "step"], whole(0, 9999)),
  part("lang", ["lang"], oneOf("en", "zh")),
  part("theme", ["theme"], oneOf("auto", "light", "dark")),
  part("tour", ["step_of_tour"], whole(0, 99)),
  part("keys", ["keys"], yesNo()),
];

/**
 * Write a state as the part of an address behind `#`; empty where all is as at first.
 * @param {State} state
 * @param {"en" | "zh"} lang - What the language is at first.
 */
export function toHash(state, lang = "en") {
  const first = firstState(lang);
  const written = new URLSearchParams();
  for (const { name, path, write } of PARTS) {
    const [value, usual] = [valueAt(state, path), valueAt(first, path)];
    if (JSON.stringify(value) !== JSON.stringify(usual)) written.append(name, write(value));
  }
  return String(written);
}

/**
 * Read a state from the part of an address behind `#`.
 * @param {string} hash
 * @param {"en" | "zh"} lang - What the language is at first.
 * @returns {{state: State, broken: boolean}} - `broken`: nothing of it was taken.
 */
export function fromHash(hash, lang = "en") {
  const state = firstState(lang);
  try {
    const written = hash.replace(/^#/, "");
    decodeURIComponent(written.replaceAll("+", " "));
    const seen = new Set();
    for (const [name, value] of new URLSearchParams(written)) {
      const found = PARTS.find((one) => one.name === name);
      if (!found || seen.has(name)) throw new Error(name);
      seen.add(name);
      setAt(state, found.path, found.read(value));
    }
    return { state, broken: false };
  } catch {
    return { state: firstState(lang), broken: true };
  }
}

function part(name, path, { write, read }) {
  return { name, path, write, read };
}

function valueAt(state, [first, second]) {
  return second === undefined ? state[first] : state[first][second];
}

function setAt(state, [first, second], value) {
  if (second === undefined) state[first] = value;
  else state[first][second] = value;
}

function text() {
  return { write: (value) => value ?? "", read: (value) => value };
}

function oneOf(...names) {
  return { write: String, read: (value) => checked(value, names.includes(value)) };
}

function severalOf(...names) {
  const read = (value) => {
    const found = value.split(",");
    return checked(found, found.every((name) => names.includes(name)));
  };
  return { write: (value) => value.join(","), read };
}

function yesNo() {
  const known = { yes: true, no: false };
  return {
    write: (value) => (value ? "yes" : "no"),
    read: (value) => checked(known[value], value in known),
  };
}

function number(least, most) {
  const read = (value) => {
    const found = Number(value);
    return checked(found, /^\d+(\.\d+)?$/.test(value) && found >= least && found <= most);
  };
  return { write: String, read };
}

function whole(least, most) {
  const read = (value) => checked(number(least, most).read(value), /^\d+$/.test(value));
  return { write: (value) => String(value ?? ""), read };
}

function heads() {
  const head = /^(encoder|decoder|cross)\.\d{1,3}(\.\d{1,3})?$/;
  const read = (value) => {
    const found = value.split(",");
    return checked(found, found.length <= 999 && found.every((name) => head.test(name)));
  };
  return { write: (value) => value.join(","), read };
}

function pairs() {
  const read = (value) => {
    const found = JSON.parse(value);
    const fine = found !== null && typeof found === "object" && !Array.isArray(found);
    return checked(found, fine && Object.values(found).every((one) => typeof one === "string"));
  };
  return { write: JSON.stringify, read };
}

function checked(value, fine) {
  if (!fine) throw new Error("not of its kind");
  return value;
}
