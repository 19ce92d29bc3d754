"""The table that the pronoun templates are made of: nouns with their German, and verb frames.

Nothing comes in; `heedful.inspect.heads.pronouns` makes sentences of it. The sentences are ours, no
corpus was copied from. Nouns were chosen that have one obvious translation.
"""

__all__ = [
    "CHINESE",
    "ENGLISH",
    "FUNCTION_WORDS",
    "NOUNS",
    "PRONOUNS",
    "Frame",
    "Gender",
    "Half",
    "Noun",
]

from typing import Literal, NamedTuple

Gender = Literal["er", "sie", "es"]
"""A German gender, by its pronoun: masculine, feminine, neuter."""

PRONOUNS: tuple[Gender, ...] = ("er", "sie", "es")

Half = Literal["dev", "test"]
"""On which half of the frames a head is chosen, and on which it is reported."""


class Noun(NamedTuple):
    """A German noun; `others` are forms and synonyms of the same gender that count as it, too."""

    german: str
    gender: Gender
    others: tuple[str, ...] = ()
    oblique: str = ""
    """Dative and accusative, where they are not the nominative."""


NOUNS: dict[str, Noun] = {
    # who acts
    "animal": Noun("Tier", "es"),
    "bear": Noun("Bär", "er", ("Bären",), "Bären"),
    "cat": Noun("Katze", "sie"),
    "cow": Noun("Kuh", "sie"),
    "dog": Noun("Hund", "er"),
    "donkey": Noun("Esel", "er"),
    "horse": Noun("Pferd", "es"),
    "monkey": Noun("Affe", "er", ("Affen",), "Affen"),
    "mouse": Noun("Maus", "sie"),
    "pig": Noun("Schwein", "es"),
    # what is eaten and drunk
    "apple": Noun("Apfel", "er"),
    "banana": Noun("Banane", "sie"),
    "bread": Noun("Brot", "es"),
    "cake": Noun("Kuchen", "er"),
    "carrot": Noun("Karotte", "sie", ("Möhre",)),
    "cheese": Noun("Käse", "er"),
    "egg": Noun("Ei", "es"),
    "fish": Noun("Fisch", "er"),
    "meat": Noun("Fleisch", "es"),
    "soup": Noun("Suppe", "sie"),
    "beer": Noun("Bier", "es"),
    "coffee": Noun("Kaffee", "er"),
    "juice": Noun("Saft", "er"),
    "lemonade": Noun("Limonade", "sie"),
    "milk": Noun("Milch", "sie"),
    "tea": Noun("Tee", "er"),
    "water": Noun("Wasser", "es"),
    "wine": Noun("Wein", "er"),
    # ways and heights
    "bridge": Noun("Brücke", "sie"),
    "desert": Noun("Wüste", "sie"),
    "field": Noun("Feld", "es"),
    "forest": Noun("Wald", "er"),
    "river": Noun("Fluss", "er"),
    "street": Noun("Straße", "sie"),
    "hill": Noun("Hügel", "er"),
    "mountain": Noun("Berg", "er"),
    "roof": Noun("Dach", "es"),
    "tree": Noun("Baum", "er"),
    "wall": Noun("Mauer", "sie", ("Wand",)),
    # things, what holds them, what they go through
    "ball": Noun("Ball", "er"),
    "bed": Noun("Bett", "es"),
    "book": Noun("Buch", "es"),
    "bottle": Noun("Flasche", "sie"),
    "box": Noun("Kiste", "sie", ("Schachtel", "Box")),
    "car": Noun("Auto", "es"),
    "chair": Noun("Stuhl", "er", ("Sessel",)),
    "cupboard": Noun("Schrank", "er"),
    "doll": Noun("Puppe", "sie"),
    "door": Noun("Tür", "sie", ("Türe",)),
    "drawer": Noun("Schublade", "sie"),
    "gate": Noun("Tor", "es"),
    "guitar": Noun("Gitarre", "sie"),
    "ladder": Noun("Leiter", "sie"),
    "lamp": Noun("Lampe", "sie"),
    "machine": Noun("Maschine", "sie"),
    "piano": Noun("Klavier", "es"),
    "picture": Noun("Bild", "es"),
    "stone": Noun("Stein", "er"),
    "suitcase": Noun("Koffer", "er"),
    "table": Noun("Tisch", "er"),
    "tunnel": Noun("Tunnel", "er"),
    "umbrella": Noun("Regenschirm", "er", ("Schirm",)),
    "window": Noun("Fenster", "es"),
}
"""English nouns and what they are in German."""

