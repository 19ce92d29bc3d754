"""Trees of every shape, for hypothesis."""

from hypothesis import strategies as st

from heedful.text.trees import ROOT, Tree

letters = st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"], exclude_characters="()"))
words = letters.filter(lambda text: text.split() == [text])
LABELS = st.sampled_from(["S", "NP", "VP", "PP", "SBAR", "PRT", "ADVP", "X"])
TAGS = st.sampled_from(["NN", "DT", "VBD", ".", ",", "``", "''", ":", "PRP$", "-LRB-", "#"])

leaves = st.builds(lambda tag, word: Tree(tag, (), word), TAGS, words)
phrases = st.recursive(
    leaves,
    lambda inner: st.builds(
        lambda label, children: Tree(label, tuple(children)),
        LABELS,
        st.lists(inner, min_size=1, max_size=4),
    ),
    max_leaves=12,
)
trees = st.builds(
    lambda children: Tree(ROOT, tuple(children)), st.lists(phrases, min_size=1, max_size=3)
)
"""Cleaned trees."""
