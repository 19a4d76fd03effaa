"""Names of people and places: Faker's lists and short ones of our own, read when they are first needed."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

PEOPLE = (
    "en_US",
    "en_GB",
    "en_IN",
    "en_NZ",
    "en_IE",
    "es_ES",
    "es_MX",
    "de_DE",
    "fr_FR",
    "it_IT",
    "nl_NL",
    "pt_BR",
)
GIVEN_ALONE = ("en_US", "en_GB")
"""Whose first names are told without a surname; the longer lists have too many words of English in them."""
CITIES = ("en_IN", "pl_PL", "sv_SE", "ro_RO")

DATA = Path(__file__).parent / "data"


def words(name: str) -> frozenset[str]:
    """A list of our own, word by word."""
    return frozenset((DATA / f"{name}.txt").read_text("utf-8").split())


def lines(name: str) -> frozenset[str]:
    """A list of our own, line by line."""
    return frozenset((DATA / f"{name}.txt").read_text("utf-8").splitlines())


@cache
def names_that_are_words() -> frozenset[str]:
    """Names that are words, places or products as well, in small letters: no name by themselves."""
    return words("names_that_are_words")


@cache
def no_surnames() -> frozenset[str]:
    """Capitalised words that follow a first name in a sentence and are no part of it."""
    return words("no_surnames")


@cache
def places_that_are_names() -> frozenset[str]:
    """Places that are names or things as well: told only where the words around them speak of a place."""
    return words("places_that_are_names")


def _provider(kind: str, locale: str) -> Any:
    return import_module(f"faker.providers.{kind}.{locale}").Provider


def _latin(names: Iterable[str]) -> set[str]:
    return {name for name in names if name[:1].isupper() and len(name) > 1}


@cache
def first_names() -> frozenset[str]:
    """First names of many languages, capitalised."""
    return words("first_names").union(
        *(_latin(getattr(_provider("person", locale), "first_names", ())) for locale in PEOPLE)
    )


@cache
def lone_names() -> frozenset[str]:
    """First names that are told by themselves."""
    names = set().union(
        *(_latin(getattr(_provider("person", locale), "first_names", ())) for locale in GIVEN_ALONE)
    )
    return frozenset(
        name for name in names if name.lower() not in names_that_are_words() and name not in places()
    )


@cache
def surnames() -> frozenset[str]:
    """Last names of many languages, capitalised."""
    return words("surnames").union(
        *(_latin(getattr(_provider("person", locale), "last_names", ())) for locale in PEOPLE)
    )


@cache
def places() -> dict[str, tuple[tuple[str, ...], ...]]:
    """Countries, states and cities as words, by their first word, the longest first."""
    dates = import_module("faker.providers.date_time").Provider
    names: set[str] = set(lines("cities") | lines("countries"))
    for country in dates.countries:
        names |= {country.name, country.capital}
        names |= {zone.rpartition("/")[2].replace("_", " ") for zone in country.timezones}
    names |= {name for name in _provider("address", "en").countries if "(" not in name and "," not in name}
    names |= set(_provider("address", "en_US").states) | set(_provider("address", "en_CA").provinces)
    for locale in CITIES:
        names |= _latin(_provider("address", locale).cities)
    areas = ("America/", "Europe/", "Asia/", "Africa/", "Australia/")
    names |= {
        zone.rpartition("/")[2].replace("_", " ") for zone in available_timezones() if zone.startswith(areas)
    }
    never, careful = words("no_places"), places_that_are_names()
    by_first: dict[str, list[tuple[str, ...]]] = {}
    for name in names:
        if (
            len(name) > 2
            and name not in never
            and (name in careful or name.lower() not in names_that_are_words())
        ):
            parts = tuple(name.split())
            by_first.setdefault(parts[0], []).append(parts)
    return {first: tuple(sorted(found, key=len, reverse=True)) for first, found in by_first.items()}


@cache
def state_codes() -> frozenset[str]:
    """US states and Canadian provinces as two letters."""
    return frozenset(_provider("address", "en_US").states_abbr) | frozenset(
        _provider("address", "en_CA").provinces_abbr
    )
