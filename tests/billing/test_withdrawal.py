"""Going back on a contract: who may, until when, and what goes back (rules 32)."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from support.subscriptions import a_subscription, told

from billing.commands import Cancel, CreditTo, When, Withdraw
from billing.decide import accept
from billing.effects import BillEarlyExit, CreditUnused
from billing.refusal import Refused
from billing.subscription import CustomerKind, Status, Subscription
from billing.withdrawal import last_day_to_withdraw, refund_by

WITHDRAW = Withdraw(command_id="withdraw")
ON_5_JUNE = datetime(2041, 6, 5, 10, 0, tzinfo=UTC)


def signed_up_on_1_june(status: Status = Status.ACTIVE, **changes: object) -> Subscription:
    return a_subscription(
        status,
        **{"signed_up_at": datetime(2041, 6, 1, 8, 0, tzinfo=UTC), "starts_on": date(2041, 6, 1)} | changes,
    )


def test_the_last_day_is_the_fourteenth_after_the_contract_or_the_next_working_day() -> None:
    # 1 June 2041 is a Saturday, so 15 June is one too: the right ends on Monday.
    assert last_day_to_withdraw(signed_up_on_1_june()) == date(2041, 6, 17)
    late = datetime(2041, 6, 2, 22, 30, tzinfo=UTC)  # 3 June in Paris
    assert last_day_to_withdraw(signed_up_on_1_june(signed_up_at=late)) == date(2041, 6, 17)
    tuesday = datetime(2041, 6, 4, 8, 0, tzinfo=UTC)
    assert last_day_to_withdraw(signed_up_on_1_june(signed_up_at=tuesday)) == date(2041, 6, 18)


@pytest.mark.parametrize(
    "kind", [CustomerKind.BUSINESS, CustomerKind.PUBLIC_BODY, CustomerKind.NON_PROFESSIONAL]
)
def test_only_consumers_withdraw(kind: CustomerKind) -> None:
    with pytest.raises(Refused, match="Only a consumer can withdraw"):
        accept(signed_up_on_1_june(customer_kind=kind), WITHDRAW, ON_5_JUNE)


def test_r4_the_money_is_due_within_fourteen_days() -> None:
    assert refund_by(date(2027, 3, 19)) == date(2027, 4, 2)


def test_after_the_last_day_it_is_refused() -> None:
    last_minute = datetime(2041, 6, 17, 21, 59, tzinfo=UTC)
    assert accept(signed_up_on_1_june(), WITHDRAW, last_minute).after.status is Status.CANCELED
    with pytest.raises(Refused, match="ended on 2041-06-17"):
        accept(signed_up_on_1_june(), WITHDRAW, datetime(2041, 6, 17, 22, 0, tzinfo=UTC))


def test_without_an_express_request_all_goes_back() -> None:
    sub = signed_up_on_1_june()
    assert told(sub, accept(sub, WITHDRAW, ON_5_JUNE)) == [
        "status: canceled",
        "ended_at: 2041-06-05 10:00",
        "end_reason: withdrawn",
        "give all back: withdrawn",
        "event subscription.canceled",
        "mail withdrawal_confirmed 2041-06-05",
        "settle the debt",
    ]


def test_with_one_the_days_used_are_kept() -> None:
    sub = signed_up_on_1_june(early_start_requested=True)
    assert told(sub, accept(sub, WITHDRAW, ON_5_JUNE)) == [
        "status: canceled",
        "ended_at: 2041-06-05 10:00",
        "end_reason: withdrawn",
        "credit from 2041-06-06: withdrawn",
        "event subscription.canceled",
        "mail withdrawal_confirmed 2041-06-05",
        "settle the debt",
    ]


def test_before_the_first_payment_only_the_draft_is_dropped() -> None:
    sub = signed_up_on_1_june(Status.INCOMPLETE)
    assert told(sub, accept(sub, WITHDRAW, ON_5_JUNE)) == [
        "status: canceled",
        "ended_at: 2041-06-05 10:00",
        "end_reason: withdrawn",
        "drop the gated draft",
        "event subscription.canceled",
        "mail withdrawal_confirmed 2041-06-05",
    ]


def test_who_may_leave_freely_gets_money_whatever_was_asked_for_and_pays_no_exit() -> None:
    """The renewal notice was not sent in time (rules 30)."""
    free = a_subscription(
        free_exit=True, committed_until=date(2042, 6, 1), customer_kind=CustomerKind.NON_PROFESSIONAL
    )
    for asked in CreditTo:
        cancel = Cancel(command_id="cancel", when=When.NOW, credit_to=asked)
        billing = (CreditUnused, BillEarlyExit)
        (credit,) = [e for e in accept(free, cancel, ON_5_JUNE).effects if isinstance(e, billing)]
        assert isinstance(credit, CreditUnused)
        assert (credit.from_day, credit.credit_to) == (date(2041, 6, 6), CreditTo.REFUND)
