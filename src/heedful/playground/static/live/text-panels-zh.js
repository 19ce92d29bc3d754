/**
 * What the panels of the live page say in Chinese: the same names as in text-panels-en.js.
 */

/** @type {Record<string, import("heedful/i18n.js").Text>} */
export const TEXTS = {
  // all panels
  "panels.table": "以表格显示",
  "panels.close": "关闭",
  "panels.sentence": "{text}。",
  "panels.joint": "",
  "panels.nats": "{value} 奈特",

  // pieces
  "tokens.none": "写一句话，就能在这里看到模型读到了什么。",
  "tokens.raw": "你写的",
  "tokens.normalised": "模型读到的",
  "tokens.same": "模型原样读入，无需改动。",
  "tokens.changed":
    "同一个符号可以有几种写法，模型只认其中一种。划掉的是你写的，加下划线的是模型实际读到的。",
  "tokens.pieces": "词元，以及它们拼成的词",
  "tokens.legend":
    "每个方框是一个词元，小字是它在词表中的编号，下面是它所拼成的词。▁ 代表空格。" +
    "带斜纹的是给模型看的标记。点一个词元，可以看到它变成的数字。",
  "tokens.count": "{pieces} 个词元，{words} 个词。",
  "tokens.no_word": "不是词",
  "tokens.unknown": "红色的是 {pieces}：词表里没有，模型读到的只是一个表示“未知”的标记。",
  "tokens.bytes": "“{character}”不在词表里，要用字节 {hex} 来拼",
  "tokens.half": "拼不成字符的字节：{hex}",
  "tokens.byte": "“{character}”的字节 {hex}",
  "tokens.piece": "“{piece}”，第 {place} 个词元，词表编号 {id}",
  "tokens.chosen": "第 {place} 个词元：{piece}",
  "tokens.facts": "词表编号 {id}，嵌入向量的长度是 {norm}。",

  // embeddings
  "embedding.values": "嵌入",
  "embedding.position": "位置",
  "embedding.sum": "相加",
  "embedding.turn": "各个转角的余弦",
  "embedding.show_turn": "显示它的位置",
  "embedding.turned":
    "同样的词换个顺序，嵌入还是一样的。这个模型不在嵌入上加东西，而是把查询和键两个数一组地旋转，" +
    "像钟表的指针：前面的转得快，后面的转得慢（旋转位置编码）。" +
    "画出的是第 {place} 个位置上 {n} 个转角的余弦。",
  "embedding.range": "{label}的前 {n} 个数，从 {low} 到 {high}",
  "embedding.add": "加上位置",
  "embedding.first":
    "嵌入向量的前 {n} 个数：在看别的词元之前，模型对这个词元所知道的一切。" +
    "向上的柱子大于 0，向下的小于 0。",
  "embedding.added":
    "同样的词换个顺序，嵌入还是一样的。所以要逐个数地加上一组由正弦和余弦组成的花纹，" +
    "告诉模型“这是第 {place} 个位置”。",
  "embedding.position_rotary":
    "这个模型在这里不加位置。它在每一层的自注意力里，把查询和键按位置旋转一个角度（旋转位置编码）。",
  "embedding.position_alibi":
    "这个模型在这里不加位置。它在每一层的自注意力里，距离越远扣分越多（ALiBi）。",
  "embedding.position_relative":
    "这个模型在这里不加位置。每一层的自注意力自己学会不同的距离值多少分（相对位置）。",
  "embedding.position_none": "这个模型完全不知道词元的先后顺序。",
  "embedding.elsewhere": "这个模型在别处得知顺序，这里什么也不加。",
  "embedding.table": "前几个数",
  "embedding.neighbours": "最相近的词元（按嵌入向量的夹角余弦）",

  // the machine
  "machine.picture":
    "模型：编码器 {encoder} 层，解码器 {decoder} 层，每处注意力有 {heads} 个头。" +
    "编码器的记忆通向解码器的每一层。",
  "machine.title_encoder": "编码器 × {n}",
  "machine.title_decoder": "解码器 × {n}",
  "machine.heads": "模型的注意力头",
  "machine.scope": "对什么重要",
  "machine.encoder": "自注意力",
  "machine.decoder": "自注意力",
  "machine.cross": "看原文",
  "machine.feed_forward": "前馈网络",
  "machine.source": "原文",
  "machine.written": "已写出的",
  "machine.embedding": "嵌入",
  "machine.positions": "加上位置",
  "machine.memory": "记忆",
  "machine.numbers": "{pieces} × {n}",
  "machine.numbers_each": "每个词元 {n} 个数",
  "machine.linear": "线性层",
  "machine.softmax": "softmax",
  "machine.output": "下一个词元",
  "machine.pieces": { other: "{n} 个词元" },
  "machine.step": "对第 {step} 步：{piece}",
  "machine.step_none": "对这一步",
  "machine.whole": "对整句译文",
  "machine.matters": "重要性 {value}",
  "machine.is_off": "已关闭",
  "machine.on": "重新打开（x）",
  "machine.off": "关闭这个头（x）",
  "machine.said": "它对“{piece}”的重要性是 {value}，在 {of} 个头里排第 {rank}。",
  "machine.said_whole": "它对整句译文的重要性是 {value}，在 {of} 个头里排第 {rank}。",
  "machine.said_off": "它已被关闭。",
  "machine.legend_much": "最重要",
  "machine.legend_little": "不太重要",
  "machine.legend_off": "已关闭",
  "machine.keys": "方向键在头之间移动，x 键关闭一个头。",
  "machine.estimate":
    "重要性只是估计：这个头说话稍响一点或轻一点，log p 变化有多快（单位：奈特）。要实测，就把它关掉。",
  "machine.pre":
    "图中没画：每个部件的输出都加回到输入上，而读入之前先把尺度拉平（归一化在前；论文里在后）。",
  "machine.post":
    "图中没画：每个部件的输出都加回到输入上，然后把尺度拉平（归一化在后，与论文相同）。",
  "machine.table": "每个头的重要性（奈特）",

  // evidence
  "evidence.none": "请在图中选一行一列。",
  "evidence.pair": "“{from}”看“{to}”",
  "evidence.pair_decoder": "预测“{from}”时，模型看“{to}”",
  "evidence.scope": "针对什么",
  "evidence.of_translation": "整句译文",
  "evidence.of_piece": "“{piece}”",
  "evidence.measuring": "正在测量……",
  "evidence.unknown": "这里没有测量",
  "evidence.caption":
    "这是注意力头读取的地方，并不能证明模型为什么这样回答。要检验，就关掉一个头、换一个词，再比较。",
  "evidence.attention": "注意力",
  "evidence.over_half": { other: "{of} 个头里有 {n} 个给了它一半以上" },
  "evidence.attention_means": "每个头把多少权重给了这一对。",
  "evidence.value_norm": "注意力乘以那里说的话",
  "evidence.value_norm_means":
    "一个头可能紧盯着某处，那里却没说什么。这里用权重乘以所取回的值向量的长度（Kobayashi 2020）。",
  "evidence.rollout": "贯穿各层的注意力（rollout）",
  "evidence.rollout_means":
    "把各层注意力连乘起来，每层留一半给原样通过的部分（Abnar 2020）：全程的一幅粗略图。",
  "evidence.gradient": "梯度乘以嵌入",
  "evidence.gradient_means": "按斜率看，{piece}的 log p 有多少归功于它：大于 0 表示支持。",
  "evidence.gradient_none": "梯度乘以嵌入",
  "evidence.gradient_none_means": "这一项只针对某一步预测：请在上面选一步。",
  "evidence.zeroing": "让它沉默",
  "evidence.zeroing_means": "如果每个头都可以看“{to}”，但在每一层里那里都什么也不说，{piece}的 log p 会变多少。",
  "evidence.ablation": "关掉最有把握的头",
  "evidence.ablation_means": "没有{head}，{piece}的 log p 会变多少。",
  "evidence.unchanged_less": "译文没有变，但模型对它不那么有把握了。",
  "evidence.unchanged_more": "译文没有变，模型对它反而更有把握。",
  "evidence.unchanged": "译文没有变。没有变化：要么它没被用到，要么别的头做着同样的事。",

  // what the server says, in the page's language
  "said.head_encoder": "编码器第 {layer} 层第 {head} 头",
  "said.head_decoder": "解码器第 {layer} 层第 {head} 头（看自己）",
  "said.head_cross": "解码器第 {layer} 层第 {head} 头（看原文）",
  "said.looked": { other: "{of} 个头里有 {n} 个给了它一半以上，最多的是{head}，占 {share}。" },
  "said.looked_none": "{of} 个头里没有一个给它一半以上；最多的是{head}，占 {share}。",
  "said.changes":
    "让那里沉默，{what}的 log p {silent}；关掉{head}，{what}的 log p {without}，写出的译文{stays}。",
  "said.translation": "译文",
  "said.prediction": "这一步",
  "said.loses": "下降 {value} 奈特",
  "said.gains": "上升 {value} 奈特",
  "said.other": "变了",
  "said.same": "不变",
  "said.apart": "这些证据并不一致：头看向哪里，本身并不是模型这样回答的原因。",
  "said.agree": "三方面的证据指向一致。",
  "said.little": "三方面都说明，它在这里无关紧要。",
  "said.differs": "译文变了；原来的译文 log p {moved}",
  "said.stays": "译文没有变；它的 log p {moved}",
  "said.full": "{said}。",
  "said.unused": "{said}：要么它没被用到，要么别的头做着同样的事。",

  // what if
  "whatif.edits": "改动了什么",
  "whatif.clear": "全部撤回",
  "whatif.take_back": "撤回：{edit}",
  "whatif.heads": "关掉一个头",
  "whatif.heads_hint": "先在机器图或注意力图里选中它；按 x 键也一样。",
  "whatif.switch_off": "关闭：{head}",
  "whatif.switch_on": "打开：{head}",
  "whatif.how": "怎样关闭",
  "whatif.how_mean": "取平均",
  "whatif.how_zero": "归零",
  "whatif.how_uniform": "均匀",
  "whatif.how_mean_means": "取平均：无论问它什么，它都只说自己在这句话里的平均意见。",
  "whatif.how_zero_means": "归零：它什么也不说。",
  "whatif.how_uniform_means":
    "均匀：它对所有地方一视同仁。如果结果不变，它的图就什么也解释不了。",
  "whatif.replace": "换一个词",
  "whatif.replace_do": "替换",
  "whatif.word": "原文中的词",
  "whatif.by": "换成的词",
  "whatif.replaced": "{word} → {by}",
  "whatif.force": "指定译文开头",
  "whatif.force_do": "指定",
  "whatif.prefix": "译文怎样开头",
  "whatif.begins": "以“{prefix}”开头",
  "whatif.nothing":
    "还没有改动。关掉一个头、换一个词，或者指定译文的开头：模型会重新翻译，再把两个译文放在一起比较。",
  "whatif.working": "正在重新翻译……",
  "whatif.source": "改动后的原文",
  "whatif.before": "之前",
  "whatif.after": "之后",
  "whatif.steps": "沿着之前的译文，一步一步看",
  "whatif.table": "改动后的模型怎样看待之前译文的每个词元",
  "whatif.piece": "词元",
  "whatif.p_before": "之前",
  "whatif.p_after": "之后",
  "whatif.change": "log p 的变化",
  "whatif.divergence": "KL",
  "whatif.means":
    "KL 表示全部词元的概率移动了多远，而不只是写出的那一个：0 就是完全没动。两者的单位都是奈特。",
  "whatif.most": "目光变化最大的头（{share} 的权重移到了别处）：",
  "whatif.as_is": "原来的模型",
  "whatif.changed": "改动后的模型",

  // two side by side
  "two.row": "行：{row}",
  "two.means": "头和行就是上面选中的；两张图各来自自己的记录。",
  "compared.title": "并排对比",
  "compared.one": "这句译文",
  "compared.other": "另一句",
  "compared.working": "正在读另一句……",

  // every head in turn
  "exact.title": "逐个关掉每一个头",
  "exact.about": "机器图里的圆点是估计，这里是实测：一个头一个头地关，估计最重要的先来。",
  "exact.start": "针对“{piece}”实测",
  "exact.start_whole": "针对整句译文实测",
  "exact.stop": "停止",
  "exact.whole": "针对整句译文",
  "exact.far": "{done} / {of}",
  "exact.head": "头",
  "exact.change": "log p 的变化（奈特）",
  "exact.table": "没有某个头时的变化",

  // the atlas
  "atlas.verdict": "模型知道“它”指什么吗？下面是在许多句子上测量的结论（英文原文）：",
  "atlas.roles": "有角色的头",
  "atlas.all": "全部",
  "atlas.filter": "{text}（{count}）",
  "atlas.place": "{layer} 层 {head} 头",
  "atlas.score": "{name}：{value}",
  "atlas.caption":
    "图是这句话的；角色和分数是在许多句子上测出来的。角色只说明一个头通常做什么，不表示模型离不开它。",
  "atlas.role_positional": "位置",
  "atlas.role_syntactic": "句法",
  "atlas.role_rare-word": "罕见词",
  "atlas.role_coreference": "指代",
  "atlas.role_sink": "停歇",
  "atlas.rule_positional": "位置：至少 90 % 的词元都看向同一个距离。",
  "atlas.rule_syntactic": "句法：找到某种关系（例如动词的主语）的次数，比最好的固定距离多 10 个百分点。",
  "atlas.rule_rare-word":
    "罕见词：至少一半的时候看最罕见的词元，而且比最好的固定距离多 10 个百分点。",
  "atlas.rule_coreference": "指代：找到“它”所指之物的次数，比任何固定位置都多 10 个百分点。",
  "atlas.rule_sink": "停歇：一半以上的权重给了 </s>、<s> 和语言标记，等于歇在那里。",
  "atlas.score_pieces": "测量用的词元数",
  "atlas.score_offset": "惯常的距离",
  "atlas.score_at_offset": "看向该距离",
  "atlas.score_rare": "看最罕见的词元",
  "atlas.score_rare_by_offset": "最好的固定距离会有",
  "atlas.score_specials": "给了非词标记",
  "atlas.score_confidence": "最大权重的平均",
  "atlas.score_at_it": "看“它”所指之物",
  "atlas.score_relation": "关系",
};
