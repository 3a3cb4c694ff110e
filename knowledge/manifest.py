"""The manifest of a system: all that is regular about it, as data. Adding a system is writing one of these.

`docs/add-a-pms.md` walks through every field. Pydantic refuses unknown fields; `knowledge.catalogue` turns its errors
into a sentence with file and line.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from knowledge.shipped import Knowledge
from knowledge.spelling import BillingCodes

MethodKind = Literal["rest", "soap", "graphql", "fhir", "hl7v2", "file", "sql", "rpa"]
Operation = Literal[
    "validate_connection", "search_patients", "get_patient", "create_patient", "update_patient", "list_appointments",
    "create_appointment", "update_appointment", "find_availability", "list_locations", "list_operatories",
    "list_providers", "get_treatment_codes", "list_visit_types", "list_prescriptions", "create_prescription",
    "update_prescription", "list_measurements", "list_results", "list_coverages", "check_eligibility", "list_charges",
    "list_payments", "list_claims", "list_inventory", "list_communication_preferences", "export_document",
]  # fmt: skip


class Fingerprint(Knowledge):
    """One thing a probe can find, what it tells, and how strongly.

    `probe` names a probe of `tools.probes`; `match` are that probe's own conditions (documented with the probe).
    `weight` is a log-likelihood ratio in favour of this system: 1 is a hint, 3 strong, 6 settles it; negative speaks
    against. `version` is where in the finding the version stands.
    """

    probe: str
    match: dict[str, object] = {}
    weight: float
    version: str | None = None
    source: str = "assumed"


class AskField(Knowledge):
    """One field of the credentials file."""

    name: str
    secret: bool = False
    label: dict[Literal["en", "de"], str] = {}
    required: bool = True
    default: str | None = None


class Auth(Knowledge):
    """How a caller proves who it is. `headers` are templates over the credentials file's fields."""

    kind: Literal["none", "basic", "headers", "database_login", "smart_backend", "folder"]
    ask: tuple[AskField, ...] = ()
    headers: dict[str, str] = {}


class Limit(Knowledge):
    """At most `calls` in `seconds`; the server refuses with status `refused_by` and says when in `wait`."""

    calls: int
    seconds: float
    refused_by: int = 429
    wait: str | None = "Retry-After"


class Paging(Knowledge):
    """How a list goes on.

    `page`: number in `page_parameter` from `first`. `offset`: rows skipped in `page_parameter`. `link`: the answer holds
    the next address. `keyset`: the adapter orders by the key. The walk ends at an empty page, or where `total` is met.
    """

    kind: Literal["none", "page", "offset", "link", "keyset"] = "none"
    rows: int = 100
    page_parameter: str | None = None
    size_parameter: str | None = None
    first: int = 1
    records: str | None = None  # path of the list inside the answer; None: the answer is the list
    total: str | None = None  # path of the count inside the answer


class CursorSpec(Knowledge):
    """How a stream tells what changed since. A stream without one is read whole and compared by content hash.

    `field` is the column that holds the change stamp, `parameter` the filter of the request. `granularity_seconds` is
    the stamp's precision (86400: only a date), `overlap_seconds` how far before the last stamp the next read begins.
    """

    field: str
    parameter: str | None = None
    format: str = "iso"
    zone: str = "practice"  # practice, utc, offset
    granularity_seconds: int = 1
    overlap_seconds: int = 7200


class Deletes(Knowledge):
    """How a stream shows that a row is gone: a field's value, or only its absence, found by an id sweep."""

    by: Literal["field", "sweep", "event", "invisible"]
    field: str | None = None
    values: tuple[str, ...] = ()  # of `field`; empty: any value that is not null means deleted
    because: str | None = None


class Merges(Knowledge):
    """How a stream shows a merged patient: `field` holds the survivor's key."""

    field: str


class ForEach(Knowledge):
    """A stream read once for each row of another: `{id}` in the path is that row's key."""

    stream: str
    field: str


class MapsTo(Knowledge):
    """A hint: where a field belongs. `to` is `Entity.field` or `Entity#2.field`."""

    to: str
    transform: dict[str, object] | None = None


