"""What a decline means and what it allows next. The table is data, `decline_codes.json`, with sources.

The classes are ours: led by what Stripe advises, the reasons that it never retries itself, and the networks'
lists of what must not be sent again.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import Field, TypeAdapter

from billing.payment import DeclineClass
from billing.values import Value

UNKNOWN_CODE_TRIES = 2
"""Automatic attempts, the declined one included, on a code that the table does not know."""

_SAYS_NOTHING = "card_declined"
"""Stripe's general error code: the reason stands beside it, in `decline_code`."""


_MENDED_BY_RENEWAL = frozenset({"expired_card", "invalid_account", "new_account_information_available"})
"""Mastercard's advice 01 is read as the last of them."""


class DeclineEvidence(Value):
    """All that came back with a decline. Any part may be missing."""

    code: str | None = None
    """Stripe's error code: `card_declined`, `expired_card`."""
    decline_code: str | None = None
    """The bank's reason in Stripe's words: `insufficient_funds`."""
    advice_code: str | None = None
    """The bank's word about this one charge: `do_not_try_again`."""
    network_advice_code: str | None = None
    """Two digits; read for Mastercard only, others number theirs differently."""
    network_decline_code: str | None = None
    """The network's raw reason; read for Visa only, whose category 1 is never sent again."""
    network: str | None = None
    """`visa`, `mastercard`: the card's network, or its brand."""
    outcome_type: str | None = None
    """`blocked`: Stripe never sent the charge to the bank."""
    outcome_reason: str | None = None
    """Why it was blocked: `highest_risk_level`."""


class DeclineRow(Value):
    """One row of the table."""

    code: str
    decline_class: DeclineClass = Field(alias="class")
    words: str
    """The reason in plain English, to stand behind "the bank declined:". For support, not for customers."""
    hides_reason: bool
    """Whether the payer must never be told this reason."""
    source: str
    kind: str | None = None
    """Where the code appears: card, debit, local, error_code, outcome_reason."""
    never_retried_by_stripe: str | None = None
    """The source, where Stripe's own dunning never sends this reason to the bank again."""
    wait_hours: int | None = None
    """No automatic try sooner than this many hours after the decline."""
    never_again: bool = False
    """Whether the network forbids every repeat: Visa's category 1, Mastercard's 03 and 21 (rules 27)."""
    alerts_operator: bool = False
    stands_for: str | None = None
    """Of a network's advice: the decline code that says the same."""


class DeclineReading(Value):
    """What the evidence says, taken together."""

    code: str
    """The most precise reason that was given; what attempts, mails and support name."""
    decline_class: DeclineClass
    wait: timedelta | None = None
    """No automatic try sooner than this after the decline, where the network named a wait."""
    never_again: bool = False
    """The network allows no repeat on this card at all (rules 27)."""
    is_known: bool = True
    """False where nothing in the table spoke: worth a line in the log."""
    alerts_operator: bool = False


def _rows(section: list[dict[str, Any]]) -> dict[str, DeclineRow]:
    rows = TypeAdapter(list[DeclineRow]).validate_python(section)
    return {row.code: row for row in rows}


_TABLE: dict[str, list[dict[str, Any]]] = TypeAdapter(dict[str, list[dict[str, Any]]]).validate_json(
    Path(__file__).with_name("decline_codes.json").read_bytes()
)
CODES = _rows(_TABLE["codes"])
"""By decline code, error code or reason of an outcome. `payment_method_missing` is our word for Stripe's
`resource_missing` about the method."""
ADVICE = _rows(_TABLE["advice"])
MASTERCARD_ADVICE = _rows(_TABLE["mastercard_advice"])
VISA_NEVER_AGAIN = _rows(_TABLE["visa_never_again"])


def classify(evidence: DeclineEvidence) -> DeclineClass:
    """The class of a decline; see `read_decline`."""
    return read_decline(evidence).decline_class


