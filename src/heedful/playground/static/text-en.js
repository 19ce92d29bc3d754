/**
 * What a trace says in English: the texts that a saved page needs, too.
 *
 * text-zh.js has the same names, with the same facts in braces.
 */

/** @type {Record<string, import("heedful/i18n.js").Text>} */
export const TEXTS = {
  // kinds of attention, heads, rows
  "kind.encoder": "Encoder",
  "kind.decoder": "Decoder, to itself",
  "kind.cross": "Decoder, to the source",
  "head.encoder": "encoder layer {layer}, head {head}",
  "head.decoder": "decoder layer {layer}, head {head}, to itself",
  "head.cross": "decoder layer {layer}, head {head}, to the source",
  "layer.encoder": "encoder layer {layer}",
  "layer.decoder": "decoder layer {layer}, to itself",
  "layer.cross": "decoder layer {layer}, to the source",
  "head.n": "head {head}",
  "layer.n": "layer {layer}",
  "row.decoder": "reads {reads}, predicts {text}",
  "row.says": "{row} looks at {column}, {share}, {head}",
  "row.says.decoder": "{row}: looks at {column}, {share}, {head}",
  "row.hidden": "{row} looks only at what is hidden, {head}",
  "row.hidden.decoder": "{row}: looks only at what is hidden, {head}",
  "mass.shown": "{whole} of this head's weight goes to specials, {own} of this row's.",
  "mass.hidden":
    "Renormalised: {whole} of this head's weight lies on specials and is hidden, {own} of this " +
    "row's.",
  "nothing": "nothing",

  // attention
  "attention.title": "What each head looks at",
  "attention.kinds": "kind of attention",
  "attention.words": "By words",
  "attention.hide": "Hide specials and renormalise",
  "attention.table": "Show as table",
  "attention.reverse": "Who looks at it",
  "attention.numbers": "The chosen row in numbers",
  "attention.numbers.column": "The chosen column in numbers: who looks at {column}",
  "attention.python": "In Python, where layers and heads are counted from 0: ",
  "attention.keys":
    "In the map: arrow keys choose a row and a column, Page Up and Page Down the layer, " +
    "number keys the head.",
  "attention.caption":
    "This is where a head read from. It does not prove why the model answered as it did: " +
    "to find out, switch the head off, replace a word, and compare.",
  "attention.map": "What looks at what, {head}",
  "attention.from": "looks from",
  "attention.at": "looks at",
  "attention.reads": "reads → predicts",
  "attention.shares": "{head}: shares of each row",
  "attention.off": "Switch this head off",
  "attention.on": "Switch this head on again",
  "attention.isOff": "Switched off in “What if”. Shown is what it did before.",
  "attention.changes": "See what changes",
  "attention.none":
    "This model has no attention: all it knows of the sentence is what its encoder remembers at " +
    "the end.",
  "attention.wait": "These maps come once the translation is there.",
  "heads.off": "{head}, switched off",
  "heads.label": "layer and head",
  "heads.counting":
    "Layers and heads are numbered from 1 here, from 0 in Python and in saved data.",
  "arcs.label": "{kept} of what looks at what",
  "arcs.edges": "{kept} of {all} edges",
  "arcs.row":
    "Drawn is the chosen row alone: the fewest edges that carry {goal} of it. Of all rows they " +
    "would be {edges}, with {share}.",
  "arcs.rule": "Drawn are the fewest edges that carry {goal}: {edges}, with {share}.",

  // outputs
  "outputs.title": "What the decoder predicts",
  "outputs.step": "step",
  "outputs.reads": "reads",
  "outputs.predicts": "predicts",
  "outputs.probability": "probability",
  "outputs.stepNumber": "Step {step}",
  "outputs.said": "reads {reads}, predicts {predicts}, {share}, log p {logp}",
  "outputs.likelier": { one: "; {n} piece was likelier", other: "; {n} pieces were likelier" },
  "outputs.layer": "after",
  "outputs.layers": "Layer by layer",
  "outputs.lens":
    "What each decoder layer would say if it were the last. The output matrix was made for the " +
    "last layer alone, so early layers are a reading, not a translation.",
  "outputs.lensTable": "Likeliest pieces after each decoder layer",
  "outputs.temperature": "Temperature",
  "outputs.temperature.about":
    "Below 1 the likeliest piece gains, above 1 the others do. The search uses 1. Redrawn are " +
    "the {n} likeliest pieces; they share what they have together.",
  "outputs.ask": "How likely was another piece?",
  "outputs.ask.hint": "a piece, such as {example}",
  "outputs.ask.go": "Look up",
  "outputs.ask.said": "{piece}: rank {rank}, {share}, log p {logp}",

  "outputs.branch": "Go on from this piece instead",
  "outputs.branching": "Choose another piece, and the text goes on from there. Undo takes it back.",

  // where a model goes on with texts
  "head.decoder.writes": "layer {layer}, head {head}",
  "layer.decoder.writes": "layer {layer}",
  "outputs.title.writes": "What comes next",
  "outputs.lens.writes":
    "What each layer would say if it were the last. The output matrix was made for the last " +
    "layer alone, so early layers are a reading, not a prediction.",
  "outputs.lensTable.writes": "Likeliest pieces after each layer",
  "outputs.temperature.about.writes":
    "Below 1 the likeliest piece gains, above 1 the others do. Redrawn are the {n} likeliest " +
    "pieces; they share what they have together.",
  "pieces.source.writes": "The prompt",
  "pieces.target.writes": "The text, from its second piece on",
  "pieces.legend.writes": "▁ stands for a space. Hatched are specials, which are no words.",
  "trace.model.writes": {
    one: "{decoder} layers, {n} head, d_model {width}",
    other: "{decoder} layers, {n} heads, d_model {width}",
  },
  "trace.forced.writes": "What stands behind the prompt was given.",

  // search
  "beam.title": "How the translation was searched for",
  "beam.label": "tree of the search",
  "beam.dropped": "Show what was dropped",
  "beam.other":
    "This tree was grown anew, with weights that are not rounded, and ended elsewhere than the " +
    "translation above.",
  "beam.note":
    "Beam of {size}, length penalty {penalty}: {kept} beginnings kept, {dropped} dropped, " +
    "{ended} ended. The score is the total log p divided by the length penalty.",
  "beam.score": "score {score}",
  "beam.logp": "log p {logp}",
  "beam.node":
    "{piece}: log p {logp}, {share}; total {total}, score {score}; rank {rank} of {rivals} seen " +
    "at step {step}, {state}",
  "beam.state.kept": "kept",
  "beam.state.dropped": "dropped",
  "beam.state.ended": "ended",
  "beam.replay": "Steps shown",
  "beam.replay.said": "{step} of {steps}",
  "beam.use": "Look inside this one",
  "beam.compare": "Compare",

  // pieces
  "pieces.title": "Pieces",
  "pieces.source": "What the encoder reads",
  "pieces.target": "What the decoder writes",
  "pieces.legend":
    "▁ stands for a space. Hatched are specials: a language tag and the end, which are no words.",
  "pieces.piece": "piece {place}, number {id} of the vocabulary",
  "pieces.piece.special": "piece {place}, number {id} of the vocabulary, no word",
  "pieces.piece.bytes": "piece {place}, number {id} of the vocabulary, bytes of a letter",

  // the head of a saved page
  "trace.model": {
    one: "{encoder} encoder and {decoder} decoder layers, {n} head, d_model {width}",
    other: "{encoder} encoder and {decoder} decoder layers, {n} heads, d_model {width}",
  },
  "trace.named": "{name}: {about}",
  "trace.forced": "This translation was given; the search below found its own.",
  "trace.rounded":
    "This trace is long: its weights are rounded to 1/255, and shown without digits.",
  "trace.version":
    "This page reads traces of version {known}, and this one is of version {given}: save it " +
    "again with the heedful that opens it.",
  "trace.damaged": "The {kind} maps of this trace are damaged: save it again.",
  "trace.encoding": 'This page does not know weights written as "{enc}".',
};
