"""What the server's log says of its clients: who connected, what they asked, whose password was refused."""

import re
from pathlib import Path

from evals.simulators.face import Counts

LINE = re.compile(r"^\S+ \S+ \S+ \[\d+\] (?P<user>[^@ ]+)@\S+ (?P<level>LOG|FATAL): {2}(?P<said>.*)$")
ASKED = re.compile(r"(?:statement|execute [^:]*): (?P<asked>.*)", re.DOTALL)
RELATION = re.compile(r"\b(?:FROM|INTO|UPDATE|JOIN)\s+(?:public\.)?\"?([vw]_[a-z]+|ds_version)\b", re.IGNORECASE)

MANNERS = frozenset({"BEGIN", "COMMIT", "ROLLBACK", "SHOW", "SET", ";"})  # what every driver says around a question


class LogReader:
    """Reads on where it stopped. A refused password never reaches a log (SCRAM hides it even from the server), so the same
    name refused twice while its password stayed the same counts as the same credential tried again."""

    def __init__(self, log: Path, own_user: str) -> None:
        self._log, self._own_user = log, own_user
        self._place = 0
        self._passwords: dict[str, int] = {}
        self.seen: set[str] = set()

    def password_changed(self, user: str) -> None:
        self._passwords[user] = self._passwords.get(user, 0) + 1

    def read_into(self, counts: Counts) -> None:
        with self._log.open("rb") as file:
            file.seek(self._place)
            said = file.read()
        end = said.rfind(b"\n") + 1
        self._place += end
        # a statement of several lines goes on after a tab
        for line in re.sub(r"\n\t", " ", said[:end].decode("utf-8", "replace")).splitlines():
            found = LINE.match(line)
            if found is not None and found["user"] not in (self._own_user, "[unknown]"):
                self._take(counts, found["user"], found["level"], found["said"])

    def _take(self, counts: Counts, user: str, level: str, said: str) -> None:
        if level == "FATAL" and "password authentication failed" in said:
            counts.saw("connect")
            counts.rejected(f"{user}#{self._passwords.get(user, 0)}")
        elif said.startswith("connection authorized"):
            counts.saw("connect")
            self.seen.add(user)
        elif (asked := ASKED.match(said)) is not None:
            operation = operation_of(asked["asked"])
            if operation not in MANNERS:
                counts.saw(operation)


def operation_of(statement: str) -> str:
    """`SELECT v_patient`, `INSERT w_termin`; what asks the server's own tables is `SELECT catalogue`."""
    verb = statement.split(None, 1)[0].upper() if statement.strip() else "NOTHING"
    relation = RELATION.search(statement)
    if relation is not None:
        return f"{verb} {relation[1]}"
    return f"{verb} catalogue" if "pg_catalog" in statement or "pg_" in statement else verb
