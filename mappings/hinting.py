"""Hints are evidence: a manifest's word on a column stands only where the column's values do not contradict it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from knowledge.canonical import CanonicalField, canonical_model
from knowledge.errors import BadInput
from mappings.expectations import Doubt, doubt, key_doubt
from mappings.inference import Ambiguous, Known, infer
from mappings.kinds import Profile, kind_of
from mappings.records import PracticeFacts
from mappings.schema import (
    Boolean,
    Candidate,
    Column,
    Concat,
    Constant,
    Copy,
    Datetime,
    Evidence,
    Hint,
    Lookup,
    Split,
    Transform,
    Transpose,
    Unpivot,
)  # fmt: skip
from mappings.transforms import Bad, Doubtful, Outcome, compile_transform
from mappings.transforms.formats import parser

CONFIRMED = 0.99
SILENT = 0.97
CONTRADICTED = 0.3
_TARGET = re.compile(r"(?P<entity>\w+)(?:#(?P<instance>\d+))?\.(?P<field>\w+)")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the values say to a hint: the candidate with its evidence, and whether it may be accepted."""

    candidate: Candidate
    accepted: bool


def parse_target(target: str) -> tuple[CanonicalField, int]:
    """`Entity.field` or `Entity#2.field` as field and instance; raises BadInput where the model has no such field."""
    found = _TARGET.fullmatch(target)
    try:
        if found is None:
            raise KeyError(target)
        return canonical_model().field(f"{found['entity']}.{found['field']}"), int(found["instance"] or 1)
    except KeyError:
        raise BadInput(
            target, "is no field of the canonical model", "Write `Entity.field`, e.g. `Patient.city`."
        ) from None


def check_hint(hint: Hint, column: Column, practice: PracticeFacts | None) -> Verdict:
    """Execute the hint's transform on the column's samples and weigh what comes out."""
    field, instance = parse_target(hint.target)
    profile = Profile.of(column.samples)
    transform, problem = _transform_of(hint, field, profile)
    facts = practice or PracticeFacts()
    said = Evidence(signal="hint", score=1.0, detail=f"{hint.source}: {hint.column} is {hint.target}")
    if problem is None:
        problem = contradiction(field, column.name, transform, profile, facts, known_country=practice is not None)
    confidence = CONTRADICTED if problem else CONFIRMED if profile.samples else SILENT
    candidate = Candidate(
        target_table=field.entity, target_column=field.name, confidence=confidence, transform=transform,
        evidence=(said, _evidence(problem, len(profile.samples))), instance=instance,
    )  # fmt: skip
    return Verdict(candidate, problem is None)


def _evidence(problem: Doubt | None, samples: int) -> Evidence:
    if problem is not None:
        return Evidence(
            signal="values",
            score=max(0.0, 1 - problem.strength),
            detail=f"the values speak against it: {problem.words}",
        )
    if not samples:
        return Evidence(signal="values", score=0.5, detail="silent: no sample has a value")
    return Evidence(signal="values", score=1.0, detail=f"confirm: the transform ran on {samples} samples")


def _transform_of(hint: Hint, field: CanonicalField, profile: Profile) -> tuple[Transform, Doubt | None]:
    """The hint's own transform, or the one that the samples need."""
    if hint.transform is not None:
        return hint.transform, None
    inferred = infer(field, profile)
    if isinstance(inferred, Known):
        return inferred.reading, None
    if isinstance(inferred, Ambiguous):
        return inferred.readings[0], Doubt(0.5, "the values can be read in more than one way")
    return Copy(), None


def contradiction(
    field: CanonicalField,
    column: str,
    transform: Transform,
    profile: Profile,
    practice: PracticeFacts,
    *,
    known_country: bool = True,
) -> Doubt | None:
    """Why the samples speak against this transform to this field; None where they agree or are silent."""
    if not profile.samples or isinstance(transform, Constant):
        return None
    if isinstance(transform, Lookup):
        return key_doubt(profile)
    country = practice.country if known_country else None
    if isinstance(transform, Split):
        return _split_doubt(field, transform, profile, practice, country)
    parts = _part_check(column, transform, profile)
    if parts is not None:
        return parts if parts.strength > 0.5 else None
    refused = _refusal(field, transform, profile, practice)
    if refused and field.type == "phone" and not known_country:
        refused = Doubt(
            refused.strength, "most of its numbers cannot be read while the practice's country is not known"
        )
    return refused or doubt(field, profile, country)


