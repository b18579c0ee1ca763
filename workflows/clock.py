"""A test clock: it stands still until it is told to advance, and visits every due instant in order (engine 24)."""

from __future__ import annotations

from temporalio import workflow

from workflows import calls

with workflow.unsafe.imports_passed_through():
    from models.boundary import AdvanceOrder, AdvanceTo, ClockRun


@workflow.defn(name="clock")
class ClockWorkflow:
    """Owns the time of everything that names this clock."""

    @workflow.init
    def __init__(self, start: ClockRun) -> None:
        self.clock_id = start.clock_id
        self.is_wanted = start.resume

    @workflow.run
    async def run(self, start: ClockRun) -> None:
        """Wait to be told, then move; callers watch the clock's row."""
        workflow.set_current_details(f"Test clock `{start.clock_id}`. Send `advance` to move it.")
        await workflow.wait_condition(lambda: self.is_wanted)
        self.is_wanted = False
        await calls.advance_clock(ClockRun(clock_id=self.clock_id))
        await workflow.wait_condition(workflow.all_handlers_finished)
        workflow.continue_as_new(start.model_copy(update={"resume": self.is_wanted}))

    @workflow.update(name="advance", description='Move time on: {"to": "2027-03-01T00:00:00Z"}')
    async def advance(self, to: AdvanceTo) -> None:
        """Write the target down and answer; the clock's row tells when it is reached."""
        await calls.aim_clock(AdvanceOrder(clock_id=self.clock_id, to=to.to))
        self.is_wanted = True
