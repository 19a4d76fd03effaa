"""A text as its reader sees it: without what hides words from a filter, and cut into pieces of a few words.

Undone are zero-width characters, look-alike letters (full width, a few Cyrillic and Greek ones), digits and
signs in place of letters, letters repeated or spaced out, and base64. Not undone are other ciphers, other
encodings and words taken apart over several lines.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata

PIECE_WORDS = 24
"""Longer sentences are cut into pieces of so many words, which overlap by half."""

_INVISIBLE = re.compile(
    r"[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]"
)
_LOOK_ALIKE = str.maketrans(
    dict(
        pair
        for pairs in ("аaсcеeоoрpхxуyіiѕsјjкkмmтtһhԁdԛq", "АAВBЕEКKМMНHОOРPСCТTХXІI", "αaοoεeιiκkνvτtυuρp")
        for pair in zip(pairs[::2], pairs[1::2], strict=True)
    )
)
_LEET = str.maketrans("013457@$!", "oieastasi")
_TOKEN = re.compile(r"(?<!\S)\S{2,40}(?!\S)")
_AMOUNT = re.compile(
    r"[$\d.,:%-]+[a-z]{0,3}|[a-z]{1,3}[-.]?\d+|\d+(?:st|nd|rd|th)|\S+@\S+\.\S+", re.IGNORECASE
)
_REPEATED = re.compile(r"([^\W\d_])\1{2,}")
_SPACED = re.compile(r"(?<!\w)(?:[^\W\d_][ .\-_*]){2,}[^\W\d_](?!\w)")
_BASE64 = re.compile(
    r"(?<![A-Za-z0-9+/=])(?:[A-Za-z0-9+/]{4}){4,}(?:[A-Za-z0-9+/]{2,3}={0,2})?(?![A-Za-z0-9+/=])"
)
_MOST_ENCODED = 4_000
_SENTENCE_END = re.compile(r"(?<=[.!?…。！？])\s+|(?<=[。！？])|\n+")


def plain(text: str) -> str:
    """The text without disguise. Its characters no longer stand where they stood."""
    seen = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text))
    if not seen.isascii():
        seen = _latin(seen)
    seen = _SPACED.sub(lambda found: re.sub(r"[ .\-_*]", "", found[0]), seen)
    seen = _TOKEN.sub(lambda found: _without_leet(found[0]), seen)
    return _REPEATED.sub(_fewer, seen)


def hidden(text: str) -> str:
    """What the text holds in base64, as far as that is readable text; "" for nothing."""
    found = (_decoded(match[0][:_MOST_ENCODED]) for match in _BASE64.finditer(text))
    return "\n".join(filter(None, found))


def pieces(text: str) -> list[str]:
    """Sentences of at most :data:`PIECE_WORDS` words, longer ones in overlapping pieces; each once."""
    found: dict[str, None] = {}
    for sentence in _SENTENCE_END.split(text):
        said = sentence.split()
        step = PIECE_WORDS // 2
        for first in range(0, max(len(said) - step, 1), step):
            found[" ".join(said[first : first + PIECE_WORDS])] = None
    return [piece for piece in found if piece]


def _latin(text: str) -> str:
    """Look-alike letters in words that mix scripts, as the Latin letters they look like."""
    return re.sub(r"[^\W\d_]+", lambda found: _if_mixed(found[0]), text)


def _if_mixed(word: str) -> str:
    latin = any("a" <= letter <= "z" for letter in word.lower())
    return word.translate(_LOOK_ALIKE) if latin and not word.isascii() else word


def _without_leet(token: str) -> str:
    word = token.rstrip(".,;:?!\"')]")
    signs = sum(ord(sign) in _LEET for sign in word)
    letters = sum(letter.isalpha() for letter in word)
    if not signs or letters < 2 or signs > letters + 1 or _AMOUNT.fullmatch(word):
        return token
    return word.translate(_LEET) + token[len(word) :]


def _fewer(found: re.Match[str]) -> str:
    """One of a letter that stands three times or more, two of those that English likes to double."""
    return found[1] * (2 if found[1] in "lLsS" else 1)


def _decoded(encoded: str) -> str:
    try:
        text = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
    readable = sum(character.isalpha() or character.isspace() for character in text)
    return text if readable > 0.8 * len(text) else ""
