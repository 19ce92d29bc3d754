"""Sentences are cut into words as the Penn treebank cuts them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.text.penn_words import penn_words


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("The cat sat.", "The cat sat ."),
        ("Mr. Lee's U.S. firm cut costs.", "Mr. Lee 's U.S. firm cut costs ."),
        ("They don't, can't, won't.", "They do n't , ca n't , wo n't ."),
        ("I cannot; we're gonna go!", "I can not ; we 're gon na go !"),
        ('He said "Go!" and left.', "He said `` Go ! '' and left ."),
        ('"Yes."', "`` Yes . ''"),
        ("“Hi,” it’s me.", "`` Hi , '' it 's me ."),
        ("$3,000 at 10:30, 5%.", "$ 3,000 at 10:30 , 5 % ."),
        (
            "It (the low-cost [b]) -- no...",
            "It -LRB- the low-cost [ b ] -RRB- -- no ...",
        ),
        ("the dogs' tails", "the dogs ' tails"),
        ("e.g. this, that", "e.g. this , that"),
        (
            "'Tis more'n I can, d'ye hear? Gimme it.",
            "'T is more 'n I can , d' ye hear ? Gim me it .",
        ),
        ("He said \u2018Hi,\u2019 in \u201890.", "He said ` Hi , ' in '90 ."),
        ("  two\t words ", "two words"),
        ("", ""),
    ],
)
def test_rules(sentence: str, words: str) -> None:
    assert penn_words(sentence) == words.split()


@given(sentence=st.text(max_size=40))
def test_no_word_is_empty_or_has_a_bracket_or_a_space(sentence: str) -> None:
    words = penn_words(sentence)
    assert all(word.split() == [word] and not set("()") & set(word) for word in words)


@given(sentence=st.text(st.sampled_from("abcAB 19.,;:!?-'$%")))
def test_nothing_but_spaces_is_added(sentence: str) -> None:
    """Two points and the like may be joined to others, letters and digits never change."""
    assert "".join(penn_words(sentence)) == "".join(sentence.split())


@pytest.mark.slow
def test_as_nltk_cuts_them() -> None:
    """NLTK's is the treebank's own script; sentences that we mean to cut as it does."""
    tokenizer = pytest.importorskip("nltk.tokenize.treebank").TreebankWordTokenizer()
    sentences = [
        "They don't know what's in Mr. Lee's letter, do they?",
        "The U.S. company paid $3,000 (about 5% of it) at 10:30.",
        "We cannot say who's gonna win; it's too early.",
        'He said "Go on!" and she left.',
    ]
    for sentence in sentences:
        theirs = tokenizer.tokenize(sentence, convert_parentheses=True)
        assert penn_words(sentence) == theirs
