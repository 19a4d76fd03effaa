"""Passports, driving licences, licence plates and vehicles."""

from __future__ import annotations

import re
from collections.abc import Iterator

from localbedrock.guardrails.personal_data.reading import CERTAIN, LIKELY, Entity, Finder, Reading

PASSPORT, DRIVER, PLATE, VIN = (
    "US_PASSPORT_NUMBER",
    "DRIVER_ID",
    "LICENSE_PLATE",
    "VEHICLE_IDENTIFICATION_NUMBER",
)

PASSPORT_FORM = re.compile(r"(?<![\w.-])(?:[A-Z]\d{8}|\d{9})(?![\w-]|\.\d)")
DRIVER_FORM = re.compile(r"(?=(?:[A-Z -]{0,8}\d){4})[A-Z0-9](?:[ -]?[A-Z0-9]){4,18}(?![\w-])")
UK_DRIVER = re.compile(r"(?<![\w-])[A-Z9]{5}\d{6}[A-Z9]{2}\d[A-Z]{2}(?![\w-])")
PLATE_FORM = re.compile(r"(?=[A-Z -]{0,6}\d)[A-Z0-9]{1,4}(?:[ -]?[A-Z0-9]{1,4}){1,2}(?![\w-])")
VIN_FORM = re.compile(r"(?<![\w-])(?=[A-Z0-9]*\d)[A-HJ-NPR-Z0-9]{17}(?![\w-])", re.IGNORECASE)

VIN_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
VIN_VALUES = dict(
    zip("ABCDEFGHJKLMNPRSTUVWXYZ", (*range(1, 9), *range(1, 6), 7, 9, *range(2, 10)), strict=True)
)


def passports(reading: Reading) -> Iterator[Entity]:
    """Nine characters that are said to be a passport's number."""
    for entity, _ in reading.matches(PASSPORT, PASSPORT_FORM, LIKELY):
        if reading.labels.said(entity.start, entity.end) == PASSPORT:
            yield entity


def licences(reading: Reading) -> Iterator[Entity]:
    """What follows the words "driver's license", in any state's form; the UK's form also without them."""
    told: set[int] = set()
    for _, found in reading.after(DRIVER, DRIVER_FORM):
        told.add(found.start())
        yield Entity(DRIVER, *found.span(), LIKELY)
    for entity, _ in reading.matches(DRIVER, UK_DRIVER, CERTAIN):
        if entity.start not in told:
            yield entity


def plates(reading: Reading) -> Iterator[Entity]:
    """What follows the words "license plate"."""
    for _, found in reading.after(PLATE, PLATE_FORM):
        yield Entity(PLATE, *found.span(), LIKELY)


def vins(reading: Reading) -> Iterator[Entity]:
    """Vehicle numbers with a right check digit; without one, which not every country has, where named."""
    for entity, number in reading.matches(VIN, VIN_FORM, CERTAIN):
        if has_check_digit(number.upper()) and not number.isdigit():
            yield entity
        elif reading.labels.said(entity.start, entity.end) == VIN:
            yield Entity(VIN, entity.start, entity.end, LIKELY)


def has_check_digit(number: str) -> bool:
    """Whether the ninth of the 17 characters is the check digit of ISO 3779 as used in North America."""
    values = [int(character) if character.isdigit() else VIN_VALUES[character] for character in number]
    rest = sum(value * weight for value, weight in zip(values, VIN_WEIGHTS, strict=True)) % 11
    return number[8] == ("X" if rest == 10 else str(rest))


FINDERS: dict[str, Finder] = {PASSPORT: passports, DRIVER: licences, PLATE: plates, VIN: vins}
