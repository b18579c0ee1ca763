"""How the chase of an invoice is spoken to: what it answers, what it is told, and what it has to hear.

Handlers check and take down; the chase itself, in `collection.py`, takes one thing after the other.
"""

from __future__ import annotations

from collections import deque

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from workflows.execution import Execution
from workflows.signals import SignalDesk

with workflow.unsafe.imports_passed_through():
    from billing.steering import AnyDirective, Directive
    from models.boundary import (
        CaseReport,
        CollectionRun,
        CollectionState,
        PaymentNews,
        PlannedStep,
        Wish,
        WishAccepted,
    )
    from workflows.details import chase_step


class CollectionDoors(Execution):
    """The handlers of a chase's workflow, and what they leave for it to find."""

    def __init__(self, start: CollectionRun) -> None:
        super().__init__(now=start.now, desk=SignalDesk())
        self.run_input = start
        self.case: CaseReport | None = start.case
        self.inbox: deque[Wish] = deque(start.inbox)
        self.directives: deque[Directive] = deque(start.directives)
        self.payment_moved = start.payment_moved
        self.trouble = ""

    def _is_closed(self) -> bool:
        return self.case is not None and self.case.closed

    # What support asks

    @workflow.query(
        name="state", description="Where the chase of this invoice stands, and what comes next and why."
    )
    def state(self) -> CollectionState:
        """The chase and its next step."""
        following = chase_step(self.case.step) if self.case else PlannedStep(what="open")
        if self.trouble:
            following = PlannedStep(what="wait", why=self.trouble)
        return CollectionState(
            case=self.case,
            next=following,
            now=self.clock.now,
            bad_signals=self.desk.bad,
            last_bad_signal=self.desk.last_bad,
        )

    # What persons ask: taken down and answered at once, charged in turn (engine 3)

    @workflow.update(
        name="pay_now", description='The customer pays now: {"trigger": "customer", "command_id"}'
    )
    async def pay_now(self, wish: Wish) -> WishAccepted:
        """The customer asks that the invoice be charged now."""
        return self._take_down(wish)

    @pay_now.validator
    def _check_pay_now(self, wish: Wish) -> None:
        self._check(wish)

    @workflow.update(
        name="retry_now", description='Support asks for a try: {"trigger": "support", "command_id"}'
    )
    async def retry_now(self, wish: Wish) -> WishAccepted:
        """Support asks that the invoice be charged now."""
        return self._take_down(wish)

    @retry_now.validator
    def _check_retry_now(self, wish: Wish) -> None:
        self._check(wish)

    def _check(self, wish: Wish) -> None:
        if wish.trigger.is_automatic:
            raise ApplicationError(
                "Say who asks: customer, support or method_replaced.", "trigger", type="invalid_input"
            )
        if self._is_closed():
            raise ApplicationError("Nothing is owed on this invoice any more.", "invoice", type="not_open")
        refusal = self.case.no_asking if self.case is not None else None
        now = max(self.clock.now, wish.as_of or self.clock.now)
        if refusal is not None and (refusal.not_before is None or now < refusal.not_before):
            raise ApplicationError(refusal.message, "invoice", type=refusal.reason.value)

    def _take_down(self, wish: Wish) -> WishAccepted:
        self.clock.hear(wish.as_of)
        self.inbox.append(wish.model_copy(update={"as_of": self.clock.now}))
        return WishAccepted(command_id=wish.command_id, invoice_id=self.run_input.invoice_id)

    # What persons decide about the chase, and facts

    @workflow.signal(
        name="steer",
        description=(
            'Steer the chase: {"kind": "promise", "on": "2027-02-01"}, {"kind": "hold", "until": DATE}, '
            '{"kind": "release"}, {"kind": "skip"} or {"kind": "extend", "end_on": DATE}; with each '
            '"command_id", "by" and "reason".'
        ),
    )
    def steer(self, raw: RawValue) -> None:
        """A directive from the UI: carried out in turn, and refused in `last_bad_signal` where it does not fit."""
        read = self.desk.decode(raw, AnyDirective, signal="steer")
        if read is not None:
            self.clock.hear(read.root.as_of)
            self.directives.append(read.root)

    @workflow.signal(name="ask", description="As retry_now, without an answer.")
    def ask(self, raw: RawValue) -> None:
        """A wish that the subscription passes on."""
        wish = self.desk.decode(raw, Wish, signal="ask")
        if wish is not None:
            _ = self._take_down(wish)

    @workflow.signal(name="payment_settled", description="The provider has news of this payment.")
    def payment_settled(self, raw: RawValue) -> None:
        """A hint that the payment moved; the provider is asked."""
        news = self.desk.decode(raw, PaymentNews, signal="payment_settled")
        if news is not None:
            self.clock.hear(news.now)
            self.payment_moved = True
