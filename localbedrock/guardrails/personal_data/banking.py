"""Bank accounts: IBAN (its country's form and checksum), SWIFT codes, US accounts and routing numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stdnum import bic, iban
from stdnum.us import rtn

from localbedrock.guardrails.personal_data.cards import is_card
from localbedrock.guardrails.personal_data.reading import CERTAIN, LIKELY, POSSIBLE, Entity, Finder, Reading

IBAN, SWIFT = "INTERNATIONAL_BANK_ACCOUNT_NUMBER", "SWIFT_CODE"
ACCOUNT, ROUTING = "US_BANK_ACCOUNT_NUMBER", "US_BANK_ROUTING_NUMBER"

IBAN_START = re.compile(r"(?<![^\W_])[A-Za-z]{2}\d{2}(?=[ -]?[A-Za-z0-9]{4})")
IBAN_PIECES = re.compile(r"[A-Za-z0-9]+(?=([ -]?))")
LONGEST_IBAN = 34
BIC = re.compile(r"(?<![\w-])[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?(?![\w-])")
BANK_WORDS = frozenset({SWIFT, IBAN, ACCOUNT, ROUTING})
BANK_WORDS_REACH = 100
ACCOUNT_DIGITS = re.compile(r"(?<![\w.-])\d[\d -]{4,19}\d(?![\w-]|\.\d)")
NINE = re.compile(r"(?<![\w.-])\d{9}(?![\w-]|\.\d)")


def ibans(reading: Reading) -> Iterator[Entity]:
    """IBANs, in one piece or in groups, in either case."""
    taken = -1
    for found in IBAN_START.finditer(reading.text):
        if found.start() < taken:
            continue
        for end in _ends(reading.text, found.start()):
            if _checksum(reading.text[found.start() : end]) and iban.is_valid(
                reading.text[found.start() : end]
            ):
                yield Entity(IBAN, found.start(), end, CERTAIN)
                taken = end
                break


def _ends(text: str, start: int) -> list[int]:
    """Where an IBAN that starts here may end: after any of its groups, the longest first."""
    ends: list[int] = []
    length, position = 0, start
    while piece := IBAN_PIECES.match(text, position):
        length += len(piece[0])
        if length > LONGEST_IBAN:
            break
        if length >= 15:
            ends.append(piece.end())
        if not piece[1]:
            break
        position = piece.end(1)
    return ends[::-1]


def _checksum(number: str) -> bool:
    """ISO 7064 MOD 97-10, before the form of the country is looked up."""
    compact = number.replace(" ", "").replace("-", "")
    return int("".join(str(int(character, 36)) for character in compact[4:] + compact[:4])) % 97 == 1


def swifts(reading: Reading) -> Iterator[Entity]:
    """SWIFT codes, where they are named; otherwise a digit and the word bank must tell them from words."""
    for entity, code in reading.matches(SWIFT, BIC, LIKELY):
        if not bic.is_valid(code):
            continue
        if reading.labels.said(entity.start, entity.end, 60) == SWIFT:
            yield entity
        elif re.search(r"\d", code) and _bank_near(reading, entity):
            yield Entity(SWIFT, entity.start, entity.end, POSSIBLE)


def _bank_near(reading: Reading, entity: Entity) -> bool:
    if reading.labels.near(BANK_WORDS, entity.start, entity.end, BANK_WORDS_REACH):
        return True
    around = reading.text[max(0, entity.start - BANK_WORDS_REACH) : entity.end + BANK_WORDS_REACH]
    return re.search(r"\b(?:bank|wire|transfer|beneficiary)\b", around, re.IGNORECASE) is not None


def accounts(reading: Reading) -> Iterator[Entity]:
    """Numbers of 6 to 17 digits that are said to be accounts."""
    for entity, number in reading.matches(ACCOUNT, ACCOUNT_DIGITS, LIKELY):
        digits = re.sub(r"\D", "", number)
        if 6 <= len(digits) <= 17 and not is_card(digits) and reading.labels.said(*_span(entity)) == ACCOUNT:
            yield entity


def routings(reading: Reading) -> Iterator[Entity]:
    """Routing numbers with a right checksum that are said to be some."""
    for entity, number in reading.matches(ROUTING, NINE, CERTAIN):
        if rtn.is_valid(number) and reading.labels.near(frozenset({ROUTING}), *_span(entity), 60):
            yield entity


def _span(entity: Entity) -> tuple[int, int]:
    return entity.start, entity.end


FINDERS: dict[str, Finder] = {IBAN: ibans, SWIFT: swifts, ACCOUNT: accounts, ROUTING: routings}
