"""Names of people, by what introduces them and by lists of names, and how old they are."""

from __future__ import annotations

import re
from collections.abc import Iterator

from localbedrock.guardrails.personal_data import lists
from localbedrock.guardrails.personal_data.reading import CERTAIN, LIKELY, POSSIBLE, Entity, Finder, Reading

WORD = r"[^\W\d_]+(?:['’-][^\W\d_]+)*"
CAPITAL = re.compile(r"(?<![\w@#/.'’-])(?=[^\W\d_a-z])" + WORD + r"(?![\w@/]|\.\w)")
NEXT = re.compile(
    r" (?:([A-Z])\.? )?"
    r"((?:(?:de|del|la|van|von|der|den|da|dos|di|bin|al|el) ){0,2}(?=[^\W\d_a-z])" + WORD + r")"
)
INTRODUCED = re.compile(
    r"\b(?:my (?:full |first |last |maiden )?name(?: is|'s)"
    r"|(?:his|her|their|(?:customer|patient|client|user|employee|account holder"
    r"|contact|wife|husband|friend|boss|manager|colleague|son|daughter)(?:'s)?) name is|call me|named"
    r"|(?:full |first |last |customer |patient |contact |cardholder )?name ?[:=]"
    r"|signed,?|sincerely,|regards,|yours,|cheers,)"
    r"\s{1,3}(?=([^\W\d_]))",
    re.IGNORECASE,
)
PLAIN_NAME = re.compile(WORD + r"(?: (?:[A-Z]\.? )?" + WORD + r"){0,2}")
TITLE = re.compile(
    r"\b(?:Mr|Mrs|Ms|Mx|Miss|Dr|Prof|Professor|Doctor|Sir|Dame|Madame|Herr|Frau|Señora?"
    r"|Captain|Judge|Senator)\.? "
    r"(?=[^\W\d_a-z])(" + WORD + r"(?: (?:[A-Z]\. )?(?=[^\W\d_a-z])" + WORD + r"){0,2})"
)
AGE_NUMBER = (
    r"\b(?:1[01]\d|120|[1-9]?\d|(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)"
    r"(?:[- ](?:one|two|three|four|five|six|seven|eight|nine))?"
    r"|one|two|three|four|five|six|seven|eight|nine|ten|eleven"
    r"|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen)"
)
AGES = (
    re.compile(
        rf"(?<![\w.,$€£-])({AGE_NUMBER}[ -](?:years?|yrs?|months?|weeks?))[ -](?:old|of age)\b", re.IGNORECASE
    ),
    re.compile(rf"(?<![\w.,$€£-])({AGE_NUMBER}) ?(?:y/o|yo|y\.o\.)(?!\w)", re.IGNORECASE),
    re.compile(
        rf"\b(?:aged|(?:my |his |her |patient |the )?age ?(?:is|was|[:=]|of)|turn(?:ed|ing|s)?) {{0,2}}"
        rf"({AGE_NUMBER}(?: years?)?)(?![\w%:/-]|[.,]\d)",
        re.IGNORECASE,
    ),
    re.compile(
        rf"\b(?:I'm|I am|she is|he is|she's|he's) ({AGE_NUMBER})(?=\s*(?:[.,;!?)]|$|\band\b|\bbut\b))",
        re.IGNORECASE,
    ),
    re.compile(
        r"\b(?:born (?:on |in )|date of birth[ :]{1,3}(?:is )?|dob[ :]{1,3}(?:is )?)"
        r"((?:\d{1,2}[./-]\d{1,2}[./-]|\d{1,2}(?:st|nd|rd|th)? [A-Za-z]{3,9},? "
        r"|[A-Za-z]{3,9} \d{1,2}(?:st|nd|rd|th)?,? )?"
        r"(?:19|20)\d\d(?:-\d\d-\d\d)?)(?!\w)",
        re.IGNORECASE,
    ),
)
THINGS = re.compile(
    r"\b(?:whisk(?:e)?y|wine|scotch|rum|cheese|building|house|bridge|church|castle|company|firm|startup|car|truck|laptop"
    r"|phone|server|software|codebase|code|bug|ticket|account|tradition|tree|law|road|machine|computer|device|battery"
    r"|printer|system|version|article|paper|recipe|roof|furniture|sofa|watch)s?\b",
    re.IGNORECASE,
)


