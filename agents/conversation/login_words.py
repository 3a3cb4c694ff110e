"""Takes credentials out of what a person says, before anything else sees the text."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import cache
from urllib.parse import parse_qsl, unquote

from knowledge.catalogue import catalogue
from knowledge.conversation import folded, secrets

HIDDEN = "•••"
_QUOTED = r"\"[^\"\n]+\"|'[^'\n]+'|„[^“”\"\n]+[“”\"]|“[^”\n]+”|«[^»\n]+»|`[^`\n]+`"
_PEM = re.compile(r"-----BEGIN (?P<what>[A-Z0-9 ]+)-----.*?(?:-----END [A-Z0-9 ]+-----|\Z)", re.DOTALL)
_IN_URL = re.compile(r"\b(?P<scheme>[a-z][a-z0-9+.-]*://)(?P<user>[^\s:@/]*):(?P<password>\S+?)@(?=[^\s@]+(?:\s|$))", re.IGNORECASE)  # fmt: skip
_USER_IN_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://(?P<user>[^\s:@/]+)@", re.IGNORECASE)
_QUERY = re.compile(r"\b(?P<url>[a-z][a-z0-9+.-]*://[^\s?#]+)(?P<query>[?#][^\s\"'<>]+)", re.IGNORECASE)
_CURL = re.compile(r"(?:^|\s)(?:-u|--user)\s+['\"]?(?P<user>[^\s:'\"]+):(?P<password>[^\s'\"]+)['\"]?")
_PSQL_USER = re.compile(r"\bpsql\b[^\n]*\s(?:-U|--username[ =])\s*(?P<user>[^\s'\"]+)")
_HEADER = re.compile(r"\b(?:authorization\s*[:=]\s*)?(?:bearer|basic|odfhir)\s+(?P<value>[A-Za-z0-9._~+/=-]{8,})", re.IGNORECASE)  # fmt: skip
_RANDOM = re.compile(r"(?<![\w/.:\\@-])(?=[\w+/=-]*\d)(?=[\w+/=-]*[A-Za-z])[\w+=-][\w+/=-]{19,}(?![\w.])")
_ODD = re.compile(r"(?<!\S)(?=\S*\d)(?=\S*[A-Za-z])(?=\S*[A-Z]|\S*[!§$%&#*+?=@^~-])[^\s/\\:]{8,}(?!\S)")
# `reader:hunter2@10.0.0.5` as it is typed for ssh or a driver, without a scheme; and the same with the password last
_AT_HOST = re.compile(
    r"(?<![^\s\"'(`,;=<„“«])(?P<user>[^\s:/,;\"'(`]{1,100}):(?![/\\])(?P<password>\S+)@(?P<host>[A-Za-z0-9\[][^\s@,;\"')`]*)"
)
_AFTER_HOST = re.compile(
    r"(?<![^\s\"'(`,;=<„“«])(?P<user>[^\s:@/,;\"'(`]{1,100})@(?P<host>[A-Za-z0-9][\w.-]*):(?:\d{2,5}:)?(?P<password>[^\s/~.:][^\s\"'`]*)"
)
_HOUR = re.compile(r"[\d.:,-]*\Z")
_LED_IN = re.compile(r"(?:(?:it|that|this)(?:\s+is|['’]s)|(?:es|das)\s+(?:ist|lautet)|is|ist)\s*:?\s+", re.IGNORECASE)
_WORD = re.compile(r"\S+")
_LOOSE_PAIR = re.compile(r"^\W*(?P<user>[^\s:/,;]{1,100})\s*(?:[:/,;|]|\s)\s*(?P<password>[^\s,;]{1,200})\W*$")


@dataclass(frozen=True)
class Taken:
    """A text without its secrets: `heard` is what may be understood, `kept` what may be stored, `fields` go to the vault.

    `kept` hides more: whatever stands behind a secret in the same clause may belong to it. `unnamed` counts what looks
    like a secret and is of no named field.
    """

    heard: str
    kept: str
    fields: dict[str, str] = field(default_factory=dict, repr=False)
    unnamed: int = 0


@dataclass
class _Work:
    """The text as it loses its secrets."""

    text: str
    fields: dict[str, str] = field(default_factory=dict, repr=False)
    unnamed: int = 0

    def hide(self, begin: int, end: int) -> None:
        self.text = self.text[:begin] + HIDDEN + self.text[end:]


def take_secrets(text: str, awaited: Collection[str] = ()) -> Taken:
    """Take out every secret of the text; `awaited` are the fields of a login that is being asked for just now."""
    work = _Work(text)
    _take_documents(work)
    _take_json(work)
    _take_from_urls(work)
    _take_at_hosts(work)
    _take_headers(work, awaited)
    _take_pairs(work)
    _take_labelled(work, awaited)
    _take_random(work, awaited)
    if awaited:
        _hide_odd_words(work)
    return Taken(work.text, _kept(work.text), work.fields, work.unnamed)


def take_bare_login(text: str, awaited: Collection[str]) -> dict[str, str]:
    """A login given without a word around it, where one is asked for: `reader / hunter2`, or the one field that lacks.

    Only for a text in which nothing else was understood.
    """
    wanted = [name for name in awaited if not name.endswith("_file")]
    bare = _LED_IN.sub("", text.strip())
    words = bare.split()
    if len(words) == 1 and "password" in wanted and _looks_secret(words[0]) and not _LOOSE_PAIR.match(bare):
        return {"password": _clean(bare)}
    pair = _LOOSE_PAIR.match(bare)
    if pair and {"username", "password"} <= set(wanted):
        return {"username": _clean(pair["user"]), "password": _clean(pair["password"])}
    if len(wanted) == 1 and 0 < len(words) <= 3:
        return {wanted[0]: _clean(bare)}
    return {}


def _looks_secret(word: str) -> bool:
    """Letters with digits or signs between them: what no word of a sentence looks like, and no mail address."""
    return (
        bool(re.search(r"[A-Za-z]", word) and re.search(r"[\d!§$%&#*+_^]", word)) and len(word) > 4 and "@" not in word
    )


def _take_documents(work: _Work) -> None:
    while found := _PEM.search(work.text):
        if "CERTIFICATE" in found["what"]:
            work.fields["certificate"] = found[0]
        else:
            work.fields["private_key"] = found[0]
        work.hide(*found.span())


def _take_json(work: _Work) -> None:
    """A JSON object that was pasted: its fields are the login's."""
    for begin in [found.start() for found in re.finditer(r"\{", work.text)]:
        try:
            value, length = json.JSONDecoder().raw_decode(work.text[begin:])
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict) and value and all(isinstance(each, str | int) for each in value.values()):
            work.fields |= {_field_of(str(name)) or str(name)[:100]: str(each) for name, each in value.items()}
            work.hide(begin, begin + length)
            return


