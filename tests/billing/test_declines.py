from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing import declines
from billing.declines import DeclineEvidence, classify, read_decline
from billing.payment import DeclineClass

RETRY = DeclineClass.RETRY
LATER = DeclineClass.RETRY_LATER
CUSTOMER = DeclineClass.NEEDS_CUSTOMER
NEW = DeclineClass.NEW_PAYMENT_METHOD
FRAUD = DeclineClass.FRAUD_STOP


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("processing_error", RETRY),
        ("issuer_not_available", RETRY),
        ("reenter_transaction", RETRY),
        ("approve_with_id", RETRY),
        ("insufficient_funds", LATER),
        ("generic_decline", LATER),
        ("do_not_honor", LATER),
        ("call_issuer", LATER),
        ("card_velocity_exceeded", LATER),
        ("withdrawal_count_limit_exceeded", LATER),
        ("invalid_business_account", LATER),
        ("authentication_required", CUSTOMER),
        ("incorrect_cvc", CUSTOMER),
        ("incorrect_zip", CUSTOMER),
        ("not_permitted", CUSTOMER),
        ("security_violation", CUSTOMER),
        ("payment_disputed", CUSTOMER),
        ("expired_card", NEW),
        ("incorrect_number", NEW),
        ("invalid_account", NEW),
        ("transaction_not_allowed", NEW),
        ("revocation_of_authorization", NEW),
        ("stop_payment_order", NEW),
        ("restricted_card", NEW),
        ("invalid_billing_agreement", NEW),
        ("fraudulent", FRAUD),
        ("lost_card", FRAUD),
        ("stolen_card", FRAUD),
        ("pickup_card", FRAUD),
        ("merchant_blacklist", FRAUD),
    ],
)
def test_a_decline_code_has_its_class(code: str, expected: DeclineClass) -> None:
    assert classify(DeclineEvidence(code="card_declined", decline_code=code)) is expected


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        # Blocked by Stripe: never repeated, whatever the code would allow.
        (
            DeclineEvidence(
                code="card_declined",
                decline_code="generic_decline",
                outcome_type="blocked",
                outcome_reason="previously_declined_do_not_retry",
            ),
            NEW,
        ),
        (
            DeclineEvidence(
                decline_code="fraudulent", outcome_type="blocked", outcome_reason="highest_risk_level"
            ),
            FRAUD,
        ),
        (
            DeclineEvidence(decline_code="generic_decline", outcome_type="blocked", outcome_reason="rule"),
            FRAUD,
        ),
        (
            DeclineEvidence(
                decline_code="generic_decline",
                advice_code="try_again_later",
                outcome_type="blocked",
                outcome_reason="previously_declined_do_not_retry",
            ),
            NEW,
        ),
        # The bank's advice beats the decline code, both ways.
        (DeclineEvidence(decline_code="insufficient_funds", advice_code="do_not_try_again"), NEW),
        (DeclineEvidence(decline_code="generic_decline", advice_code="confirm_card_data"), CUSTOMER),
        (DeclineEvidence(decline_code="transaction_not_allowed", advice_code="try_again_later"), LATER),
        (DeclineEvidence(decline_code="processing_error", advice_code="try_again_later"), LATER),
        # ... but never softens fraud.
        (DeclineEvidence(decline_code="stolen_card", advice_code="try_again_later"), FRAUD),
        (DeclineEvidence(decline_code="lost_card", advice_code="do_not_try_again"), FRAUD),
        # Mastercard's own advice, for Mastercard only, after the bank's.
        (
            DeclineEvidence(decline_code="do_not_honor", network_advice_code="03", network="mastercard"),
            NEW,
        ),
        (DeclineEvidence(decline_code="do_not_honor", network_advice_code="03", network="visa"), LATER),
        (DeclineEvidence(decline_code="do_not_honor", network_advice_code="03"), LATER),
        (
            DeclineEvidence(decline_code="do_not_honor", network_advice_code="21", network="mastercard"),
            NEW,
        ),
        (
            DeclineEvidence(
                decline_code="do_not_honor",
                advice_code="confirm_card_data",
                network_advice_code="02",
                network="mastercard",
            ),
            CUSTOMER,
        ),
        (
            DeclineEvidence(decline_code="processing_error", network_advice_code="26", network="mastercard"),
            LATER,
        ),
        (
            DeclineEvidence(decline_code="do_not_honor", network_advice_code="42", network="mastercard"),
            FRAUD,
        ),
        # Visa's category 1, for Visa only.
        (DeclineEvidence(decline_code="do_not_honor", network_decline_code="R1", network="visa"), NEW),
        (DeclineEvidence(decline_code="do_not_honor", network_decline_code="43", network="visa"), FRAUD),
        (DeclineEvidence(decline_code="do_not_honor", network_decline_code="R1", network="amex"), LATER),
        # Some declines carry a code without a decline code.
        (DeclineEvidence(code="expired_card"), NEW),
        (DeclineEvidence(code="incorrect_cvc"), CUSTOMER),
        (DeclineEvidence(code="processing_error"), RETRY),
        (DeclineEvidence(code="payment_intent_authentication_failure"), CUSTOMER),
        (DeclineEvidence(code="expired_card", decline_code="something_new"), NEW),
        (DeclineEvidence(code="card_declined"), LATER),
        (DeclineEvidence(), LATER),
    ],
)
def test_the_first_evidence_that_speaks_wins(evidence: DeclineEvidence, expected: DeclineClass) -> None:
    assert classify(evidence) is expected


