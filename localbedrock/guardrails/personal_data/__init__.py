"""Personal data in a text: all of AWS's types, each by its form, its checksum or the words around it."""

from __future__ import annotations

from collections.abc import Iterable

from localbedrock.guardrails.normal_text import normal
from localbedrock.guardrails.personal_data import (
    banking,
    cards,
    credentials,
    documents,
    national,
    network,
    people,
    phones,
    places,
)
from localbedrock.guardrails.personal_data.reading import Entity, Finder, Reading

__all__ = ["FINDERS", "Entity", "find_entities"]

FINDERS: dict[str, Finder] = {
    kind: finder
    for module in (banking, cards, credentials, documents, national, network, people, phones, places)
    for kind, finder in module.FINDERS.items()
}
"""By type."""


def find_entities(text: str, types: Iterable[str]) -> list[Entity]:
    """Personal data of the types in the text, by place. Types do not hide each other: spans may overlap."""
    plain = normal(text)
    reading = Reading(plain.text)
    found = [
        Entity(entity.type, *plain.span(entity.start, entity.end), entity.confidence)
        for kind in dict.fromkeys(types)
        if kind in FINDERS
        for entity in FINDERS[kind](reading)
    ]
    return sorted(found, key=lambda entity: (entity.start, entity.end, entity.type))