def _take_from_urls(work: _Work) -> None:
    """Logins inside addresses, and the part behind `?`, which may hold a key: the address stays."""
    while found := _IN_URL.search(work.text):
        work.fields |= {name: unquote(found[name]) for name in ("user", "password") if found[name]}
        if user := work.fields.pop("user", None):
            work.fields["username"] = user
        work.text = work.text[: found.start()] + found["scheme"] + work.text[found.end() :]
    for found in _USER_IN_URL.finditer(work.text):
        work.fields.setdefault("username", unquote(found["user"]))
    while found := _QUERY.search(work.text):
        named = {_field_of(name): value for name, value in parse_qsl(found["query"][1:]) if value}
        work.fields |= {name: value for name, value in named.items() if name is not None}
        work.unnamed += not named.keys() - {None}
        work.text = work.text[: found.start("query")] + work.text[found.end("query") :]


def _take_at_hosts(work: _Work) -> None:
    """`user:password@host` without a scheme before it, and `user@host:password`: the host stays, as in an address."""
    for pattern in (_AT_HOST, _AFTER_HOST):
        begin = 0
        while found := pattern.search(work.text, begin):
            begin = found.start() + 1
            if _is_no_login(found["user"], found["password"]):
                continue
            end = len(found["password"].rstrip(",;.)")) + found.start("password")
            password = work.text[found.start("password") : found.end("password") if pattern is _AT_HOST else end]
            work.fields |= {"username": found["user"], "password": password}
            rest = found.end() if pattern is _AT_HOST else end
            work.text = work.text[: found.start()] + found["host"] + work.text[rest:]


