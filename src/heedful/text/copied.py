"""Translations that are their source, word for word: names, or words that a model does not know.

Called by the translator and by `heedful.output_checks`.
"""

__all__ = ["is_copied"]

from heedful.text.protect import free_text


def is_copied(source: str, translation: str) -> bool:
    """Tell whether there was something to translate, and nothing was.

    Capitals, spaces and the last mark of punctuation make no difference. What
    `heedful.text.protect` calls a span is not translated; numbers are not either.

    >>> is_copied("Page %s.", "page %s"), is_copied("%s", "%s"), is_copied("Page 1", "Seite 1")
    (True, False, False)
    """
    if _plain(source) != _plain(translation):
        return False
    return any(map(str.isalpha, free_text(source)))


def _plain(text: str) -> str:
    return "".join(text.split()).casefold().rstrip(".。!！?？:：…")
