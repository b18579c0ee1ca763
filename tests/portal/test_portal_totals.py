"""What a page says of money is what the API says, what is billed and what moves at the bank, in both languages."""

from __future__ import annotations

import re
from decimal import Decimal

import httpx
import pytest
from fakes import FakeStripe
from support.life import ClockedLife
from support.reader import Reader

from starter.client import RelanceClient
from starter.orders import CustomerChange

WORDS = {
    "fr": ("Modifier", "Confirmer et payer", "TVA", "À payer maintenant", "1 481,40 €", "Factures"),
    "en": ("Change", "Confirm and pay", "VAT", "To pay now", "€1,481.40", "Invoices"),
}


def cents(said: str, language: str) -> int:
    """An amount as it is written in a language, read back."""
    number = re.sub(r"[^0-9,.-]", "", said)
    plain = number.replace(",", ".") if language == "fr" else number.replace(",", "")
    return int(Decimal(plain) * 100)


def amounts(text: str, language: str) -> list[int]:
    """Every amount on a page, in order."""
    form = r"-?\d{1,3}(?: \d{3})*,\d\d €" if language == "fr" else r"-?€[\d,]+\.\d\d"
    return [cents(found, language) for found in re.findall(form, text)]


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_preview_api_books_and_bank_agree(
    world: ClockedLife,
    client: RelanceClient,
    reader: Reader,
    admin: httpx.AsyncClient,
    fake_stripe: FakeStripe,
    language: str,
) -> None:
    change, confirm, vat, to_pay, total, invoices = WORDS[language]
    await world.offers("big", amount=Decimal("1283.50"))
    anna = await world.signs_up("anna")
    await client.change_customer("anna", CustomerChange(locale=language))
    await reader.signs_in(client, "anna")
    await reader.follows(change)
    plan = (await client.plan("big")).id
    await reader.opens(f"{reader.url}/preview?plan={plan}&when=now")
    # 1283.50 - 49.00 for the whole period that is left, and 20 % VAT of it.
    table = reader.text.partition(to_pay)[0]
    assert amounts(table, language) == [-4900, 128350, 24690, 148140]
    assert f"{vat} " in table
    assert f"{to_pay} {total} " in reader.text
    previewed = await admin.post(
        f"/v1/subscriptions/{anna.subscription_id}/preview-change", json={"plan": plan, "when": "now"}
    )
    (document,) = previewed.json()["documents"]
    assert [line["net_minor"] for line in document["lines"]] == [-4900, 128350]
    assert (document["vat_minor"], document["total_minor"]) == (24690, 148140)
    await reader.presses(f"{confirm} {total}")
    await world.settle()
    await reader.follows(invoices)
    assert sorted(amounts(reader.text, language)) == [5880, 148140]
    billed = (await anna.invoices())[-1]
    shown = (await admin.get(f"/v1/invoices/{billed.id}")).json()
    assert sum(line["net_minor"] for line in shown["lines"]) + shown["vat_minor"] == 148140
    assert (shown["total_minor"], shown["status"]) == (148140, "paid")
    intent = fake_stripe.client().v1.payment_intents.retrieve(str(billed.payment_intent))
    assert (intent.amount_received, intent.currency) == (148140, "eur")
