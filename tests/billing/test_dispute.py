"""What a dispute may become, and what a lost one takes back (rules 16, 33, U17)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.dispute import DisputeState, Loss, lose
from billing.errors import InvalidInput

INQUIRY, OPEN = DisputeState.INQUIRY, DisputeState.OPEN
WON, LOST, CLOSED = DisputeState.WON, DisputeState.LOST, DisputeState.CLOSED


@pytest.mark.parametrize(
    ("state", "becomes"),
    [
        (INQUIRY, {OPEN, WON, LOST, CLOSED}),
        (OPEN, {WON, LOST, CLOSED}),
        (WON, set()),
        (LOST, {WON}),
        (CLOSED, set()),
    ],
)
def test_a_dispute_goes_forward_and_only_an_appeal_turns_a_lost_one(
    state: DisputeState, becomes: set[DisputeState]
) -> None:
    assert {other for other in DisputeState if state.may_become(other)} == becomes


@pytest.mark.parametrize(
    ("amount", "kept", "unapplied", "balance", "loss"),
    [
        # All that was paid is open again.
        (5880, [5880], 0, 0, Loss(reopens_minor=(5880,), unapplied_minor=0, balance_minor=0)),
        # 12.00 were credited and refunded before, and the bank takes the other 46.80.
        (4680, [4680], 0, 0, Loss(reopens_minor=(4680,), unapplied_minor=0, balance_minor=0)),
        # All of it was credited to the balance before: the balance goes, nothing is owed.
        (5880, [0], 0, 5880, Loss(reopens_minor=(0,), unapplied_minor=0, balance_minor=5880)),
        # The same, and 20.00 of that balance were used up: 20.00 are missing, and show.
        (5880, [0], 0, 3880, Loss(reopens_minor=(0,), unapplied_minor=2000, balance_minor=3880)),
        # Half of the payment was claimed by no invoice: that half was ours to hold, before any balance.
        (3480, [1740], 1740, 900, Loss(reopens_minor=(1740,), unapplied_minor=1740, balance_minor=0)),
        # One payment for two invoices, the second of 0.40.
        (5920, [5880, 40], 0, 0, Loss(reopens_minor=(5880, 40), unapplied_minor=0, balance_minor=0)),
        # A dispute of a part.
        (1000, [5880], 0, 0, Loss(reopens_minor=(1000,), unapplied_minor=0, balance_minor=0)),
        # Money went back without a credit note before: unapplied cash is below zero and gives nothing.
        (5880, [5000], -880, 0, Loss(reopens_minor=(5000,), unapplied_minor=880, balance_minor=0)),
    ],
)
def test_what_a_lost_dispute_takes_back(
    amount: int, kept: list[int], unapplied: int, balance: int, loss: Loss
) -> None:
    assert lose(amount, kept, unapplied_minor=unapplied, balance_minor=balance) == loss


@given(
    st.integers(1, 10_000),
    st.lists(st.integers(0, 5_000), max_size=4),
    st.integers(-5_000, 5_000),
    st.integers(0, 5_000),
)
def test_the_parts_are_the_whole_and_no_invoice_owes_more_than_was_paid(
    amount: int, kept: list[int], unapplied: int, balance: int
) -> None:
    loss = lose(amount, kept, unapplied_minor=unapplied, balance_minor=balance)
    assert sum(loss.reopens_minor) + loss.unapplied_minor + loss.balance_minor == amount
    assert all(0 <= part <= most for part, most in zip(loss.reopens_minor, kept, strict=True))
    assert 0 <= loss.balance_minor <= balance
    assert loss.unapplied_minor >= 0


def test_a_dispute_of_nothing_is_refused() -> None:
    with pytest.raises(InvalidInput) as refused:
        lose(0, [100], unapplied_minor=0, balance_minor=0)
    assert refused.value.field == "amount"
