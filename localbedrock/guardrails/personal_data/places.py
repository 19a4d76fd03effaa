"""Addresses: streets and postcodes by their form, countries, states and cities by lists ("Rome")."""

from __future__ import annotations

import re
from collections.abc import Iterator

from localbedrock.guardrails.personal_data import lists
from localbedrock.guardrails.personal_data.reading import CERTAIN, LIKELY, POSSIBLE, Entity, Finder, Reading

KIND = "ADDRESS"
SUFFIXES = (
    "Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Dr|Boulevard|Blvd|Court|Ct|Place|Pl|Square|Sq|Terrace|Ter|Way|Circle"
    "|Cir|Crescent|Highway|Hwy|Parkway|Pkwy|Close|Grove|Gardens|Mews|Trail|Alley|Row|Loop|Quay|Broadway|Plaza"
)
NAME = r"(?:[^\W\d_a-z][^\W\d_]*(?:['’.-][^\W\d_]+)*\.?|\d{1,3}(?:st|nd|rd|th))"
UNIT = r"(?:,? (?:Apt|Apartment|Suite|Ste|Unit|Flat|Floor|Fl|Room|Rm|#)\.? ?#?\w{1,6})?"
STREET = re.compile(
    rf"(?<![\w.,$€£-])(?:(?:Flat|Apt|Apartment|Unit|Suite)\.? \w{{1,5}},? )?"
    rf"\d{{1,6}}[A-Za-z]?(?:[-/]\d{{1,4}})? "
    rf"(?:[NSEW]\.? |North |South |East |West )?(?:{NAME} ){{1,4}}?"
    rf"(?:{SUFFIXES})\b\.?(?: (?:[NSEW]{{1,2}}|North|South|East|West)\b)?{UNIT}"
)
EUROPEAN = re.compile(
    rf"(?<![\w-])(?:[^\W\d_a-z][^\W\d_]*"
    rf"(?:straße|strasse|weg|platz|gasse|allee|laan|straat|gatan) \d{{1,4}}[a-z]?"
    rf"|(?:\d{{1,4}},? )?(?:[Rr]ue|[Vv]ia|[Vv]iale|[Pp]iazza|[Cc]alle"
    rf"|[Aa]venida|[Rr]ua|[Pp]laza|[Pp]aseo|[Bb]oulevard|[Cc]hemin)"
    rf" (?:(?:de|du|des|la|le|les|del|della|di|dei|da|do|los|las|l'|d') ?){{0,2}}"
    rf"{NAME}(?: {NAME}){{0,3}}(?:,? \d{{1,4}}\b)?)(?![\w-])"
)
BOX = re.compile(r"\bP\.? ?O\.? ?Box \d{1,6}\b", re.IGNORECASE)
CITY_STATE = re.compile(
    rf"(?<![\w-]){NAME}(?: {NAME}){{0,2}},? ([A-Z]{{2}})(?: \d{{5}}(?:-\d{{4}})?)?(?![\w-])"
)
UK_POSTCODE = re.compile(r"(?<![\w-])(?:[A-PR-UWYZ][A-HK-Y]?\d[A-Z\d]?) \d[ABD-HJLNP-UW-Z]{2}(?![\w-])")
CANADA_POSTCODE = re.compile(
    r"(?<![\w-])[ABCEGHJ-NPRSTVXY]\d[ABCEGHJ-NPRSTV-Z] \d[ABCEGHJ-NPRSTV-Z]\d(?![\w-])"
)
ZIP = re.compile(r"\bzip(?: ?code)?(?: is)?:? ?(\d{5}(?:-\d{4})?)(?!\w)", re.IGNORECASE)
CAPITAL = re.compile(r"(?<![\w@#/.'’-])(?=[^\W\d_a-z])[^\W\d_]+(?:[.'’-]?[^\W\d_]+)*(?![\w@/]|\.\w)")
BEFORE_PLACE = re.compile(
    r"\b(?:in|from|to|at|near|of|visit(?:ing|ed)?|via|around|across|through|outside|leaving|toward|towards|city|state|country"
    r"|lives?|capital|and|or)[ :,]{1,3}(?:the )?$|, $",
    re.IGNORECASE,
)
FIRST_NAME = re.compile(r"\b([^\W\d_]+) $")
JOINT = re.compile(r",? {1,2}|,?\n")


def addresses(reading: Reading) -> Iterator[Entity]:
    """Every part of an address; what a comma joins ("1 Main St, Rome, Italy") is told as one."""
    spans = sorted((*_forms(reading.text), *_places(reading.text)), key=lambda span: (span[0], -span[1]))
    start, end, confidence, street = -1, -1, 0.0, False
    for place in spans:
        joint = end >= 0 and (
            place[0] < end
            or (
                JOINT.fullmatch(reading.text, end, place[0])
                and (street or "," in reading.text[end : place[0]])
            )
        )
        if joint:
            end, confidence, street = max(end, place[1]), max(confidence, place[2]), street or place[3]
            continue
        if end > 0:
            yield Entity(KIND, start, end, confidence)
        start, end, confidence, street = place
    if end > 0:
        yield Entity(KIND, start, end, confidence)


def _forms(text: str) -> Iterator[tuple[int, int, float, bool]]:
    """Streets, boxes, postcodes: start, end, confidence, and that it is exact."""
    for pattern, confidence in (
        (STREET, CERTAIN),
        (BOX, CERTAIN),
        (EUROPEAN, LIKELY),
        (CANADA_POSTCODE, LIKELY),
        (UK_POSTCODE, POSSIBLE),
    ):
        for found in pattern.finditer(text):
            yield *found.span(), confidence, True
    for found in ZIP.finditer(text):
        yield *found.span(1), LIKELY, True
    for found in CITY_STATE.finditer(text):
        exact = re.search(r"\d{5}", found[0]) or ", " in found[0]
        if exact and found[1] in lists.state_codes():
            yield *found.span(), LIKELY, True


def _places(text: str) -> Iterator[tuple[int, int, float, bool]]:
    """Places of the lists."""
    known = lists.places()
    taken = 0
    for found in CAPITAL.finditer(text):
        first = re.sub(r"['’]s$", "", found[0])
        if found.start() < taken or first not in known:
            continue
        for words in known[first]:
            name = " ".join(words)
            end = found.start() + len(name)
            if text.startswith(name, found.start()) and not text[end : end + 1].isalnum():
                if _speaks_of_a_place(text, found.start(), end, name):
                    yield (
                        found.start(),
                        end,
                        POSSIBLE if name in lists.places_that_are_names() else LIKELY,
                        False,
                    )
                    taken = end
                break


def _speaks_of_a_place(text: str, start: int, end: int, name: str) -> bool:
    """Whether a name that is a person's too ("Jordan") is a place here."""
    before = text[max(0, start - 20) : start]
    first = FIRST_NAME.search(before)
    if first and first[1] in lists.lone_names():
        return False
    if name not in lists.places_that_are_names():
        return True
    after = re.match(r" (?=[^\W\d_a-z])([^\W\d_]+)", text[end : end + 30])
    if after and after[1] in lists.surnames():
        return False
    return BEFORE_PLACE.search(before) is not None


FINDERS: dict[str, Finder] = {KIND: addresses}
