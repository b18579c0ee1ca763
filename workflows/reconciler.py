"""Finds what the provider told while nobody listened; started by a Temporal Schedule (engine 21)."""

from __future__ import annotations

from temporalio import workflow

from workflows import calls


@workflow.defn(name="reconciler")
class ReconcilerWorkflow:
    """One reading of the provider's events."""

    @workflow.run
    async def run(self) -> int:
        """Read them back; how many had been missed."""
        workflow.set_current_details("Reads Stripe's events back and puts what was missed into the inbox.")
        return await calls.reconcile_events()