def _is_no_login(user: str, password: str) -> bool:
    """An hour before a place (`10:30@praxis`), a mail address behind its label, a port, somebody's repository."""
    hour = bool(_HOUR.match(user) and _HOUR.match(password)) or re.fullmatch(r"\d{1,5}[,.;)]*", password)
    announced = folded(user.strip("<")) in _before_mail() or user == "git" or _label_at(user) or HIDDEN in password
    return bool(hour) or announced


def _take_headers(work: _Work, awaited: Collection[str]) -> None:
    while found := _CURL.search(work.text):
        work.fields |= {"username": found["user"], "password": found["password"]}
        work.hide(*found.span())
    if found := _PSQL_USER.search(work.text):
        work.fields.setdefault("username", found["user"])
    while found := _HEADER.search(work.text):
        if not re.search(r"[\d._~+/=-]", found["value"]):  # "basic training": a word, no key
            break
        work.fields[_one_secret(awaited) or "token"] = found["value"]
        work.hide(*found.span())


def _take_pairs(work: _Work) -> None:
    """`login is reader / hunter2`: what announces user and password together."""
    said = "|".join(re.escape(each).replace(r"\ ", r"\s+") for each in sorted(secrets().pairs, key=len, reverse=True))
    pattern = re.compile(
        rf"(?<!\w)(?:{said})(?!\w)(?P<sep>(?:\s+(?:is|are|ist|sind|lauten|lautet)\b\s*:?|\s*[:=])?\s*)"
        rf"(?P<user>{_QUOTED}|[^\s:/,;]+)(?P<between>\s*[:/,;|]\s*|\s+(?:and|und|mit|with)\s+|\s+)(?P<password>{_QUOTED}|[^\s,;]+)", re.IGNORECASE,
    )  # fmt: skip
    begin = 0
    while found := pattern.search(work.text, begin):
        begin = found.end()
        user, password = _clean(found["user"]), _clean(found["password"])
        if HIDDEN in user + password or _is_no_value(user) or _is_no_value(password) or _label_at(found["password"]):
            continue
        if not found["between"].strip() and not (found["sep"].strip() and re.search(r"[\d!§$%&#*+_@]", password)):
            continue
        if _label_at(user):  # "login: user reader, password hunter2" is said with labels
            continue
        work.fields |= {"username": user, "password": password}
        work.hide(found.start("user"), found.end("password"))


@dataclass(frozen=True)
class _Said:
    name: str
    value: str
    begin: int
    end: int
    certain: bool


def _take_labelled(work: _Work, awaited: Collection[str]) -> None:
    """`user is reader, password hunter2`: values behind the names of fields."""
    found = list(_labelled(work.text))
    certain = {each.name for each in found if each.certain} | ({"asked"} if awaited else set())
    hidden = _hidden()
    taken: list[_Said] = []
    for each in found:
        pair = bool(certain - {each.name}) or any(other.name != each.name for other in found)
        looks = bool(re.search(r"[\d!§$%&#*+_@]", each.value))
        if each.certain or pair or (looks and each.name != "username"):
            taken.append(each)
    for each in sorted(taken, key=lambda said: said.begin, reverse=True):
        if not each.name:  # it stays unused, but nobody may read it
            work.unnamed += 1
            work.hide(each.begin, each.end)
            continue
        work.fields[each.name] = each.value
        if each.name in hidden:
            work.hide(each.begin, each.end)


