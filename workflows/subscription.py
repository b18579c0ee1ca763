"""The life of a subscription. One run is one billing period."""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from workflows import calls
from workflows.execution import FIRST_RELEASE
from workflows.subscription_doors import SubscriptionDoors

with workflow.unsafe.imports_passed_through():
    from billing.commands import Change, Command, Resume, When
    from billing.payment import Trigger
    from billing.steps import Step, next_step
    from billing.subscription import Parked
    from models.attributes import changes_between, subscription_attributes
    from models.boundary import (
        ChargeOrder,
        CollectionRun,
        CommandOrder,
        Duties,
        ParkOrder,
        StepOrder,
        SubscriptionReport,
        SubscriptionRun,
        Wish,
    )
    from workflows.details import subscription_details, subscription_step


@workflow.defn(name="subscription")
class SubscriptionWorkflow(SubscriptionDoors):
    """One subscription, for as long as it lives."""

    @workflow.init
    def __init__(self, start: SubscriptionRun) -> None:
        super().__init__(start)
        self.duties = Duties()
        self.payments_queue = start.payments_queue
        self.shown_attributes = subscription_attributes(start.subscription)

    @workflow.run
    async def run(self, start: SubscriptionRun) -> None:
        """Live one period; then begin the next one in a run of its own."""
        workflow.patched(FIRST_RELEASE)
        await self._shielded_from_cancel(self._live_through_failures())
        # No await from here on: what a handler accepts after this would be lost (engine 13).
        if self.subscription.is_done and not self.inbox and self.duties.none:
            self._show(next_step(self.subscription, self.clock.now))
            return
        workflow.continue_as_new(
            start.model_copy(
                update={
                    "subscription": self.subscription,
                    "now": self.clock.test_now,
                    "inbox": (*self.held, *self.inbox),
                    "look_first": self.has_news or not self.duties.none,
                    "bad_signals": self.desk.bad,
                    "last_bad_signal": self.desk.last_bad,
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
                break
        self.clock.leaving = True
        await workflow.wait_condition(workflow.all_handlers_finished)

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
            await self._follow(await self._take(step))
            if step.kind.closes_run:
                await self._do_duties()
                return

    def _is_woken(self) -> bool:
        return bool(self.inbox) or self.has_news or self.is_asked_to_recycle or self.cancel_was_pressed

    def _may_leave(self) -> bool:
        if self.subscription.is_done:
            return not self.inbox and not self.has_news
        return self.is_asked_to_recycle and not self.inbox and not self.has_news

    async def _take(self, step: Step) -> SubscriptionReport:
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
            await self._carry_out_next()
        elif self.has_news:
            self.has_news = False
            self._adopt(await calls.look(self.subscription.id, self.clock.now))

    async def _carry_out_next(self) -> None:
        """A command that meets a fault was accepted: it is carried out when a person has resumed."""
        command = self.inbox.popleft()
        if self.subscription.parked is not None and isinstance(command, Change) and command.when is When.NOW:
            self.held.append(command)  # nothing new is billed while a person is needed (U14)
            return
        try:
            await self._carry_out(command)
        except (ActivityError, ApplicationError):
            if not isinstance(command, Resume):
                self.held.append(command)
            raise
        if isinstance(command, Resume) and self.subscription.parked is None:
            self.inbox.extendleft(reversed(self.held))
            self.held.clear()

    async def _carry_out(self, command: Command) -> None:
        order = CommandOrder(subscription_id=self.subscription.id, command=command, as_of=self.clock.now)
        report = await calls.apply_command(order)
        self.last_refusal = report.refused
        await self._follow(report)
        if report.pass_on_to is not None:
            wish = Wish(
                trigger=Trigger.SUPPORT, command_id=command.command_id, as_of=self.clock.now, by=command.by
            )
            await self._tell(f"collection/{report.pass_on_to}", "ask", wish)

    async def _follow(self, report: SubscriptionReport) -> None:
        self._adopt(report)
        await self._wake_collections(report.wake)

    async def _wake_collections(self, invoice_ids: tuple[str, ...]) -> None:
        for invoice_id in invoice_ids:
            await self._wake(f"collection/{invoice_id}")

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
        await self._wake_collections(report.wake)

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

    async def _park(self, failure: calls.Failure) -> None:
        reason = calls.problem(failure)[:200]
        remedy = "Mend the cause, then send `resume`."
        try:
            await self._write_parked(reason, remedy)
        except (ActivityError, ApplicationError) as second:
            # The books cannot even write that down; an error that left from here would close the execution.
            workflow.logger.error("%s cannot be parked: %s", self.subscription.id, calls.problem(second))
            parked = Parked(reason=reason, since=self.clock.now, remedy=remedy)
            self.subscription = self.subscription.model_copy(update={"parked": parked})

    async def _write_parked(self, reason: str, remedy: str) -> None:
        order = ParkOrder(
            subscription_id=self.subscription.id, reason=reason, remedy=remedy, as_of=self.clock.now
        )
        await self._follow(await calls.park(order))

    def _show(self, step: Step) -> None:
        workflow.set_current_details(
            subscription_details(self.subscription, subscription_step(step), self.clock.now)
        )
        attributes = subscription_attributes(self.subscription)
        if attributes != self.shown_attributes:
            workflow.upsert_search_attributes(changes_between(self.shown_attributes, attributes))
            self.shown_attributes = attributes
