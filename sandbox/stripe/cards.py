"""Stripe's test cards and test bank accounts, as data (https://docs.stripe.com/testing)."""

import hashlib
from dataclasses import dataclass
from typing import Literal

TOKEN_EXPIRY = (12, 2034)
"""Month and year on which the cards of `pm_card_*` tokens expire: far away, so that test clocks can run."""

AuthenticationNeed = Literal["never", "unless_set_up", "always"]


@dataclass(frozen=True)
class KnownCard:
    """How one card number behaves.

    Attributes:
        charge: the outcome of a charge (see `outcomes`), once any authentication is done.
        attach: the outcome of saving it to a customer; "ok" or a decline code.
        authentication: when the payer must authenticate.
        blocked: Stripe's risk rules stop it before it reaches the bank.
        refund: what becomes of a refund: "ok" at once, "late" after a while, or "fails" after it seemed done.
        then: what follows a charge after a while: a dispute with this reason, an "inquiry" or a "fraud_warning".
    """

    number: str
    charge: str = "ok"
    attach: str = "ok"
    authentication: AuthenticationNeed = "never"
    funding: str = "credit"
    country: str = "US"
    blocked: bool = False
    refund: Literal["ok", "late", "fails"] = "ok"
    then: str | None = None


def _declining(number: str, code: str) -> KnownCard:
    return KnownCard(number, charge=code, attach=code)


_VISA = KnownCard("4242424242424242")
_GENERIC = _declining("4000000000000002", "generic_decline")
_NO_FUNDS = _declining("4000000000009995", "insufficient_funds")
_LOST = _declining("4000000000009987", "lost_card")
_STOLEN = _declining("4000000000009979", "stolen_card")

TOKENS: dict[str, KnownCard] = {
    "visa": _VISA,
    "us": _VISA,
    "visa_debit": KnownCard("4000056655665556", funding="debit"),
    "mastercard": KnownCard("5555555555554444"),
    "mastercard_debit": KnownCard("5200828282828210", funding="debit"),
    "mastercard_prepaid": KnownCard("5105105105105100", funding="prepaid"),
    "amex": KnownCard("378282246310005"),
    "discover": KnownCard("6011111111111117"),
    "diners": KnownCard("3056930009020004"),
    "jcb": KnownCard("3566002020360505", country="JP"),
    "unionpay": KnownCard("6200000000000005", country="CN"),
    "fr": KnownCard("4000002500000003", country="FR"),
    "de": KnownCard("4000002760000016", country="DE"),
    "gb": KnownCard("4000008260000000", country="GB"),
    "chargeDeclined": _GENERIC,
    "visa_chargeDeclined": _GENERIC,
    "chargeDeclinedInsufficientFunds": _NO_FUNDS,
    "visa_chargeDeclinedInsufficientFunds": _NO_FUNDS,
    "chargeDeclinedLostCard": _LOST,
    "visa_chargeDeclinedLostCard": _LOST,
    "chargeDeclinedStolenCard": _STOLEN,
    "visa_chargeDeclinedStolenCard": _STOLEN,
    "chargeDeclinedExpiredCard": _declining("4000000000000069", "expired_card"),
    "chargeDeclinedIncorrectCvc": _declining("4000000000000127", "incorrect_cvc"),
    "chargeDeclinedProcessingError": _declining("4000000000000119", "processing_error"),
    "visa_chargeDeclinedVelocityLimitExceeded": _declining("4000000000006975", "card_velocity_exceeded"),
    "pendingRefund": KnownCard("4000000000007726", refund="late"),
    "refundFail": KnownCard("4000000000005126", refund="fails"),
    "createDispute": KnownCard("4000000000000259", then="fraudulent"),
    "createDisputeProductNotReceived": KnownCard("4000000000002685", then="product_not_received"),
    "createDisputeInquiry": KnownCard("4000000000001976", then="inquiry"),
    "createIssuerFraudRecord": KnownCard("4000000000005423", then="fraud_warning"),
    "radarBlock": KnownCard("4100000000000019", charge="fraudulent", blocked=True),
    "chargeCustomerFail": KnownCard("4000000000000341", charge="generic_decline"),
    "authenticationRequired": KnownCard("4000002760003184", authentication="always"),
    "threeDSecure2Required": KnownCard("4000000000003220", authentication="always"),
    "threeDSecureOptional": KnownCard("4000000000003055"),
    "authenticationRequiredOnSetup": KnownCard("4000002500003155", authentication="unless_set_up"),
    "authenticationRequiredSetupForOffSession": KnownCard("4000003800000446", authentication="unless_set_up"),
    "authenticationRequiredChargeDeclinedInsufficientFunds": KnownCard(
        "4000008260003178", charge="insufficient_funds", authentication="always"
    ),
    "threeDSecureRequiredChargeDeclined": KnownCard(
        "4000008400001629", charge="generic_decline", authentication="always"
    ),
}
"""Behind `pm_card_` and `tok_`: a payment method or token that Stripe has ready for tests."""