def _labelled(text: str) -> Iterator[_Said]:
    begin = 0
    while found := _label_pattern().search(text, begin):
        name = _field_of(found["label"])
        value_begin, raw = found.start("value"), found["value"]
        value = _clean(raw)
        begin = found.end("label")
        if name in _hidden() and found["sep"].strip() not in {"", "?"} and _seems_phrase(text, found):
            yield _Said("", "", value_begin, _end_of_line(text, value_begin), certain=True)
            return
        if name is None or HIDDEN in raw or "://" in raw or _is_no_value(value) or (raw.endswith("?") and not found["sep"].strip()):  # fmt: skip
            continue
        if found["sep"].strip() == "?" and not (name in _hidden() and _looks_secret(value)):
            continue
        if not found["sep"].strip() and (_label_at(raw) or value.casefold() in {"=", ":", "-"}):
            continue
        end = found.end("value") - (0 if _is_quoted(raw) else len(raw) - len(value))
        if found["sep"].strip() in {":", "="} and not _is_quoted(raw):
            value, end = _to_line_end(text, value_begin, value, end)
        begin = end
        yield _Said(name, value, value_begin, end, certain=bool(found["sep"].strip()) or _is_quoted(raw))


def _seems_phrase(text: str, found: re.Match[str]) -> bool:
    """`password is correct horse battery`: whether that judges a password or is one, only the person knows."""
    if folded(found["value"]) not in _judging():
        return False
    following = text[found.end("value") :].split("\n", 1)[0].split()
    return bool(following) and not any(folded(word.strip(".,;:!?")) in _no_values() | _ends() for word in following[:2])


def _end_of_line(text: str, begin: int) -> int:
    end = text.find("\n", begin)
    return len(text) if end < 0 else end


def _to_line_end(text: str, begin: int, value: str, end: int) -> tuple[str, int]:
    """Behind a colon at a line's end a passphrase may hold blanks: two or three words that are nothing else."""
    line = text[begin:].split("\n", 1)[0].rstrip()
    words = line.split()
    strange = any(_label_at(word) or "://" in word or "=" in word or folded(word.strip(".,;")) in _ends() or word[-1] in ",;" for word in words[1:])  # fmt: skip
    if 1 < len(words) <= 3 and not strange and words[0][-1] not in ",;":
        return line, begin + len(line)
    return value, end


def _take_random(work: _Work, awaited: Collection[str]) -> None:
    """Long strings of letters and digits are keys, whoever says what of; ids of ours are none."""
    begin = 0
    while found := _RANDOM.search(work.text, begin):
        begin = found.start() + len(HIDDEN)
        if re.match(r"(?:thr|int|q|prc|inc|cred|msg)_", found[0]) or found[0].count("_") > 2 or _is_words(found[0]):
            begin = found.end()
            continue
        name = _one_secret(awaited)
        if name is not None and name not in work.fields:
            work.fields[name] = found[0]
        else:
            work.unnamed += 1
        work.hide(*found.span())


def _hide_odd_words(work: _Work) -> None:
    """Where a login is asked for, a word that mixes letters with digits and signs may be a password: nobody keeps it."""
    begin = 0
    while found := _ODD.search(work.text, begin):
        begin = found.end()
        if re.search(r"\.[a-z]{2,}\W*$", found[0]) or _is_words(found[0].strip(".,;!?()")):
            continue
        work.unnamed += 1
        begin = found.start() + len(HIDDEN)
        work.hide(*found.span())


def _is_words(text: str) -> bool:
    """Compound words with a number at most at the end, host-like or hyphenated: no key."""
    parts = re.split(r"[-_+/=]", text)
    return all(re.fullmatch(r"[A-Za-zÄÖÜäöüß]*|\d{1,4}|[A-Za-zÄÖÜäöüß]+\d{1,2}", part) for part in parts)


