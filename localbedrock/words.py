"""A text as the words that full-text search and reranking look for."""

from __future__ import annotations

import re
import unicodedata

_WORD = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"  # scripts without spaces: each character by itself
    r"|[^\W_\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+(?:[-_./:+#'’][^\W_\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+)*"
)
_JOINT = re.compile(r"[-_./:+#'’]")


def words_of(text: str) -> list[str]:
    """The words in lower case, in order. A compound (``e-1042``, ``tx-200``, ``v1.2``) is followed by its
    parts, so that it is found by both, and by the whole better.
    """
    found = []
    for whole in _WORD.findall(unicodedata.normalize("NFKC", text).lower()):
        found.append(whole)
        parts = _JOINT.split(whole)
        if len(parts) > 1:
            found.extend(parts)
            found.append("".join(parts))
    return found


def terms_of(text: str) -> str:
    """The words of a text with single spaces between them."""
    return " ".join(words_of(text))
