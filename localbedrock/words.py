"""A text as the words that full-text search and reranking look for."""

from __future__ import annotations

import re
import unicodedata

_WORD = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"  # scripts without spaces: each character by itself
    r"|[^\W_\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+(?:[-_./:+#'’][^\W_\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+)*"
)
_JOINT = re.compile(r"[-_./:+#'’]")


def whole_words_of(text: str) -> list[str]:
    """The words in lower case, in order; a compound (``e-1042``, ``tx-200``, ``v1.2``) is one."""
    return [str(word) for word in _WORD.findall(unicodedata.normalize("NFKC", text).lower())]


def words_of(text: str) -> list[str]:
    """The words as in :func:`whole_words_of`, a compound followed by its parts and by all in one, so that
    it is found by each of them, and by the whole best.
    """
    found = []
    for whole in whole_words_of(text):
        found.append(whole)
        parts = _JOINT.split(whole)
        if len(parts) > 1:
            found.extend(parts)
            found.append(in_one(whole))
    return found


def in_one(word: str) -> str:
    """A compound without what joins it: ``e1042``."""
    return _JOINT.sub("", word)


def terms_of(text: str) -> str:
    """The words of a text with single spaces between them."""
    return " ".join(words_of(text))
