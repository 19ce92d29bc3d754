/**
 * What a trace says in Chinese: the same names as in text-en.js.
 */

/** @type {Record<string, import("heedful/i18n.js").Text>} */
export const TEXTS = {
  // kinds of attention, heads, rows
  "kind.encoder": "编码器",
  "kind.decoder": "解码器看自己",
  "kind.cross": "解码器看原文",
  "head.encoder": "编码器第 {layer} 层第 {head} 头",
  "head.decoder": "解码器第 {layer} 层第 {head} 头（看自己）",
  "head.cross": "解码器第 {layer} 层第 {head} 头（看原文）",
  "layer.encoder": "编码器第 {layer} 层",
  "layer.decoder": "解码器第 {layer} 层（看自己）",
  "layer.cross": "解码器第 {layer} 层（看原文）",
  "head.n": "头 {head}",
  "layer.n": "第 {layer} 层",
  "row.decoder": "读入“{reads}”、预测“{text}”",
  "row.says": "“{row}”看“{column}”：{share}，{head}",
  "row.says.decoder": "{row}时看“{column}”：{share}，{head}",
  "row.hidden": "“{row}”只看被隐藏的符号，{head}",
  "row.hidden.decoder": "{row}时只看被隐藏的符号，{head}",
  "mass.shown": "这个头有 {whole} 的权重落在特殊符号上，这一行有 {own}。",
  "mass.hidden": "已重新归一化：这个头落在特殊符号上的 {whole} 权重被隐藏，这一行为 {own}。",
  "nothing": "无",

  // attention
  "attention.title": "每个头在看哪里",
  "attention.kinds": "注意力的种类",
  "attention.words": "按词合并",
  "attention.hide": "隐藏特殊符号并重新归一化",
  "attention.table": "显示为表格",
  "attention.reverse": "谁在看它",
  "attention.numbers": "所选行的数值",
  "attention.numbers.column": "所选列的数值：谁在看“{column}”",
  "attention.python": "在 Python 中（层和头从 0 数起）：",
  "attention.keys": "在图中：方向键选行和列，Page Up 和 Page Down 换层，数字键换头。",
  "attention.caption":
    "这里显示的是一个头从哪里读取信息，并不能证明模型为什么这样回答。" +
    "想弄清原因，请关掉这个头，或者换一个词，再作比较。",
  "attention.map": "谁在看谁，{head}",
  "attention.from": "从这里看",
  "attention.at": "看向这里",
  "attention.reads": "读入 → 预测",
  "attention.shares": "{head}：每一行的份额",
  "attention.off": "关掉这个头",
  "attention.on": "重新打开这个头",
  "attention.isOff": "已在“如果……”中关掉，图中仍是关掉之前的样子。",
  "attention.changes": "看看有什么变化",
  "attention.none": "这个模型没有注意力：它对句子所知的一切，就是编码器读完时记住的内容。",
  "attention.wait": "译文出来之后才有这些图。",
  "heads.off": "{head}，已关掉",
  "heads.label": "层和头",
  "heads.counting": "这里的层和头从 1 数起，Python 和保存的数据里从 0 数起。",
  "arcs.label": "谁在看谁，画出{kept}",
  "arcs.edges": "{all} 条连线中的 {kept} 条",
  "arcs.row":
    "只画所选的一行：合计达到 {goal} 所需的最少连线。若画所有行，则是{edges}，占 {share}。",
  "arcs.rule": "只画出合计达到 {goal} 所需的最少连线：{edges}，占 {share}。",

  // outputs
  "outputs.title": "解码器预测什么",
  "outputs.step": "步",
  "outputs.reads": "读入",
  "outputs.predicts": "预测",
  "outputs.probability": "概率",
  "outputs.stepNumber": "第 {step} 步",
  "outputs.said": "读入“{reads}”，预测“{predicts}”，{share}，log p {logp}",
  "outputs.likelier": { other: "；有 {n} 个词元更可能" },
  "outputs.layer": "经过",
  "outputs.layers": "逐层来看",
  "outputs.lens":
    "假如某个解码层就是最后一层，它会说什么。输出矩阵只为最后一层训练，" +
    "所以前面各层的结果只是一种读法，不是译文。",
  "outputs.lensTable": "每个解码层之后最可能的词元",
  "outputs.temperature": "温度",
  "outputs.temperature.about":
    "低于 1，最可能的词元更占优；高于 1，其他词元机会更大。搜索用的是 1。" +
    "重画的是最可能的 {n} 个词元，它们分配的是自己合计的概率。",
  "outputs.ask": "另一个词元有多大可能？",
  "outputs.ask.hint": "一个词元，例如 {example}",
  "outputs.ask.go": "查询",
  "outputs.ask.said": "“{piece}”：第 {rank} 位，{share}，log p {logp}",

  "outputs.branch": "改从这个词元接着写",
  "outputs.branching": "点另一个词元，文字就从那里接着写。可以撤销。",

  // where a model goes on with texts
  "head.decoder.writes": "第 {layer} 层第 {head} 头",
  "layer.decoder.writes": "第 {layer} 层",
  "outputs.title.writes": "接下来是什么",
  "outputs.lens.writes":
    "假如某一层就是最后一层，它会说什么。输出矩阵只为最后一层训练，" +
    "所以前面各层的结果只是一种读法，不是预测。",
  "outputs.lensTable.writes": "每一层之后最可能的词元",
  "outputs.temperature.about.writes":
    "低于 1，最可能的词元更占优；高于 1，其他词元机会更大。" +
    "重画的是最可能的 {n} 个词元，它们分配的是自己合计的概率。",
  "pieces.source.writes": "提示",
  "pieces.target.writes": "全文，从第二个词元起",
  "pieces.legend.writes": "▁ 表示空格。带斜纹的是特殊符号，它们不是词。",
  "trace.model.writes": "{decoder} 层，{n} 个头，d_model {width}",
  "trace.forced.writes": "提示后面的文字是给定的。",

  // search
  "beam.title": "译文是怎样搜索出来的",
  "beam.label": "搜索树",
  "beam.dropped": "显示被舍弃的",
  "beam.other": "这棵树是用未舍入的权重重新搜索的，结果与上面的译文不同。",
  "beam.note":
    "束宽 {size}，长度惩罚 {penalty}：保留 {kept} 个开头，舍弃 {dropped} 个，完成 {ended} 个。" +
    "得分等于总 log p 除以长度惩罚。",
  "beam.score": "得分 {score}",
  "beam.logp": "log p {logp}",
  "beam.node":
    "“{piece}”：log p {logp}，{share}；累计 {total}，得分 {score}；" +
    "第 {step} 步见到的 {rivals} 个候选中排第 {rank}，{state}",
  "beam.state.kept": "保留",
  "beam.state.dropped": "舍弃",
  "beam.state.ended": "完成",
  "beam.replay": "显示到第几步",
  "beam.replay.said": "{step} / {steps}",
  "beam.use": "看看这一句的内部",
  "beam.compare": "对比",

  // pieces
  "pieces.title": "词元",
  "pieces.source": "编码器读到的",
  "pieces.target": "解码器写出的",
  "pieces.legend": "▁ 表示空格。带斜纹的是特殊符号：语言标记和结束符，它们不是词。",
  "pieces.piece": "第 {place} 个词元，词表中的第 {id} 号",
  "pieces.piece.special": "第 {place} 个词元，词表中的第 {id} 号，不是词",
  "pieces.piece.bytes": "第 {place} 个词元，词表中的第 {id} 号，是一个字的若干字节",

  // the head of a saved page
  "trace.model": "编码器 {encoder} 层，解码器 {decoder} 层，{n} 个头，d_model {width}",
  "trace.named": "{name}：{about}",
  "trace.forced": "这句译文是给定的；下面的搜索有自己的结果。",
  "trace.rounded": "这份记录较长：权重按 1/255 取整，显示时不带小数。",
  "trace.version":
    "本页只能读第 {known} 版的记录，这一份是第 {given} 版：请用打开它的 heedful 重新保存。",
  "trace.damaged": "这份记录的{kind}注意力图已损坏：请重新保存。",
  "trace.encoding": "本页不认识以“{enc}”方式写的权重。",
};