def _kept(text: str) -> str:
    """The text as it may be stored: what follows a secret up to the end of its clause is hidden with it."""
    pieces = text.split(HIDDEN)
    kept = pieces[0]
    for piece in pieces[1:]:
        rest = 0
        for word in _WORD.finditer(piece):
            before = piece[rest : word.start()]
            ends_clause = bool(re.match(r"^[,;.!?)/]", word[0])) or "\n" in before or piece[:1] in ",;"
            if ends_clause or "://" in word[0] or folded(word[0].strip(".,;:!?")) in _ends() or _label_at(word[0]):
                break
            rest = word.end()
            if word[0][-1] in ",;.!?":
                rest -= 1
                break
        kept += HIDDEN + piece[rest:]
    return kept


def _one_secret(awaited: Collection[str]) -> str | None:
    """The one secret field that is asked for, where it is one."""
    candidates = [name for name in awaited if name not in {"username", "database"} and not name.endswith("_file")]
    return candidates[0] if len(candidates) == 1 else None


def _clean(raw: str) -> str:
    if _is_quoted(raw):
        return raw[1:-1]
    value = raw.rstrip(",;")
    value = value[:-1] if len(value) > 1 and value.endswith(".") else value
    return value[:-1] if value.endswith(")") and "(" not in value else value


def _is_quoted(raw: str) -> bool:
    return re.fullmatch(_QUOTED, raw) is not None


def _is_no_value(value: str) -> bool:
    return folded(value.strip(".,;:!?…")) in _no_values()


def _label_at(text: str) -> bool:
    return _field_of(text.strip(".,;:=").partition(":")[0].partition("=")[0]) is not None


def _field_of(label: str) -> str | None:
    """The credential field that goes by this name."""
    return _fields_by_word().get(re.sub(r"[\s_-]+", " ", folded(label)).strip())


@cache
def _fields_by_word() -> dict[str, str]:
    words = {name.replace("_", " "): name for name in _manifest_fields()}
    for name, label in secrets().labels.items():
        words |= {re.sub(r"[\s_-]+", " ", folded(word)): name for word in label.words}
    return words


@cache
def _manifest_fields() -> frozenset[str]:
    """Every field that a manifest asks for, files apart: those are no values."""
    asked = {each.name for manifest in catalogue().values() for method in manifest.methods for each in method.auth.ask}
    return frozenset(name for name in asked if not name.endswith("_file"))


@cache
def _hidden() -> frozenset[str]:
    labels = secrets().labels
    shown = {name for name, label in labels.items() if not label.hidden}
    return frozenset((set(labels) | _manifest_fields()) - shown)


@cache
def _label_pattern() -> re.Pattern[str]:
    words = sorted(_fields_by_word(), key=len, reverse=True)
    said = "|".join(re.escape(word).replace(r"\ ", r"[\s_-]*") for word in (*words, *_with_umlauts()))
    return re.compile(
        rf"(?<![\w.@-])(?P<label>{said})(?:\s+(?:for|von|für|of|vom)\s+(?:the\s+|den\s+|dem\s+|der\s+)?\S+)?"
        rf"(?P<sep>\s*(?:=>|->|[:=])\s*|\s*\?\s+|'s\s+|\s+(?:is|ist|lautet|heißt|heisst|wäre|wär|waer|would\s+be)\s*:?\s+|\s+)"
        rf"(?P<value>{_QUOTED}|\S+?(?=[;,]\s*[\w ]+\s*[=:]|\s|$))", re.IGNORECASE,
    )  # fmt: skip


def _with_umlauts() -> list[str]:
    found = [word for label in secrets().labels.values() for word in label.words if folded(word) != word]
    return sorted(found, key=len, reverse=True)


@cache
def _no_values() -> frozenset[str]:
    return frozenset(folded(each) for each in secrets().no_values)


@cache
def _before_mail() -> frozenset[str]:
    return frozenset(folded(each) for each in secrets().before_mail)


@cache
def _judging() -> frozenset[str]:
    return frozenset(folded(each) for each in secrets().judging)


@cache
def _ends() -> frozenset[str]:
    return frozenset(folded(each) for each in secrets().ends)
