"""Which charset a file was written in: what it declares is only a prior, its bytes decide among a few candidates.

Libraries that guess among all charsets take cp850 for CP437; scoring the few that a system can write does not. Evidence
are umlauts inside words; against a reading speak C1 control characters, box drawings and Greek between letters.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

UTF8, LATIN1, CP437, CP1252, DIN66003 = "utf-8", "iso8859-1", "cp437", "cp1252", "din66003"
CANDIDATES = (CP437, LATIN1, UTF8)

# 7-bit German (DIN 66003) puts letters where ASCII has brackets. 0x40 stays "@": master data hold e-mail addresses.
_DIN_LETTERS = str.maketrans("[\\]{|}~", "ÄÖÜäöüß")
_DIN_BYTES = str.maketrans("ÄÖÜäöüß", "[\\]{|}~")

_DECLARED, _CONTROL, _FOREIGN, _MISPLACED = 1.0, -8.0, -3.0, -2.0
_UMLAUT, _SEQUENCE, _LETTER = 2.0, 3.0, 0.5
_VOWELS = frozenset("aeiouyäöüAEIOUYÄÖÜ")
_QUIET = frozenset("§°²³µ€«»–—„“”‚‘’´·…®©\u00a0")  # stands in plain text without proving anything
_WIDE = re.compile(r"[^\x00-\x7f]")
_CONTROLS = re.compile(r"[\x80-\x9f]")
_STRANGE = "[\u0370-\u03ff\u2500-\u25ff÷ⁿ]"  # Greek, frames: what CP437 makes of umlauts that were written in Latin-1
_NO_WORD = re.compile(f"[A-Za-z]{_STRANGE}|{_STRANGE}[A-Za-z]")


@dataclass(frozen=True, slots=True)
class Reading:
    """A file's text, and how sure its charset is.

    `confirmed`: the declaration stood the test (or the text is plain ASCII). `doubtful`: another candidate reads as well.
    `broken`: no candidate gives a text without control characters, or without Greek and frames inside words.
    """

    text: str
    charset: str
    declared: str | None
    confirmed: bool
    doubtful: bool = False
    broken: bool = False

    @property
    def note(self) -> str | None:
        """One sentence where the declaration was false or the bytes fit two charsets."""
        if self.doubtful:
            return f"data.encoding: the bytes fit more than one charset, {self.charset} was taken"
        if self.declared is not None and not self.confirmed:
            return f"data.encoding: declared as {self.declared}, the bytes are {self.charset}"
        return None


def read_text(data: bytes, declared: str | None, candidates: Sequence[str] = CANDIDATES) -> Reading:
    """The text of `data` by the candidate that fits its bytes best; `declared`, else the first candidate, wins a tie."""
    options = [each for each in ([declared] if declared else []) + [*candidates] if each != DIN66003]
    if declared == DIN66003 and data.isascii():
        return Reading(decode(data, DIN66003), DIN66003, declared, True)
    if data.isascii():
        return Reading(data.decode("ascii"), declared or options[0], declared, True)
    scores: dict[str, tuple[float, str]] = {}
    for charset in dict.fromkeys(options):
        text = _try(data, charset)
        if text is not None:
            prior = _DECLARED if charset == declared else 0.0
            scores[charset] = (prior + score(text, charset), text)
    best = max(scores, key=lambda charset: scores[charset][0], default=None)
    if best is None:
        return Reading(data.decode(LATIN1), LATIN1, declared, confirmed=False, broken=True)
    points, text = scores[best]
    rivals = [each for each in scores if each != best and scores[each] != scores[best] and scores[each][0] == points]
    broken = bool(_CONTROLS.search(text)) or (best != UTF8 and bool(_NO_WORD.search(text)))
    return Reading(text, best, declared, best == declared, bool(rivals), broken)


def score(text: str, charset: str = "") -> float:
    """How much a decoded text looks like the German and its neighbours that practices write. 0 for plain ASCII."""
    total = 0.0
    for found in _WIDE.finditer(text):
        at = found.start()
        before = text[at - 1] if at else " "
        after = text[at + 1] if at + 1 < len(text) else " "
        total += _points(found[0], before, after)
        if charset == UTF8:  # bytes of another charset hardly ever make a valid sequence
            total += _SEQUENCE
    return total


def _points(letter: str, before: str, after: str) -> float:
    if "\x80" <= letter <= "\x9f":
        return _CONTROL
    if letter == "ß":  # follows a vowel, always
        return _UMLAUT if before in _VOWELS else _MISPLACED
    if letter in "äöü":
        return _UMLAUT if _plain(before) or _plain(after) else 0.0
    if letter.isalpha() and (letter < "\u0250"):
        if letter.isupper() and before.islower():
            return _MISPLACED
        beside = _plain(before) or _plain(after)
        return (_UMLAUT if letter in "ÄÖÜ" else _LETTER) if beside else 0.0
    return 0.0 if letter in _QUIET else _FOREIGN


def _plain(letter: str) -> bool:
    return letter.isascii() and letter.isalpha()


def _try(data: bytes, charset: str) -> str | None:
    try:
        return decode(data, charset)
    except UnicodeDecodeError:
        return None


def decode(data: bytes, charset: str) -> str:
    """Bytes to text, DIN 66003 included. Raises UnicodeDecodeError."""
    if charset == DIN66003:
        return data.decode("ascii").translate(_DIN_LETTERS)
    return data.decode(charset)


def encode(text: str, charset: str) -> bytes:
    """Text to bytes, DIN 66003 included. Raises UnicodeEncodeError where a letter has no place in the charset."""
    if charset == DIN66003:
        return text.translate(_DIN_BYTES).encode("ascii")
    return text.encode(charset)
