"""What a bank may answer, as data: decline codes with their messages, and how an outcome is written.

An outcome is written as text ("ok", "insufficient_funds", "processing", "processing insufficient_funds",
"authentication_required", "timeout", "timeout do_not_honor") or, to say every field, as an object with
`code`, `decline_code`, `advice_code`, `network_advice_code`, `network_decline_code`, `message`, `blocked`.
"""

from dataclasses import dataclass, replace
from typing import Literal

from sandbox.stripe.errors import Document

_DECLINED = "Your card was declined."

_MESSAGES = {
    "authentication_required": "Your card was declined. This transaction requires authentication.",
    "card_not_supported": "Your card is not supported.",
    "card_velocity_exceeded": (
        "Your card was declined for making repeated attempts too frequently or exceeding its amount limit."
    ),
    "currency_not_supported": "Your card does not support this currency.",
    "expired_card": "Your card has expired.",
    "incorrect_cvc": "Your card's security code is incorrect.",
    "incorrect_number": "Your card number is incorrect.",
    "incorrect_zip": "Your card's postal code is incorrect.",
    "insufficient_funds": "Your card has insufficient funds.",
    "invalid_expiry_month": "Your card's expiration month is invalid.",
    "invalid_expiry_year": "Your card's expiration year is invalid.",
    "processing_error": "An error occurred while processing your card. Try again in a little bit.",
}

_WITHOUT_DECLINE_CODE = frozenset(
    {"expired_card", "incorrect_cvc", "incorrect_number", "invalid_expiry_month", "invalid_expiry_year"}
    | {"processing_error"}
)
"""For these Stripe's testing page shows a `code` and no `decline_code`."""

# Raw answers of the card networks (ISO 8583), where one is usual.
_NETWORK_CODES: dict[str, str | None] = {
    "approve_with_id": "60",
    "authentication_not_handled": "1A",
    "authentication_required": "1A",
    "call_issuer": "01",
    "card_not_supported": None,
    "card_velocity_exceeded": "61",
    "currency_not_supported": None,
    "do_not_honor": "05",
    "do_not_try_again": "05",
    "duplicate_transaction": "94",
    "expired_card": "54",
    "fraudulent": "59",
    "generic_decline": "05",
    "incorrect_address": None,
    "incorrect_cvc": "N7",
    "incorrect_number": "14",
    "incorrect_pin": "55",
    "incorrect_zip": None,
    "insufficient_funds": "51",
    "invalid_account": "14",
    "invalid_amount": "13",
    "invalid_cvc": "N7",
    "invalid_expiry_month": "54",
    "invalid_expiry_year": "54",
    "invalid_number": "14",
    "invalid_pin": "55",
    "issuer_not_available": "91",
    "lost_card": "41",
    "merchant_blacklist": None,
    "mobile_device_authentication_required": "1A",
    "new_account_information_available": None,
    "no_action_taken": "21",
    "not_permitted": "57",
    "offline_pin_required": None,
    "online_or_offline_pin_required": None,
    "pickup_card": "04",
    "pin_try_exceeded": "75",
    "processing_error": "96",
    "reenter_transaction": "19",
    "restricted_card": "62",
    "revocation_of_all_authorizations": "R3",
    "revocation_of_authorization": "R1",
    "security_violation": "63",
    "service_not_allowed": "58",
    "stolen_card": "43",
    "stop_payment_order": "R0",
    "testmode_decline": None,
    "transaction_not_allowed": "57",
    "try_again_later": "05",
    "withdrawal_count_limit_exceeded": "65",
}

_BANK_DEBITS: dict[str, str] = {
    "account_closed": "The customer's bank account has been closed.",
    "bank_account_restricted": "The customer's account cannot be used with the payment method.",
    "debit_not_authorized": "The customer has notified their bank that this payment was unauthorized.",
    "insufficient_funds": "The customer's account has insufficient funds to cover this payment.",
    "payment_intent_payment_attempt_failed": "The payment failed.",
}

_DECLINE_FIELDS = frozenset(
    {
        "code",
        "decline_code",
        "advice_code",
        "network_advice_code",
        "network_decline_code",
        "message",
        "blocked",
    }
)


class UnknownOutcome(ValueError):
    """An outcome that nobody has described; the message lists what is possible."""


@dataclass(frozen=True)
class Decline:
    """A refusal: the fields of Stripe's card error and of `charge.outcome`."""

    code: str
    decline_code: str | None = None
    message: str = _DECLINED
    advice_code: str | None = None
    network_advice_code: str | None = None
    network_decline_code: str | None = None
    blocked: bool = False
    """Stripe itself stopped it: it never reached the bank."""

    @property
    def reason(self) -> str:
        """The word for `outcome.reason`."""
        return self.decline_code or self.code


@dataclass(frozen=True)
class Verdict:
    """What becomes of one authorisation.

    Attributes:
        answer: `ok`, `declined`, `authenticate` (the payer must), or `processing` (the word comes later).
        decline: why, for `declined` and for a `processing` that will fail.
        answer_lost: the work is done and the caller never hears of it.
    """

    answer: Literal["ok", "declined", "authenticate", "processing"]
    decline: Decline | None = None
    answer_lost: bool = False


def decline(code: str) -> Decline:
    """The decline that Stripe's decline code stands for.

    Raises:
        UnknownOutcome: no such code.
    """
    if code not in _NETWORK_CODES:
        known = ", ".join(sorted(_NETWORK_CODES))
        raise UnknownOutcome(f"No outcome is called {code!r}. Possible: ok, processing, timeout, {known}.")
    return Decline(
        code=_code(code),
        decline_code=None if code in _WITHOUT_DECLINE_CODE else code,
        message=_MESSAGES.get(code, _DECLINED),
        network_decline_code=_NETWORK_CODES[code],
    )


def _code(code: str) -> str:
    own = code in _WITHOUT_DECLINE_CODE or code in {"authentication_required", "incorrect_zip"}
    return code if own else "card_declined"


def debit_failure(code: str) -> Decline:
    """The failure of a bank debit; any code that `decline` knows will do too."""
    message = _BANK_DEBITS.get(code)
    return decline(code) if message is None else Decline(code=code, message=message)


def verdict(outcome: str | Document) -> Verdict:
    """Read an outcome as it is written in a script.

    Raises:
        UnknownOutcome: the text or the fields mean nothing.
    """
    if isinstance(outcome, dict):
        return Verdict("declined", _described(outcome))
    head, _, rest = outcome.strip().partition(" ")
    if head == "timeout":
        return replace(verdict(rest or "ok"), answer_lost=True)
    if head == "processing":
        return Verdict("processing", debit_failure(rest) if rest and rest != "ok" else None)
    if rest:
        raise UnknownOutcome(f"{outcome!r} is not an outcome. Write one code, or 'timeout <code>'.")
    if head == "ok":
        return Verdict("ok")
    if head == "authentication_required":
        return Verdict("authenticate")
    return Verdict("declined", decline(head) if head in _NETWORK_CODES else debit_failure(head))


def _described(fields: Document) -> Decline:
    unknown = fields.keys() - _DECLINE_FIELDS
    if unknown or not ({"code", "decline_code"} & fields.keys()):
        raise UnknownOutcome(
            f"An outcome object takes {', '.join(sorted(_DECLINE_FIELDS))} and needs code or decline_code."
        )
    name = fields.get("decline_code") or fields["code"]
    base = decline(name) if name in _NETWORK_CODES else Decline(code="card_declined", decline_code=name)
    return replace(base, **fields)
