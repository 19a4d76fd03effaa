"""Cards: numbers (issuer and Luhn), CVV and expiry (by the words beside them)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stdnum import luhn

from localbedrock.guardrails.personal_data.reading import CERTAIN, LIKELY, Entity, Finder, Reading

NUMBER, CVV, EXPIRY = "CREDIT_DEBIT_CARD_NUMBER", "CREDIT_DEBIT_CARD_CVV", "CREDIT_DEBIT_CARD_EXPIRY"

DIGITS = re.compile(r"(?<![\w.,+-])\d+(?:[ -]\d+)*(?![\w])")
GROUP = re.compile(r"\d+")
ISSUERS = (
    (re.compile(r"4"), (13, 16, 19)),  # Visa
    (re.compile(r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720"), (16,)),  # Mastercard
    (re.compile(r"3[47]"), (15,)),  # American Express
    (re.compile(r"36|38|39|30[0-5]"), (14,)),  # Diners Club
    (re.compile(r"6011|64[4-9]|65|62|35(?:2[89]|[3-8])"), (16, 17, 18, 19)),  # Discover, UnionPay, JCB
    (
        re.compile(r"50(?:18|20|38)|5893|63(?:04|90)|67(?:59|6[1-3])"),
        (12, 13, 14, 15, 16, 17, 18, 19),
    ),  # Maestro
)
LONGEST = 19

THREE_OR_FOUR = re.compile(r"(?<![\w.,/$€£-])\d{3,4}(?![\w/]|[.,-]\d)")
MONTH = r"(?:0[1-9]|1[0-2])\s?[/-]\s?(?:20[2-9]\d|[2-9]\d)"
MONTH_NAME = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.? 20[2-9]\d"
EXPIRES = re.compile(rf"(?<![\w/.-])(?:{MONTH}|{MONTH_NAME})(?![\w/]|-\d)", re.IGNORECASE)
CARD_WORDS = frozenset({NUMBER, CVV})
CARD_WORDS_REACH = 80
SHORT_LABELS = re.compile(r"exp|exp(?:iry|iration)? date|valid (?:thru|through|until|till)", re.IGNORECASE)


def numbers(reading: Reading) -> Iterator[Entity]:
    """Card numbers, in one piece or in groups."""
    for run in DIGITS.finditer(reading.text):
        groups = [found.span() for found in GROUP.finditer(reading.text, *run.span())]
        if len(groups) > LONGEST:  # a table of digits, not a number written digit by digit
            groups = [(start, end) for start, end in groups if end - start > 1]
        taken = -1
        for index, (start, _) in enumerate(groups):
            if start < taken or reading.text[start] not in "23456":
                continue
            end = _card_end(reading.text, groups[index : index + LONGEST])
            if end:
                yield Entity(NUMBER, start, end, CERTAIN)
                taken = end


def _card_end(text: str, groups: list[tuple[int, int]]) -> int:
    """Where a card number that starts with the first group ends; 0 where there is none."""
    digits, found, last = "", 0, groups[0][0]
    for start, end in groups:
        if start - last > 1 or len(digits) + end - start > LONGEST:
            break
        digits += text[start:end]
        last = end
        if len(digits) > 11 and is_card(digits):
            found = end
    return found


def is_card(digits: str) -> bool:
    """Whether an issuer has numbers of this beginning and length, and the check digit is right."""
    return any(
        len(digits) in lengths and begins.match(digits) for begins, lengths in ISSUERS
    ) and luhn.is_valid(digits)


def cvvs(reading: Reading) -> Iterator[Entity]:
    """Three or four digits that are said to be a security code."""
    for entity, _ in reading.matches(CVV, THREE_OR_FOUR, LIKELY):
        if reading.labels.said(entity.start, entity.end, 25) == CVV:
            yield entity


def expiries(reading: Reading) -> Iterator[Entity]:
    """A month and a year that are said to be the end of a card: milk expires too."""
    for entity, _ in reading.matches(EXPIRY, EXPIRES, LIKELY):
        label = reading.labels.naming(entity.start, entity.end, 25)
        if not label or label.kind != EXPIRY:
            continue
        short = SHORT_LABELS.fullmatch(reading.text, label.start, label.end)
        if short or _card_near(reading, entity):
            yield entity


def _card_near(reading: Reading, entity: Entity) -> bool:
    if reading.labels.near(CARD_WORDS, entity.start, entity.end, CARD_WORDS_REACH):
        return True
    around = reading.text[max(0, entity.start - CARD_WORDS_REACH) : entity.end + CARD_WORDS_REACH]
    return re.search(r"\bcards?\b", around, re.IGNORECASE) is not None


FINDERS: dict[str, Finder] = {NUMBER: numbers, CVV: cvvs, EXPIRY: expiries}
