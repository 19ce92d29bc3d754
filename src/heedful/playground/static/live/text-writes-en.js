/**
 * What the live page says otherwise in English of models that go on with texts;
 * text-writes-zh.js has the same names.
 */

/** @type {Record<string, import("heedful/i18n.js").Text>} */
export const TEXTS = {
  "page.title.writes": "heedful: write on and look inside",
  "panel.outputs.writes": "What comes next",
  "panel.empty.writes": "Write a beginning above.",
  "bar.label.writes": "prompt and model",
  "bar.text.writes": "Prompt",
  "bar.hint.writes": "Write a beginning.",
  "bar.example.writes": "{text}",
  "bar.target.writes": "What stands behind it",
  "bar.target.hint.writes": "Empty: the model writes by itself.",
  "bar.long.writes":
    "{n} characters are more than the {most} that are looked into. Nothing was sent.",
  "bar.times.writes": "{whole} ms: writing {search}, maps {read}",
  "bar.own.writes": "Let the model write by itself",
  "bar.forced.writes": "What stands behind the prompt was given.",
  "tokens.none.writes": "Write a beginning, and see here what the model reads.",
  "attention.wait.writes": "These maps come once the text is there.",
  "machine.picture.writes":
    "The model: a decoder of {decoder} layers with {heads} heads each, which looks at its own " +
    "text alone.",
  "machine.written.writes": "Read so far",
  "machine.whole.writes": "For all that it wrote",
  "machine.said_whole.writes":
    "For all that the model wrote it matters {value}: number {rank} of {of}.",
  "evidence.of_translation.writes": "the text",
  "evidence.unchanged_less.writes": "What is written stays, but the model is less sure of it.",
  "evidence.unchanged_more.writes": "What is written stays, and the model is surer of it.",
  "evidence.unchanged.writes":
    "What is written stays. No change: either unused, or others do the same job.",
  "said.head_decoder.writes": "head {head} of layer {layer}",
  "said.translation.writes": "the text",
  "said.changes.writes":
    "Without what it says, {what} {silent}; without {head} {what} {without}, and what is " +
    "written {stays}.",
  "said.differs.writes": "The text changes; the first one {moved}",
  "said.stays.writes": "The text stays; the first one {moved}",
  "whatif.word.writes": "word of the prompt",
  "whatif.force.writes": "Say how it goes on",
  "whatif.force_do.writes": "Go on",
  "whatif.prefix.writes": "how it goes on",
  "whatif.begins.writes": "goes on with “{prefix}”",
  "whatif.nothing.writes":
    "Nothing is changed yet. Switch a head off, replace a word or say how the prompt goes on: " +
    "the model writes again, and both texts are compared.",
  "whatif.working.writes": "Writing again …",
  "whatif.source.writes": "Prompt, as it is changed",
  "whatif.steps.writes": "Step by step, along what was written before",
  "whatif.table.writes": "What the changed model thinks of each piece that was written before",
  "exact.start_whole.writes": "Measure for all that it wrote",
  "exact.whole.writes": "For all that it wrote",
};
