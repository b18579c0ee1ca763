"""What the demo asks of the sandbox's fakes, over HTTP: cards at the fake Stripe, its ledger, and the mailbox."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import httpx

from sandbox.demo.people import Account, Card
from sandbox.problems import SandboxProblem

PATIENCE_SECONDS: Final = 30.0
STRANGER: Final = "999"
"""Any three digits do for the fake."""


class Fakes:
    """The fake Stripe and the mailbox of one sandbox."""

    def __init__(self, http: httpx.AsyncClient, addresses: Mapping[str, str], *, key: str) -> None:
        self._http = http
        self._stripe = addresses["stripe"]
        self._mailbox = addresses["mailbox"]
        self._key = key

    async def new_card(self, owner: str, card: Card) -> str:
        """A payment method, as Stripe's form would make it in a customer's browser.

        Args:
            owner: makes it a card of its own, with its own fingerprint.
            card: its number, expiry and what its bank answers.

        Raises:
            SandboxProblem: the fake does not take it; says why.
        """
        year, month = card.year_and_month
        return await self._new_method(
            owner,
            {
                "type": "card",
                "card[number]": card.number.replace(" ", ""),
                "card[exp_month]": str(int(month)),
                "card[exp_year]": year,
                "card[cvc]": STRANGER,
                "metadata[fake_card]": owner,
                **_script(card.answers),
            },
        )

    async def new_account(self, owner: str, account: Account) -> str:
        """A payment method for an account to debit; its payer has yet to agree.

        Args:
            owner: whose it is.
            account: its IBAN and what its bank answers.

        Raises:
            SandboxProblem: the fake does not take it; says why.
        """
        return await self._new_method(
            owner,
            {
                "type": "sepa_debit",
                "sepa_debit[iban]": account.iban,
                "billing_details[name]": owner,
                "billing_details[email]": f"{owner}@example.com",
                **_script(account.answers),
            },
        )

    async def _new_method(self, owner: str, form: Mapping[str, str]) -> str:
        answer = await self._http.post(
            f"{self._stripe}/v1/payment_methods",
            data=dict(form),
            headers={"Authorization": f"Bearer {self._key}"},
            timeout=PATIENCE_SECONDS,
        )
        if answer.is_error:
            said = answer.json().get("error", {}).get("message", answer.text)
            raise SandboxProblem(f"The payment method of {owner} cannot be made: {said}")
        method: str = answer.json()["id"]
        return method

    async def ledger(self) -> dict[str, Any]:
        """All money that the fake Stripe moved: `charges`, `refunds` and `totals` by currency, in minor units."""
        answer = await self._http.get(f"{self._stripe}/_fake/ledger", timeout=PATIENCE_SECONDS)
        ledger: dict[str, Any] = answer.raise_for_status().json()
        return ledger

    async def letters(self) -> list[dict[str, Any]]:
        """Every mail that was sent, oldest first."""
        answer = await self._http.get(f"{self._mailbox}/api/messages", timeout=PATIENCE_SECONDS)
        letters: list[dict[str, Any]] = answer.raise_for_status().json()["messages"]
        return letters


def _script(answers: str) -> dict[str, str]:
    return {"metadata[fake_script]": answers} if answers else {}
