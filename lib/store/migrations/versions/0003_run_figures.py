"""What each run came to, and batches of prompts"""

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on: str | None = None

_FIGURES = [
    sa.Column("duration_ms", sa.Integer(), nullable=True),
    sa.Column("waited_ms", sa.Integer(), nullable=True),
    sa.Column("step_count", sa.Integer(), nullable=True),
    sa.Column("prompt_tokens", sa.Integer(), nullable=True),
    sa.Column("cached_tokens", sa.Integer(), nullable=True),
    sa.Column("completion_tokens", sa.Integer(), nullable=True),
    sa.Column("reasoning_tokens", sa.Integer(), nullable=True),
    sa.Column("cost", sa.Double(), nullable=True),
]
_COVERED = ["status", "created_at", "assistant_id", "thread_id", "model", "answered_by"]
_USAGE_OF_EARLIER_RUNS = """
    UPDATE runs SET
        prompt_tokens = json_extract(usage, '$.prompt_tokens'),
        completion_tokens = json_extract(usage, '$.completion_tokens'),
        cached_tokens = json_extract(usage, '$.prompt_token_details.cached_tokens'),
        reasoning_tokens = json_extract(usage, '$.completion_tokens_details.reasoning_tokens'),
        step_count = (SELECT count(*) FROM steps WHERE steps.run_id = runs.id),
        duration_ms = (SELECT max(at_ms) - min(at_ms) FROM events WHERE events.run_id = runs.id),
        waited_ms = 0
    WHERE status IN ('completed', 'failed', 'incomplete', 'cancelled', 'expired')
"""


def upgrade() -> None:
    for column in _FIGURES:
        op.add_column("runs", column)
    op.add_column("model_calls", sa.Column("cost", sa.Double(), nullable=True))
    op.execute(_USAGE_OF_EARLIER_RUNS)
    op.create_index(op.f("ix_runs_status_position"), "runs", ["status", "position"])
    op.create_index("ix_runs_figures", "runs", [*_COVERED, *(column.name for column in _FIGURES)])
    op.create_table(
        "prompt_batches",
        sa.Column("position", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("created_at", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("assistant_id", sa.String(), nullable=False),
        sa.Column("concurrency", sa.Integer(), nullable=False),
        sa.Column("cancelled_at", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_prompt_batches")),
        sa.UniqueConstraint("id", name=op.f("uq_prompt_batches_id")),
    )
    op.create_table(
        "prompt_batch_items",
        sa.Column("position", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("batch_id", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("run_id", sa.String(), nullable=True),
        sa.Column("thread_id", sa.String(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["batch_id"],
            ["prompt_batches.id"],
            name=op.f("fk_prompt_batch_items_batch_id_prompt_batches"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_prompt_batch_items")),
    )
    op.create_index(
        op.f("ix_prompt_batch_items_batch_id_number"), "prompt_batch_items", ["batch_id", "number"]
    )
    op.create_index(op.f("ix_prompt_batch_items_run_id"), "prompt_batch_items", ["run_id"])


def downgrade() -> None:
    op.drop_table("prompt_batch_items")
    op.drop_table("prompt_batches")
    op.drop_index("ix_runs_figures", "runs")
    op.drop_index(op.f("ix_runs_status_position"), "runs")
    op.drop_column("model_calls", "cost")
    for column in _FIGURES:
        op.drop_column("runs", column.name)