class FieldSpec(Knowledge):
    """One field of a stream. `path` is where it stands in the raw answer (default: its own name).

    `maps` is the hint; a field without it has `left_out`, the reason why nothing canonical holds it.
    """

    path: str | None = None
    type: str | None = None
    description: str | None = None
    maps: tuple[MapsTo, ...] = ()
    left_out: str | None = None
    references: str | None = None  # "stream.field"
    source: str = "assumed"

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, value: object) -> object:
        """`maps: Patient.id` and `maps: {to: …}` are written where one hint is enough."""
        if isinstance(value, dict) and "maps" in value:
            hints = value["maps"] if isinstance(value["maps"], list) else [value["maps"]]
            value = {**value, "maps": [{"to": hint} if isinstance(hint, str) else hint for hint in hints]}
        return value


class StreamSpec(Knowledge):
    """One kind of record that a method can read, in the order in which streams should be read."""

    source: str  # path, view, resource type or record kind
    entities: tuple[str, ...]
    key: tuple[str, ...]
    query: dict[str, str] = {}
    paging: Paging | None = None  # else the method's
    for_each: ForEach | None = None
    cursor: CursorSpec | None = None
    deletes: Deletes = Deletes(by="invisible", because="the wire has no word for it")
    merges: Merges | None = None
    fields: dict[str, FieldSpec] = {}
    constants: dict[str, str] = {}  # "Entity.field" (or "Entity#2.field") to a fixed value
    left_out: dict[str, str] = {}  # canonical fields this stream cannot carry although one may expect it: the reason
    poll_seconds: int = 3600  # first schedule until changes were observed
    least_poll_seconds: int = 60  # never looked at more often: what the vendor asks of those who read it whole
    settings: dict[str, object] = {}  # what only this protocol's adapter reads


class OperationSpec(Knowledge):
    """One operation of the adapter interface over this method, in the words of its protocol."""

    stream: str | None = None
    verb: str | None = None
    path: str | None = None
    query: dict[str, str] = {}
    body: dict[str, object] = {}
    records: str | None = None
    settings: dict[str, object] = {}


class Proven(Knowledge):
    """What was shown, and how."""

    simulator: bool = False
    live: bool = False


class Method(Knowledge):
    """One way to reach the system; the first of a manifest is preferred."""

    method: MethodKind
    because: str
    variant: str | None = None
    built: bool = False  # False: known, not built; stands in the catalogue as not proven
    proven: Proven = Proven()
    schemes: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    base_paths: tuple[str, ...] = ("",)  # where the service may lie below an address; repair tries only these
    auth: Auth = Auth(kind="none")
    paging: Paging = Paging()
    limits: tuple[Limit, ...] = ()
    timeout_seconds: float = 20.0
    streams: dict[str, StreamSpec] = {}
    operations: dict[Operation, OperationSpec] = {}
    unsupported: dict[Operation, str] = {}  # the reason a person is told
    settings: dict[str, object] = {}  # what only this protocol's adapter reads


class Formats(Knowledge):
    """How values are written."""

    time_zone: str | None = None  # IANA; None: the system says it, or it is asked
    time_zone_from: str | None = None  # "stream.field" where the system itself tells it
    country: str | None = None
    currency: str | None = None
    charsets: tuple[str, ...] = ("utf-8",)


class Manifest(Knowledge):
    """Everything known of one system."""

    key: str
    names: tuple[str, ...]
    vendor: str | None = None
    deployment: str | None = None
    countries: tuple[str, ...] = ()
    grade: str = "E"  # systems.md 0.3: how well the system is known
    provenance: Literal["public", "seed", "assumed", "standard"] = "assumed"
    generic: bool = False
    fingerprints: tuple[Fingerprint, ...] = ()
    methods: tuple[Method, ...] = Field(min_length=1)
    formats: Formats = Formats()
    billing_codes: BillingCodes | None = None
    quirks: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()  # what only the practice can know

    def method(self, kind: str) -> Method:
        """The method of that kind; KeyError where the manifest has none."""
        for each in self.methods:
            if each.method == kind:
                return each
        raise KeyError(kind)
