"""Numbers that states give to people: US, Canada, United Kingdom."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from stdnum import luhn
from stdnum.ca import bc_phn, sin
from stdnum.gb import nhs, utr
from stdnum.us import itin, ssn

from localbedrock.guardrails.personal_data.reading import CERTAIN, LIKELY, POSSIBLE, Entity, Finder, Reading

SSN, ITIN = "US_SOCIAL_SECURITY_NUMBER", "US_INDIVIDUAL_TAX_IDENTIFICATION_NUMBER"
SIN, HEALTH = "CA_SOCIAL_INSURANCE_NUMBER", "CA_HEALTH_NUMBER"
NHS, NINO, UTR = (
    "UK_NATIONAL_HEALTH_SERVICE_NUMBER",
    "UK_NATIONAL_INSURANCE_NUMBER",
    "UK_UNIQUE_TAXPAYER_REFERENCE_NUMBER",
)

SOCIAL = re.compile(r"(?<![\w.-])\d{3}([ -]?)\d{2}\1\d{4}(?![\w-]|\.\d)")
THREES = re.compile(r"(?<![\w.-])\d{3}([ -]?)\d{3}\1\d{3}(?![\w-]|[ .]\d)")
TENS = re.compile(r"(?<![\w.-])(?:\d{3}([ -]?)\d{3}\1\d{4}|\d{5} ?\d{5}K?|\d{10}K)(?![\w-]|\.\d)")
HEALTH_FORM = re.compile(
    r"(?<![\w.-])(?:\d{4}([ -]?)\d{3}\1\d{3}(?:[ -]?[A-Z]{2})?"
    r"|[A-Z]{4} ?\d{4} ?\d{4}|\d{9}|\d{5}-\d{4}|\d{12})(?![\w-]|\.\d)"
)
NINO_FORM = re.compile(
    r"(?<![\w-])(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z]"
    r"[A-CEGHJ-NPR-TW-Z]([ -]?)\d{2}\1\d{2}\1\d{2}\1[A-D](?![\w-])",
    re.IGNORECASE,
)


def ssns(reading: Reading) -> Iterator[Entity]:
    """US social security numbers: as 123-45-6789 anywhere, in other forms where they are named."""
    return _social(reading, SSN, ssn.is_valid)


def itins(reading: Reading) -> Iterator[Entity]:
    """US taxpayer numbers, which look like social security numbers of areas from 900."""
    return _social(reading, ITIN, itin.is_valid)


def _social(reading: Reading, kind: str, is_valid: Callable[[str], bool]) -> Iterator[Entity]:
    for entity, number in reading.matches(kind, SOCIAL, LIKELY):
        if not is_valid(number.replace(" ", "")):
            continue
        said = reading.labels.said(entity.start, entity.end)
        if said == kind or ("-" in number and said is None):
            yield entity
        elif "-" in number:
            yield Entity(kind, entity.start, entity.end, POSSIBLE)


def sins(reading: Reading) -> Iterator[Entity]:
    """Canadian social insurance numbers (Luhn): with dashes anywhere, in other forms where they are named."""
    for entity, number in reading.matches(SIN, THREES, CERTAIN):
        said = reading.labels.said(entity.start, entity.end)
        if said == SIN and luhn.is_valid(re.sub(r"\D", "", number)):
            yield entity
        elif "-" in number and said is None and sin.is_valid(number):
            yield Entity(SIN, entity.start, entity.end, POSSIBLE)


def health_numbers(reading: Reading) -> Iterator[Entity]:
    """Numbers of Canadian health cards, where they are named; each province has a form of its own."""
    for entity, number in reading.matches(HEALTH, HEALTH_FORM, LIKELY):
        if reading.labels.said(entity.start, entity.end) == HEALTH:
            digits = re.sub(r"\D", "", number)
            checked = len(digits) == 10 and (luhn.is_valid(digits) or bc_phn.is_valid(digits))
            yield Entity(HEALTH, entity.start, entity.end, CERTAIN if checked else LIKELY)


def nhs_numbers(reading: Reading) -> Iterator[Entity]:
    """NHS numbers with a right check digit, where they are named."""
    for entity, number in reading.matches(NHS, TENS, CERTAIN):
        if nhs.is_valid(number) and reading.labels.said(entity.start, entity.end, 60) == NHS:
            yield entity


def ninos(reading: Reading) -> Iterator[Entity]:
    """UK national insurance numbers, by their form, which nothing else has."""
    for entity, number in reading.matches(NINO, NINO_FORM, CERTAIN):
        if number.isupper() or reading.labels.said(entity.start, entity.end) == NINO:
            yield entity


def utrs(reading: Reading) -> Iterator[Entity]:
    """UK taxpayer references with a right check digit, where they are named."""
    for entity, number in reading.matches(UTR, TENS, CERTAIN):
        if utr.is_valid(number.rstrip("K")) and reading.labels.said(entity.start, entity.end, 60) == UTR:
            yield entity


FINDERS: dict[str, Finder] = {
    SSN: ssns,
    ITIN: itins,
    SIN: sins,
    HEALTH: health_numbers,
    NHS: nhs_numbers,
    NINO: ninos,
    UTR: utrs,
}