def read_decline(evidence: DeclineEvidence) -> DeclineReading:
    """Weigh the evidence of a decline: the first part that speaks gives the class.

    In this order: Stripe blocked it; the bank's advice about this charge; the network's advice (Mastercard)
    or ban (Visa); the decline code; the error code. When none is known: `retry_later`, and no more tries than
    `tries_allowed` says.

    Fraud is never softened: advice says whether to repeat, not what the payer may be told. A wait that the
    network named, or that it wants no repeat at all, is kept whatever gave the class.
    """
    named = _named_reason(evidence)
    speaking = [*_witnesses(evidence), *([CODES[named]] if named in CODES else [])]
    classes = [row.decline_class for row in speaking] or [DeclineClass.RETRY_LATER]
    network = _network_row(evidence)
    named_rows = [row for row in (network, CODES.get(named)) if row is not None]
    decline_class = DeclineClass.FRAUD_STOP if DeclineClass.FRAUD_STOP in classes else classes[0]
    if network is not None and network.stands_for and decline_class is network.decline_class:
        named = network.stands_for
    return DeclineReading(
        code=named,
        decline_class=decline_class,
        wait=timedelta(hours=network.wait_hours) if network and network.wait_hours else None,
        never_again=any(row.never_again for row in named_rows),
        is_known=bool(speaking),
        alerts_operator=any(row.alerts_operator for row in named_rows),
    )


def tries_allowed(code: str) -> int | None:
    """How many automatic attempts may end in this code; None where only policy and caps limit them.

    A code that the table does not know is tried twice in all, whatever the policy's schedule.
    """
    return None if code in CODES else UNKNOWN_CODE_TRIES


def is_mended_by_renewal(code: str | None) -> bool:
    """Whether a card that its bank has renewed is worth one try at once after this code (stripe B7).

    Others are not about number or expiry: the bank does not allow the payment, or the payer told it to stop.
    """
    return code in _MENDED_BY_RENEWAL


def hides_reason(code: str, decline_class: DeclineClass) -> bool:
    """Whether the payer must be told no more than that the payment failed."""
    row = CODES.get(code)
    return decline_class is DeclineClass.FRAUD_STOP or (row is not None and row.hides_reason)


def support_words(code: str) -> str:
    """The decline in plain English for support: "the bank declined: insufficient funds".

    Names the reason even where the payer must not hear it (`hides_reason`).
    """
    row = CODES.get(code)
    if row is None:
        return f"the payment was declined with a reason that is not in the table: {code}"
    if row.kind == "card":
        return f"the bank declined: {row.words}"
    return f"the payment was declined: {row.words}"


def _witnesses(evidence: DeclineEvidence) -> Iterator[DeclineRow]:
    """The rows that speak before the codes do, strongest first."""
    if evidence.outcome_type == "blocked":
        yield _blocked_row(evidence)
    if evidence.advice_code in ADVICE:
        yield ADVICE[evidence.advice_code]
    network = _network_row(evidence)
    if network is not None:
        yield network


def _blocked_row(evidence: DeclineEvidence) -> DeclineRow:
    """Never repeated: what the table says, or where that would allow a repeat, as Stripe's highest risk."""
    for code in (evidence.outcome_reason, evidence.decline_code):
        row = CODES.get(code or "")
        if row is not None and not row.decline_class.allows_automatic_retry:
            return row
    return CODES["highest_risk_level"]


def _network_row(evidence: DeclineEvidence) -> DeclineRow | None:
    network = (evidence.network or "").lower()
    if network == "mastercard":
        return MASTERCARD_ADVICE.get(evidence.network_advice_code or "")
    if network == "visa":
        return VISA_NEVER_AGAIN.get(evidence.network_decline_code or "")
    return None


def _named_reason(evidence: DeclineEvidence) -> str:
    """The most precise code: the reason of a block, else a known code, else whatever was given."""
    if evidence.outcome_type == "blocked" and evidence.outcome_reason in CODES:
        return evidence.outcome_reason
    given = [code for code in (evidence.decline_code, evidence.code) if code and code != _SAYS_NOTHING]
    known = [code for code in given if code in CODES]
    return (known or given or ["generic_decline"])[0]
