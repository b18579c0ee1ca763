"""The chase of one invoice: from the first outcome that isn't "paid" until it is settled for good."""

from __future__ import annotations

from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from workflows import calls
from workflows.collection_doors import CollectionDoors
from workflows.execution import FIRST_RELEASE

with workflow.unsafe.imports_passed_through():
    from billing.case import Role
    from billing.chase import NextStep, StepKind
    from billing.payment import Trigger
    from billing.reason import Because
    from billing.steering import Directive
    from models.attributes import changes_between, collection_attributes
    from models.boundary import (
        CaseReport,
        CaseStepOrder,
        ChargeOrder,
        ChargeReport,
        CollectionRun,
        SteerOrder,
        WishOrder,
    )
    from workflows.details import collection_details

PAUSE_AFTER_REFUSAL = timedelta(hours=1)
"""Before a charge that the gate refused is looked at again."""


@workflow.defn(name="collection")
class CollectionWorkflow(CollectionDoors):
    """Owns one invoice until it is paid, credited, uncollectible or void."""

    @workflow.init
    def __init__(self, start: CollectionRun) -> None:
        super().__init__(start)
        self.payment_closed = False
        self.not_before: datetime | None = None
        self.told_version = start.case.subscription_version if start.case is not None else 0

    @workflow.run
    async def run(self, start: CollectionRun) -> None:
        """Take the invoice over, and follow its policy to the end."""
        workflow.patched(FIRST_RELEASE)
        await self._shielded_from_cancel(self._chase_through_failures())
        self.clock.leaving = True
        await workflow.wait_condition(workflow.all_handlers_finished)
        if self._is_closed():
            return
        carried = {
            "now": self.clock.test_now,
            "case": None if self.has_news else self.case,
            "inbox": tuple(self.inbox),
            "directives": tuple(self.directives),
            "payment_moved": self.payment_moved,
        }
        workflow.continue_as_new(start.model_copy(update=carried))

    async def _chase_through_failures(self) -> None:
        """No fault ends a chase: it is shown, and waits for somebody to wake it (engine 11)."""
        while True:
            try:
                await self._chase()
            except (ActivityError, ApplicationError) as failure:
                self.trouble = calls.problem(failure)[:300]
                workflow.set_current_details(
                    f"**Waits for a person**: {self.trouble}. Mend it, then send `look`."
                )
                await self.clock.until(None, or_woken=self._is_woken, why="waits for a person")
                self.trouble = ""
            else:
                return

    async def _chase(self) -> None:
        if self.case is None:
            self._adopt(await calls.open_case(self.run_input.invoice_id, self.clock.now))
            await self._tell_subscription()
        while not self._may_leave():
            step = self._opened.step
            self._show()
            due = self._held_back(step.due)
            if await self.clock.until(due, or_woken=self._is_woken, why=step.why.sentence()):
                await self._take(step)
            else:
                await self._attend_to_news()
        await self._close_what_was_dropped()

    @property
    def _opened(self) -> CaseReport:
        """The case, which the chase opens before it does anything else."""
        if self.case is None:
            raise ApplicationError("The invoice was not taken over yet.", "invoice", type="not_open")
        return self.case

    def _may_leave(self) -> bool:
        return self._is_closed() or (self.is_asked_to_recycle and not self._has_something_to_do())

    def _has_something_to_do(self) -> bool:
        return bool(self.inbox or self.directives or self.has_news or self.payment_moved)

    def _is_woken(self) -> bool:
        return self._has_something_to_do() or self.is_asked_to_recycle or self.cancel_was_pressed

    def _held_back(self, due: datetime | None) -> datetime | None:
        if due is None or self.not_before is None:
            return due
        return max(due, self.not_before)

    async def _take(self, step: NextStep) -> None:
        """Carry out the step that came due."""
        self.not_before = None
        match step.kind:
            case StepKind.CHARGE:
                await self._charge(step)
            case StepKind.SETTLE:
                await self._settle()
            case StepKind.END if self.case is not None and self.case.role is Role.GATED:
                await self._close_gate(step)
            case StepKind.LATE | StepKind.NOTICE | StepKind.END:
                await self._write(step)
            case StepKind.REST | StepKind.CLOSED:
                self._adopt(await calls.look_at_case(self.run_input.invoice_id, self.clock.now))

    async def _charge(self, step: NextStep) -> None:
        """One attempt. No answer in time leaves it unknown, to be settled next."""
        order = self._order(step.trigger or Trigger.RETRY, step.attempt)
        try:
            report = await calls.charge(
                order, queue=self.run_input.payments_queue, summary=step.why.sentence()
            )
        except ActivityError as error:
            if calls.is_fault_for_a_person(error):
                raise
            _ = await calls.hand_over(self.run_input.invoice_id, self.clock.now)
            self._adopt(await calls.look_at_case(self.run_input.invoice_id, self.clock.now))
            return
        if report.refused:
            self.not_before = self.clock.now + PAUSE_AFTER_REFUSAL
        await self._learn(report)

    async def _settle(self, *, only_look: bool = False) -> None:
        """Ask the provider what became of the attempt that is under way; one that waits for the payer is closed."""
        order = self._order(Trigger.RETRY, None).model_copy(update={"only_look": only_look})
        try:
            report = await calls.settle_attempt(order, queue=self.run_input.payments_queue)
        except ActivityError as error:
            if calls.is_fault_for_a_person(error):
                raise
            self.not_before = self.clock.now + PAUSE_AFTER_REFUSAL
            return
        await self._learn(report)

    async def _close_gate(self, step: NextStep) -> None:
        """A gated draft is dropped only once its payment is seen cancelled; what was paid first wins (U3)."""
        await self._close_payment()
        if not self._is_closed():
            await self._write(step)

    async def _close_what_was_dropped(self) -> None:
        """A cancel drops a gated draft at once; its payment must not go through behind it (rules 13)."""
        is_gated = self.case is not None and self.case.role is Role.GATED and self.case.attempts > 0
        if is_gated and self._is_closed() and not self.payment_closed:
            await self._close_payment()

    async def _close_payment(self) -> None:
        order = self._order(Trigger.FIRST, None)
        report = await calls.close_payment(order, queue=self.run_input.payments_queue)
        self.payment_closed = True
        await self._learn(report)

    async def _write(self, step: NextStep) -> None:
        order = CaseStepOrder(
            invoice_id=self.run_input.invoice_id,
            kind=step.kind.value,
            key=step.key or "",
            as_of=self.clock.now,
        )
        self._adopt(await calls.take_case_step(order, summary=step.why.sentence()))
        await self._tell_subscription()
        await self._wake_others()

    def _order(self, trigger: Trigger, number: int | None) -> ChargeOrder:
        return ChargeOrder(
            invoice_id=self.run_input.invoice_id,
            number=self._opened.next_number if number is None else number,
            trigger=trigger,
            as_of=self.clock.now,
        )

    async def _learn(self, report: ChargeReport) -> None:
        if report.case is not None:
            self._adopt(report.case)
        await self._tell_subscription()
        await self._wake_others(report.wake)

    async def _attend_to_news(self) -> None:
        """A wish, news of the payment, or that something changed in the rows."""
        if self.cancel_was_pressed:
            self.cancel_was_pressed = False
            self.desk.refuse(
                "cancel", "A chase is not cancelled from the UI: credit or write off its invoice."
            )
            return
        if self.inbox:
            order = WishOrder(invoice_id=self.run_input.invoice_id, wish=self.inbox.popleft())
            self._adopt(await calls.ask(order))
            return
        if self.directives:
            await self._steer(self.directives.popleft())
            return
        if self.payment_moved:
            self.payment_moved = False
            await self._settle(only_look=True)
            return
        self.has_news = False
        self._adopt(await calls.look_at_case(self.run_input.invoice_id, self.clock.now))
        await self._tell_subscription()
        await self._wake_others()

    async def _steer(self, directive: Directive) -> None:
        """A person's decision: what does not fit is counted and shown, as every signal that can't be taken."""
        report = await calls.steer_chase(
            SteerOrder(invoice_id=self.run_input.invoice_id, directive=directive, as_of=self.clock.now)
        )
        if report.refused:
            self.desk.refuse("steer", report.refused)
        self._adopt(report.case)
        if report.driver_id:
            await self._wake(f"collection/{report.driver_id}")
        await self._tell_subscription()

    def _adopt(self, case: CaseReport) -> None:
        self.case = case

    async def _tell_subscription(self) -> None:
        """A hint: the outcome is in the books already; a subscription that is gone needs none (engine 7)."""
        if self.case is not None and self.case.subscription_version > self.told_version:
            self.told_version = self.case.subscription_version
            await self._wake(f"subscription/{self.run_input.subscription_id}")

    async def _wake_others(self, also: tuple[str, ...] = ()) -> None:
        own = self.case.wake if self.case is not None else ()
        for invoice_id in dict.fromkeys((*own, *also)):
            await self._wake(f"collection/{invoice_id}")

    def _show(self) -> None:
        workflow.set_current_details(collection_details(self.case))
        if self.case is not None and self.case.step.why.because is Because.ENDED:
            # The one change of attributes in a chase: each costs an Action (engine 28).
            wanted = collection_attributes(self.case, self.run_input.clock_id)
            changes = changes_between(workflow.info().typed_search_attributes, wanted)
            if changes:
                workflow.upsert_search_attributes(changes)
