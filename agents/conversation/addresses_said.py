"""Finds the address that a person means in what they say: URLs, hosts, ports, folders of any notation."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

from agents.conversation.database_said import database_in
from knowledge.conversation import folded, manner, negations
from tools.address import KNOWN_SCHEMES

Kind = Literal["url", "share", "drive", "path", "host"]
_URL = re.compile(r"\b[a-z][a-z0-9+.-]{1,12}://[^\s\"'<>„“”«»`]+|\bsqlite:///[^\s\"'<>]+", re.IGNORECASE)
_NAME = r"[^\s\\/:*?\"<>|,;]+"
_SPACED = rf"{_NAME}(?:[ ][A-Z(][^\s\\/:*?\"<>|,;]*){{0,3}}(?=\\)"  # "Program Files\": a blank only inside a path
_SHARE = re.compile(rf"(?<![\w\\])\\\\[\w.$-]+(?:\\(?:{_SPACED}|{_NAME}))*\\?")
_SLASHED_SHARE = re.compile(r"(?:\bsmb:|(?<![\w:/\\]))//(?P<share>[\w.$-]+(?:/[^\s\\/:*?\"<>|,;]+)+)", re.IGNORECASE)
_CUED_PATH = re.compile(r"\b(?:ordner|folder|directory|verzeichnis|pfad|path)\s*(?:is|ist|:|=)?\s*(?P<path>/[\w.@+/-]+[ ][\w.@+-]+/[\w.@+/-]*)", re.IGNORECASE)  # fmt: skip
_LOCALHOST = re.compile(r"(?<![\w@./\\:-])localhost(?![\w:.-])", re.IGNORECASE)
_QUOTED_PATH = re.compile(r"[\"'„“«`](?P<path>(?:[A-Za-z]:\\|\\\\|/|~/)[^\"'“”»`\n]+)[\"'“”»`]")
_DRIVE = re.compile(rf"\b[A-Za-z]:[\\/](?:(?:{_SPACED}|{_NAME})[\\/]?)*")
_PATH = re.compile(r"(?<![^\s(\[:=,])(?:~|\.{1,2})?/[\w.@+-]+(?:/[\w.@+-]*)*")
_HOST_PORT = re.compile(
    r"(?<![\w@./\\-])(?P<host>\[[0-9a-fA-F:]+\]|[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?):(?P<port>\d{1,5})(?P<path>/[\w./-]*)?(?![\w:])"
)
_DOTTED = re.compile(
    r"(?<![\w@./\\:-])(?P<host>\d{1,3}(?:\.\d{1,3}){3}(?![\w.]*\w)|(?:[A-Za-z0-9](?:[\w-]*[A-Za-z0-9])?\.)+[A-Za-z0-9-]{2,})(?P<path>/[\w./-]*)?(?![\w@\\:])"
)
_SINGLE = re.compile(r"[A-Za-z][\w-]{1,62}(?=[\s,;.!?]|$)")
_PORT = re.compile(r"(?:\bport|(?<=\s)-p)\s*(?:is|ist|:|=|number|nummer)?\s*(?P<port>\d{2,5})\b", re.IGNORECASE)


@dataclass(frozen=True)
class AddressSaid:
    """An address as `parse_address` takes it. `share` and `drive` are paths of Windows, which this machine may not have."""

    text: str
    kind: Kind
    begin: int
    end: int
    denied: bool = False


def addresses_in(text: str) -> list[AddressSaid]:
    """All addresses of a text, in its order; the ones that the person speaks against are marked."""
    found: list[AddressSaid] = []
    for each in _all(text):
        overlaps = any(each.begin < other.end and other.begin < each.end for other in found)
        if not overlaps and not _is_website(text, each):
            found.append(each)
    found.sort(key=lambda said: said.begin)
    found = [replace(each, denied=True) if _is_left(text, each, found) else each for each in found]
    return [with_database(text, _with_port(text, each)) for each in found]


def address_in(text: str) -> AddressSaid | None:
    """The address that is meant: of those not spoken against the first."""
    return next((each for each in addresses_in(text) if not each.denied), None)


def _all(text: str) -> Iterator[AddressSaid]:
    for match in _QUOTED_PATH.finditer(text):
        yield _said(text, match["path"], _kind_of_path(match["path"]), match.start("path"))
    for match in _URL.finditer(text):
        if match[0].partition("://")[0].casefold() in KNOWN_SCHEMES:
            yield _said(text, _without_end(match[0]), "url", match.start())
    for match in _SLASHED_SHARE.finditer(text):
        share = "\\\\" + _without_end(match["share"]).replace("/", "\\")
        yield AddressSaid(share, "share", match.start(), match.end(), denied=_is_denied(text, match.start()))
    for match in _CUED_PATH.finditer(text):
        yield _said(text, _without_end(match["path"]), "path", match.start("path"))
    for match in _SHARE.finditer(text):
        yield _said(text, _without_end(match[0]), "share", match.start())
    for match in _DRIVE.finditer(text):
        yield _said(text, _without_end(match[0]), "drive", match.start())
    for match in _PATH.finditer(text):
        path = _without_end(match[0])
        if (
            path.count("/") > 1
            or re.match(r"\s*$|\s*[.!?,]?\s*$", text[match.end() :])
            or _is_cued(text, match.start())
        ):
            yield _said(text, path, "path", match.start())
    for match in _HOST_PORT.finditer(text):
        plain = match["host"].strip("[]")
        long = len(match["port"]) > 1 or _is_ip(plain)  # "step:3" is none
        if long and _is_host(plain) and int(match["port"]) <= 65535:
            yield _said(text, _without_end(match[0]), "host", match.start())
    for match in _DOTTED.finditer(text):
        if _is_dotted_host(match["host"]):
            yield _said(text, _without_end(match[0]), "host", match.start())
    for match in _LOCALHOST.finditer(text):
        yield _said(text, match[0], "host", match.start())
    for cue in _host_cues().finditer(text):
        single = _SINGLE.match(text, cue.end())
        if single and not _is_word(single[0]):
            yield _said(text, single[0], "host", single.start())


def _said(text: str, address: str, kind: Kind, begin: int) -> AddressSaid:
    return AddressSaid(address, kind, begin, begin + len(address), denied=_is_denied(text, begin))


def _kind_of_path(path: str) -> Kind:
    return "share" if path.startswith("\\\\") else "drive" if path[1:2] == ":" else "path"


def _without_end(text: str) -> str:
    """Without the punctuation of the sentence around it."""
    text = text.rstrip(".,;:!?…")
    while text.endswith((")", "]")) and text.count("(") + text.count("[") < text.count(")") + text.count("]"):
        text = text[:-1].rstrip(".,;:!?")
    return text


def _is_host(host: str) -> bool:
    """Not a time of day, a ratio, a label before a number: letters with a dot, a digit or a hyphen, or an address."""
    if _is_ip(host):
        return True
    return not host.replace(".", "").isdigit() and not _is_word(host) and len(host) > 1


def _is_dotted_host(host: str) -> bool:
    if _is_ip(host):
        return True
    labels = host.casefold().split(".")
    if labels[-1] not in _top_level() or all(len(label) <= 1 for label in labels[:-1]):
        return False
    return not (len(labels) == 2 and len(labels[0]) < 2)


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_word(text: str) -> bool:
    """An everyday word behind `server is`, or before a colon: no host."""
    return folded(text) in _words()


def _is_cued(text: str, begin: int) -> bool:
    return bool(
        re.search(
            r"(?:folder|path|directory|ordner|pfad|verzeichnis|at|in|under|unter)\s*:?\s*$", text[:begin], re.IGNORECASE
        )
    )


def _is_denied(text: str, begin: int) -> bool:
    before = folded(text[max(0, begin - 40) : begin])
    clause = re.split(
        r"[.;!?,\n]|\b(?:but|sondern|to|zu|now|jetzt|new|neue?)\b",
        before,
    )[-1]
    return bool(negations().search(clause))


def _is_left(text: str, said: AddressSaid, others: Sequence[AddressSaid]) -> bool:
    """`it was A but we moved to B`, `A is wrong, take B`: what a later address takes the place of."""
    later = [each for each in others if each.begin > said.end and not each.denied]
    return bool(later) and bool(_moved().search(folded(text[said.end : later[0].begin])))


def _is_website(text: str, said: AddressSaid) -> bool:
    before = text[max(0, said.begin - 40) : said.begin]
    return any(re.search(cue, before, re.IGNORECASE) for cue in manner().website_cues)


def _with_port(text: str, said: AddressSaid) -> AddressSaid:
    """`10.0.0.5, port 8080`: the port said apart belongs to the host."""
    named = _PORT.search(text)
    if named is None or said.kind != "host" or re.search(r":\d+", said.text) or int(named["port"]) > 65535:
        return said
    host, slash, path = said.text.partition("/")
    return AddressSaid(f"{host}:{named['port']}{slash}{path}", said.kind, said.begin, said.end, said.denied)


def with_database(text: str, said: AddressSaid) -> AddressSaid:
    """`Server=10.0.0.8;Port=5432;Database=praxis`: host and database said apart are one address of PostgreSQL."""
    name = database_in(text) if said.kind == "host" and "/" not in said.text else None
    return replace(said, text=f"postgresql://{said.text}/{name}", kind="url") if name else said


@cache
def _host_cues() -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{each})" for each in manner().host_cues), re.IGNORECASE)


@cache
def _moved() -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(re.escape(folded(each)) for each in manner().moved)})\b")


@cache
def _top_level() -> frozenset[str]:
    return frozenset(manner().top_level)


@cache
def _words() -> frozenset[str]:
    told = manner().tells
    return frozenset(folded(each) for each in (*told["en"], *told["de"], *manner().no_hosts))
