/**
 * What the server refuses, in Chinese; in English the server says it itself. The names are the
 * `code` of an answer (NAMES in heedful/playground/refused.py), or else its status.
 */

/** @type {Record<string, import("heedful/i18n.js").Text>} */
export const TEXTS = {
  "refused.atlas":
    "还没有人测量过 {name} 的这些头。用 heed heads FOLDER -o FOLDER/heads.json 可以测量，FOLDER 是模型所在的文件夹。",
  "refused.characters": "有 {n} 个字，最多允许 {most} 个；请一次只给一句话。",
  "refused.endless": "模型的译文一直没有结束。可以指定一句译文，再看它的内部。",
  "refused.model": "这里没有名为“{name}”的模型；已有：{known}。",
  "refused.piece": "分词器里没有“{piece}”这个词元。",
  "refused.pieces": "有 {n} 个词元，一次最多看 {most} 个的内部；请一次只给一句话。",
  "refused.trace": "服务器已不再保留这份记录，请重新提问。",
  "refused.weights": "有 {n} 个注意力权重，一页最多放 {most} 个；请换一个短些的句子。",
  "refused.word": "要替换的词不在这句话里，或者出现了不止一次。",
  "refused.409": "已经有了更新的问题，这一个不再回答。",
  "refused.500": "服务器内部出了错，这不是你的问题。",
  "refused.503": "服务器现在忙不过来，或者模型还没有准备好；请稍后再试。",
};
