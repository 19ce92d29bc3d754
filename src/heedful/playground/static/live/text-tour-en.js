/**
 * The guided tour in English; text-tour-zh.js has the same names, with the same facts in braces.
 */

/** @type {Record<string, import("heedful/i18n.js").Text>} */
export const TEXTS = {
  // the frame
  "tour.progress": "Step {n} of {of}",
  "tour.next": "Next",
  "tour.back": "Back",
  "tour.close": "Close",
  "tour.smaller": "Fold",
  "tour.larger": "Unfold",
  "tour.jump": "Go to a step",
  "tour.show": "Show me in the panel",
  "tour.code": "The code:",
  "tour.keys": "Arrow keys: back and next. Home and End: first and last step. Esc: close.",
  "tour.nothing": "There is no sentence yet. Write one, or take one of these.",
  "tour.waiting": "This step waits for the model: its part of the trace is not there yet.",
  "tour.failed": "The model gave no trace of this sentence. Beside the sentence it says why.",
  "tour.asking": "Asking the model …",
  "tour.others": "{n} others",
  "tour.joint": " ",
  "tour.words": { one: "{n} word", other: "{n} words" },
  "tour.characters": { one: "{n} character", other: "{n} characters" },
  "tour.quoted": "“{text}”",
  "tour.layer": "layer",
  "tour.head": "head",
  "tour.number": "{n}",

  // 1
  "tour.sentence.short": "The sentence",
  "tour.sentence.title": "A sentence goes in, a sentence comes out",
  "tour.sentence.1":
    "Your sentence has {words}, and the model has written its translation. For every word " +
    "that it writes it may need any word of yours, the first as much as the last.",
  "tour.sentence.2":
    "Older models, recurrent networks (RNNs), read one word after the other and pass on one list " +
    "of numbers, in which everything so far has to fit. In a Transformer each word looks at " +
    "every other word directly, and all of them do so at the same time.",
  "tour.sentence.3":
    "The picture counts the steps between two of your words. Whether fewer steps make better " +
    "translations is a question for measurements, not for a picture.",
  "tour.sentence.soon": "The translation is on its way …",
  "tour.sentence.choose": "To which word?",
  "tour.sentence.same": "Choose a later word to see how far it is from {first}.",
  "tour.sentence.said": {
    one: "From {first} to {last}: {n} step word by word, and 1 step by attention.",
    other: "From {first} to {last}: {n} steps word by word, but 1 step by attention.",
  },
  "tour.sentence.direct": "attention: {n} step",
  "tour.sentence.hops": { one: "word by word: {n} step", other: "word by word: {n} steps" },
  "tour.sentence.own": "Your own sentence",
  "tour.sentence.go": "Take it",

  // 2
  "tour.pieces.short": "Pieces",
  "tour.pieces.title": "Words become pieces, pieces become numbers",
  "tour.pieces.1":
    "The model does not know words. It knows {vocabulary} pieces that were learnt from text: a " +
    "frequent word is one piece, a rare one is spelled from several.",
  "tour.pieces.2":
    "Each piece has a number, and from here on the model sees nothing but these numbers. ▁ " +
    "stands for a space. Hatched are pieces that are no words: the language that is wanted, and " +
    "the end.",
  "tour.pieces.count": { one: "{words}, {n} piece.", other: "{words}, {n} pieces." },
  "tour.pieces.plus": " + ",
  "tour.pieces.split": "{word} is spelled from several: {parts}.",
  "tour.pieces.wide": "{piece} is one piece for {n} characters.",
  "tour.pieces.whole": "Every word is one piece here. Try a rare word.",

  // 3
  "tour.embeddings.short": "Embeddings",
  "tour.embeddings.title": "Each piece gets a list of numbers",
  "tour.embeddings.1":
    "The number of a piece is only a name; nothing can be computed with it. So the model looks " +
    "the piece up in a table that holds {d} numbers for each: its embedding.",
  "tour.embeddings.2":
    "Nobody wrote these numbers. They began at random, and training moved them, a little at a " +
    "time, to where translations came out better. Pieces that are used alike often end up with " +
    "lists alike: see their nearest neighbours.",
  "tour.embeddings.first": "first",
  "tour.embeddings.second": "second",
  "tour.embeddings.strip": "The first {n} numbers of {piece} as bars",
  "tour.embeddings.near": "nearest (cosine):",
  "tour.embeddings.said":
    "Drawn are the first {n} of {d} numbers; the longest bar is {largest} away from 0.",

  // 4
  "tour.positions.short": "Positions",
  "tour.positions.title": "Where does each piece stand?",
  "tour.positions.1":
    "Attention, which comes next, sees a set of pieces, not a row of them. Without a hint, the " +
    "same words in any other order would be the same sentence to it.",
  "tour.positions.2":
    "The paper's hint is a pattern of waves that is added to the embeddings: quick waves in the " +
    "first numbers, slow ones in the last. So each place has a pattern of its own.",
  "tour.positions.waves":
    "The paper's waves for your first {n} pieces, counted from 0: some of the first half of the " +
    "numbers. Orange is above 0, blue below.",
  "tour.positions.wavesLabel": "The paper's pattern of sines and cosines for {n} positions",
  "tour.positions.sinusoidal": "This model does just that.",
  "tour.positions.learned":
    "This model has learnt a list of numbers for each place instead, and adds that.",
  "tour.positions.rotary":
    "This model gives the hint in another way: it turns queries and keys like the hands of " +
    "clocks, further at each place (rotary positions, 2021). How far two pieces are apart then " +
    "shows in the angle between their hands.",
  "tour.positions.alibi":
    "This model gives the hint in another way: the farther away a piece is, the more is taken " +
    "from its score (ALiBi, 2021).",
  "tour.positions.relative":
    "This model gives the hint in another way: it has learnt what each distance adds to a score " +
    "(Shaw and others, 2018).",
  "tour.positions.none": "This model gets no hint: it cannot know the order.",
  "tour.positions.clocks":
    "Four of the {d} hands of each head, at your pieces 0, 1, 2 and so on: the first turns fast, " +
    "the last hardly at all.",
  "tour.positions.clocksLabel": "Four hands at each place; each turns at its own speed",
  "tour.positions.pair": "hand {n}",
  "tour.positions.order": "The same words in another order",
  "tour.positions.shuffle": "Shuffle the words",
  "tour.positions.again": "Shuffle again",
  "tour.positions.one": "These words have no other order. Try a longer sentence.",
  "tour.positions.same": "The same translation: the order of these words made no difference.",
  "tour.positions.differs": "Another translation: the order of the words matters to this model.",

  // 5
  "tour.attention.short": "Attention",
  "tour.attention.title": "One piece asks, all answer",
  "tour.attention.1":
    "From its numbers each piece makes three new lists: the query says what it looks for, the " +
    "key what it has to offer, the value what it hands on.",
  "tour.attention.2":
    "The piece that asks compares its query with every key: multiply number by number, add up, " +
    "divide by √{dk}. That is a score. Softmax makes shares of the scores: e to the power of " +
    "each, divided by the sum of all, so that they add up to 100 %.",
  "tour.attention.3": "The values, mixed in these shares, are what the piece takes away.",
  "tour.attention.choose": "Which piece asks?",
  "tour.attention.query": "query",
  "tour.attention.key": "key",
  "tour.attention.product":
    "Multiply the {n} numbers in pairs, add up, divide by {root}: the score is {score}.",
  "tour.attention.caption": "{piece} asks, every piece answers",
  "tour.attention.piece": "piece",
  "tour.attention.score": "score",
  "tour.attention.power": "e^(score − highest)",
  "tour.attention.weight": "share",
  "tour.attention.sum": "sum",
  "tour.attention.derived":
    "The scores are worked back from the shares here; only their differences count.",
  "tour.attention.mixed": "It takes away {sum}, where v(…) is the value of a piece.",
  "tour.attention.said": "{piece} reads most from {best}: {share}.",

  // 6
  "tour.heads.short": "Many heads",
  "tour.heads.title": "Many heads look at once",
  "tour.heads.1":
    "All this happens many times side by side: in each of {encoder} layers there are {heads} " +
    "heads, with queries, keys and values of their own. The small pictures show what each of the " +
    "encoder's {all} heads reads for one piece.",
  "tour.heads.2":
    "It is tempting to call them a panel of experts. Some heads do have a habit, such as looking " +
    "at the piece before. Many have none that anybody could name.",
  "tour.heads.choose": "A row for each layer, a column for each head",
  "tour.heads.said": "{head}: {piece} reads most from {best}, {share}.",
  "tour.heads.before": {
    one: "On this sentence {share} of the pieces look at the piece before them.",
    other: "On this sentence {share} of the pieces look {n} pieces back.",
  },
  "tour.heads.after": {
    one: "On this sentence {share} of the pieces look at the piece after them.",
    other: "On this sentence {share} of the pieces look {n} pieces ahead.",
  },
  "tour.heads.self": "On this sentence {share} of the pieces look at themselves.",
  "tour.heads.special":
    "On this sentence {share} of its weight goes to pieces that are no words.",
  "tour.heads.none": "On this sentence it follows no simple rule.",
  "tour.heads.role": "Measured over many sentences: {role}.",
  "tour.heads.noRole": "Measured over many sentences, it has none of the roles that are known.",
  "tour.role.positional": "it looks at one and the same distance",
  "tour.role.syntactic": "it finds words that belong together by grammar",
  "tour.role.rare-word": "it looks at rare words",
  "tour.role.coreference": "from “it” it looks at the noun that is meant",
  "tour.role.sink": "most of its weight goes to pieces that are no words",

  // 7
  "tour.layers.short": "Layers",
  "tour.layers.title": "Think alone, add, and again",
  "tour.layers.1":
    "After attention comes a small network that works on each piece alone. It stretches the {d} " +
    "numbers to {ff}, bends them, and shrinks them to {d} again: the feed-forward network.",
  "tour.layers.2":
    "Neither of the two replaces what was there. The result is added to it, which is called a " +
    "residual connection, and a normalisation keeps the numbers in range.",
  "tour.layers.3":
    "Together that is one layer. This model's encoder has {encoder}, its decoder {decoder}. " +
    "Choose a part to see where it sits.",
  "tour.layers.choose": "Which part?",
  "tour.layers.label":
    "The machine: {encoder} encoder layers, {decoder} decoder layers, {heads} heads in each " +
    "attention",
  "tour.layers.encoder": { one: "encoder: {n} layer", other: "encoder: {n} layers" },
  "tour.layers.decoder": { one: "decoder: {n} layer", other: "decoder: {n} layers" },
  "tour.part.embed": "Embedding",
  "tour.part.attention": "Self-attention",
  "tour.part.feedforward": "Feed-forward",
  "tour.part.residual": "Add and normalise",
  "tour.part.masked": "Masked attention",
  "tour.part.cross": "Attention to the source",
  "tour.part.softmax": "Linear and softmax",
  "tour.block.embed": "embedding",
  "tour.block.attention": "attention",
  "tour.block.feedforward": "feed-forward",
  "tour.block.masked": "masked",
  "tour.block.cross": "to source",
  "tour.block.softmax": "linear, softmax",
  "tour.layers.embed": "Each piece becomes {d} numbers.",
  "tour.layers.attention":
    "All pieces of the source look at each other, with {heads} heads of {dk} numbers each.",
  "tour.layers.feedforward": "On each piece alone: {d} numbers become {ff}, and {d} again.",
  "tour.layers.feedforward.unknown": "On each piece alone: {d} numbers become more, and {d} again.",
  "tour.layers.residual":
    "Around every block: what came in is added to what comes out. So a block only has to say " +
    "what should change.",
  "tour.layers.masked":
    "The pieces of the translation look at each other, but only back. The next step shows why.",
  "tour.layers.cross": "The translation looks at what the encoder has made of the source.",
  "tour.layers.softmax": "{d} numbers become a probability for each of {vocabulary} pieces.",
  "tour.layers.pre_norm":
    "f is the block. This model normalises before it; the paper does so after it: norm(x + f(x)).",
  "tour.layers.post_norm": "f is the block. Like the paper, this model normalises after it.",
  "tour.layers.lens": "What each decoder layer would say at step {n}, if it were the last:",
  "tour.layers.says": "layer {n}",

  // 8
  "tour.mask.short": "No peeking",
  "tour.mask.title": "The decoder writes, and may not peek",
  "tour.mask.1":
    "The decoder writes one piece after the other, and looks back at what it has written. To " +
    "learn, it is shown whole translations. If it could look ahead there, it would copy the next " +
    "piece and learn nothing.",
  "tour.mask.2":
    "So all that comes later is masked: its score becomes the lowest number there is, and " +
    "softmax makes exactly 0 of that. These are the crossed-out cells.",
  "tour.mask.said": "To predict {piece}, this head reads most from {best}: {share}.",
  "tour.mask.hidden": {
    one: "{n} later piece is hidden from it: exactly 0.",
    other: "{n} later pieces are hidden from it: exactly 0.",
  },
  "tour.mask.last": "Nothing comes later, so nothing is hidden.",
  "tour.mask.label": "What {n} steps of the decoder look at: back, and never ahead",

  // 9
  "tour.cross.short": "To the source",
  "tour.cross.title": "From the translation back to the source",
  "tour.cross.1":
    "In each decoder layer a second attention asks the source. Its queries come from the " +
    "translation, its keys and values from the encoder: here the two languages meet.",
  "tour.cross.2":
    "Choose a piece of the translation. The higher the bar over a piece of the source, the more " +
    "this head read from it to predict yours.",
  "tour.cross.3": "Where a head reads is no proof of why the model wrote what it did.",
  "tour.cross.choose": "Which piece of the translation?",
  "tour.cross.said": "For {piece} this head reads most from {best}: {share}.",
  "tour.cross.special":
    "{special} goes to pieces that are no words, where a head often looks when it finds nothing " +
    "else.",

  // 10
  "tour.softmax.short": "The next piece",
  "tour.softmax.title": "From numbers to the next piece",
  "tour.softmax.1":
    "In the end each of {targets} pieces gets a score, and softmax makes probabilities of them: " +
    "the model's guess at the next piece.",
  "tour.softmax.2":
    "Always taking the likeliest is greedy search. Beam search keeps the {beam} best beginnings " +
    "and goes on with all of them, because what looks best now may lead to a worse sentence.",
  "tour.softmax.choose": "Which step?",
  "tour.softmax.said": "{piece} has a probability of {share} (log p {logp}).",
  "tour.softmax.first": "No other piece was likelier.",
  "tour.softmax.later": { one: "{n} piece was likelier.", other: "{n} pieces were likelier." },
  "tour.softmax.others": "{n} others",
  "tour.softmax.beam": "The best that the search found, of {size} kept at a time",
  "tour.softmax.score": "score {score}, log p {logp}",
  "tour.softmax.greedy":
    "Greedy search would have written the same: the likeliest piece was taken at every step.",
  "tour.softmax.beamed":
    "Greedy search would have gone another way at step {n}: {piece} was not the likeliest there.",

  // 11
  "tour.it.short": "“It”",
  "tour.it.title": "What does “it” stand for?",
  "tour.it.1":
    "In “The cat ate the fish because it was hungry”, it is the cat. Say “tasty”, and it is the " +
    "fish. The popular account is that attention settles this: “it” asks, and “cat” answers " +
    "loudest.",
  "tour.it.2":
    "Here that is tested on this model. German has to choose: sie for the cat (die Katze), er " +
    "for the fish (der Fisch). So the translation shows which noun the model took, and that says " +
    "more than a picture of attention.",
  "tour.it.none": "Your sentence has no “it”. Take one of these to see the test.",
  "tour.it.try": "Sentences to try",
  "tour.it.unforced":
    "This language says “{word}” for either noun, so its translation cannot show which was " +
    "taken. What is left to see is where heads look, and that alone proves nothing.",
  "tour.it.pair": "The test: one word is changed",
  "tour.it.right":
    "Here each sentence got the pronoun that fits. One pair proves nothing yet: heed heads " +
    "counts hundreds.",
  "tour.it.same": "“{word}” both times: in this pair the model does not tell the two apart.",
  "tour.it.differ": "The pronouns are {own} and {other}: not what fits the two nouns.",
  "tour.it.evidence": "The evidence on {it} and {word}",
  "tour.it.word": "compared with",
  "tour.it.rule":
    "Heedful says that a model resolves “it” only where attention, what changes without it, and " +
    "the output agree.",

  // 12
  "tour.rnn.short": "An RNN",
  "tour.rnn.title": "What an RNN would do here",
  "tour.rnn.1":
    "In the years before the Transformer, networks that translated were recurrent. Here a real " +
    "one, a small {rnn}, translates your sentence, too. Both models take the likeliest piece at " +
    "every step.",
  "tour.rnn.2":
    "It reads one piece after the other and keeps one list of numbers, which it changes at each. " +
    "Its decoder gets the list as it is in the end, and nothing else. A Transformer's decoder " +
    "can look back at every piece.",
  "tour.rnn.other":
    "This {rnn} translates {pairs} alone, and your sentence goes another way. Take one of these.",
  "tour.rnn.pair": "{from} to {to}",
  "tour.rnn.and": " and ",
  "tour.rnn.transformer": "Transformer",
  "tour.rnn.weights": "{weights} weights.",
  "tour.rnn.learnt": "Trained in {steps} steps on {pieces} pieces of translations, from:",
  "tour.rnn.unsaid": "Its card does not say what it learnt from.",
  "tour.rnn.endless": "It came to no end: the search stopped it here.",
  "tour.rnn.same":
    "Both write the same here. On short sentences an RNN may do as well; try a longer one.",
  "tour.rnn.differ": "They write differently here. Judge for yourself which is better.",
  "tour.rnn.fair":
    "One sentence is no proof, and this is no fair fight: the two differ in size, and in what " +
    "and how long they learnt. heed claims measures models of equal size on equal data; the " +
    "story is told in docs/from-rnn-to-transformer.md.",
  "tour.rnn.list": "All of it in one list",
  "tour.rnn.handed":
    "The {rnn}'s decoder gets {handed} numbers, of this sentence as of any other. The " +
    "Transformer's gets {all} of this one, and more of a longer one.",
  "tour.rnn.caption": "What each translation hangs on",
  "tour.rnn.word": "word",
  "tour.rnn.how":
    "One word at a time is blanked out: its numbers become zeros. The bar is how much less " +
    "likely that makes the model's translation (in logarithms), as a share of all such losses. " +
    "A word without a bar was not needed for it.",
  "tour.rnn.backward":
    "The {rnn} reads from the end, so that it read the first half of your sentence last. {own} " +
    "of what its translation hangs on lies there; of the Transformer's it is {other}.",
  "tour.rnn.forward":
    "The {rnn} read the second half of your sentence last. {own} of what its translation hangs " +
    "on lies there; of the Transformer's it is {other}.",
  "tour.rnn.waiting": "One step after the other",
  "tour.rnn.steps":
    "{rnn}: {reading} + {writing} = {steps} steps that wait for each other. Transformer: " +
    "{read} + {written} = {others}.",
  "tour.rnn.seconds":
    "Blue is reading, orange writing. The Transformer reads all pieces at once; writing goes " +
    "piece by piece in both. In training, where the translation is known, it needs 1 + 1. Steps " +
    "are no seconds: on short sentences and few cores an RNN may be as fast.",
  "tour.rnn.longer": "Try a longer sentence",
};