FUNCTION_WORDS = {
    "en": frozenset(
        ("the", "it", "because", "was", "be", "too", "by", "into", "through", "didn't", "couldn't")
    )
    | {"wasn't", "let"},
    "zh": frozenset(("它", "因为", "了", "没有", "被", "太", "很")),
}
"""What attention may go to without its being counted: all other words of the templates are content
words."""


class Frame(NamedTuple):
    """Sentences about two nouns: who acts, `{a}`, and what is acted on, `{b}`."""

    name: str
    half: Half
    skeletons: tuple[str, ...]
    """Words with spaces between, the main verb after a `*`; in the second `{b}` stands first."""
    german: tuple[str, ...]
    """How the translation of each begins, up to the pronoun: `{a1}` is a nominative with its
    article, 3 a dative, 4 an accusative."""
    first: tuple[str, ...]
    """Nouns for `{a}`."""
    second: tuple[str, ...]
    """Nouns for `{b}`."""
    deciding: tuple[tuple[str, str], ...]
    """What can be said of `{a}` alone, and of `{b}` alone."""


_ANIMALS = ("cat", "dog", "horse", "bear", "mouse", "pig", "cow", "monkey", "animal")
_WALKERS = ("animal", "horse", "dog", "cow", "donkey", "cat")

ENGLISH: tuple[Frame, ...] = (
    Frame(
        "eat",
        "dev",
        (
            "the {a} *ate the {b} because it was {said} .",
            "the {b} was *eaten by the {a} because it was {said} .",
        ),
        ("{a1} aß {b4}, weil", "{b1} wurde von {a3} gegessen, weil"),
        _ANIMALS,
        ("fish", "banana", "bread", "cheese", "apple", "carrot", "meat", "cake", "soup", "egg"),
        (("hungry", "tasty"), ("hungry", "fresh")),
    ),
    Frame(
        "fit into",
        "dev",
        (
            "the {a} didn't *fit into the {b} because it was too {said} .",
            "the {b} couldn't *hold the {a} because it was too {said} .",
        ),
        ("{a1} passte nicht in {b4}, weil", "{b1} konnte {a4} nicht fassen, weil"),
        ("ball", "book", "lamp", "picture", "guitar", "doll", "umbrella", "bottle"),
        ("suitcase", "box", "car", "drawer", "cupboard"),
        (("big", "small"), ("large", "small")),
    ),
    Frame(
        "climb",
        "dev",
        (
            "the {a} didn't *climb the {b} because it was too {said} .",
            "the {b} wasn't *climbed by the {a} because it was too {said} .",
        ),
        ("{a1} kletterte nicht auf {b4}, weil", "{b1} wurde von {a3} nicht bestiegen, weil"),
        ("monkey", "cat", "bear", "mouse", "animal", "dog"),
        ("tree", "wall", "roof", "ladder", "mountain", "hill"),
        (("old", "high"), ("tired", "steep")),
    ),
    Frame(
        "drink",
        "test",
        (
            "the {a} *drank the {b} because it was {said} .",
            "the {b} was *drunk by the {a} because it was {said} .",
        ),
        ("{a1} trank {b4}, weil", "{b1} wurde von {a3} getrunken, weil"),
        _ANIMALS,
        ("water", "milk", "juice", "beer", "tea", "lemonade", "wine", "coffee"),
        (("thirsty", "sweet"), ("thirsty", "cold")),
    ),
    Frame(
        "cross",
        "test",
        (
            "the {a} didn't *cross the {b} because it was too {said} .",
            "the {b} wasn't *crossed by the {a} because it was too {said} .",
        ),
        ("{a1} überquerte {b4} nicht, weil", "{b1} wurde von {a3} nicht überquert, weil"),
        _WALKERS,
        ("street", "river", "field", "bridge", "forest", "desert"),
        (("tired", "wide"), ("old", "wide")),
    ),
    Frame(
        "carry",
        "test",
        (
            "the {a} couldn't *carry the {b} because it was too {said} .",
            "the {b} couldn't be *carried by the {a} because it was too {said} .",
        ),
        ("{a1} konnte {b4} nicht tragen, weil", "{b1} konnte von {a3} nicht getragen werden, weil"),
        ("donkey", "horse", "dog", "cow", "animal"),
        ("stone", "box", "bed", "table", "machine", "piano", "bottle", "book"),
        (("weak", "heavy"), ("tired", "heavy")),
    ),
    Frame(
        "fit through",
        "test",
        (
            "the {a} didn't *fit through the {b} because it was too {said} .",
            "the {b} didn't *let the {a} through because it was too {said} .",
        ),
        ("{a1} passte nicht durch {b4}, weil", "{b1} ließ {a4} nicht durch, weil"),
        ("table", "bed", "machine", "chair", "piano", "ladder", "car"),
        ("door", "window", "tunnel", "gate"),
        (("wide", "narrow"), ("big", "small")),
    ),
)

