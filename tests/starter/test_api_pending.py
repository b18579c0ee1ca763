"""What a backend finds out later: a change that waits for its payment, a sign-up that does, and any command."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from support.api import BASE, Api
from support.life import ClockedLife, Script

from billing.commands import When
from models.parties import Contact
from starter.api_keys import Scope
from starter.remote import ApiProblem, RelanceHttp
from starter.resources.customers import CustomerContent
from starter.resources.subscriptions import Change, SubscriptionContent

UP = Change(plan="ref:max", when=When.NOW, if_paid=True, wait_for_payment=True)


@pytest.fixture
async def relance(api: Api) -> AsyncIterator[RelanceHttp]:
    """The client for HTTP, on the API of the world."""
    key = await api.key(Scope.ADMIN)
    async with RelanceHttp(key, base_url=BASE, transport=httpx.ASGITransport(api.app)) as client:
        yield client


async def signed_up(world: ClockedLife, relance: RelanceHttp, name: str, script: Script) -> None:
    body = CustomerContent(
        name=name, contacts=(Contact(email=f"{name}@example.com"),), test_clock=world.clock
    )
    await relance.customers.put(f"ref:{name}", body)
    await relance.payment_methods.save(f"ref:{name}", await world.new_card(name, script))
    order = SubscriptionContent(customer=f"ref:{name}", plan="ref:pro", wait_for_payment=True)
    await relance.subscriptions.put(f"ref:{name}", order)


async def names_of_events(relance: RelanceHttp, subscription: str) -> list[str]:
    page = await relance.events.list(subscription=subscription, limit=100)
    return [event.type for event in page.data]


async def test_a_change_that_is_paid_at_once_holds_in_the_answer(
    world: ClockedLife, relance: RelanceHttp
) -> None:
    await signed_up(world, relance, "anna", ("ok", "ok"))
    await world.until("2041-02-14")
    seen = await relance.subscriptions.preview_change("ref:anna", UP)
    assert (seen.if_paid, seen.next_invoice and seen.next_invoice.total_minor) == (True, 11880)
    changed = await relance.subscriptions.change("ref:anna", UP)
    assert (changed.plan_name, changed.pending_change) == ("Max", None)
    assert changed.command is not None
    command = await relance.commands.get(changed.command)
    assert (command.subscription, command.kind, command.state) == (changed.id, "change_plan", "applied")


async def test_a_change_that_is_not_paid_says_so_until_it_is_paid_or_dropped(
    world: ClockedLife, relance: RelanceHttp
) -> None:
    for name, script in (
        ("anna", ("ok", "insufficient_funds", "ok")),
        ("ben", {"outcomes": ["ok"], "then": "insufficient_funds"}),
    ):
        await signed_up(world, relance, name, script)
    await world.until("2041-02-14")
    asked = {}
    for name in ("anna", "ben"):
        changed = await relance.subscriptions.change(f"ref:{name}", UP)
        asked[name] = changed.command or ""
        waits = changed.pending_change
        assert waits is not None
        assert waits.payment is not None
        assert (changed.plan_name, waits.plan_name, waits.takes_effect) == ("Pro", "Max", "when_paid")
        assert (waits.command, waits.payment.outcome, waits.payment.decline_code) == (
            asked[name],
            "declined",
            "insufficient_funds",
        )
        # 14 of 28 days at 99.00 instead of 49.00, with 20 %; it waits for 23 hours.
        assert (waits.payment.amount_minor, waits.payment.currency) == (3000, "EUR")
        assert str(waits.payment.expires_at) == "2041-02-15 10:00:00+00:00"
        assert "/pay/" in (waits.payment.pay_url or "")
        assert (await relance.subscriptions.get(f"ref:{name}")).pending_change is not None
        (listed,) = (await relance.subscriptions.list(customer=f"ref:{name}")).data
        assert listed.pending_change is not None
        state = await relance.commands.get(asked[name])
        assert (state.state, state.payment and state.payment.outcome) == ("waits_for_payment", "declined")
    waits = (await relance.subscriptions.get("ref:anna")).pending_change
    assert waits is not None
    assert waits.payment is not None
    await relance.invoices.pay(waits.payment.invoice or "")
    await world.until("2041-02-16")

    anna, ben = [await relance.subscriptions.get(f"ref:{name}") for name in ("anna", "ben")]
    assert (anna.plan_name, anna.pending_change) == ("Max", None)
    assert (ben.plan_name, ben.pending_change) == ("Pro", None)
    assert (await relance.commands.get(asked["anna"])).state == "applied"
    assert (await relance.commands.get(asked["ben"])).state == "dropped"
    assert [n for n in await names_of_events(relance, "ref:anna") if "change_" in n or "_changed" in n] == [
        "subscription.change_waiting",
        "subscription.plan_changed",
    ]
    assert [n for n in await names_of_events(relance, "ref:ben") if "change_" in n] == [
        "subscription.change_waiting",
        "subscription.change_dropped",
    ]


async def test_a_change_at_the_period_s_end_and_a_sign_up_that_waits(
    world: ClockedLife, relance: RelanceHttp
) -> None:
    await signed_up(world, relance, "anna", ("ok",))
    await relance.subscriptions.change("ref:anna", Change(plan="ref:max"))
    await world.settle()
    waits = (await relance.subscriptions.get("ref:anna")).pending_change
    assert waits is not None
    assert (waits.takes_effect, str(waits.on), waits.plan_name, waits.payment) == (
        "period_end",
        "2041-02-28",
        "Max",
        None,
    )
    await signed_up(world, relance, "poor", {"outcomes": [], "then": "insufficient_funds"})
    poor = await relance.subscriptions.get("ref:poor")
    assert poor.first_payment is not None
    assert (poor.status, poor.first_payment.outcome, poor.first_payment.amount_minor) == (
        "incomplete",
        "declined",
        5880,
    )
    assert poor.first_payment.pay_url is not None
    with pytest.raises(ApiProblem) as refusal:
        await relance.subscriptions.change("ref:anna", Change(plan="ref:max", wait_for_payment=True))
    assert (refusal.value.status, refusal.value.field) == (422, "wait_for_payment")
    with pytest.raises(ApiProblem) as unknown:
        await relance.commands.get("cmd_of_nobody")
    assert (unknown.value.status, unknown.value.field) == (404, "command")


async def test_what_becomes_of_payment_methods_is_told(world: ClockedLife, relance: RelanceHttp) -> None:
    await signed_up(world, relance, "anna", ("ok",))
    (default,) = (await relance.payment_methods.list("ref:anna")).data
    token = await world.new_card("anna", ("ok",))
    spare = await relance.payment_methods.save("ref:anna", token, as_default=False)
    for _ in range(2):
        await relance.payment_methods.make_backup("ref:anna", spare.id, agreed=True)
    assert not (await relance.payment_methods.drop_backup("ref:anna", default.id)).is_backup
    for _ in range(2):
        assert not (await relance.payment_methods.drop_backup("ref:anna", spare.id)).is_backup
    await relance.payment_methods.make_backup("ref:anna", spare.id, agreed=True)
    for _ in range(2):
        await relance.payment_methods.detach("ref:anna", default.id)
    await world.settle()
    page = await relance.events.list(subscription="ref:anna", type="payment_method.*", limit=100)
    told = [(event.type, event.data) for event in page.data]
    backup = {"payment_method": spare.id, "kind": "card"}
    assert told == [
        ("payment_method.backup_set", backup),
        ("payment_method.backup_dropped", backup),
        ("payment_method.backup_set", backup),
        ("payment_method.removed", {"payment_method": default.id, "kind": "card", "takes_over": spare.id}),
    ]
    assert {(event.entitled, str(event.access_until)) for event in page.data} == {
        (True, "2041-02-28 23:00:00+00:00")
    }