def names(reading: Reading) -> Iterator[Entity]:
    """Names after "my name is" or a title; first names with a surname; clear first names alone."""
    taken = 0
    for start, end, confidence in sorted(
        (*_introduced(reading.text), *_titled(reading.text), *_listed(reading.text)), key=_longest
    ):
        if start >= taken:
            taken = end
            yield Entity("NAME", start, end, confidence)


def _longest(span: tuple[int, int, float]) -> tuple[int, int]:
    return span[0], -span[1]


def _introduced(text: str) -> Iterator[tuple[int, int, float]]:
    for found in INTRODUCED.finditer(text):
        name = PLAIN_NAME.match(text, found.end())
        if not name:
            continue
        words = _name_words(name[0])
        if words:
            end = found.end() + len(words)
            if end < len(text) and text[end] in "@._/":
                continue
            yield found.end(), end, CERTAIN


def _name_words(text: str) -> str:
    """How much of up to three words is a name: what is capitalised, or first names in small letters."""
    words = text.split(" ")
    kept: list[str] = []
    for word in words:
        capital = word[0].isupper() and word not in lists.no_surnames()
        if not capital and not (_is_first(word) if not kept else _is_last(word) and kept[-1].islower()):
            break
        kept.append(word)
    return " ".join(kept)


def _is_first(word: str) -> bool:
    return word.capitalize() in lists.first_names() and word.lower() not in lists.names_that_are_words()


def _is_last(word: str) -> bool:
    return word.capitalize() in lists.surnames()


def _titled(text: str) -> Iterator[tuple[int, int, float]]:
    for found in TITLE.finditer(text):
        words = _name_words(found[1])
        if words:
            yield found.start(1), found.start(1) + len(words), CERTAIN


def _listed(text: str) -> Iterator[tuple[int, int, float]]:
    firsts, alone, lasts = lists.first_names(), lists.lone_names(), lists.surnames()
    for found in CAPITAL.finditer(text):
        word = found[0]
        first = word.title() if word.isupper() else word
        first = re.sub(r"['’]s$", "", first)
        if first not in firsts:
            continue
        end = found.start() + len(first)
        last = NEXT.match(text, end) if end == found.end() else None
        surname = re.sub(r"['’][sS]$", "", last[2]) if last else ""
        known = (surname.title() if surname.isupper() else surname).split(" ")[-1] in lasts
        clear = first in alone
        word_too = first.lower() in lists.names_that_are_words()
        two_words = word_too and surname.lower() in lists.names_that_are_words()
        surname_by_place = clear and not word.isupper() and _may_be_surname(surname)
        if last and ((known and not two_words) or surname_by_place):
            yield found.start(), last.start(2) + len(surname), LIKELY
        elif clear and not word.isupper():
            yield found.start(), end, POSSIBLE


def _may_be_surname(word: str) -> bool:
    return (
        len(word) > 2
        and word not in lists.no_surnames()
        and not word.isupper()
        and word.lower() not in lists.names_that_are_words()
        and word.split(" ")[0] not in lists.places()
    )


def ages(reading: Reading) -> Iterator[Entity]:
    """How old somebody is, or when they were born; a whisky of 12 years is nobody."""
    for pattern in AGES:
        for found in pattern.finditer(reading.text):
            end = found.end()
            near = reading.text[max(0, found.start() - 25) : found.start()], reading.text[end : end + 15]
            if not any(THINGS.search(part) for part in near):
                yield Entity("AGE", *found.span(1), LIKELY)


FINDERS: dict[str, Finder] = {"NAME": names, "AGE": ages}
