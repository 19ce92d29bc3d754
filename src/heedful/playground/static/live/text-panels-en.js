/**
 * What the panels of the live page say in English; text-panels-zh.js has the same names.
 */

/** @type {Record<string, import("heedful/i18n.js").Text>} */
export const TEXTS = {
  // all panels
  "panels.table": "Show as table",
  "panels.close": "Close",
  "panels.sentence": "{text}.",
  "panels.joint": " ",
  "panels.nats": "{value} nats",

  // pieces
  "tokens.none": "Write a sentence, and see here what the model reads.",
  "tokens.raw": "What you wrote",
  "tokens.normalised": "What the model reads",
  "tokens.same": "The model reads it as it is: nothing had to be changed.",
  "tokens.changed":
    "Some signs can be written in several ways, and the model knows one of them. Crossed out is " +
    "what you wrote, underlined is what it reads instead.",
  "tokens.pieces": "Pieces and the words they spell",
  "tokens.legend":
    "A box is a piece, the small number is its number in the vocabulary, and below it stands the " +
    "word that it spells. ▁ stands for a space. Hatched boxes are signs for the model. Choose " +
    "a piece to see the numbers that it becomes.",
  "tokens.count": "{pieces} pieces, {words} words.",
  "tokens.no_word": "no word",
  "tokens.unknown":
    "In red: {pieces}. This is not in the vocabulary, so the model reads a sign that says " +
    "“unknown” in its place.",
  "tokens.bytes": "{character} is not a piece of its own: it is written as the bytes {hex}",
  "tokens.half": "bytes that spell no character: {hex}",
  "tokens.byte": "byte {hex} of {character}",
  "tokens.piece": "{piece}, piece {place}, number {id} of the vocabulary",
  "tokens.chosen": "Piece {place}: {piece}",
  "tokens.facts": "Number {id} of the vocabulary. Its embedding is {norm} long.",

  // embeddings
  "embedding.values": "embedding",
  "embedding.position": "position",
  "embedding.sum": "sum",
  "embedding.turn": "cosine of each turn",
  "embedding.show_turn": "Show its place",
  "embedding.turned":
    "The same words in another order would have the same embeddings. This model adds nothing to " +
    "them: it turns queries and keys, two numbers at a time, like the hands of clocks, the first " +
    "fast and the last slowly (rotary positions). Drawn is the cosine of {n} such turns at place " +
    "{place}.",
  "embedding.range": "{label}, the first {n} numbers, from {low} to {high}",
  "embedding.add": "Add positions",
  "embedding.first":
    "The first {n} numbers of its embedding: what the model knows of this piece before it has " +
    "looked at any other. A bar up is above 0, a bar down is below.",
  "embedding.added":
    "The same words in another order would have the same embeddings. So a pattern is added to " +
    "them, number by number, that is made of sines and cosines and says “place {place}”.",
  "embedding.position_rotary":
    "This model adds nothing for the place. It turns queries and keys by an angle that grows " +
    "with the place (rotary positions), in every attention to itself.",
  "embedding.position_alibi":
    "This model adds nothing for the place. In every attention to itself it takes off something " +
    "for distance (ALiBi).",
  "embedding.position_relative":
    "This model adds nothing for the place here. Every attention to itself learns what a " +
    "distance is worth (relative positions).",
  "embedding.position_none": "This model is told nothing about the order of its pieces.",
  "embedding.elsewhere": "This model learns about the order elsewhere, and adds nothing here.",
  "embedding.table": "The first numbers",
  "embedding.neighbours": "Nearest pieces, by the angle between embeddings (cosine)",

  // the machine
  "machine.picture":
    "The model: an encoder of {encoder} layers and a decoder of {decoder} layers, with {heads} " +
    "heads in each attention. The encoder's memory leads to every decoder layer.",
  "machine.title_encoder": "Encoder × {n}",
  "machine.title_decoder": "Decoder × {n}",
  "machine.heads": "Heads of the model",
  "machine.scope": "What heads matter for",
  "machine.encoder": "Self-attention",
  "machine.decoder": "Self-attention",
  "machine.cross": "To the source",
  "machine.feed_forward": "Feed-forward",
  "machine.source": "Source",
  "machine.written": "Written so far",
  "machine.embedding": "Embedding",
  "machine.positions": "plus positions",
  "machine.memory": "Memory",
  "machine.numbers": "{pieces} × {n}",
  "machine.numbers_each": "{n} a piece",
  "machine.linear": "Linear",
  "machine.softmax": "softmax",
  "machine.output": "Next piece",
  "machine.pieces": { one: "{n} piece", other: "{n} pieces" },
  "machine.step": "For step {step}: {piece}",
  "machine.step_none": "For this step",
  "machine.whole": "For the whole translation",
  "machine.matters": "matters {value}",
  "machine.is_off": "switched off",
  "machine.on": "Switch it on (x)",
  "machine.off": "Switch it off (x)",
  "machine.said": "For “{piece}” it matters {value}: number {rank} of {of}.",
  "machine.said_whole": "For the whole translation it matters {value}: number {rank} of {of}.",
  "machine.said_off": "It is switched off.",
  "machine.legend_much": "matters most",
  "machine.legend_little": "matters little",
  "machine.legend_off": "switched off",
  "machine.keys": "Arrow keys go from head to head, x switches one off.",
  "machine.estimate":
    "How much a head matters is an estimate: how fast log p changes when the head speaks a " +
    "little louder or softer, in nats. To measure it, switch the head off.",
  "machine.pre":
    "Not drawn: each part adds to what came in, and takes it in with its scale evened out (a " +
    "norm before each part; the paper has it after).",
  "machine.post":
    "Not drawn: each part adds to what came in, and the scale of the sum is evened out (a norm " +
    "after each part, as in the paper).",
  "machine.table": "How much each head matters, in nats",

  // evidence
  "evidence.none": "Choose a row and a column in the maps.",
  "evidence.pair": "“{from}” looks at “{to}”",
  "evidence.pair_decoder": "Where “{from}” is predicted, the model looks at “{to}”",
  "evidence.scope": "What is asked about",
  "evidence.of_translation": "the translation",
  "evidence.of_piece": "“{piece}”",
  "evidence.measuring": "Measuring …",
  "evidence.unknown": "not measured here",
  "evidence.caption":
    "Where the head read from. Not proof of why the model answered so. Test it: switch a head " +
    "off, replace a word, compare.",
  "evidence.attention": "Attention",
  "evidence.over_half": {
    one: "{n} of {of} heads gives it more than half",
    other: "{n} of {of} heads give it more than half",
  },
  "evidence.attention_means": "How much of its weight each head gives to this pair.",
  "evidence.value_norm": "Attention times what is said there",
  "evidence.value_norm_means":
    "A head may look hard at something that says little. Here weights are multiplied by how long " +
    "the value is that they fetch (Kobayashi 2020).",
  "evidence.rollout": "Rollout through all layers",
  "evidence.rollout_means":
    "Attention multiplied from layer to layer, half of each for what is passed on unchanged " +
    "(Abnar 2020): a rough picture of the whole way.",
  "evidence.gradient": "Gradient times embedding",
  "evidence.gradient_means":
    "What log p of {piece} owes to it by its slope: above 0 speaks for it.",
  "evidence.gradient_none": "Gradient times embedding",
  "evidence.gradient_none_means": "This is about one prediction: choose one above.",
  "evidence.zeroing": "Silence it",
  "evidence.zeroing_means":
    "By how much log p of {piece} changes if every head may look at “{to}”, but nothing is " +
    "said there, in any layer.",
  "evidence.ablation": "Switch the surest head off",
  "evidence.ablation_means": "By how much log p of {piece} changes without {head}.",
  "evidence.unchanged_less": "The translation stays, but the model is less sure of it.",
  "evidence.unchanged_more": "The translation stays, and the model is surer of it.",
  "evidence.unchanged":
    "The translation stays. No change: either unused, or others do the same job.",

  // what the server says, in the page's language
  "said.head_encoder": "head {head} of encoder layer {layer}",
  "said.head_decoder": "head {head} of decoder layer {layer} (to itself)",
  "said.head_cross": "head {head} of decoder layer {layer} (to the source)",
  "said.looked": {
    one: "{n} of {of} heads give it more than half, and {head} most, {share}.",
    other: "{n} of {of} heads give it more than half, and {head} most, {share}.",
  },
  "said.looked_none": "None of {of} heads gives it more than half; {head} gives most, {share}.",
  "said.changes":
    "Without what it says, {what} {silent}; without {head} {what} {without}, and what is written " +
    "{stays}.",
  "said.translation": "the translation",
  "said.prediction": "the prediction",
  "said.loses": "loses {value} nats",
  "said.gains": "gains {value} nats",
  "said.other": "is another",
  "said.same": "stays the same",
  "said.apart": "These do not agree: where a head looks is not by itself why the model answers.",
  "said.agree": "All three point the same way.",
  "said.little": "All three say that it matters little here.",
  "said.differs": "The translation changes; the first one {moved}",
  "said.stays": "The translation stays; the first one {moved}",
  "said.full": "{said}.",
  "said.unused": "{said}: either it is unused, or others do the same job.",

  // what if
  "whatif.edits": "What is changed",
  "whatif.clear": "Take all back",
  "whatif.take_back": "Take back: {edit}",
  "whatif.heads": "Switch a head off",
  "whatif.heads_hint": "Choose it in the machine or in the maps; the key x does the same.",
  "whatif.switch_off": "Switch off: {head}",
  "whatif.switch_on": "Switch on: {head}",
  "whatif.how": "How heads are switched off",
  "whatif.how_mean": "mean",
  "whatif.how_zero": "zero",
  "whatif.how_uniform": "uniform",
  "whatif.how_mean_means":
    "Mean: wherever it is asked, the head says what it says on average over this sentence.",
  "whatif.how_zero_means": "Zero: the head says nothing at all.",
  "whatif.how_uniform_means":
    "Uniform: the head looks at everything alike. If nothing changes, its picture explains " +
    "nothing.",
  "whatif.replace": "Replace a word",
  "whatif.replace_do": "Replace",
  "whatif.word": "word of the source",
  "whatif.by": "another word",
  "whatif.replaced": "{word} → {by}",
  "whatif.force": "Force the beginning",
  "whatif.force_do": "Force",
  "whatif.prefix": "how the translation begins",
  "whatif.begins": "begins with “{prefix}”",
  "whatif.nothing":
    "Nothing is changed yet. Switch a head off, replace a word or force a beginning: the model " +
    "translates again, and both translations are compared.",
  "whatif.working": "Translating again …",
  "whatif.source": "Source, as it is changed",
  "whatif.before": "Before",
  "whatif.after": "After",
  "whatif.steps": "Step by step, along the translation before",
  "whatif.table": "What the changed model thinks of each piece of the translation before",
  "whatif.piece": "piece",
  "whatif.p_before": "before",
  "whatif.p_after": "after",
  "whatif.change": "change of log p",
  "whatif.divergence": "KL",
  "whatif.means":
    "KL says how far the probabilities of all pieces moved, not only that of the piece that was " +
    "written: 0 is not at all. Both are in nats.",
  "whatif.most": "The head that looks elsewhere most, with {share} of its weight: ",
  "whatif.as_is": "As it is",
  "whatif.changed": "Changed",

  // two side by side
  "two.row": "Row: {row}",
  "two.means":
    "The head and the row are those that are chosen above. Each map is of its own trace.",
  "compared.title": "Side by side",
  "compared.one": "This translation",
  "compared.other": "The other one",
  "compared.working": "Reading the other one …",

  // every head in turn
  "exact.title": "Switch off every head in turn",
  "exact.about":
    "This measures what the dots in the machine estimate, one head after the other; those that " +
    "should matter most come first.",
  "exact.start": "Measure for “{piece}”",
  "exact.start_whole": "Measure for the whole translation",
  "exact.stop": "Stop",
  "exact.whole": "For the whole translation",
  "exact.far": "{done} of {of}",
  "exact.head": "head",
  "exact.change": "change of log p, in nats",
  "exact.table": "What changes without each head",

  // the atlas
  "atlas.verdict":
    "Does the model know what “it” stands for? What was measured, over many sentences:",
  "atlas.roles": "Heads with a role",
  "atlas.all": "all",
  "atlas.filter": "{text} ({count})",
  "atlas.place": "L{layer} H{head}",
  "atlas.score": "{name}: {value}",
  "atlas.caption":
    "The pictures are of this sentence; roles and scores were measured over many. A role says " +
    "what a head mostly does, not that the model needs it.",
  "atlas.role_positional": "positional",
  "atlas.role_syntactic": "syntactic",
  "atlas.role_rare-word": "rare word",
  "atlas.role_coreference": "coreference",
  "atlas.role_sink": "sink",
  "atlas.rule_positional": "Positional: looks at one offset from at least 90 % of the pieces.",
  "atlas.rule_syntactic":
    "Syntactic: finds a relation, such as a verb's subject, 10 points more often than the best " +
    "fixed offset does.",
  "atlas.rule_rare-word":
    "Rare word: looks at the rarest piece at least half of the time, and 10 points more often " +
    "than the best fixed offset would.",
  "atlas.rule_coreference":
    "Coreference: finds what “it” stands for 10 points more often than any fixed place does.",
  "atlas.rule_sink":
    "Sink: gives more than half of its weight to </s>, <s> and the language tag: it rests there.",
  "atlas.score_pieces": "measured on pieces",
  "atlas.score_offset": "usual offset",
  "atlas.score_at_offset": "looks at that offset",
  "atlas.score_rare": "looks at the rarest piece",
  "atlas.score_rare_by_offset": "the best offset would",
  "atlas.score_specials": "given to no word",
  "atlas.score_confidence": "surest weight, on average",
  "atlas.score_at_it": "looks at what “it” stands for",
  "atlas.score_relation": "relation",
};