@pytest.mark.parametrize(
    ("advice", "wait"),
    [
        ("02", timedelta(hours=72)),
        ("24", timedelta(hours=1)),
        ("25", timedelta(hours=24)),
        ("26", timedelta(days=2)),
        ("27", timedelta(days=4)),
        ("28", timedelta(days=6)),
        ("29", timedelta(days=8)),
        ("30", timedelta(days=10)),
        ("03", None),
        ("99", None),
    ],
)
def test_mastercard_names_a_wait(advice: str, wait: timedelta | None) -> None:
    evidence = DeclineEvidence(
        decline_code="insufficient_funds", network_advice_code=advice, network="mastercard"
    )
    assert read_decline(evidence).wait == wait
    assert read_decline(evidence.model_copy(update={"network": "visa"})).wait is None


def test_an_unknown_code_is_tried_twice_in_all_and_stands_out() -> None:
    reading = read_decline(DeclineEvidence(code="card_declined", decline_code="quantum_decline"))
    assert reading.code == "quantum_decline"
    assert reading.decline_class is LATER
    assert not reading.is_known
    assert declines.tries_allowed("quantum_decline") == 2
    assert declines.tries_allowed("insufficient_funds") is None
    assert read_decline(DeclineEvidence(decline_code="insufficient_funds")).is_known


@pytest.mark.parametrize(
    ("evidence", "code"),
    [
        (DeclineEvidence(code="card_declined", decline_code="insufficient_funds"), "insufficient_funds"),
        (DeclineEvidence(code="expired_card"), "expired_card"),
        (DeclineEvidence(code="expired_card", decline_code="something_new"), "expired_card"),
        (DeclineEvidence(code="card_declined"), "generic_decline"),
        (
            DeclineEvidence(
                decline_code="generic_decline",
                outcome_type="blocked",
                outcome_reason="previously_declined_do_not_retry",
            ),
            "previously_declined_do_not_retry",
        ),
        (
            DeclineEvidence(decline_code="insufficient_funds", advice_code="do_not_try_again"),
            "insufficient_funds",
        ),
    ],
)
def test_the_most_precise_reason_is_named(evidence: DeclineEvidence, code: str) -> None:
    assert read_decline(evidence).code == code


def test_support_reads_plain_words() -> None:
    assert declines.support_words("insufficient_funds") == "the bank declined: insufficient funds"
    assert declines.support_words("stolen_card") == "the bank declined: the card was reported stolen"
    assert (
        declines.support_words("payment_intent_authentication_failure")
        == "the payment was declined: the confirmation with the bank (3-D Secure) failed or was given up"
    )
    assert "quantum_decline" in declines.support_words("quantum_decline")


def test_the_payer_never_hears_of_fraud() -> None:
    assert declines.hides_reason("stolen_card", FRAUD)
    assert declines.hides_reason("restricted_card", NEW)
    assert declines.hides_reason("do_not_honor", FRAUD)
    assert not declines.hides_reason("insufficient_funds", LATER)
    assert not declines.hides_reason("quantum_decline", LATER)


def test_every_row_has_a_class_words_and_a_source() -> None:
    tables = (declines.CODES, declines.ADVICE, declines.MASTERCARD_ADVICE, declines.VISA_NEVER_AGAIN)
    for table in tables:
        for row in table.values():
            assert row.decline_class in DeclineClass
            assert row.words
            assert row.source.startswith("https://")
    assert len(declines.CODES) == 76
    assert sum(row.kind == "card" for row in declines.CODES.values()) == 50


def test_what_stripe_never_retries_is_never_retried_automatically() -> None:
    never = {code for code, row in declines.CODES.items() if row.never_retried_by_stripe}
    assert never == {
        "authentication_required",
        "incorrect_number",
        "lost_card",
        "pickup_card",
        "revocation_of_all_authorizations",
        "revocation_of_authorization",
        "stolen_card",
        "transaction_not_allowed",
        "highest_risk_level",
    }
    assert not any(declines.CODES[code].decline_class.allows_automatic_retry for code in never)


_words = st.none() | st.text(max_size=6) | st.sampled_from(sorted(declines.CODES))


@given(_words, _words, _words, st.sampled_from([None, "visa", "mastercard", "amex"]), _words)
def test_a_blocked_charge_is_never_repeated_whatever_else_is_said(
    code: str | None, decline: str | None, advice: str | None, network: str | None, reason: str | None
) -> None:
    evidence = DeclineEvidence(
        code=code,
        decline_code=decline,
        advice_code=advice,
        network=network,
        outcome_type="blocked",
        outcome_reason=reason,
    )
    assert not classify(evidence).allows_automatic_retry
