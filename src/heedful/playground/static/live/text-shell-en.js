/**
 * What the live page says in English, but for its panels and its tour.
 */

/** @type {Record<string, import("heedful/i18n.js").Text>} */
export const TEXTS = {
  // the frame
  "page.title": "heedful: translate and look inside",
  "page.tabs": "what to do",
  "tab.translate": "Translate",
  "tab.inside": "Look inside",
  "tab.tour": "Tour",
  "page.language": "Language of this page",
  "page.theme": "Colours",
  "theme.auto": "Auto",
  "theme.light": "Light",
  "theme.dark": "Dark",
  "page.help": "Keys and help",
  "page.skip": "Skip to the content",
  "page.close": "Close",
  "page.panels": "panels",
  "page.broken": "This address could not be read. The page begins anew.",
  "page.noModel": "There is no model called “{name}” here. “{first}” is used.",
  "page.gone":
    "The server does not answer. What is shown stays; the page asks again every few seconds.",
  "page.retry": "Ask now",
  "page.back": "The server answers again.",
  "page.failed": "This could not be done.",
  "client.gone": "The server does not answer.",
  "client.refused": "The server refused this ({status}).",

  // panels
  "panel.tokens": "Pieces",
  "panel.machine": "The machine",
  "panel.attention": "What each head looks at",
  "panel.evidence": "What that is worth",
  "panel.outputs": "What the decoder predicts",
  "panel.beam": "How it was searched for",
  "panel.what-if": "What if",
  "panel.atlas": "What the heads do in general",
  "panel.python": "Copy as Python",
  "panel.empty": "Write a sentence above.",
  "copied": "Copied.",
  "copied.not": "The browser does not let this page copy. Select the text and copy it.",

  // translator
  "translator.from": "From",
  "translator.to": "To",
  "translator.detect": "Detect the language",
  "translator.detected": "Detected: {language}",
  "translator.swap": "Swap the languages",
  "translator.source": "Text",
  "translator.hint": "Write or paste a text, or drop a file here.",
  "translator.result": "Translation",
  "translator.clear": "Clear",
  "translator.copy": "Copy",
  "translator.inside": "Look inside",
  "translator.pick": "Click a sentence to see other ways to say it.",
  "translator.other": "Other ways to say it",
  "translator.same": "The model knows no other way.",
  "translator.length": "{n} of {most} characters",
  "translator.long":
    "{n} characters are more than the {most} that are translated here at once. Nothing was sent. " +
    "Drop a longer text as a file.",
  "translator.working": "Translating …",
  "translator.switched":
    "{language} is not translated to {before} here; the translation is in {after}.",
  "translator.file": "Translate a file",
  "translator.files":
    "Text, Markdown, HTML or subtitles: .txt, .md, .html, .srt. The structure stays.",
  "translator.file.kind": "{name}: only .txt, .md, .html and .srt are translated.",
  "translator.file.large": "{name} is larger than a megabyte. Nothing was sent.",
  "translator.file.working": "{name} is being translated …",
  "translator.file.done": "Download {name}",
  "translator.file.kept": {
    one: "{n} line stayed as it was: {lines}.",
    other: "{n} lines stayed as they were: {lines}.",
  },
  "translator.file.notes": "Lines: {notes}.",
  "flag.unfinished": "A sentence is unfinished: it became too long.",
  "flag.repeats": "A sentence repeats itself.",
  "flag.copied": "Some words stayed as they are: names, or words that the model does not know.",
  "flag.untranslated": "Something was kept as it is.",

  // bar
  "bar.label": "sentence and model",
  "bar.model": "Model",
  "bar.text": "Sentence",
  "bar.hint": "Write a sentence.",
  "bar.to": "Into",
  "bar.output": "Translation",
  "bar.examples": "Try",
  "bar.example": "{text} (into {language})",
  "bar.more": "More",
  "bar.target": "Given translation",
  "bar.target.hint": "Empty: the model searches for its own.",
  "bar.beam": "Beam",
  "bar.beam.about": "hypotheses that the search keeps; 1 is greedy",
  "bar.penalty": "Length penalty",
  "bar.undo": "Undo",
  "bar.redo": "Redo",
  "bar.share": "Copy link",
  "bar.shared": "The link is copied. It holds the sentence and all that is chosen.",
  "bar.export": "Save",
  "bar.long":
    "{n} characters are more than one sentence: at most {most} are looked into. Nothing was sent.",
  "bar.untrained": "This model is not trained: its maps are noise.",
  "bar.parameters": "{n} parameters",
  "bar.vocabulary": "vocabulary of {n}",
  "bar.bleu": "BLEU {bleu}",
  "bar.times": "{whole} ms: encoder {encode}, search {search}, maps {read}",
  "bar.working": "Working …",
  "bar.own": "Let the model translate by itself",
  "bar.forced": "The translation was given.",

  // saving
  "save.html": "This trace as a page that works without a network",
  "save.arcs": "The arcs",
  "save.map": "The heat map",
  "save.tree": "The search tree",
  "save.as": "{what}: {format}",
  "save.nothing": "There is nothing to save yet.",

  // keys
  "help.title": "Keys",
  "help.input": "write a sentence",
  "help.undo": "take back the last change",
  "help.redo": "do it again",
  "help.ablate": "switch the chosen head off, or on again",
  "help.help": "show this",
  "help.arrows": "in a map or tree: choose a row, a column, a node",
  "help.ends": "in a map: the first and the last column; with Ctrl the first and the last cell",
  "help.layers": "in a map: the layer before, the layer after",
  "help.heads": "in a map: the head",
  "help.switch": "Single keys do this",
  "help.about":
    "Nothing that you write leaves this server. Each panel can be copied as Python, and the link " +
    "of the page holds all that you see.",
};