ALREADY_SET_UP = "4000003800000446"
"""The card that counts as set up for off-session use from the start."""

_BY_NUMBER = {card.number: card for card in TOKENS.values()}

_BRANDS = (
    (("34", "37"), "amex"),
    (("4",), "visa"),
    (("51", "52", "53", "54", "55", "22", "23", "24", "25", "26", "27"), "mastercard"),
    (("30", "36", "38"), "diners"),
    (("35",), "jcb"),
    (("62",), "unionpay"),
    (("60", "65"), "discover"),
)


@dataclass(frozen=True)
class KnownAccount:
    """How a SEPA test account behaves.

    Attributes:
        failure: None when the debit succeeds, else the failure's code.
        delayed: the answer takes long.
    """

    iban: str
    failure: str | None = None
    delayed: bool = False


SEPA_TOKENS: dict[str, KnownAccount] = {
    "pm_sepaDebit_success_at": KnownAccount("AT611904300234573201"),
    "pm_sepaDebit_failed_at": KnownAccount("AT861904300235473202", failure="insufficient_funds"),
    "pm_sepaDebit_successDelayed_at": KnownAccount("AT321904300235473204", delayed=True),
    "pm_sepaDebit_failedDelayed_at": KnownAccount(
        "AT051904300235473205", failure="insufficient_funds", delayed=True
    ),
}
UNUSABLE_IBAN = "AT511904300000066666"

_BY_IBAN = {account.iban: account for account in SEPA_TOKENS.values()}


def card_of(number: str) -> KnownCard:
    """The behaviour of a number; any other number with a right check digit is a card that works."""
    return _BY_NUMBER.get(number) or KnownCard(number)


def token_card(token: str) -> KnownCard | None:
    """The card behind `pm_card_visa` or `tok_visa`, None for anything else."""
    for prefix in ("pm_card_", "tok_"):
        if token.startswith(prefix):
            return TOKENS.get(token.removeprefix(prefix))
    return None


def account_of(iban: str) -> KnownAccount:
    """The behaviour of an account; an unknown one works."""
    return _BY_IBAN.get(iban) or KnownAccount(iban)


def brand_of(number: str) -> str:
    """The network's name in Stripe's spelling."""
    return next((brand for prefixes, brand in _BRANDS if number.startswith(prefixes)), "unknown")


def check_digit_fits(number: str) -> bool:
    """Whether the last digit is right by Luhn's rule."""
    if not number.isdigit() or not 12 <= len(number) <= 19:  # noqa: PLR2004 - lengths of card numbers
        return False
    digits = [int(digit) for digit in reversed(number)]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


def fingerprint(identity: str) -> str:
    """Sixteen letters and digits that are always the same for the same number or IBAN."""
    return hashlib.sha256(identity.encode()).hexdigest()[:16]
