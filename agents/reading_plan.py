"""What an integration will read, said before it reads: consent needs to know."""

from __future__ import annotations

from knowledge.manifest import Method
from mappings.schema import Mapping


def reading_plan(mapping: Mapping, method: Method) -> list[dict[str, object]]:
    """One line a stream: where it reads, which entities and fields come of it, how it notices changes."""
    plan: list[dict[str, object]] = []
    for table in mapping.tables:
        spec = method.streams.get(table.table)
        columns = sorted({pair.column for pair in table.fields if pair.column})
        plan.append(
            {"stream": table.table, "source": spec.source if spec else table.table, "columns": columns,
             "entities": sorted({pair.entity for pair in table.fields}),
             "changes": "by change stamp" if spec and spec.cursor else "by reading all and comparing"}
        )  # fmt: skip
    return plan
