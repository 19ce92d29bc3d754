/**
 * The guided tour in Chinese: the same names as in text-tour-en.js.
 */

/** @type {Record<string, import("heedful/i18n.js").Text>} */
export const TEXTS = {
  // the frame
  "tour.progress": "第 {n} 步，共 {of} 步",
  "tour.next": "下一步",
  "tour.back": "上一步",
  "tour.close": "关闭",
  "tour.smaller": "收起",
  "tour.larger": "展开",
  "tour.jump": "跳到某一步",
  "tour.show": "在面板中查看",
  "tour.code": "代码：",
  "tour.keys": "左右方向键翻页，Home 和 End 到第一步和最后一步，Esc 关闭。",
  "tour.nothing": "还没有句子。请写一句，或者选用下面的例句。",
  "tour.waiting": "这一步要等模型算完，所需的部分还没有到。",
  "tour.failed": "模型没能给出这句话的记录，原因写在句子旁边。",
  "tour.asking": "正在询问模型……",
  "tour.others": "其余 {n} 个",
  "tour.joint": "",
  "tour.words": { other: "{n} 个词" },
  "tour.characters": { other: "{n} 个字" },
  "tour.quoted": "“{text}”",
  "tour.layer": "层",
  "tour.head": "头",
  "tour.number": "{n}",

  // 1
  "tour.sentence.short": "句子",
  "tour.sentence.title": "一句话进去，一句话出来",
  "tour.sentence.1":
    "你的句子有 {words}，模型已经写出了译文。写每一个词时，它都可能要用到原文里的任何一个词，" +
    "开头的词和结尾的词一样重要。",
  "tour.sentence.2":
    "早先的循环网络（RNN）一个词一个词地读，只往后传一串数，读过的内容全得塞在里面。" +
    "在 Transformer 里，每个词都直接看其他所有的词，而且大家同时在看。",
  "tour.sentence.3":
    "图中数的是两个词之间要走几步。步数少了，译文是否就更好？这要靠测量来回答，一张图说明不了。",
  "tour.sentence.soon": "译文马上就来……",
  "tour.sentence.choose": "走到哪个词？",
  "tour.sentence.same": "选一个靠后的词，看看它离{first}有多远。",
  "tour.sentence.said": {
    other: "从{first}到{last}：一个词一个词地传要 {n} 步，用注意力只要 1 步。",
  },
  "tour.sentence.direct": "注意力：{n} 步",
  "tour.sentence.hops": { other: "逐词传递：{n} 步" },
  "tour.sentence.own": "写一句你自己的话",
  "tour.sentence.go": "就用这句",

  // 2
  "tour.pieces.short": "词元",
  "tour.pieces.title": "词拆成词元，词元变成编号",
  "tour.pieces.1":
    "模型并不认识词，只认识从文本里学来的 {vocabulary} 个词元：常见的词自成一个词元，" +
    "少见的词由好几个词元拼成。",
  "tour.pieces.2":
    "每个词元都有编号，从这里开始，模型看到的只有编号。▁ 表示空格。" +
    "带斜纹的不是词，而是记号：想要哪种语言，以及句子到此结束。",
  "tour.pieces.count": { other: "{words}，{n} 个词元。" },
  "tour.pieces.plus": " + ",
  "tour.pieces.split": "{word}由好几个词元拼成：{parts}。",
  "tour.pieces.wide": "{piece}一个词元就包含 {n} 个字。",
  "tour.pieces.whole": "这里每个词都自成一个词元。换个生僻的词试试。",

  // 3
  "tour.embeddings.short": "词嵌入",
  "tour.embeddings.title": "每个词元换成一串数",
  "tour.embeddings.1":
    "编号只是个名字，没法拿来计算。所以模型要查一张表，表里给每个词元存着 {d} 个数，" +
    "这就是它的词嵌入。",
  "tour.embeddings.2":
    "这些数不是谁写进去的。它们起初是随机的，训练时一点一点地挪动，挪到译文更好的地方。" +
    "用法相近的词元，最后得到的数往往也相近：看看离它们最近的邻居。",
  "tour.embeddings.first": "第一个",
  "tour.embeddings.second": "第二个",
  "tour.embeddings.strip": "{piece}的前 {n} 个数，画成条形",
  "tour.embeddings.near": "最近的邻居（余弦）：",
  "tour.embeddings.said": "画出的是 {d} 个数中的前 {n} 个；最长的一条离 0 有 {largest}。",

  // 4
  "tour.positions.short": "位置",
  "tour.positions.title": "每个词元站在哪里？",
  "tour.positions.1":
    "下一步要讲的注意力，看到的是一堆词元，而不是一排。如果不给提示，" +
    "同样的词换个顺序，对它来说就是同一句话。",
  "tour.positions.2":
    "论文给的提示是一组波，加在词嵌入上：前面的数变得快，后面的数变得慢。" +
    "这样，每个位置都有自己独特的花纹。",
  "tour.positions.waves": 
    "论文里的波：前 {n} 个词元各占一行，从 0 数起；画的是前一半数中的一些。" +
    "橙色大于 0，蓝色小于 0。",
  "tour.positions.wavesLabel": "论文中 {n} 个位置的正弦和余弦花纹",
  "tour.positions.sinusoidal": "这个模型正是这样做的。",
  "tour.positions.learned": "这个模型不用波，而是给每个位置学了一串数，再加上去。",
  "tour.positions.rotary":
    "这个模型换了一种提示法：把查询和键像钟表的指针一样转动，位置越靠后转得越多" +
    "（旋转位置编码，2021 年）。两个词元隔多远，就看指针之间的夹角。",
  "tour.positions.alibi":
    "这个模型换了一种提示法：离得越远的词元，得分扣得越多（ALiBi，2021 年）。",
  "tour.positions.relative":
    "这个模型换了一种提示法：它学会了每种距离该给得分加上多少（Shaw 等人，2018 年）。",
  "tour.positions.none": "这个模型没有任何提示，无从知道顺序。",
  "tour.positions.clocks":
    "每个头有 {d} 根指针，这里画出四根在第 0、1、2……个词元处的样子：第一根转得快，最后一根几乎不动。",
  "tour.positions.clocksLabel": "每个位置上的四根指针，各有各的转速",
  "tour.positions.pair": "指针 {n}",
  "tour.positions.order": "同样的词，换个顺序",
  "tour.positions.shuffle": "打乱词序",
  "tour.positions.again": "再打乱一次",
  "tour.positions.one": "这些词排不出别的顺序。换个长一点的句子试试。",
  "tour.positions.same": "译文一样：这些词的顺序没有带来差别。",
  "tour.positions.differs": "译文变了：对这个模型来说，词序是要紧的。",

  // 5
  "tour.attention.short": "注意力",
  "tour.attention.title": "一个词元提问，所有词元回答",
  "tour.attention.1":
    "每个词元用自己的数算出三串新的数：查询（query）是它在找什么，键（key）是它能提供什么，" +
    "值（value）是它要交出什么。",
  "tour.attention.2":
    "提问的词元拿自己的查询和每个键相比：逐个相乘，加起来，再除以 √{dk}，得到得分。" +
    "softmax 把得分变成份额：先算 e 的得分次方，再除以总和，于是所有份额合起来正好是 100 %。",
  "tour.attention.3": "按这些份额把各个值混在一起，就是这个词元带走的东西。",
  "tour.attention.choose": "由哪个词元提问？",
  "tour.attention.query": "查询",
  "tour.attention.key": "键",
  "tour.attention.product": "{n} 个数两两相乘，加起来，再除以 {root}：得分是 {score}。",
  "tour.attention.caption": "{piece}提问，每个词元都回答",
  "tour.attention.piece": "词元",
  "tour.attention.score": "得分",
  "tour.attention.power": "e^(得分 − 最高分)",
  "tour.attention.weight": "份额",
  "tour.attention.sum": "总和",
  "tour.attention.derived": "这里的得分是由份额反推出来的，有意义的只是它们的差。",
  "tour.attention.mixed": "它带走的是：{sum}，其中 v(…) 是词元的值。",
  "tour.attention.said": "{piece}从{best}读得最多：{share}。",

  // 6
  "tour.heads.short": "多个头",
  "tour.heads.title": "许多个头同时在看",
  "tour.heads.1":
    "上面的计算同时进行许多遍：{encoder} 层编码器，每层 {heads} 个头，各有各的查询、键和值。" +
    "小图画的是编码器全部 {all} 个头为同一个词元读了些什么。",
  "tour.heads.2":
    "人们爱把它们比作一组专家。有些头确实有习惯，比如总看前一个词元；" +
    "也有许多头，谁都说不出它在做什么。",
  "tour.heads.choose": "每行一层，每列一个头",
  "tour.heads.said": "{head}：{piece}从{best}读得最多，{share}。",
  "tour.heads.before": { other: "在这句话里，{share} 的词元看的是往前数第 {n} 个词元。" },
  "tour.heads.after": { other: "在这句话里，{share} 的词元看的是往后数第 {n} 个词元。" },
  "tour.heads.self": "在这句话里，{share} 的词元看的是自己。",
  "tour.heads.special": "在这句话里，它有 {share} 的权重落在不是词的记号上。",
  "tour.heads.none": "在这句话里，看不出它遵循什么简单的规律。",
  "tour.heads.role": "在许多句子上测得：{role}。",
  "tour.heads.noRole": "在许多句子上测量，已知的角色它都不是。",
  "tour.role.positional": "它总看同一个距离处的词元",
  "tour.role.syntactic": "它能找到语法上相关的词",
  "tour.role.rare-word": "它爱看少见的词",
  "tour.role.coreference": "它从代词看向所指的名词",
  "tour.role.sink": "它的权重大多落在不是词的记号上",

  // 7
  "tour.layers.short": "层",
  "tour.layers.title": "各自思考，加回去，再来一遍",
  "tour.layers.1":
    "注意力之后是一个小网络，它对每个词元单独计算：把 {d} 个数扩成 {ff} 个，弯折一下，" +
    "再缩回 {d} 个。这就是前馈网络。",
  "tour.layers.2":
    "这两部分都不会抹掉原有的数，结果是加上去的，这叫残差连接；" +
    "归一化则让这些数保持在合适的范围里。",
  "tour.layers.3":
    "合在一起就是一层。这个模型的编码器有 {encoder} 层，解码器有 {decoder} 层。" +
    "选一个部件，看看它在哪里。",
  "tour.layers.choose": "哪个部件？",
  "tour.layers.label":
    "整台机器：编码器 {encoder} 层，解码器 {decoder} 层，每个注意力有 {heads} 个头",
  "tour.layers.encoder": { other: "编码器：{n} 层" },
  "tour.layers.decoder": { other: "解码器：{n} 层" },
  "tour.part.embed": "词嵌入",
  "tour.part.attention": "自注意力",
  "tour.part.feedforward": "前馈网络",
  "tour.part.residual": "相加和归一化",
  "tour.part.masked": "带掩码的注意力",
  "tour.part.cross": "看原文的注意力",
  "tour.part.softmax": "线性层和 softmax",
  "tour.block.embed": "词嵌入",
  "tour.block.attention": "注意力",
  "tour.block.feedforward": "前馈",
  "tour.block.masked": "带掩码",
  "tour.block.cross": "看原文",
  "tour.block.softmax": "线性层，softmax",
  "tour.layers.embed": "每个词元变成 {d} 个数。",
  "tour.layers.attention": "原文的所有词元互相看，共 {heads} 个头，每个头用 {dk} 个数。",
  "tour.layers.feedforward": "对每个词元单独计算：{d} 个数变成 {ff} 个，再变回 {d} 个。",
  "tour.layers.feedforward.unknown": "对每个词元单独计算：{d} 个数先变多，再变回 {d} 个。",
  "tour.layers.residual": "每个部件都是这样：进来的数加上算出的数。所以部件只需说出该改变什么。",
  "tour.layers.masked": "译文的词元互相看，但只能往回看。下一步说明为什么。",
  "tour.layers.cross": "译文看编码器对原文的理解。",
  "tour.layers.softmax": "{d} 个数变成 {vocabulary} 个词元各自的概率。",
  "tour.layers.pre_norm":
    "f 是部件。这个模型在部件之前归一化；论文是在之后：norm(x + f(x))。",
  "tour.layers.post_norm": "f 是部件。这个模型和论文一样，在部件之后归一化。",
  "tour.layers.lens": "在第 {n} 步，假如某个解码层就是最后一层，它会说：",
  "tour.layers.says": "第 {n} 层",

  // 8
  "tour.mask.short": "不许偷看",
  "tour.mask.title": "解码器写译文，但不许偷看",
  "tour.mask.1":
    "解码器一个词元一个词元地写，边写边回头看已经写好的部分。学习的时候，摆在它面前的是完整的译文。" +
    "要是能往后偷看，照抄下一个词元就行了，什么也学不到。",
  "tour.mask.2":
    "所以后面的部分都要盖住：把那里的得分换成最小的数，softmax 之后正好是 0。" +
    "图中划掉的格子就是。",
  "tour.mask.said": "为了预测{piece}，这个头从{best}读得最多：{share}。",
  "tour.mask.hidden": { other: "后面的 {n} 个词元对它是盖住的：正好是 0。" },
  "tour.mask.last": "后面没有词元了，所以什么也没盖住。",
  "tour.mask.label": "解码器的 {n} 步各在看哪里：只往回看，从不往后看",

  // 9
  "tour.cross.short": "回看原文",
  "tour.cross.title": "从译文回看原文",
  "tour.cross.1":
    "每个解码层里还有第二个注意力，用来询问原文。查询来自译文，键和值来自编码器：" +
    "两种语言在这里相遇。",
  "tour.cross.2":
    "选译文中的一个词元。原文的词元上方条形越高，这个头为了预测你选的词元从它那里读得越多。",
  "tour.cross.3": "一个头从哪里读取，并不能证明模型为什么这样写。",
  "tour.cross.choose": "译文的哪个词元？",
  "tour.cross.said": "为了写{piece}，这个头从{best}读得最多：{share}。",
  "tour.cross.special": "有 {special} 落在不是词的记号上，头找不到别的可看时往往就看那里。",

  // 10
  "tour.softmax.short": "下一个词元",
  "tour.softmax.title": "从数到下一个词元",
  "tour.softmax.1":
    "最后，{targets} 个词元各得一个得分，softmax 再把得分变成概率：" +
    "这就是模型对下一个词元的猜测。",
  "tour.softmax.2":
    "每次都取最可能的，叫贪心搜索。束搜索则保留最好的 {beam} 个开头，一起往下写，" +
    "因为眼下看来最好的词元，可能把整句带坏。",
  "tour.softmax.choose": "哪一步？",
  "tour.softmax.said": "{piece}的概率是 {share}（log p {logp}）。",
  "tour.softmax.first": "没有更可能的词元。",
  "tour.softmax.later": { other: "有 {n} 个词元比它更可能。" },
  "tour.softmax.others": "其余 {n} 个",
  "tour.softmax.beam": "搜索找到的最好译文（每次保留 {size} 个）",
  "tour.softmax.score": "得分 {score}，log p {logp}",
  "tour.softmax.greedy": "贪心搜索也会写出同一句：每一步取的都是最可能的词元。",
  "tour.softmax.beamed": "贪心搜索会在第 {n} 步走另一条路：{piece}在那里并不是最可能的。",

  // 11
  "tour.it.short": "“它”",
  "tour.it.title": "“它”指的是谁？",
  "tour.it.1":
    "“猫吃鱼，因为它饿了”，它是猫；换成“因为它好吃”，它就是鱼。" +
    "流行的说法是，注意力解决了这个问题：“它”一提问，“猫”答得最响。",
  "tour.it.2":
    "这里就拿这个模型来检验。把英文译成德文必须作出选择：猫（die Katze）用 sie，鱼（der Fisch）用 er。" +
    "译文会暴露模型选了哪个名词，这比一张注意力图更有说服力。",
  "tour.it.none": "你的句子里没有“它”或 it。选用下面的句子来看检验。",
  "tour.it.try": "可以试的句子",
  "tour.it.unforced":
    "在这种语言里，两个名词都用“{word}”，所以译文看不出模型选了哪一个。" +
    "这里能看到的只有各个头看向哪里，而单凭这一点什么也证明不了。",
  "tour.it.pair": "检验：只换一个词",
  "tour.it.right":
    "这里两句都用对了代词。不过一对句子还不算证明：heed heads 会统计几百对。",
  "tour.it.same": "两次都是“{word}”：在这一对句子里，模型分不清两者。",
  "tour.it.differ": "代词是 {own} 和 {other}：与两个名词并不都相符。",
  "tour.it.evidence": "关于{it}和{word}的证据",
  "tour.it.word": "与哪个词比较",
  "tour.it.rule":
    "只有当注意力、去掉它之后的变化、译文三者一致时，heedful 才说模型弄清了“它”指谁。",

  // 12
  "tour.rnn.short": "换成 RNN",
  "tour.rnn.title": "换成 RNN 会怎样",
  "tour.rnn.1":
    "在 Transformer 之前的几年里，做翻译的神经网络都是循环的。这里有一个真正的小 {rnn}，" +
    "它也来翻译你的句子。两个模型每一步都取最可能的词元。",
  "tour.rnn.2":
    "它一个词元一个词元地读，只保留一串数，每读一个就改一次。解码器拿到的只有最后那一串数，" +
    "别的什么也没有。Transformer 的解码器则可以回看每一个词元。",
  "tour.rnn.other": "这个 {rnn} 只会翻译{pairs}，你的句子不在此列。选用下面的句子吧。",
  "tour.rnn.pair": "{from}到{to}",
  "tour.rnn.and": "、",
  "tour.rnn.transformer": "Transformer",
  "tour.rnn.weights": "{weights} 个权重。",
  "tour.rnn.learnt": "训练了 {steps} 步，读过 {pieces} 个译文词元，来自：",
  "tour.rnn.unsaid": "它的说明没有写明学了什么。",
  "tour.rnn.endless": "它没有自己结束，是搜索让它停在这里的。",
  "tour.rnn.same": "这里两者写得一样。短句子上，RNN 可能同样好；换个长一点的句子试试。",
  "tour.rnn.differ": "这里两者写得不一样。哪个更好，请你自己判断。",
  "tour.rnn.fair":
    "一个句子不算证明，这场比试也不公平：两个模型大小不同，学的内容和时间也不同。" +
    "heed claims 用同样大小的模型和同样的数据来测量；" +
    "来龙去脉见 docs/from-rnn-to-transformer.zh-CN.md。",
  "tour.rnn.list": "全都装进一串数",
  "tour.rnn.handed":
    "{rnn} 的解码器拿到 {handed} 个数，不论句子长短。" +
    "Transformer 的解码器这次拿到 {all} 个，句子越长，拿到的越多。",
  "tour.rnn.caption": "译文靠的是哪些词",
  "tour.rnn.word": "词",
  "tour.rnn.how":
    "每次抹去一个词，把它的数都换成零。条形表示模型的译文因此变得不可能了多少（按对数计），" +
    "占全部损失的几成。没有条形的词，译文用不着它。",
  "tour.rnn.backward":
    "{rnn} 从句尾往前读，所以你的句子的前半是它最后读到的。它的译文有 {own} 靠这一半；" +
    "Transformer 的译文有 {other}。",
  "tour.rnn.forward":
    "你的句子的后半是 {rnn} 最后读到的。它的译文有 {own} 靠这一半；" +
    "Transformer 的译文有 {other}。",
  "tour.rnn.waiting": "一步等一步",
  "tour.rnn.steps":
    "{rnn}：{reading} + {writing} = {steps} 步，一步等一步。" +
    "Transformer：{read} + {written} = {others} 步。",
  "tour.rnn.seconds":
    "蓝色是读，橙色是写。Transformer 一次读完所有词元；写的时候，两者都是一个一个地写。" +
    "训练时译文是已知的，它只要 1 + 1 步。步数不等于秒数：句子短、核心少的时候，RNN 可能一样快。",
  "tour.rnn.longer": "试试更长的句子",
};
