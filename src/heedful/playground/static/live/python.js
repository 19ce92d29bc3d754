/**
 * What a panel shows, as Python that gives the same.
 */

import { speaksOf } from "heedful/i18n.js";

/**
 * Write a text, a number, a list or a dictionary as Python does.
 * @param {any} value
 * @returns {string}
 */
export function literal(value) {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value === "object") {
    const pairs = Object.entries(value).map((pair) => pair.map(literal).join(": "));
    return `{${pairs.join(", ")}}`;
  }
  return JSON.stringify(value);
}

/**
 * Return Python that gives what a panel shows.
 * @param {string} panel
 * @param {import("heedful/live/state-url.js").State} state
 */
export function python(panel, state) {
  const { kind, layer, head, row, step } = state.view;
  const at = `"${kind}", layer=${layer ?? 0}, head=${head ?? 0}`;
  const lines = {
    tokens: ["print(seen.source.text)", "print(seen.source.tokens)", "print(seen.source.words)"],
    machine: [
      `for layer in range(seen.n_layers("${kind}")):`,
      `    print(seen.attention("${kind}", layer).shape)  # head, query, key`,
    ],
    attention: attention(state, at),
    evidence: [
      `weights = seen.attention(${at})  # query, key`,
      `print(weights[${row ?? 0}])`,
      `print(seen.attribute(step=${step ?? 0}, method="value_zeroing"))`,
    ],
    outputs: [
      `step = seen.steps()[${step ?? 0}]`,
      "print(step.reads, step.predicts, step.log_prob, step.top)",
      `print([layer[${step ?? 0}] for layer in seen.lens()])`,
    ],
    beam: ["for node in seen.beam.nodes:", "    print(node)"],
    "what-if": whatIf(state.edits),
  };
  if (panel === "atlas") return `# In a shell:\n# heed heads ${state.model} -o heads.json\n`;
  const made = speaksOf() === "writes" ? written(state) : traced(state);
  return [...made, ...(lines[panel] ?? []), ""].join("\n");
}

/** Return Python that makes the trace of a model that goes on with texts. */
function written({ model, text, target, most, temperature, seed }) {
  const drawn = `search=Sample(temperature=${temperature}, seed=${seed})`;
  const given = [
    "writer",
    literal(text),
    ...(target === null ? [] : [literal(target)]),
    ...(target === null ? [`most=${most}`] : []),
    ...(target === null && temperature ? [drawn] : []),
  ];
  return [
    "from pathlib import Path",
    "",
    "from heedful.inspect.prompted import trace_prompt",
    "from heedful.interop.huggingface import load",
    ...(target === null && temperature ? ["from heedful.search import Sample"] : []),
    "",
    `writer = load(Path(${literal(model)}))  # its folder`,
    `seen = trace_prompt(${given.join(", ")})`,
  ];
}

function traced({ model, text, from, to, target, beam, length_penalty }) {
  const given = [
    `load(${literal(model)})`,
    literal(text),
    ...(target === null ? [] : [`target=${literal(target)}`]),
    ...(to ? [`to=${literal(to)}`] : []),
    ...(from ? [`from_=${literal(from)}`] : []),
    ...(beam === 4 ? [] : [`beam=${beam}`]),
    ...(length_penalty === 0.6 ? [] : [`length_penalty=${length_penalty}`]),
  ];
  return [
    "from heedful import load",
    "from heedful.inspect import trace",
    "",
    `seen = trace(${given.join(", ")})`,
  ];
}

function attention({ view: { kind, layer, head, words } }, at) {
  return words
    ? [`print(seen.by_words("${kind}", ${layer ?? 0}, ${head ?? 0}))  # words by words`]
    : [`print(seen.attention(${at}))  # query, key`];
}

function whatIf({ ablate, how, replace, prefix }) {
  const given = [
    ...(ablate.length ? [`ablate=${literal(ablate)}`, `how=${literal(how)}`] : []),
    ...(Object.keys(replace).length ? [`replace=${literal(replace)}`] : []),
    ...(prefix === null ? [] : [`prefix=${literal(prefix)}`]),
  ];
  if (given.length === 0) return ['print(seen.what_if(ablate=["decoder.0.0"]))'];
  return [`print(seen.what_if(${given.join(", ")}))`];
}