CHINESE: tuple[Frame, ...] = (
    Frame(
        "吃",
        "dev",
        (
            "{a} *吃 {b} ， 因为 它 {said} 。",
            "{b} 被 {a} *吃 了 ， 因为 它 {said} 。",
        ),
        (),
        ("猫", "狗", "马", "熊", "猪", "老鼠", "猴子", "牛"),
        ("鱼", "苹果", "面包", "肉", "蛋糕", "香蕉"),
        (("饿 了", "很 新鲜"), ("很 饿", "很 好吃")),
    ),
    Frame(
        "放进",
        "dev",
        (
            "{a} *放不进 {b} ， 因为 它 太 {said} 了 。",
            "{b} *装不下 {a} ， 因为 它 太 {said} 了 。",
        ),
        (),
        ("球", "书", "灯", "吉他", "瓶子"),
        ("箱子", "抽屉", "书包", "冰箱"),
        (("大", "小"),),
    ),
    Frame(
        "喝",
        "test",
        (
            "{a} *喝 {b} ， 因为 它 {said} 。",
            "{b} 被 {a} *喝 了 ， 因为 它 {said} 。",
        ),
        (),
        ("猫", "狗", "马", "熊", "猪", "老鼠", "猴子", "牛"),
        ("水", "牛奶", "果汁", "茶", "啤酒"),
        (("渴 了", "很 甜"), ("很 渴", "很 凉")),
    ),
    Frame(
        "过",
        "test",
        ("{a} 没有 *过 {b} ， 因为 它 太 {said} 了 。",),
        (),
        ("马", "狗", "牛", "猫", "动物"),
        ("河", "马路", "桥", "沙漠"),
        (("累", "宽"), ("老", "宽")),
    ),
    Frame(
        "搬",
        "test",
        (
            "{a} *搬不动 {b} ， 因为 它 太 {said} 了 。",
            "{b} 没有 被 {a} *搬走 ， 因为 它 太 {said} 了 。",
        ),
        (),
        ("马", "狗", "猴子", "熊"),
        ("石头", "桌子", "箱子", "床", "书"),
        (("弱", "重"), ("累", "重")),
    ),
)
