"""E-mail addresses, URLs, IP and MAC addresses."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from localbedrock.guardrails.personal_data.labels import OTHER
from localbedrock.guardrails.personal_data.reading import CERTAIN, LIKELY, POSSIBLE, Entity, Finder, Reading

EMAIL_FORM = re.compile(
    r"(?<![\w.%+'-])[\w%+'-]{1,64}(?:\.[\w%+'-]{1,64}){0,8}@(?:[^\W_](?:[\w-]{0,62}))(?:\.[\w-]{1,63}){0,8}\.[^\W\d_]{2,24}(?![\w@])"
)
FILES = frozenset({"png", "jpg", "jpeg", "gif", "svg", "webp", "js", "css", "py", "json", "html"})
WITH_SCHEME = re.compile(
    r"(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]{1,15}://[\w\[][^\s<>\"'`{}|\\^]*|(?<![\w@./-])www\.[^\s<>\"'`{}|\\^]+\.[^\s<>\"'`{}|\\^]+",
    re.IGNORECASE,
)
BARE = re.compile(
    r"(?<![\w@./:%+-])(?:[a-z0-9](?:[a-z0-9-]{0,62})\.){1,5}"
    r"(?:com|org|net|edu|gov|mil|io|dev|app|info|biz|co\.uk|org\.uk|ac\.uk|com\.au|de|fr|es|nl|eu|ca|jp)"
    r"(?![\w@-]|\.\w)(?::\d{2,5})?(?:/[^\s<>\"'`{}|\\^]*)?"
)
CLOSING = {")": "(", "]": "["}
IPV4 = re.compile(r"(?<![\w.])(?<![A-Za-z]/)\d{1,3}(?:\.\d{1,3}){3}(?!\w|\.\d)")
IPV6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f:]{3,39}(?:(?<=:)\d{1,3}(?:\.\d{1,3}){3})?(?![\w:])")
MAC_FORM = re.compile(
    r"(?<![\w:.-])(?:[0-9A-Fa-f]{2}([:-])(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}|[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4})(?![\w:-]|\.\w)"
)


def emails(reading: Reading) -> Iterator[Entity]:
    """E-mail addresses; ``logo@2x.png`` and the password in ``https://user:password@host`` are none."""
    text = reading.text
    for found in EMAIL_FORM.finditer(text):
        if found[0].rpartition(".")[2].lower() in FILES or ".." in found[0]:
            continue
        before = text[max(0, found.start() - 80) : found.start()]
        if re.search(r"://[^\s/@]*$", before):
            continue
        yield Entity("EMAIL", *found.span(), CERTAIN)


def urls(reading: Reading) -> Iterator[Entity]:
    """Web addresses: with a scheme, with www, or a bare host of a usual top-level domain."""
    taken = 0
    for found in sorted((*WITH_SCHEME.finditer(reading.text), *BARE.finditer(reading.text)), key=_place):
        if found.start() >= taken:
            taken = found.start() + len(_without_punctuation(found[0]))
            yield Entity("URL", found.start(), taken, CERTAIN if found.re is WITH_SCHEME else LIKELY)


def _place(found: re.Match[str]) -> int:
    return found.start()


def _without_punctuation(url: str) -> str:
    """Without what belongs to the sentence: a full stop, a bracket that was not opened inside."""
    while url:
        last = url[-1]
        if last in ".,;:!?*" or (last in CLOSING and url.count(last) > url.count(CLOSING[last])):
            url = url[:-1]
        else:
            break
    return url


def ips(reading: Reading) -> Iterator[Entity]:
    """IPv4 and IPv6 addresses; four numbers of a version are none."""
    for entity, address in reading.matches("IP_ADDRESS", IPV4, CERTAIN):
        if _is_ip(address) and reading.labels.said(entity.start, entity.end, 20) != OTHER:
            yield entity
    for found in IPV6.finditer(reading.text):
        address = found[0][:-1] if found[0].endswith(":") and not found[0].endswith("::") else found[0]
        if re.search(r"\d", address) and address.count(":") > 1 and _is_ip(address):
            yield Entity("IP_ADDRESS", found.start(), found.start() + len(address), CERTAIN)


def _is_ip(address: str) -> bool:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return False
    return True


def macs(reading: Reading) -> Iterator[Entity]:
    """MAC addresses; six pairs of digits with dashes may be a time, unless they are named."""
    for entity, address in reading.matches("MAC_ADDRESS", MAC_FORM, CERTAIN):
        if ":" in address or re.search(r"[A-Fa-f]", address):
            yield entity
        elif reading.labels.said(entity.start, entity.end) == "MAC_ADDRESS":
            yield Entity("MAC_ADDRESS", entity.start, entity.end, POSSIBLE)


FINDERS: dict[str, Finder] = {"EMAIL": emails, "URL": urls, "IP_ADDRESS": ips, "MAC_ADDRESS": macs}
