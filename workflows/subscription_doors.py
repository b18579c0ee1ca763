"""How a subscription is spoken to: what it answers, what it is told, and what it has to hear.

Handlers check and enqueue; the life of the subscription, in `subscription.py`, takes one thing after the other.
"""

from __future__ import annotations

from collections import deque

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from workflows import calls
from workflows.execution import Execution
from workflows.signals import SignalDesk

with workflow.unsafe.imports_passed_through():
    from billing import decide
    from billing.commands import (
        AddCoupon,
        Cancel,
        ChangePlan,
        ChangeQuantity,
        ChangeTerms,
        Command,
        KeepSubscription,
        MigratePlan,
        Pause,
        Resume,
        RetryNow,
        UndoChange,
        When,
        Withdraw,
    )
    from billing.errors import RelanceError
    from billing.steps import next_step
    from billing.subscription import Subscription
    from models.boundary import (
        Accepted,
        PaymentNews,
        SubscriptionRun,
        SubscriptionState,
    )
    from workflows.details import subscription_step


class SubscriptionDoors(Execution):
    """The handlers of a subscription's workflow, and what they leave for it to find."""

    def __init__(self, start: SubscriptionRun) -> None:
        super().__init__(now=start.now, desk=SignalDesk(start.bad_signals, start.last_bad_signal))
        self.subscription: Subscription = start.subscription
        self.inbox: deque[Command] = deque(start.inbox)
        self.held: list[Command] = []
        self.has_news = start.look_first
        self.last_refusal = ""

    # What support asks

    @workflow.query(name="state", description="Everything about this subscription, and what it does next.")
    def state(self) -> SubscriptionState:
        """The subscription and what comes next."""
        return SubscriptionState(
            subscription=self.subscription,
            next=subscription_step(next_step(self.subscription, self.clock.now)),
            now=self.clock.now,
            queued_commands=len(self.held) + len(self.inbox),
            bad_signals=self.desk.bad,
            last_bad_signal=self.desk.last_bad,
            last_refusal=self.last_refusal,
        )

    # Commands that a caller waits for. Handlers check and enqueue; they await nothing (engine 13).

    def _check(self, command: Command) -> None:
        """Refuse what cannot be carried out, as things will stand once the queue is worked off."""
        try:
            decide.check(self._after_queue(), command, self.clock.as_told(command.as_of))
        except RelanceError as refusal:
            raise ApplicationError(
                refusal.message, refusal.field, type=refusal.code, non_retryable=True
            ) from refusal

    def _after_queue(self) -> Subscription:
        subscription = self.subscription
        for queued in self.inbox:
            try:
                subscription = decide.accept(subscription, queued, self.clock.now).after
            except RelanceError:
                continue
        return subscription

    def _enqueue(self, command: Command) -> Accepted:
        self.clock.hear(command.as_of)
        self.inbox.append(command)
        return Accepted(command_id=command.command_id, subscription=self._after_queue())

    @workflow.update(
        name="change_plan",
        description='Another plan: {"command_id", "plan_id", "when": "now" or "period_end"}',
    )
    async def change_plan(self, command: ChangePlan) -> Accepted:
        """Change the plan, now or at the period's end."""
        return self._enqueue(command)

    @change_plan.validator
    def _check_change_plan(self, command: ChangePlan) -> None:
        self._check(command)

    @workflow.update(
        name="change_quantity",
        description='Other seats: {"command_id", "quantity", "when": "now" or "period_end"}',
    )
    async def change_quantity(self, command: ChangeQuantity) -> Accepted:
        """Change the number of seats, now or at the period's end."""
        return self._enqueue(command)

    @change_quantity.validator
    def _check_change_quantity(self, command: ChangeQuantity) -> None:
        self._check(command)

    @workflow.update(
        name="change_terms", description='Other terms for this customer: {"command_id", "agreed", "when"}'
    )
    async def change_terms(self, command: ChangeTerms) -> Accepted:
        """Change anything else that was agreed, now or at the period's end."""
        return self._enqueue(command)

    @change_terms.validator
    def _check_change_terms(self, command: ChangeTerms) -> None:
        self._check(command)

    @workflow.update(
        name="migrate_plan",
        description='Announce another plan\'s prices: {"command_id", "from_plan_id", "plan_id", "notice_days"}',
    )
    async def migrate_plan(self, command: MigratePlan) -> Accepted:
        """Announce the prices of another plan, for a renewal after the notice."""
        return self._enqueue(command)

    @migrate_plan.validator
    def _check_migrate_plan(self, command: MigratePlan) -> None:
        self._check(command)

    @workflow.update(
        name="add_coupon",
        description='A coupon from the next billed period on: {"command_id", "code"}',
    )
    async def add_coupon(self, command: AddCoupon) -> Accepted:
        """Give a coupon that is on offer; its limit is kept in the books."""
        return self._enqueue(command)

    @add_coupon.validator
    def _check_add_coupon(self, command: AddCoupon) -> None:
        self._check(command)

    @workflow.update(
        name="undo_change", description='Take back a change that has not taken effect: {"command_id"}'
    )
    async def undo_change(self, command: UndoChange) -> Accepted:
        """Take back a change for the period's end, or one that waits for its payment."""
        return self._enqueue(command)

    @undo_change.validator
    def _check_undo_change(self, command: UndoChange) -> None:
        self._check(command)

    @workflow.update(name="cancel", description='The end: {"command_id", "when": "now" or "period_end"}')
    async def cancel(self, command: Cancel) -> Accepted:
        """Cancel; *now* closes the gate to automatic charges before it is answered (engine 4)."""
        if command.when is When.NOW:
            await calls.stop_collecting(self.subscription.id, self.clock.now)
        return self._enqueue(command)

    @cancel.validator
    def _check_cancel(self, command: Cancel) -> None:
        self._check(command)

    @workflow.update(name="withdraw", description='A consumer goes back on the contract: {"command_id"}')
    async def withdraw(self, command: Withdraw) -> Accepted:
        """Withdraw; like a cancel now it closes the gate to automatic charges before it is answered (engine 4)."""
        await calls.stop_collecting(self.subscription.id, self.clock.now)
        return self._enqueue(command)

    @withdraw.validator
    def _check_withdraw(self, command: Withdraw) -> None:
        self._check(command)

    @workflow.update(name="keep", description='Take back a cancel or pause that is pending: {"command_id"}')
    async def keep(self, command: KeepSubscription) -> Accepted:
        """Take back a pending cancel or pause."""
        return self._enqueue(command)

    @keep.validator
    def _check_keep(self, command: KeepSubscription) -> None:
        self._check(command)

    @workflow.update(
        name="pause", description='Pause: {"command_id", "when": "now" or "period_end", "credit"}'
    )
    async def pause(self, command: Pause) -> Accepted:
        """Pause, keeping the anchor."""
        return self._enqueue(command)

    @pause.validator
    def _check_pause(self, command: Pause) -> None:
        self._check(command)

    @workflow.update(
        name="resume", description='Resume, also when parked: {"command_id"}, or with "issue": [dates]'
    )
    async def resume(self, command: Resume) -> Accepted:
        """Go on after a pause, after unpaid, or after being parked."""
        return self._enqueue(command)

    @resume.validator
    def _check_resume(self, command: Resume) -> None:
        self._check(command)

    @workflow.update(name="retry_now", description='Charge what is open at once: {"command_id"}')
    async def retry_now(self, command: RetryNow) -> Accepted:
        """Pass a retry on to the collection that drives."""
        return self._enqueue(command)

    @retry_now.validator
    def _check_retry_now(self, command: RetryNow) -> None:
        self._check(command)

    # Facts and fire-and-forget

    @workflow.signal(
        name="change_plan", description='As the update, without an answer: {"command_id", "plan_id"}'
    )
    def change_plan_signal(self, raw: RawValue) -> None:
        """Change the plan, fire and forget."""
        self._receive(raw, ChangePlan, "change_plan")

    @workflow.signal(name="cancel", description='As the update, without an answer: {"command_id", "when"}')
    def cancel_signal(self, raw: RawValue) -> None:
        """Cancel, fire and forget."""
        self._receive(raw, Cancel, "cancel")

    def _receive(self, raw: RawValue, kind: type[ChangePlan] | type[Cancel], signal: str) -> None:
        command = self.desk.decode(raw, kind, signal=signal)
        if command is None:
            return
        try:
            decide.check(self._after_queue(), command, self.clock.now)
        except RelanceError as refusal:
            self.desk.refuse(signal, refusal)
            return
        self._enqueue(command)

    @workflow.signal(name="payment_settled", description="The provider has news: read the books again.")
    def payment_settled(self, raw: RawValue) -> None:
        """A hint that a payment moved."""
        news = self.desk.decode(raw, PaymentNews, signal="payment_settled")
        if news is not None:
            self.clock.hear(news.now)
            self.has_news = True
