/**
 * What the live page says otherwise in Chinese of models that go on with texts;
 * text-writes-en.js has the same names.
 */

/** @type {Record<string, import("heedful/i18n.js").Text>} */
export const TEXTS = {
  "page.title.writes": "heedful：接着写，看内部",
  "panel.outputs.writes": "接下来是什么",
  "panel.empty.writes": "请在上面写一个开头。",
  "bar.label.writes": "提示和模型",
  "bar.text.writes": "提示",
  "bar.hint.writes": "写一个开头。",
  "bar.example.writes": "{text}",
  "bar.target.writes": "指定后文",
  "bar.target.hint.writes": "留空则由模型自己写。",
  "bar.long.writes": "{n} 个字太长：最多看 {most} 个字的内部。没有发送。",
  "bar.times.writes": "{whole} 毫秒：写作 {search}，注意力图 {read}",
  "bar.own.writes": "让模型自己写",
  "bar.forced.writes": "提示后面的文字是给定的。",
  "tokens.none.writes": "写一个开头，在这里看模型读到什么。",
  "attention.wait.writes": "文字写出之后，这里才有图。",
  "machine.picture.writes": "这个模型：只有解码器，{decoder} 层，每层 {heads} 个头，只看自己的文字。",
  "machine.written.writes": "已读的文字",
  "machine.whole.writes": "针对它写的全部",
  "machine.said_whole.writes": "对模型写的全部文字，它的重要性是 {value}：{of} 个里排第 {rank}。",
  "evidence.of_translation.writes": "写出的文字",
  "evidence.unchanged_less.writes": "写出的文字没有变，但模型对它不那么有把握了。",
  "evidence.unchanged_more.writes": "写出的文字没有变，模型对它反而更有把握。",
  "evidence.unchanged.writes": "写出的文字没有变。没有变化：要么它没被用到，要么别的头做着同样的事。",
  "said.head_decoder.writes": "第 {layer} 层第 {head} 头",
  "said.translation.writes": "写出的文字",
  "said.changes.writes":
    "让那里沉默，{what}的 log p {silent}；关掉{head}，{what}的 log p {without}，写出的文字{stays}。",
  "said.differs.writes": "文字变了；原来的文字 log p {moved}",
  "said.stays.writes": "文字没有变；它的 log p {moved}",
  "whatif.word.writes": "提示中的词",
  "whatif.force.writes": "指定怎样接下去",
  "whatif.force_do.writes": "接下去",
  "whatif.prefix.writes": "怎样接下去",
  "whatif.begins.writes": "接着“{prefix}”",
  "whatif.nothing.writes": "还没有改动。关掉一个头、换一个词，或者指定提示怎样接下去：模型会重新写，再把两段文字放在一起比较。",
  "whatif.working.writes": "正在重写……",
  "whatif.source.writes": "改动后的提示",
  "whatif.steps.writes": "沿着之前写出的文字，一步一步看",
  "whatif.table.writes": "改动后的模型怎样看待之前写出的每个词元",
  "exact.start_whole.writes": "针对它写的全部实测",
  "exact.whole.writes": "针对它写的全部",
};
