"""The twelve, each a module with its title, what it says, how it is tested, and the test."""

from __future__ import annotations

from types import ModuleType

from tests.recipes.twelve.properties import (
    p01_atomic_capture,
    p02_commit_before_acknowledgement,
    p03_idempotent_apply,
    p04_order_per_key,
    p05_deletes_and_reads,
    p06_coalescing,
    p07_bounded_queue,
    p08_outage,
    p09_poison,
    p10_change_of_schema,
    p11_upgrade,
    p12_seen_and_reconciled,
)

PROPERTIES: dict[int, ModuleType] = dict(
    enumerate(
        (
            p01_atomic_capture,
            p02_commit_before_acknowledgement,
            p03_idempotent_apply,
            p04_order_per_key,
            p05_deletes_and_reads,
            p06_coalescing,
            p07_bounded_queue,
            p08_outage,
            p09_poison,
            p10_change_of_schema,
            p11_upgrade,
            p12_seen_and_reconciled,
        ),
        1,
    )
)
"""By number."""
