"""Errors of the world: each carries a code of the fault catalogue, its cause and its mend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from knowledge.errors import PatchbayError


@dataclass(eq=False)
class PmsError(PatchbayError):
    """Something between us and a practice management system failed. `where` is host, path, view or file, never a person."""

    where: str
    detail: str = ""


@dataclass(eq=False)
class Unsupported(PmsError):
    code: ClassVar[str] = "operation.unsupported"
    cause: ClassVar[str] = "{where} cannot do that: {detail}."
    mend: ClassVar[str] = "Use another road; `patchbay systems` lists what each system can do."


@dataclass(eq=False)
class CredentialsMissing(PmsError):
    code: ClassVar[str] = "credentials.missing"
    cause: ClassVar[str] = "{where} needs credentials: {detail}"
    mend: ClassVar[str] = "Hand over a JSON file with these fields by `--credentials FILE`."


@dataclass(eq=False)
class CredentialsRejected(PmsError):
    code: ClassVar[str] = "auth.credentials_rejected"
    cause: ClassVar[str] = "{where} rejected the credentials. {detail}"
    mend: ClassVar[str] = "Ask the practice for the present ones; they are not tried again unchanged."


@dataclass(eq=False)
class TokenExpired(PmsError):
    code: ClassVar[str] = "auth.token_expired"
    cause: ClassVar[str] = "{where} says the access token has expired. {detail}"
    mend: ClassVar[str] = "A new one is fetched once."
    transient: ClassVar[bool] = True


@dataclass(eq=False)
class Forbidden(PmsError):
    code: ClassVar[str] = "auth.forbidden"
    cause: ClassVar[str] = "{where} refuses this resource to our login. {detail}"
    mend: ClassVar[str] = "Ask the practice to grant the right, or leave that entity out with --entities."


@dataclass(eq=False)
class TlsUntrusted(PmsError):
    code: ClassVar[str] = "tls.untrusted"
    cause: ClassVar[str] = "The certificate of {where} is signed by nobody we trust. {detail}"
    mend: ClassVar[str] = "Name the issuing CA's file as `ca_file` in the credentials file."


@dataclass(eq=False)
class TlsExpired(PmsError):
    code: ClassVar[str] = "tls.certificate_expired"
    cause: ClassVar[str] = "The certificate of {where} has expired. {detail}"
    mend: ClassVar[str] = "Whoever runs that server must renew it; we do not look away."


@dataclass(eq=False)
class ClockSkewed(PmsError):
    code: ClassVar[str] = "auth.clock_skew"
    cause: ClassVar[str] = "The certificate of {where} is not valid yet: a clock is wrong, ours or theirs. {detail}"
    mend: ClassVar[str] = "Set the clock that is wrong by NTP; no check is switched off meanwhile."


@dataclass(eq=False)
class SessionLimit(PmsError):
    code: ClassVar[str] = "auth.session_limit"
    cause: ClassVar[str] = "{where} has no session left for our login. {detail}"
    mend: ClassVar[str] = "We keep to one session and ask again later; if it lasts, free or buy a seat."


@dataclass(eq=False)
class ConnectionRefused(PmsError):
    code: ClassVar[str] = "net.refused"
    cause: ClassVar[str] = "Nothing listens at {where}. {detail}"
    mend: ClassVar[str] = "Start the service there, or check port and firewall."
    transient: ClassVar[bool] = True


@dataclass(eq=False)
class NameUnknown(PmsError):
    code: ClassVar[str] = "net.dns"
    cause: ClassVar[str] = "No address is known for {where}. {detail}"
    mend: ClassVar[str] = "Check the host's spelling."


@dataclass(eq=False)
class TimedOut(PmsError):
    code: ClassVar[str] = "net.timeout"
    cause: ClassVar[str] = "{where} did not answer in time. {detail}"
    mend: ClassVar[str] = "Try later; if it lasts, check the network and the server's load."
    transient: ClassVar[bool] = True


@dataclass(eq=False)
class ConnectionReset(PmsError):
    code: ClassVar[str] = "net.reset"
    cause: ClassVar[str] = "{where} broke the connection. {detail}"
    mend: ClassVar[str] = "The page is read again."
    transient: ClassVar[bool] = True


@dataclass(eq=False)
class ProxyInterference(PmsError):
    code: ClassVar[str] = "net.proxy_interference"
    cause: ClassVar[str] = "{where} answered a web page where data was due. {detail}"
    mend: ClassVar[str] = "A proxy or portal stands in between: let IT open the route."
    transient: ClassVar[bool] = True


@dataclass(eq=False)
class EndpointMoved(PmsError):
    code: ClassVar[str] = "config.endpoint_moved"
    cause: ClassVar[str] = "{where} does not lie there. {detail}"
    mend: ClassVar[str] = "Check the base path of the address."


@dataclass(eq=False)
class WrongDatabase(PmsError):
    code: ClassVar[str] = "config.wrong_database"
    cause: ClassVar[str] = "There is no such database at {where}. {detail}"
    mend: ClassVar[str] = "Name the practice's database in the address."


@dataclass(eq=False)
class RateLimited(PmsError):
    code: ClassVar[str] = "rate.limited"
    cause: ClassVar[str] = "{where} refuses more calls for {retry_after_seconds:.0f} s. {detail}"
    mend: ClassVar[str] = "We wait as told."
    transient: ClassVar[bool] = True
    retry_after_seconds: float = 1.0


@dataclass(eq=False)
class QuotaExhausted(PmsError):
    code: ClassVar[str] = "rate.quota_exhausted"
    cause: ClassVar[str] = "The budget of calls at {where} is used up. {detail}"
    mend: ClassVar[str] = "The stream goes on when the vendor resets it."


@dataclass(eq=False)
class UpstreamDown(PmsError):
    code: ClassVar[str] = "upstream.down"
    cause: ClassVar[str] = "{where} fails on its side ({detail})."
    mend: ClassVar[str] = "Wait, or ask the vendor."
    transient: ClassVar[bool] = True


@dataclass(eq=False)
class CursorLost(PmsError):
    code: ClassVar[str] = "cursor.lost"
    cause: ClassVar[str] = "{where} no longer knows our place in the list. {detail}"
    mend: ClassVar[str] = "The walk starts again from the last safe point."
    transient: ClassVar[bool] = True


@dataclass(eq=False)
class PagingLoop(PmsError):
    code: ClassVar[str] = "paging.loop"
    cause: ClassVar[str] = "{where} answers the same page again and again. {detail}"
    mend: ClassVar[str] = "The read was stopped; compare the paging rules of its manifest with the system's version."


@dataclass(eq=False)
class ColumnMissing(PmsError):
    code: ClassVar[str] = "schema.column_renamed"
    cause: ClassVar[str] = "{where} lacks a column that the mapping reads: {detail}."
    mend: ClassVar[str] = "`patchbay heal` compares the columns that are there now."


@dataclass(eq=False)
class UnexpectedAnswer(PmsError):
    code: ClassVar[str] = "upstream.unexpected"
    cause: ClassVar[str] = "{where} answered what its description does not allow: {detail}."
    mend: ClassVar[str] = "Compare the system's version with its manifest."


@dataclass(eq=False)
class FileTruncated(PmsError):
    code: ClassVar[str] = "data.truncated_file"
    cause: ClassVar[str] = "{where} promises more than it holds. {detail}"
    mend: ClassVar[str] = "Ask the sender to write the file again."


@dataclass(eq=False)
class ShareUnavailable(PmsError):
    code: ClassVar[str] = "file.share_unavailable"
    cause: ClassVar[str] = "The folder {where} cannot be reached. {detail}"
    mend: ClassVar[str] = "Mount the share again; it is never created by us."
    transient: ClassVar[bool] = True


@dataclass(eq=False)
class WriteRefused(PmsError):
    code: ClassVar[str] = "write.refused"
    cause: ClassVar[str] = "{where} refused the write: {detail}."
    mend: ClassVar[str] = "Correct the named field and send it again."


@dataclass(eq=False)
class WriteUnconfirmed(PmsError):
    code: ClassVar[str] = "write.unconfirmed"
    cause: ClassVar[str] = "Whether {where} took the write is unknown. {detail}"
    mend: ClassVar[str] = "It is looked up before anything is sent again."


@dataclass(eq=False)
class StorageFull(PmsError):
    code: ClassVar[str] = "storage.full"
    cause: ClassVar[str] = "Our own store cannot be written: {detail}."
    mend: ClassVar[str] = "Free space where {where} lies."
