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


TABLE = {
    RETRY: """
        approve_with_id issuer_not_available processing_error reenter_transaction try_again_later
        partner_processing_error
    """,
    LATER: """
        call_issuer card_velocity_exceeded do_not_honor duplicate_transaction generic_decline insufficient_funds
        no_action_taken withdrawal_count_limit_exceeded
        card_decline_rate_limit_exceeded partner_generic_decline partner_insufficient_funds invalid_business_account
        partner_payment_not_found partner_duplicate_transaction
        refer_to_customer payment_intent_payment_attempt_failed
    """,
    CUSTOMER: """
        authentication_required authentication_not_handled incorrect_address incorrect_cvc incorrect_pin incorrect_zip
        invalid_amount invalid_cvc invalid_pin mobile_device_authentication_required not_permitted
        offline_pin_required online_or_offline_pin_required security_violation service_not_allowed
        payment_intent_authentication_failure invalid_customer_account payment_limit_exceeded payment_disputed
    """,
    NEW: """
        card_not_supported currency_not_supported do_not_try_again expired_card incorrect_number invalid_account
        invalid_expiry_month invalid_expiry_year invalid_number new_account_information_available pin_try_exceeded
        restricted_card revocation_of_all_authorizations revocation_of_authorization stop_payment_order
        testmode_decline transaction_not_allowed
        previously_declined_do_not_retry invalid_billing_agreement partner_expired_card partner_invalid_currency
        partner_invalid_amount compliance_violation invalid_authorization invalid_payment_information
        expired_payment_information recurring_not_supported_by_bank partner_action_not_supported
        payment_method_missing
        account_closed account_number_invalid bank_account_restricted bank_account_unusable debit_not_authorized
        no_account payment_intent_mandate_invalid payment_method_bank_account_blocked sepa_unsupported_account
    """,
    FRAUD: """
        fraudulent lost_card merchant_blacklist pickup_card stolen_card
        highest_risk_level partner_high_risk_customer lost_or_stolen_card
    """,
}
"""Every code that is known, by what it allows next."""
CODES = [(code, expected) for expected, codes in TABLE.items() for code in codes.split()]


def test_the_table_knows_these_codes_and_no_others() -> None:
    assert len(CODES) == 87
    assert set(declines.CODES) == {code for code, _ in CODES}


@pytest.mark.parametrize(("code", "expected"), CODES)
def test_a_decline_code_has_its_class(code: str, expected: DeclineClass) -> None:
    assert classify(DeclineEvidence(code="card_declined", decline_code=code)) is expected
    assert classify(DeclineEvidence(code=code)) is expected


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


MASTERCARD = {
    LATER: "02 04 24 25 26 27 28 29 30",
    NEW: "01 03 21 22 40 41 43",
    FRAUD: "42",
}
VISA = {FRAUD: "04 07 41 43", NEW: "12 14 15 46 57 R0 R1 R3"}


def test_every_advice_of_mastercard_and_ban_of_visa_has_its_class() -> None:
    for expected, codes in MASTERCARD.items():
        for code in codes.split():
            advice = DeclineEvidence(
                decline_code="do_not_honor", network_advice_code=code, network="mastercard"
            )
            assert classify(advice) is expected, code
    for expected, codes in VISA.items():
        for code in codes.split():
            ban = DeclineEvidence(decline_code="do_not_honor", network_decline_code=code, network="visa")
            assert classify(ban) is expected, code
    assert set(declines.MASTERCARD_ADVICE) == set(" ".join(MASTERCARD.values()).split())
    assert set(declines.VISA_NEVER_AGAIN) == set(" ".join(VISA.values()).split())


@pytest.mark.parametrize(
    ("evidence", "never_again"),
    [
        *(
            (DeclineEvidence(decline_code="do_not_honor", network_decline_code=code, network="visa"), True)
            for code in ["04", "07", "12", "14", "15", "41", "43", "46", "57", "R0", "R1", "R3"]
        ),
        *(
            (DeclineEvidence(decline_code="do_not_honor", network_decline_code=code, network="visa"), False)
            for code in ["05", "51", "61", "65", "91"]
        ),
        *(
            (
                DeclineEvidence(decline_code="do_not_honor", network_advice_code=code, network="mastercard"),
                code in ("03", "21"),
            )
            for code in ["01", "02", "03", "04", "21", "22", "24", "30", "40", "41", "42", "43", "99"]
        ),
        # Each network numbers its own way.
        (DeclineEvidence(decline_code="do_not_honor", network_advice_code="03", network="visa"), False),
        (
            DeclineEvidence(decline_code="do_not_honor", network_decline_code="R1", network="mastercard"),
            False,
        ),
        (DeclineEvidence(decline_code="do_not_honor", network_decline_code="R1"), False),
        # Stripe's own words for the cardholder's orders to the bank, whoever carried them.
        (DeclineEvidence(code="card_declined", decline_code="revocation_of_authorization"), True),
        (DeclineEvidence(code="card_declined", decline_code="revocation_of_all_authorizations"), True),
        (DeclineEvidence(code="card_declined", decline_code="stop_payment_order"), True),
        (DeclineEvidence(code="card_declined", decline_code="expired_card"), False),
        (DeclineEvidence(code="card_declined", decline_code="do_not_try_again"), False),
        # Kept whatever gave the class.
        (
            DeclineEvidence(
                decline_code="do_not_honor",
                advice_code="try_again_later",
                network_advice_code="03",
                network="mastercard",
            ),
            True,
        ),
    ],
)
def test_what_a_network_forbids_for_ever_is_kept(evidence: DeclineEvidence, never_again: bool) -> None:  # noqa: FBT001
    assert read_decline(evidence).never_again is never_again


@pytest.mark.parametrize(
    ("evidence", "alerts"),
    [
        (DeclineEvidence(decline_code="invalid_business_account"), True),
        (DeclineEvidence(decline_code="insufficient_funds"), False),
        *(
            (
                DeclineEvidence(decline_code="do_not_honor", network_advice_code=code, network="mastercard"),
                code in ("04", "22", "42"),
            )
            for code in ["03", "04", "22", "24", "42"]
        ),
    ],
)
def test_what_is_not_the_payers_fault_calls_a_person(evidence: DeclineEvidence, alerts: bool) -> None:  # noqa: FBT001
    assert read_decline(evidence).alerts_operator is alerts


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
        (
            DeclineEvidence(decline_code="do_not_honor", network_advice_code="01", network="mastercard"),
            "new_account_information_available",
        ),
        (
            DeclineEvidence(decline_code="fraudulent", network_advice_code="01", network="mastercard"),
            "fraudulent",
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
    assert {code for code, row in declines.CODES.items() if row.hides_reason} == {
        "fraudulent",
        "lost_card",
        "merchant_blacklist",
        "pickup_card",
        "restricted_card",
        "stolen_card",
        "highest_risk_level",
        "partner_high_risk_customer",
        "lost_or_stolen_card",
    }


def test_every_row_has_a_class_words_and_a_source() -> None:
    tables = (declines.CODES, declines.ADVICE, declines.MASTERCARD_ADVICE, declines.VISA_NEVER_AGAIN)
    for table in tables:
        for row in table.values():
            assert row.decline_class in DeclineClass
            assert row.words
            assert row.source.startswith("https://")
    assert len(declines.CODES) == 87
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
