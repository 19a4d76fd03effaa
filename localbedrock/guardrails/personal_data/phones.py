"""Phone numbers, as the numbering plans of their countries have them (phonenumbers)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache

import phonenumbers

from localbedrock.guardrails.personal_data.cards import is_card
from localbedrock.guardrails.personal_data.reading import CERTAIN, LIKELY, Entity, Finder, Reading

KIND = "PHONE"

# Cheap: the numbering plans are asked about what looks like a number alone.
CANDIDATE = re.compile(
    r"(?<![\w.,/-])(?<![$€£+] )[+(]{0,2}\d(?:[ ().\-/]{0,3}\d){5,16}"
    r"(?:\s{0,2}(?:x|ext\.?|extension)\s{0,2}\d{1,6})?(?!\w|[.,/-]\d)",
    re.IGNORECASE,
)
VANITY = re.compile(r"(?<![\w-])(?:1-)?8(?:00|33|44|55|66|77|88)-(?:[A-Z]{7}|[A-Z]{3}-[A-Z]{4})(?!\w)")
NORTH_AMERICAN = re.compile(
    r"(?:\+?1[ .-]?)?(?:\(\d{3}\) ?\d{3}[ .-]\d{4}|\d{3}([.-])\d{3}\1\d{4}|\d{3} \d{3}[ -]\d{4})(?:\s.*)?",
    re.IGNORECASE,
)
DATE = re.compile(r"(?:19|20)\d\d([./-])\d{1,2}\1\d{1,2}|\d{1,2}([./-])\d{1,2}\2(?:19|20)\d\d")
EXTENSION = re.compile(r"\s{0,2}[xe].*", re.IGNORECASE)
REGIONS = ("GB", "DE", "FR", "ES", "IT", "NL", "IN", "AU", "JP", "BR", "MX", "ZA", "CH", "SE", "PL")
"""Whose national numbers (with their leading 0) are told without a country code."""


def phones(reading: Reading) -> Iterator[Entity]:
    """Phone numbers in international or national form; bare digits only where they are said to be one."""
    for found in CANDIDATE.finditer(reading.text):
        end = found.end()
        number = found[0]
        said = reading.labels.said(found.start(), end)
        if said not in (None, KIND) or DATE.match(number):
            continue
        start = found.start() + (number.startswith("((") or (number.startswith("(") and ")" not in number))
        number = reading.text[start:end]
        if is_phone(number, named=said == KIND):
            yield Entity(KIND, start, end, CERTAIN if number.startswith("+") or said else LIKELY)
    for found in VANITY.finditer(reading.text):
        yield Entity(KIND, *found.span(), LIKELY)


def is_phone(number: str, *, named: bool) -> bool:
    """Whether a numbering plan has this number. ``named``: the text says that it is a phone number."""
    digits = re.sub(r"\D", "", EXTENSION.sub("", number))
    if number.startswith("+"):
        return _valid(number, None)
    if len(digits) > 12 and is_card(digits):
        return False
    if NORTH_AMERICAN.fullmatch(number):
        return _valid(number, "US")
    if named:
        return 7 <= len(digits) <= 13
    if digits.startswith("00"):
        return _valid("+" + digits[2:], None)
    if not (digits.startswith("0") and 9 <= len(digits) <= 12):
        return False
    return any(
        (plan.fullmatch(digits) or plan.fullmatch(digits[1:])) and _valid(number, region)
        for region, plan in _plans().items()
    )


@cache
def _plans() -> dict[str, re.Pattern[str]]:
    """The roughest pattern of every region's plan: is_valid_number takes fifty times as long."""
    plans = {}
    for region in REGIONS:
        metadata = phonenumbers.PhoneMetadata.metadata_for_region(region)
        if metadata and metadata.general_desc and (pattern := metadata.general_desc.national_number_pattern):
            plans[region] = re.compile(pattern)
    return plans


@lru_cache(maxsize=4096)
def _valid(number: str, region: str | None) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(number, region))
    except phonenumbers.NumberParseException:
        return False


FINDERS: dict[str, Finder] = {KIND: phones}
