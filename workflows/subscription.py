"""The life of a subscription. One run is one billing period."""

from __future__ import annotations

import asyncio
from collections import deque

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ActivityError, ApplicationError

from workflows import calls
from workflows.signals import SignalDesk
from workflows.timing import WorkflowClock

with workflow.unsafe.imports_passed_through():
    from billing import decide
    from billing.commands import (
        Cancel,
        ChangePlan,
        ChangeQuantity,
        Command,
        KeepSubscription,
        Pause,
        Resume,
        RetryNow,
        When,
    )
    from billing.errors import RelanceError
    from billing.payment import Trigger
    from billing.steps import Step, next_step
    from billing.subscription import Subscription
    from models.attributes import changes_between, subscription_attributes
    from models.boundary import (
        Accepted,
        ChargeOrder,
        CollectionRun,
        CommandOrder,
        Duties,
        ParkOrder,
        PlannedStep,
        StepOrder,
        SubscriptionReport,
        SubscriptionRun,
        SubscriptionState,
        Tick,
        TickTo,
        Wish,
    )
    from workflows.details import subscription_details

FIRST_RELEASE = "2026-11"
"""The marker that every history carries from its beginning (engine 29)."""


@workflow.defn(name="subscription")
class SubscriptionWorkflow:
    """One subscription, for as long as it lives."""

    @workflow.init
    def __init__(self, start: SubscriptionRun) -> None:
        self.subscription: Subscription = start.subscription
        self.duties = Duties()
        self.clock = WorkflowClock(start.now)
        self.inbox: deque[Command] = deque(start.inbox)
        self.has_news = start.look_first
        self.is_asked_to_recycle = False
        self.cancel_was_pressed = False
        self.payments_queue = start.payments_queue
        self.desk = SignalDesk()
        self.last_refusal = ""
        self.shown_attributes = subscription_attributes(start.subscription)

    @workflow.run
    async def run(self, start: SubscriptionRun) -> None:
        """Live one period; then begin the next one in a run of its own."""
        workflow.patched(FIRST_RELEASE)
        await self._shielded_from_cancel(asyncio.create_task(self._live_through_failures()))
        self.clock.leaving = True
        await workflow.wait_condition(workflow.all_handlers_finished)
        # No await from here on: what a handler accepts after this would be lost (engine 13).
        if self.subscription.is_over and not self.inbox and self.duties.none:
            return
        workflow.continue_as_new(
            start.model_copy(
                update={
                    "subscription": self.subscription,
                    "now": self.clock.test_now,
                    "inbox": tuple(self.inbox),
                    "look_first": self.has_news or not self.duties.none,
                }
            ),
            search_attributes=subscription_attributes(self.subscription),
        )

    async def _live_through_failures(self) -> None:
        """Nothing ends a subscription but its end: a fault parks it until a person resumes it (engine 11)."""
        while True:
            try:
                await self._live()
            except (ActivityError, ApplicationError) as failure:
                await self._park(failure)
            else:
                return

    async def _live(self) -> None:
        while True:
            await self._do_duties()
            if self._may_leave():
                return
            step = next_step(self.subscription, self.clock.now)
            self._show(step)
            if not await self.clock.until(step.due, or_woken=self._is_woken, why=step.why):
                await self._attend_to_news()
                continue
            self._adopt(await self._take(step))
            if step.kind is not None and step.kind.closes_run:
                await self._do_duties()
                return

    def _is_woken(self) -> bool:
        return bool(self.inbox) or self.has_news or self.is_asked_to_recycle or self.cancel_was_pressed

    def _may_leave(self) -> bool:
        if self.subscription.is_over:
            return not self.inbox and not self.has_news
        return self.is_asked_to_recycle and not self.inbox and not self.has_news

    async def _take(self, step: Step) -> SubscriptionReport:
        assert step.kind is not None  # noqa: S101 - a step that came due has a kind
        order = StepOrder(
            subscription_id=self.subscription.id, kind=step.kind.value, key=step.key, as_of=self.clock.now
        )
        return await calls.take_step(order, summary=step.why)

    async def _attend_to_news(self) -> None:
        """One piece of news at a time: a cancel in the UI, a command, or that something changed in the rows."""
        if self.cancel_was_pressed:
            self.cancel_was_pressed = False
            await self._write_parked(
                "Cancel was pressed in the Temporal UI.", "Resume it, or send it a cancel command."
            )
        elif self.inbox:
            await self._carry_out(self.inbox.popleft())
        elif self.has_news:
            self.has_news = False
            self._adopt(await calls.look(self.subscription.id, self.clock.now))

    async def _carry_out(self, command: Command) -> None:
        order = CommandOrder(subscription_id=self.subscription.id, command=command, as_of=self.clock.now)
        report = await calls.apply_command(order)
        self.last_refusal = report.refused
        self._adopt(report)
        if report.pass_on_to is not None:
            wish = Wish(
                trigger=Trigger.SUPPORT, command_id=command.command_id, as_of=self.clock.now, by=command.by
            )
            await self._tell_collection(report.pass_on_to, "ask", wish)

    def _adopt(self, report: SubscriptionReport) -> None:
        self.subscription = report.subscription
        self.duties = report.duties

    async def _do_duties(self) -> None:
        """Charge what is due, and hand every invoice that is not paid at once to a collection (engine 5)."""
        while not self.duties.none:
            duties, self.duties = self.duties, Duties()
            for order in duties.charge:
                await self._charge(order)
            for invoice_id in duties.collect:
                await self._start_collection(invoice_id)

    async def _charge(self, order: ChargeOrder) -> None:
        now = self.clock.now
        try:
            report = await calls.charge(
                order.model_copy(update={"as_of": now, "hand_over": self._hand_over_of(order.invoice_id)}),
                queue=self.payments_queue,
                summary="first charge",
            )
        except ActivityError as error:
            if calls.is_fault_for_a_person(error):
                raise
            self._adopt(await calls.hand_over(order.invoice_id, now))
            return
        if report.subscription is not None:
            self._adopt(report.subscription)
        for invoice_id in report.wake:
            await self._tell_collection(invoice_id, "look", TickTo(now=self.clock.now))

    async def _start_collection(self, invoice_id: str) -> None:
        _ = await calls.start_collection(self._hand_over_of(invoice_id))

    def _hand_over_of(self, invoice_id: str) -> CollectionRun:
        return CollectionRun(
            invoice_id=invoice_id,
            subscription_id=self.subscription.id,
            now=self.clock.test_now,
            clock_id=self.subscription.clock_id,
            payments_queue=self.payments_queue,
            as_of=self.clock.now,
        )

    async def _tell_collection(self, invoice_id: str, signal: str, content: Wish | TickTo) -> None:
        """A hint: a collection that is gone has nothing left to do (engine 7)."""
        collection = workflow.get_external_workflow_handle(f"collection/{invoice_id}")
        try:
            await collection.signal(signal, content)
        except ApplicationError as gone:
            workflow.logger.info("collection/%s did not hear: %s", invoice_id, gone.message)

    async def _park(self, failure: ActivityError | ApplicationError) -> None:
        cause = failure.cause if isinstance(failure.cause, ApplicationError) else failure
        reason = " ".join(str(cause.message).split())[:200]
        await self._write_parked(reason, "Mend the cause, then send `resume`.")

    async def _write_parked(self, reason: str, remedy: str) -> None:
        order = ParkOrder(
            subscription_id=self.subscription.id, reason=reason, remedy=remedy, as_of=self.clock.now
        )
        self._adopt(await calls.park(order))

    async def _shielded_from_cancel(self, life: asyncio.Task[None]) -> None:
        """A Cancel in the UI reaches the flag, never a charge in flight (engine 4)."""
        while not life.done():
            try:
                await asyncio.shield(life)
            except asyncio.CancelledError:
                self.cancel_was_pressed = True
        life.result()

    def _show(self, step: Step) -> None:
        workflow.set_current_details(
            subscription_details(self.subscription, self._planned(step), self.clock.now)
        )
        attributes = subscription_attributes(self.subscription)
        if attributes != self.shown_attributes:
            workflow.upsert_search_attributes(changes_between(self.shown_attributes, attributes))
            self.shown_attributes = attributes

    @staticmethod
    def _planned(step: Step) -> PlannedStep:
        return PlannedStep(what=step.kind.value if step.kind else "wait", due=step.due, why=step.why)

    # What support asks

    @workflow.query(name="state", description="Everything about this subscription, and what it does next.")
    def state(self) -> SubscriptionState:
        """The subscription and what comes next."""
        return SubscriptionState(
            subscription=self.subscription,
            next=self._planned(next_step(self.subscription, self.clock.now)),
            now=self.clock.now,
            queued_commands=len(self.inbox),
            bad_signals=self.desk.bad,
            last_bad_signal=self.desk.last_bad,
            last_refusal=self.last_refusal,
        )

    # Commands that a caller waits for. Handlers check and enqueue; they await nothing (engine 13).

    def _check(self, command: Command) -> None:
        """Refuse what cannot be carried out, as things will stand once the queue is worked off."""
        try:
            decide.check(self._after_queue(), command, self.clock.now)
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
        name="change_plan", description='Another plan from the period\'s end: {"command_id", "plan_id"}'
    )
    async def change_plan(self, command: ChangePlan) -> Accepted:
        """Change the plan at the period's end."""
        return self._enqueue(command)

    @change_plan.validator
    def _check_change_plan(self, command: ChangePlan) -> None:
        self._check(command)

    @workflow.update(
        name="change_quantity", description='Other seats from the period\'s end: {"command_id", "quantity"}'
    )
    async def change_quantity(self, command: ChangeQuantity) -> Accepted:
        """Change the number of seats at the period's end."""
        return self._enqueue(command)

    @change_quantity.validator
    def _check_change_quantity(self, command: ChangeQuantity) -> None:
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

    @workflow.update(name="tick", description="Test clocks only: move this subscription's time on.")
    async def tick(self, to: TickTo) -> Tick:
        """Move on and answer when everything due is done."""
        return await self.clock.tick(to)

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

    @workflow.signal(name="look", description="Something changed in the books: read them again.")
    def look(self, raw: RawValue) -> None:
        """A hint that the rows have changed; it brings the sender's time along."""
        hint = self.desk.decode(raw, TickTo, signal="look")
        if hint is not None:
            self.clock.hear(hint.now)
            self.has_news = True

    @workflow.signal(name="payment_settled", description="The provider has news: read the books again.")
    def payment_settled(self, raw: RawValue) -> None:
        """A hint that a payment moved."""
        if self.desk.decode(raw, dict[str, str], signal="payment_settled") is not None:
            self.has_news = True

    @workflow.signal(name="recycle", description="Begin a new run with the same state, to take up new code.")
    def recycle(self) -> None:
        """Continue as new at the next quiet moment (engine 29)."""
        self.is_asked_to_recycle = True
