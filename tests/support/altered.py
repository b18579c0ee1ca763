"""A release that broke its promise: a subscription that begins with a command which recorded runs do not have."""

from datetime import timedelta

from temporalio import workflow
from typing_extensions import override

from workflows.subscription import SubscriptionWorkflow

with workflow.unsafe.imports_passed_through():
    from models.boundary import SubscriptionRun


@workflow.defn(name="subscription")
class HastySubscription(SubscriptionWorkflow):
    """Waits a second before anything else."""

    @workflow.init
    def __init__(self, start: SubscriptionRun) -> None:
        super().__init__(start)

    @override
    @workflow.run
    async def run(self, start: SubscriptionRun) -> None:
        """One timer more than was recorded."""
        await workflow.sleep(timedelta(seconds=1))
        await super().run(start)
