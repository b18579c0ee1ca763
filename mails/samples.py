"""Made-up contexts, one or more per kind, for the preview and the tests."""

from __future__ import annotations

from datetime import UTC, date, datetime

from billing.dunning import EndForSubscription
from billing.payment import DeclineClass
from mails.context import (
    BankAccount,
    CanceledBy,
    MailContext,
    MailLine,
    MailMerchant,
    OpenInvoice,
    PriceLine,
    TakenBackBy,
    TrialEnd,
)
from mails.formats import Language
from mails.kinds import MailKind
from mails.order_samples import ORDERS

_MERCHANT = MailMerchant(
    name="Atelier Nord",
    address_lines=("12 rue des Tanneurs", "59000 Lille", "France"),
    support_mail="aide@ateliernord.example",
    legal_line="SAS au capital de 10 000 €, SIREN 123 456 782 RCS Lille, TVA FR12123456782",
)
_BASE = MailContext(
    locale="fr-FR",
    merchant=_MERCHANT,
    subscription_reference="SUB-1042",
    customer_name="Anna Rossi",
    timezone="Europe/Paris",
    plan_name="Pro",
    currency="EUR",
    amount_minor=5880,
    pay_url="https://pay.ateliernord.example/i/7Qd2",
    portal_url="https://pay.ateliernord.example/portal",
    cancel_url="https://pay.ateliernord.example/cancel",
)
_OLDER = OpenInvoice(
    number="2027-000131",
    issued_on=date(2027, 1, 31),
    currency="EUR",
    open_minor=5880,
    subscription_reference="SUB-1042",
)
_NEWER = _OLDER.model_copy(
    update={
        "number": "2027-000164",
        "issued_on": date(2027, 2, 10),
        "open_minor": 118800,
        "subscription_reference": "SUB-2107",
    }
)
_INVOICE: dict[str, object] = {
    "invoice_number": "2027-000131",
    "issued_on": date(2027, 1, 31),
    "period_start_on": date(2027, 1, 31),
    "period_end_on": date(2027, 2, 28),
}


def _lines(language: Language) -> tuple[MailLine, ...]:
    words = (
        ("Pro, 4 places", "Stockage, 50 Go")
        if language is Language.FR
        else ("Pro, 4 seats", "Storage, 50 GB")
    )
    return tuple(MailLine(description=d, net_minor=net) for d, net in zip(words, (3900, 1000), strict=True))


def samples(kind: MailKind, language: Language) -> dict[str, MailContext]:
    """Contexts to look at: one named `typical`, and the variants whose words differ most.

    Raises:
        KeyError: never for a member of `MailKind`; a test asks for each.
    """
    base = _BASE.model_copy(
        update={"locale": "fr-FR" if language is Language.FR else "en-GB"},
    )
    return {
        name: base.model_copy(update={**_invoice_fields(kind, language), **changes})
        for name, changes in _VARIANTS[kind].items()
    }


def _invoice_fields(kind: MailKind, language: Language) -> dict[str, object]:
    if kind in (MailKind.INVOICE_ISSUED, MailKind.RECEIPT):
        return {**_INVOICE, "lines": _lines(language), "tax_minor": 980}
    return {}


_DECLINED: dict[str, object] = {
    "invoice_number": "2027-000131",
    "method_label": "Visa •••• 4242",
    "attempted_on": date(2027, 1, 31),
    "consequence": EndForSubscription.SUSPEND,
}
_DEBIT: dict[str, object] = {
    "invoice_number": "2027-000131",
    "method_label": "SEPA •••• 7061",
    "debit_on": date(2027, 3, 30),
    "mandate_reference": "RELANCE-7F3K2",
    "mandate_signed_on": date(2026, 3, 15),
    "creditor_id": "FR72ZZZ123456",
}
_CHASED: dict[str, object] = {
    "open_invoices": (_OLDER,),
    "attempted_on": date(2027, 2, 7),
    "method_label": "Visa •••• 4242",
    "decline_class": DeclineClass.RETRY_LATER,
    "deadline_on": date(2027, 2, 20),
    "consequence": EndForSubscription.SUSPEND,
}
_BY_TRANSFER: dict[str, object] = {
    "by_transfer": True,
    "bank": BankAccount(
        holder="Atelier Nord",
        iban="FR76\u00a03000\u00a06000\u00a00112\u00a03456\u00a07890\u00a0189",
        bic="AGRIFRPP",
    ),
    "transfer_reference": "2027-000131",
    "due_on": date(2027, 3, 2),
}
_LATE: dict[str, object] = {
    **_BY_TRANSFER,
    "open_invoices": (_OLDER.model_copy(update={"due_on": date(2027, 3, 2)}),),
    "deadline_on": date(2027, 4, 15),
    "consequence": EndForSubscription.SUSPEND,
}
_LATE_BUSINESS: dict[str, object] = {**_LATE, "interest_minor": 29, "recovery_minor": 4000}
_NO_LINKS: dict[str, object] = {"pay_url": None, "portal_url": None, "cancel_url": None}
_NEXT: dict[str, object] = {"next_charge_on": date(2027, 3, 1), "next_amount_minor": 11880}
_STOPPED: dict[str, object] = {
    "attempted_on": None,
    "decline_class": DeclineClass.FRAUD_STOP,
    "next_try_on": None,
}

