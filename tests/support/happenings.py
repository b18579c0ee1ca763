"""What may happen to a subscription and its invoices, and hypothesis's ways to make a life of it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from hypothesis import strategies as st

from billing.commands import (
    Cancel,
    ChangePlan,
    ChangeQuantity,
    ChangeTerms,
    Command,
    CreditTo,
    KeepSubscription,
    Pause,
    Resume,
    UndoChange,
    When,
)
from billing.corrections import ApplyMoney, Correction, Credit, LineCredit, PayBackAs, WriteOff
from billing.discounts import Discount
from billing.refund import MoneySource, RefundState
from support.reckoning import PLANS, terms_of


@dataclass(frozen=True)
class Change:
    """Of plan, seats or discount.

    Attributes:
        to: a plan, a number of seats, `+percent` or `-percent`.
        when: now or at the period's end.
        prorate: now only.
        if_paid: now only.
    """

    to: str
    when: When = When.NOW
    prorate: bool = True
    if_paid: bool = False

    def command(self, command_id: str, currency: str, *, tax_included: bool) -> Command:
        now = self.when is When.NOW
        prorate, if_paid = self.prorate or not now, self.if_paid and now
        if self.to in PLANS:
            terms = terms_of(self.to, currency, tax_included=tax_included)
            return ChangePlan(
                command_id=command_id,
                when=self.when,
                prorate=prorate,
                if_paid=if_paid,
                plan_id=terms.plan_id,
                terms=terms,
            )
        if self.to[0] in "+-":
            percent = self.to[1:]
            discount = Discount(coupon_id=percent, percent=Decimal(percent))
            return ChangeTerms(
                command_id=command_id,
                when=self.when,
                prorate=prorate,
                if_paid=if_paid,
                add_discount=discount if self.to[0] == "+" else None,
                remove_discount=percent if self.to[0] == "-" else None,
            )
        return ChangeQuantity(
            command_id=command_id,
            when=self.when,
            prorate=prorate,
            if_paid=if_paid,
            quantity=int(self.to),
        )


@dataclass(frozen=True)
class CancelNow:
    credit_to: CreditTo = CreditTo.BALANCE


@dataclass(frozen=True)
class PauseNow:
    credit: bool


@dataclass(frozen=True)
class ComeBack:
    """A resume."""

    def command(self, command_id: str) -> Command:
        return Resume(command_id=command_id)


@dataclass(frozen=True)
class Ask:
    """A command without choices, of which nothing is billed at once."""

    kind: type[UndoChange] | type[KeepSubscription] | type[Cancel] | type[Pause]

    def command(self, command_id: str) -> Command:
        return self.kind(command_id=command_id)


@dataclass(frozen=True)
class CreditByPerson:
    """Of one of the invoices.

    Attributes:
        invoice: which, counted around.
        how: `all`, `amount` or `line`, the first one.
        thousandths: of what is left, where it is an amount.
        then: what becomes of what was paid.
    """

    invoice: int = 0
    how: str = "all"
    thousandths: int = 1000
    then: PayBackAs = PayBackAs.BALANCE

    def correction(self, command_id: str, invoice_id: str, amount_minor: int) -> Credit:
        return Credit(
            command_id=command_id,
            invoice_id=invoice_id,
            reason="asked",
            amount_minor=amount_minor if self.how == "amount" else None,
            lines=(LineCredit(position=0),) if self.how == "line" else (),
            then=self.then,
        )


@dataclass(frozen=True)
class Settle:
    """A write-off of one of the invoices, or the balance used on it."""

    invoice: int
    how: str

    def correction(self, command_id: str, invoice_id: str) -> Correction:
        if self.how == "write_off":
            return WriteOff(command_id=command_id, invoice_id=invoice_id, reason="not worth it")
        return ApplyMoney(command_id=command_id, invoice_id=invoice_id, source=MoneySource.BALANCE)


@dataclass(frozen=True)
class Pay:
    """Somebody charges the oldest invoice that is not paid."""

    answer: str = "paid"


@dataclass(frozen=True)
class Refunds:
    """The provider says what became of those that were asked for."""

    state: RefundState


@dataclass(frozen=True)
class Pass:
    days: int


Happening = Change | CancelNow | PauseNow | ComeBack | Ask | CreditByPerson | Settle | Pay | Refunds | Pass
Life = list[tuple[Happening, str]]
"""What happens, each with what the bank says to the charges that it sets off; empty: nothing yet."""

ANSWERS = st.sampled_from(["paid", "paid", "paid", "declined", "processing", ""])
_CHANGES = st.builds(
    Change,
    to=st.sampled_from([*PLANS, "2", "7", "+15", "+50", "+100", "-15", "-50"]),
    when=st.sampled_from([When.NOW, When.NOW, When.NOW, When.NOW, When.PERIOD_END]),
    prorate=st.sampled_from([True, True, True, True, False]),
    if_paid=st.sampled_from([False, False, False, True]),
)
_CREDITS = st.builds(
    CreditByPerson,
    st.integers(0, 3),
    st.sampled_from(["all", "amount", "amount", "line"]),
    st.integers(1, 1000),
    st.sampled_from(PayBackAs),
)
_ENDS = st.one_of(
    st.builds(CancelNow, st.sampled_from(CreditTo)),
    st.builds(PauseNow, st.booleans()),
    st.builds(ComeBack),
)
_OTHERS = st.one_of(
    st.builds(Settle, st.integers(0, 3), st.sampled_from(["write_off", "apply"])),
    st.builds(Refunds, st.sampled_from([RefundState.SUCCEEDED, RefundState.FAILED])),
    st.builds(Ask, st.sampled_from([UndoChange, KeepSubscription, Cancel, Pause])),
)
_OFTEN: tuple[st.SearchStrategy[Happening], ...] = (
    *[_CHANGES] * 6,
    *[st.builds(Pass, st.integers(1, 12))] * 3,
    *[_CREDITS] * 2,
    *[st.builds(Pay, st.sampled_from(["paid", "paid", "declined"]))] * 2,
    *[_ENDS] * 2,
    _OTHERS,
)
HAPPENINGS = st.sampled_from(_OFTEN).flatmap(lambda kind: kind)
LIVES: st.SearchStrategy[Life] = st.lists(st.tuples(HAPPENINGS, ANSWERS), min_size=4, max_size=9)
