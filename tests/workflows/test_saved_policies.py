"""Saved policies in whole lives: chosen by segment, quiet at first, and checked where they are named."""

from __future__ import annotations

import pytest
from support.life import ClockedLife

from billing.agreed import Agreed
from billing.commands import ChangeTerms
from billing.dunning import DunningPolicy
from billing.errors import InvalidInput
from billing.policy_choice import AppliesTo, SavedPolicy
from starter.client import RelanceClient
from starter.orders import CustomerChange

DECLINED = "charge declined: insufficient_funds"
NEVER_AGAIN = {"outcomes": ["ok"], "then": "insufficient_funds"}
QUIET = SavedPolicy(
    policy=DunningPolicy(name="quiet", retry_days=(1, 3, 7), quiet_days=5, last_notice_day=10, end_day=20),
    applies_to=AppliesTo(segment=("vip",)),
)
LOUDER = SavedPolicy(
    policy=DunningPolicy(name="quiet", retry_days=(1, 2), last_notice_day=4, end_day=11),
    applies_to=AppliesTo(segment=("vip",)),
)


async def test_a_quiet_policy_of_a_segment_is_lived_as_it_was_when_the_chase_began(
    world: ClockedLife, client: RelanceClient
) -> None:
    await client.policies.save([QUIET])
    anna = await world.signs_up("anna", card=NEVER_AGAIN)
    ben = await world.signs_up("ben", card=NEVER_AGAIN)
    await client.change_customer(anna.customer_id, CustomerChange(segment="vip"))
    await world.until("2041-03-02")
    await client.policies.save([LOUDER])
    await world.until("2041-03-22")

    signed_up = [
        "2041-01-31 invoice 58.80 issued",
        "2041-01-31 charge paid 58.80",
        "2041-01-31 status active",
        "2041-01-31 access begins",
        "2041-01-31 mail invoice_issued",
        "2041-01-31 mail receipt",
    ]
    assert await anna.diary() == [
        *signed_up,
        "2041-02-28 invoice 58.80 issued",
        f"2041-02-28 {DECLINED}",
        "2041-02-28 status past_due",
        "2041-02-28 mail invoice_issued",
        f"2041-03-01 {DECLINED}",
        f"2041-03-03 {DECLINED}",
        "2041-03-05 mail payment_failed",
        f"2041-03-07 {DECLINED}",
        "2041-03-07 mail payment_reminder",
        "2041-03-10 mail last_notice",
        "2041-03-20 dunning ended: suspend",
        "2041-03-20 status unpaid",
        "2041-03-20 access ends",
        "2041-03-20 mail subscription_suspended",
    ]
    assert [line for line in await ben.diary() if "mail payment_failed" in line] == [
        "2041-02-28 mail payment_failed"
    ]


async def test_a_policy_is_named_by_those_doors_that_know_it(
    world: ClockedLife, client: RelanceClient
) -> None:
    anna = await world.signs_up("anna")
    unknown = Agreed(dunning_policy="quiet")
    with pytest.raises(InvalidInput, match="There is no dunning policy 'quiet'") as refused:
        await client.change_terms(anna.subscription_id, unknown)
    assert refused.value.field == "dunning_policy"
    with pytest.raises(InvalidInput, match="There is no dunning policy 'quiet'"):
        await client.preview(anna.subscription_id, ChangeTerms(command_id="c1", agreed=unknown))
    with pytest.raises(InvalidInput, match="There is no dunning policy 'quiet'"):
        await world.signs_up("ben", agreed=unknown)

    await client.policies.save([QUIET])
    await client.change_terms(anna.subscription_id, unknown, command_id="c2")
    assert (await client.wait_for("c2")).applied
    cleo = await world.signs_up("cleo", card=NEVER_AGAIN, agreed=unknown)
    await world.until("2041-03-06")
    assert [line for line in await cleo.diary() if "mail payment" in line] == [
        "2041-03-05 mail payment_failed"
    ]