def _refusal(field: CanonicalField, transform: Transform, profile: Profile, practice: PracticeFacts) -> Doubt | None:
    """Whether the transform fails on most samples.

    What has the right form but is impossible (31.02.1961, an axis of 270) is dirt, as long as good values outweigh it.
    """
    if isinstance(transform, Split | Concat | Unpivot | Transpose):
        transform = Copy()
    convert = compile_transform(transform, field, practice)
    bad = [text for sample, text in zip(profile.samples, profile.texts, strict=True) if _fails(convert(sample), field)]
    dirt = sum(_has_the_form(text, field, transform) for text in bad)
    good = len(profile.samples) - len(bad)
    # yes and no are ticked, not typed: a column of them holds hardly any dirt, while letters of other codes fit by chance
    bearable = 0.2 if isinstance(transform, Boolean) or field.type == "boolean" else 0.5
    if len(bad) - dirt > bearable * len(profile.samples) or dirt > good:
        return Doubt(len(bad) / len(profile.samples), "the transform fails on most values")
    return None


def _fails(outcome: Outcome, field: CanonicalField) -> bool:
    if isinstance(outcome, str) and field.type in ("date", "datetime"):
        # four digits alone pass as a year, and so do most ids
        return len(outcome) == 4 or not 1850 <= int(outcome[:4]) <= 2150
    return isinstance(outcome, Bad | Doubtful)


def _has_the_form(text: str, field: CanonicalField, transform: Transform) -> bool:
    """Whether a refused value is dirt among its like (31.02.1961, an axis of 270) and not of another kind."""
    if field.type in ("date", "datetime"):
        format_ = getattr(transform, "from_", "iso")
        return parser(format_)(re.sub(r"\d", "1", text)) is not None  # the same punctuation around possible digits
    if field.type in ("integer", "decimal", "money"):
        return re.fullmatch(r"[+-]?\d{1,4}([.,]\d+)?", text) is not None
    return field.type == "phone" and kind_of(text) == "phone"


def _split_doubt(
    field: CanonicalField, transform: Split, profile: Profile, practice: PracticeFacts, country: str | None
) -> Doubt | None:
    """The pattern must match, and what its groups find must look like their fields."""
    pattern = re.compile(transform.pattern)
    found = [match for text in profile.texts if (match := pattern.fullmatch(text)) is not None]
    if 2 * len(found) <= len(profile.texts):
        return Doubt(1 - len(found) / len(profile.texts), "most values do not have the form of the pattern")
    whole = doubt(field, profile, None) if field.type in ("string", "text") else None
    fields = canonical_model().entities[field.entity].fields
    groups = (
        doubt(fields[name], Profile.of([match[name] for match in found]), country)
        for name in pattern.groupindex
        if name in fields
    )
    foreign = profile.share("date", "datetime", "time", "email", "phone", "uuid", "url", "boolean") > 0.5
    return (whole if foreign else None) or next((each for each in groups if each is not None), None)


def _part_check(column: str, transform: Transform, profile: Profile) -> Doubt | None:
    """Of kinds that read several columns, whether this column can be its part; None where the whole value is here."""
    if isinstance(transform, Datetime) and transform.parts:
        return _time_part(column, transform, profile)
    if isinstance(transform, Concat):
        foreign = profile.share("email", "datetime", "uuid", "boolean", "date")
        return Doubt(foreign, "most values are of another kind than the parts of a text")
    return None


def _time_part(column: str, transform: Datetime, profile: Profile) -> Doubt:
    """The part's own piece of the format must read the samples."""
    formats = transform.from_.split(" ")
    at = transform.parts.index(column) if column in transform.parts else 0
    if transform.from_ == "iso" or len(formats) != len(transform.parts):
        kind_share = profile.share("date", "datetime") if at == 0 else profile.share("time")
        return Doubt(1 - kind_share, "most values are neither days nor times")
    piece = formats[at]
    if "%d" in piece:
        read = [parser(piece)(text) is not None or _ISO_DAY.match(text) is not None for text in profile.texts]
    else:
        times = parser(f"%Y-%m-%d {piece}")
        read = [times(f"2000-01-01 {text}") is not None or _ISO_TIME.match(text) is not None for text in profile.texts]
    return Doubt(1 - sum(read) / len(read), "most values do not fit their part of the time's format")


# what a database's own DATE and TIME types look like as text
_ISO_DAY = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]|$)")
_ISO_TIME = re.compile(r"\d\d:\d\d(?::\d\d(?:\.\d+)?)?$")
