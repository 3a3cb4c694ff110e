"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tools.store.columns import Ident, Sealed, UtcTime

revision = "r0001"
down_revision = None

# Who can only speak SQL cannot rewrite the audit trail; who can drop a trigger is found out by the chain.
_REFUSALS = {
    "sqlite": (
        "CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append only'); END",
        "CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append only'); END",
    ),
    "postgresql": (
        "CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'audit is append only'; END $$",
        "CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_refuse()",
    ),
}


def upgrade() -> None:
    op.create_table(
        "artifacts",
        sa.Column("tenant", Ident(), nullable=False),
        sa.Column("owner_id", Ident(), nullable=False),
        sa.Column("kind", Ident(), nullable=False),
        sa.Column("body", Sealed(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "owner_id", "kind", name=op.f("pk_artifacts")),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("tenant", Ident(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("details", Sealed(), nullable=False),
        sa.Column("link", Sealed(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
        sqlite_autoincrement=True,
    )
    op.create_index("uq_audit_number", "audit", ["tenant", "number"], unique=True)
    op.create_table(
        "corrections",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("tenant", Ident(), nullable=False),
        sa.Column("system", Ident(), nullable=False),
        sa.Column("source_table", sa.Text(), nullable=False),
        sa.Column("source_column", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=True),
        sa.Column("transform", Sealed(), nullable=True),
        sa.Column("practice_id", Ident(), nullable=True),
        sa.Column("integration_id", Ident(), nullable=True),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_corrections")),
    )
    op.create_index("ix_corrections_system", "corrections", ["tenant", "system", "id"], unique=False)
    op.create_table(
        "credentials",
        sa.Column("ref", Ident(), nullable=False),
        sa.Column("tenant", Ident(), nullable=False),
        sa.Column("body", Sealed(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("ref", name=op.f("pk_credentials")),
    )
    op.create_table(
        "dead_letters",
        sa.Column("id", Ident(), nullable=False),
        sa.Column("tenant", Ident(), nullable=False),
        sa.Column("integration_id", Ident(), nullable=False),
        sa.Column("stream", Ident(), nullable=False),
        sa.Column("digest", Sealed(), nullable=False),
        sa.Column("key_digest", Sealed(), nullable=True),
        sa.Column("entity", Ident(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("body", Sealed(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("replayed_at", UtcTime(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dead_letters")),
    )
    op.create_index("uq_dead_letters_digest", "dead_letters", ["integration_id", "digest"], unique=True)
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("tenant", Ident(), nullable=False),
        sa.Column("integration_id", Ident(), nullable=False),
        sa.Column("entity", Ident(), nullable=False),
        sa.Column("record_id", Ident(), nullable=False),
        sa.Column("change", sa.Text(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("run_id", Ident(), nullable=True),
        sa.Column("delivered_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_events_integration", "events", ["integration_id", "id"], unique=False)
    op.create_index(
        "ix_events_pending",
        "events",
        ["tenant", "id"],
        unique=False,
        sqlite_where=sa.text("delivered_at IS NULL"),
        postgresql_where=sa.text("delivered_at IS NULL"),
    )
    op.create_table(
        "incidents",
        sa.Column("id", Ident(), nullable=False),
        sa.Column("tenant", Ident(), nullable=False),
        sa.Column("integration_id", Ident(), nullable=False),
        sa.Column("root_cause", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("opened_at", UtcTime(), nullable=False),
        sa.Column("closed_at", UtcTime(), nullable=True),
        sa.Column("body", Sealed(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incidents")),
    )
    op.create_index("ix_incidents_integration", "incidents", ["integration_id", "opened_at"], unique=False)
    op.create_table(
        "integrations",
        sa.Column("id", Ident(), nullable=False),
        sa.Column("tenant", Ident(), nullable=False),
        sa.Column("practice_id", Ident(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=True),
        sa.Column("address", Ident(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("entities", sa.Text(), nullable=True),
        sa.Column("settings", Sealed(), nullable=True),
        sa.Column("credentials_ref", Ident(), nullable=True),
        sa.Column("mapping_version", sa.Integer(), nullable=True),
        sa.Column("thread_id", Ident(), nullable=True),
        sa.Column("health", sa.Text(), nullable=True),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_integrations")),
    )
    op.create_index(op.f("ix_integrations_address"), "integrations", ["address"], unique=False)
    op.create_index(op.f("ix_integrations_practice_id"), "integrations", ["practice_id"], unique=False)
    op.create_index(op.f("ix_integrations_tenant"), "integrations", ["tenant"], unique=False)
    op.create_table(
        "leases",
        sa.Column("tenant", Ident(), nullable=False),
        sa.Column("resource", Ident(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("fencing", sa.Integer(), nullable=False),
        sa.Column("expires_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "resource", name=op.f("pk_leases")),
    )
    op.create_table(
        "mapping_versions",
        sa.Column("integration_id", Ident(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("tenant", Ident(), nullable=False),
        sa.Column("body", Sealed(), nullable=False),
        sa.Column("suggestions", Sealed(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("integration_id", "version", name=op.f("pk_mapping_versions")),
    )
    op.create_table(
        "merged_patients",
        sa.Column("integration_id", Ident(), nullable=False),
        sa.Column("loser", Ident(), nullable=False),
        sa.Column("tenant", Ident(), nullable=False),
        sa.Column("survivor", Ident(), nullable=False),
        sa.Column("stream", Ident(), nullable=False),
        sa.PrimaryKeyConstraint("integration_id", "loser", name=op.f("pk_merged_patients")),
    )
    op.create_table(
        "observations",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("tenant", Ident(), nullable=False),
        sa.Column("integration_id", Ident(), nullable=False),
        sa.Column("stream", Ident(), nullable=False),
        sa.Column("run_id", Ident(), nullable=True),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("interval_s", sa.Float(), nullable=True),
        sa.Column("changed_rows", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_observations")),
    )
    op.create_index("ix_observations_stream", "observations", ["integration_id", "stream", "at"], unique=False)
    op.create_index("uq_observations_run", "observations", ["integration_id", "stream", "run_id"], unique=True)
    op.create_table(
        "practices",
        sa.Column("id", Ident(), nullable=False),
        sa.Column("tenant", Ident(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("country", sa.Text(), nullable=True),
        sa.Column("time_zone", sa.Text(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_practices")),
    )
    op.create_index(op.f("ix_practices_tenant"), "practices", ["tenant"], unique=False)
    op.create_table(
        "questions",
        sa.Column("id", Ident(), nullable=False),
        sa.Column("tenant", Ident(), nullable=False),
        sa.Column("thread_id", Ident(), nullable=False),
        sa.Column("integration_id", Ident(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("body", Sealed(), nullable=False),
        sa.Column("answer", Sealed(), nullable=True),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("answered_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_questions")),
    )
    op.create_index("ix_questions_thread", "questions", ["thread_id", "status"], unique=False)
    op.create_table(
        "raw_rows",
        sa.Column("integration_id", Ident(), nullable=False),
        sa.Column("stream", Ident(), nullable=False),
        sa.Column("key", Ident(), nullable=False),
        sa.Column("tenant", Ident(), nullable=False),
        sa.Column("hash", Sealed(), nullable=False),
        sa.Column("as_of", Ident(), nullable=True),
        sa.Column("gone", sa.Integer(), nullable=False),
        sa.Column("missing", sa.Integer(), nullable=False),
        sa.Column("walk_id", Ident(), nullable=True),
        sa.Column("missed_walk", Ident(), nullable=True),
        sa.Column("body", Sealed(), nullable=False),
        sa.PrimaryKeyConstraint("integration_id", "stream", "key", name=op.f("pk_raw_rows")),
    )
    op.create_table(
        "records",
        sa.Column("integration_id", Ident(), nullable=False),
        sa.Column("entity", Ident(), nullable=False),
        sa.Column("id", Ident(), nullable=False),
        sa.Column("tenant", Ident(), nullable=False),
        sa.Column("hash", Sealed(), nullable=False),
        sa.Column("tombstone", sa.Text(), nullable=True),
        sa.Column("merged_into", Ident(), nullable=True),
        sa.Column("source_stream", Ident(), nullable=False),
        sa.Column("source_key", Ident(), nullable=False),
        sa.Column("patient_id", Ident(), nullable=True),
        sa.Column("related_patient_id", Ident(), nullable=True),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.Column("by_last_name", Sealed(), nullable=True),
        sa.Column("by_first_name", Sealed(), nullable=True),
        sa.Column("by_birth_date", Sealed(), nullable=True),
        sa.Column("by_phone_home", Sealed(), nullable=True),
        sa.Column("by_phone_mobile", Sealed(), nullable=True),
        sa.Column("by_phone_work", Sealed(), nullable=True),
        sa.Column("by_email", Sealed(), nullable=True),
        sa.Column("by_member_id", Sealed(), nullable=True),
        sa.Column("body", Sealed(), nullable=False),
        sa.PrimaryKeyConstraint("integration_id", "entity", "id", name=op.f("pk_records")),
    )
    op.create_index(
        "ix_records_by_birth_date",
        "records",
        ["by_birth_date"],
        unique=False,
        sqlite_where=sa.text("by_birth_date IS NOT NULL"),
        postgresql_where=sa.text("by_birth_date IS NOT NULL"),
    )
    op.create_index(
        "ix_records_by_email",
        "records",
        ["by_email"],
        unique=False,
        sqlite_where=sa.text("by_email IS NOT NULL"),
        postgresql_where=sa.text("by_email IS NOT NULL"),
    )
    op.create_index(
        "ix_records_by_first_name",
        "records",
        ["by_first_name"],
        unique=False,
        sqlite_where=sa.text("by_first_name IS NOT NULL"),
        postgresql_where=sa.text("by_first_name IS NOT NULL"),
    )
    op.create_index(
        "ix_records_by_last_name",
        "records",
        ["by_last_name"],
        unique=False,
        sqlite_where=sa.text("by_last_name IS NOT NULL"),
        postgresql_where=sa.text("by_last_name IS NOT NULL"),
    )
    op.create_index(
        "ix_records_by_member_id",
        "records",
        ["by_member_id"],
        unique=False,
        sqlite_where=sa.text("by_member_id IS NOT NULL"),
        postgresql_where=sa.text("by_member_id IS NOT NULL"),
    )
    op.create_index(
        "ix_records_by_phone_home",
        "records",
        ["by_phone_home"],
        unique=False,
        sqlite_where=sa.text("by_phone_home IS NOT NULL"),
        postgresql_where=sa.text("by_phone_home IS NOT NULL"),
    )
    op.create_index(
        "ix_records_by_phone_mobile",
        "records",
        ["by_phone_mobile"],
        unique=False,
        sqlite_where=sa.text("by_phone_mobile IS NOT NULL"),
        postgresql_where=sa.text("by_phone_mobile IS NOT NULL"),
    )
    op.create_index(
        "ix_records_by_phone_work",
        "records",
        ["by_phone_work"],
        unique=False,
        sqlite_where=sa.text("by_phone_work IS NOT NULL"),
        postgresql_where=sa.text("by_phone_work IS NOT NULL"),
    )
    op.create_index(
        "ix_records_patient",
        "records",
        ["integration_id", "patient_id"],
        unique=False,
        sqlite_where=sa.text("patient_id IS NOT NULL"),
        postgresql_where=sa.text("patient_id IS NOT NULL"),
    )
    op.create_index(
        "ix_records_related_patient",
        "records",
        ["integration_id", "related_patient_id"],
        unique=False,
        sqlite_where=sa.text("related_patient_id IS NOT NULL"),
        postgresql_where=sa.text("related_patient_id IS NOT NULL"),
    )
    op.create_index("ix_records_source", "records", ["integration_id", "source_stream", "source_key"], unique=False)
    op.create_table(
        "rejected_credentials",
        sa.Column("tenant", Ident(), nullable=False),
        sa.Column("fingerprint", Ident(), nullable=False),
        sa.Column("rejected_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "fingerprint", name=op.f("pk_rejected_credentials")),
    )
    op.create_table(
        "runs",
        sa.Column("id", Ident(), nullable=False),
        sa.Column("tenant", Ident(), nullable=False),
        sa.Column("integration_id", Ident(), nullable=False),
        sa.Column("stream", Ident(), nullable=False),
        sa.Column("walk", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("started_at", UtcTime(), nullable=False),
        sa.Column("ended_at", UtcTime(), nullable=True),
        sa.Column("read", sa.Integer(), nullable=False),
        sa.Column("created", sa.Integer(), nullable=False),
        sa.Column("updated", sa.Integer(), nullable=False),
        sa.Column("unchanged", sa.Integer(), nullable=False),
        sa.Column("deleted", sa.Integer(), nullable=False),
        sa.Column("dead", sa.Integer(), nullable=False),
        sa.Column("held", sa.Integer(), nullable=False),
        sa.Column("pages", sa.Integer(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("sentence", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
    )
    op.create_index("ix_runs_stream", "runs", ["integration_id", "stream", "started_at"], unique=False)
    op.create_table(
        "seen_tokens",
        sa.Column("integration_id", Ident(), nullable=False),
        sa.Column("token", Ident(), nullable=False),
        sa.Column("tenant", Ident(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("integration_id", "token", name=op.f("pk_seen_tokens")),
    )
    op.create_table(
        "streams",
        sa.Column("integration_id", Ident(), nullable=False),
        sa.Column("stream", Ident(), nullable=False),
        sa.Column("tenant", Ident(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("cursor", Sealed(), nullable=True),
        sa.Column("cursor_hash", Sealed(), nullable=True),
        sa.Column("due_at", UtcTime(), nullable=False),
        sa.Column("poll_seconds", sa.Integer(), nullable=False),
        sa.Column("last_run_at", UtcTime(), nullable=True),
        sa.Column("last_success_at", UtcTime(), nullable=True),
        sa.Column("last_sweep_at", UtcTime(), nullable=True),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("hold", sa.Text(), nullable=True),
        sa.Column("walk_id", Ident(), nullable=True),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("pages", sa.Integer(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("integration_id", "stream", name=op.f("pk_streams")),
    )
    op.create_index("ix_streams_due", "streams", ["tenant", "due_at"], unique=False)
    op.create_table(
        "tenant_keys",
        sa.Column("tenant", Ident(), nullable=False),
        sa.Column("purpose", Ident(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("key_id", Sealed(), nullable=False),
        sa.Column("master_id", Ident(), nullable=False),
        sa.Column("wrapped", Sealed(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "purpose", "generation", name=op.f("pk_tenant_keys")),
    )
    op.create_table(
        "threads",
        sa.Column("id", Ident(), nullable=False),
        sa.Column("tenant", Ident(), nullable=False),
        sa.Column("address", Ident(), nullable=False),
        sa.Column("practice_id", Ident(), nullable=True),
        sa.Column("integration_id", Ident(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("outcome", Sealed(), nullable=True),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_threads")),
    )
    op.create_index(op.f("ix_threads_address"), "threads", ["address"], unique=False)
    op.create_table(
        "write_journal",
        sa.Column("integration_id", Ident(), nullable=False),
        sa.Column("key", Ident(), nullable=False),
        sa.Column("tenant", Ident(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("record_id", Ident(), nullable=True),
        sa.Column("begun_at", UtcTime(), nullable=False),
        sa.Column("done_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("integration_id", "key", name=op.f("pk_write_journal")),
    )
    for statement in _REFUSALS[op.get_context().dialect.name]:
        op.execute(statement)