_VARIANTS: dict[MailKind, dict[str, dict[str, object]]] = {
    MailKind.INVOICE_ISSUED: {
        "typical": {"due_on": date(2027, 3, 2)},
        "transfer": {**_BY_TRANSFER},
        "charged": {"due_on": date(2027, 2, 3), "method_label": "SEPA •••• 7061"},
        "balance": {"balance_applied_minor": 5880, "due_minor": 0},
        "no_links": {**_NO_LINKS, "due_on": date(2027, 3, 2)},
    },
    MailKind.RECEIPT: {
        "typical": {"paid_on": date(2027, 1, 31), "method_label": "Visa •••• 4242", **_NEXT},
        "restored": {"paid_on": date(2027, 2, 25), "service_restored": True, "open_invoices": (_NEWER,)},
        "backup": {
            "paid_on": date(2027, 1, 31),
            "method_label": "Mastercard •••• 4444",
            "in_place_of": "Visa •••• 4242",
        },
        "test": {"paid_on": date(2027, 1, 31), "test": True, **_NO_LINKS},
        "transfer": {
            "paid_on": date(2027, 3, 1),
            "by_transfer": True,
            "amount_minor": 12678,
            "claim_minor": 5798,
            "unapplied_minor": 1000,
        },
    },
    MailKind.PAYMENT_FAILED: {
        "typical": {
            **_DECLINED,
            "decline_class": DeclineClass.RETRY_LATER,
            "next_try_on": date(2027, 2, 1),
        },
        "technical": {**_DECLINED, "decline_class": DeclineClass.RETRY, "next_try_on": date(2027, 1, 31)},
        "bank": {**_DECLINED, "decline_class": DeclineClass.NEEDS_CUSTOMER},
        "dead_card": {**_DECLINED, "decline_class": DeclineClass.NEW_PAYMENT_METHOD},
        "stopped": {**_DECLINED, "decline_class": DeclineClass.FRAUD_STOP},
        "no_method": {**_DECLINED, "attempted_on": None, "method_label": None},
        "no_mandate": {**_DECLINED, "attempted_on": None, "method_label": None, "mandate_ended": True},
        "no_links": {**_DECLINED, **_NO_LINKS},
    },
    MailKind.PAYMENT_REMINDER: {
        "typical": {**_CHASED, "next_try_on": date(2027, 2, 14)},
        "several": {**_CHASED, **_STOPPED, "open_invoices": (_OLDER, _NEWER)},
        "no_links": {**_CHASED, **_NO_LINKS, "consequence": EndForSubscription.CANCEL},
        "transfer": {**_LATE, "reminder": 1},
        "transfer_again": {**_LATE_BUSINESS, "reminder": 2},
        "transfer_no_account": {**_LATE, "reminder": 2, "bank": None, **_NO_LINKS},
    },
    MailKind.LAST_NOTICE: {
        "transfer": {**_LATE, "reminder": 3},
        "transfer_business": {
            **_LATE_BUSINESS,
            "reminder": 3,
            "interest_minor": None,
            "consequence": EndForSubscription.CANCEL,
        },
        "typical": {**_CHASED, "attempted_on": date(2027, 2, 14)},
        "cancels": {**_CHASED, "consequence": EndForSubscription.CANCEL, "open_invoices": (_OLDER, _NEWER)},
        "keeps": {**_CHASED, **_STOPPED, **_NO_LINKS, "consequence": EndForSubscription.KEEP},
    },
    MailKind.AUTHENTICATION_REQUIRED: {
        "typical": {**_DECLINED, "deadline_on": date(2027, 2, 20)},
        "bare": {},
    },
    MailKind.COMPLETE_PAYMENT: {
        "typical": {"deadline_at": datetime(2027, 2, 1, 7, 12, tzinfo=UTC)},
        "change": {
            "deadline_at": datetime(2027, 2, 1, 7, 12, tzinfo=UTC),
            "previous_plan_name": "Basic",
            "quantity": 4,
        },
    },
    MailKind.DEBIT_NOTICE: {
        "typical": {**_DEBIT},
        "repeated": {
            **_DEBIT,
            "attempted_on": date(2027, 3, 30),
            "decline_class": DeclineClass.RETRY_LATER,
            "debit_on": date(2027, 4, 9),
        },
        "ordered": {**_DEBIT, "debit_ordered": True, "invoice_number": None},
        "no_links": {**_DEBIT, **_NO_LINKS, "plan_name": None},
    },
    MailKind.SUBSCRIPTION_SUSPENDED: {
        "typical": {"open_invoices": (_OLDER,), "effective_on": date(2027, 2, 21)},
        "several": {
            "open_invoices": (_OLDER, _NEWER),
            "effective_on": date(2027, 2, 21),
            "deadline_on": date(2027, 5, 22),
            **_NO_LINKS,
        },
        "nothing_owed": {
            "effective_on": date(2027, 2, 21),
            "deadline_on": date(2027, 5, 22),
            "pay_url": None,
        },
    },
    MailKind.PROMISE_NOTED: {
        "typical": {
            "invoice_number": "2027-000131",
            "promised_on": date(2027, 2, 15),
            "method_label": "Visa •••• 4242",
        },
        "transfer": {"invoice_number": "2027-000131", "promised_on": date(2027, 2, 15)},
    },
    MailKind.PRICE_CHANGE: {
        "typical": {
            "effective_on": date(2027, 5, 1),
            "deadline_on": date(2027, 4, 30),
            "previous_amount_minor": 5880,
            "amount_minor": 7080,
            "tax_minor": 1180,
            "prices": (PriceLine(description="Pro", before="49.00", after="59.00"),),
        },
        "usage": {
            "effective_on": date(2027, 5, 1),
            "deadline_on": date(2027, 4, 30),
            "amount_minor": None,
            "previous_plan_name": "Pro 2026",
            "prices": (
                PriceLine(description="API", before="0.0015", after="0.0020"),
                PriceLine(description="Mail", after="0.01"),
            ),
        },
    },
    MailKind.WITHDRAWAL_CONFIRMED: {
        "typical": {
            "received_at": datetime(2027, 3, 19, 14, 5, tzinfo=UTC),
            "ended_on": date(2027, 3, 19),
            "deadline_on": date(2027, 4, 2),
            "refunded_minor": 11660,
            "kept_minor": 328,
        },
        "unpaid": {
            "received_at": datetime(2027, 3, 19, 14, 5, tzinfo=UTC),
            "ended_on": date(2027, 3, 19),
            "deadline_on": date(2027, 4, 2),
        },
    },
    MailKind.SUBSCRIPTION_CANCELED: {
        "typical": {
            "ended_on": date(2027, 2, 10),
            "requested_on": date(2027, 2, 10),
            "canceled_by": CanceledBy.CUSTOMER,
            "credited_minor": 3570,
            "refunded_minor": 3570,
        },
        "used": {
            "ended_on": date(2027, 2, 10),
            "requested_on": date(2027, 2, 10),
            "canceled_by": CanceledBy.CUSTOMER,
            "open_invoices": (_OLDER,),
            "final_invoice_on": date(2027, 2, 11),
        },
        "unpaid": {
            "ended_on": date(2027, 2, 21),
            "canceled_by": CanceledBy.NON_PAYMENT,
            "open_invoices": (_OLDER,),
        },
        "kept": {
            "ended_on": date(2027, 2, 10),
            "canceled_by": CanceledBy.MERCHANT,
            "kept_minor": 5880,
            "open_invoices": (_OLDER,),
            "next_try_on": date(2027, 2, 14),
            **_NO_LINKS,
        },
    },
    MailKind.CANCEL_SCHEDULED: {
        "typical": {"requested_on": date(2027, 2, 3), "last_day_on": date(2027, 2, 27)},
        "owing": {
            "requested_on": date(2027, 2, 3),
            "last_day_on": date(2027, 2, 27),
            "open_invoices": (_OLDER,),
            **_NO_LINKS,
        },
        "for_a_date": {
            "requested_on": date(2027, 2, 3),
            "last_day_on": date(2027, 5, 27),
            "goes_on": True,
            **_NEXT,
        },
    },
    MailKind.PLAN_CHANGED: {
        "typical": {
            "previous_plan_name": "Basic",
            "effective_on": date(2027, 2, 28),
            "amount_minor": None,
            **_NEXT,
        },
        "quantity": {
            "quantity": 6,
            "previous_quantity": 4,
            "effective_on": date(2027, 2, 1),
            "credited_minor": 2940,
            **_NO_LINKS,
        },
    },
    MailKind.PAUSED: {
        "typical": {"effective_on": date(2027, 2, 28), "last_day_on": date(2027, 2, 27)},
        "dated": {
            "effective_on": date(2027, 2, 10),
            "credited_minor": 3570,
            "resumes_on": date(2027, 6, 1),
            "open_invoices": (_OLDER,),
        },
    },
    MailKind.CREDIT_NOTE_ISSUED: {
        "typical": {
            "credit_note_number": "A-000012",
            "amount_minor": 1200,
            "refunded_minor": 1200,
            "due_minor": None,
        },
        "open": {
            "credit_note_number": "A-000013",
            "amount_minor": 4800,
            "closes_minor": 3600,
            "balance_added_minor": 1200,
            "due_minor": 2400,
            **_NO_LINKS,
        },
    },
    MailKind.CHANGE_NOT_MADE: {"typical": {**_NEXT}, "bare": {**_NO_LINKS}},
    MailKind.RESUMED: {
        "typical": {"effective_on": date(2027, 6, 1), **_NEXT},
        "bare": {"effective_on": date(2027, 6, 1)},
    },
    MailKind.CARD_EXPIRING: {
        "typical": {"method_label": "Visa •••• 4242", "card_expires_on": date(2027, 2, 28), **_NEXT},
        "expired": {
            "method_label": "Visa •••• 4242",
            "card_expires_on": date(2027, 2, 28),
            "card_expired": True,
            **_NEXT,
        },
        "bare": {"method_label": "Visa •••• 4242", "card_expires_on": date(2027, 2, 28), **_NO_LINKS},
    },
    MailKind.TRIAL_ENDING: {
        "typical": {
            "last_day_on": date(2027, 2, 28),
            "trial_end": TrialEnd.CHARGE,
            "method_label": "Visa •••• 4242",
            **_NEXT,
        },
        "cancels": {"last_day_on": date(2027, 2, 28), "trial_end": TrialEnd.CANCEL},
        "pauses": {"last_day_on": date(2027, 2, 28), "trial_end": TrialEnd.PAUSE, **_NO_LINKS},
        "invoices": {"last_day_on": date(2027, 2, 28), "trial_end": TrialEnd.INVOICE},
    },
    MailKind.RENEWAL_NOTICE: {
        "typical": {
            "amount_minor": 118800,
            "tax_minor": 19800,
            "renews_on": date(2027, 5, 1),
            "period_end_on": date(2028, 5, 1),
            "deadline_on": date(2027, 4, 30),
        },
        "portal": {"renews_on": date(2027, 5, 1), "deadline_on": date(2027, 4, 30), "cancel_url": None},
        "no_links": {"renews_on": date(2027, 5, 1), "deadline_on": date(2027, 4, 30), **_NO_LINKS},
    },
    MailKind.INVOICE_REOPENED: {
        "typical": {
            "invoice_number": "2027-000131",
            "occurred_on": date(2027, 2, 9),
            "taken_back_by": TakenBackBy.RETURN,
            "next_try_on": date(2027, 2, 16),
        },
        "dispute": {
            "invoice_number": "2027-000131",
            "occurred_on": date(2027, 3, 20),
            "taken_back_by": TakenBackBy.DISPUTE,
            **_NO_LINKS,
        },
        "mistake": {
            "invoice_number": "2027-000131",
            "occurred_on": date(2027, 3, 20),
            "taken_back_by": TakenBackBy.MISTAKE,
            **_BY_TRANSFER,
        },
    },
    MailKind.LATE_INTEREST_CLAIMED: {
        "typical": {
            "invoice_number": "2027-000131",
            "amount_minor": 5798,
            "interest_minor": 1798,
            "recovery_minor": 4000,
            "days_late": 45,
            **_BY_TRANSFER,
        },
        "further_interest": {
            "invoice_number": "2027-000131",
            "amount_minor": 12,
            "interest_minor": 12,
            "days_late": 1,
            **_BY_TRANSFER,
        },
    },
    MailKind.ORDER_CONFIRMED: ORDERS,
}
