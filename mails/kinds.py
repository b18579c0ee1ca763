"""Every mail that Relance sends: what it is for, whether the law asks for it, and what it must be told."""

from __future__ import annotations

from enum import StrEnum

from billing.values import Value


class MailKind(StrEnum):
    """The kinds of mail. The value names the content file in each language's folder."""

    INVOICE_ISSUED = "invoice_issued"
    RECEIPT = "receipt"
    PAYMENT_FAILED = "payment_failed"
    PAYMENT_REMINDER = "payment_reminder"
    LAST_NOTICE = "last_notice"
    PROMISE_NOTED = "promise_noted"
    AUTHENTICATION_REQUIRED = "authentication_required"
    COMPLETE_PAYMENT = "complete_payment"
    DEBIT_NOTICE = "debit_notice"
    SUBSCRIPTION_SUSPENDED = "subscription_suspended"
    SUBSCRIPTION_CANCELED = "subscription_canceled"
    CANCEL_SCHEDULED = "cancel_scheduled"
    WITHDRAWAL_CONFIRMED = "withdrawal_confirmed"
    PLAN_CHANGED = "plan_changed"
    PRICE_CHANGE = "price_change"
    PAUSED = "paused"
    RESUMED = "resumed"
    CARD_EXPIRING = "card_expiring"
    TRIAL_ENDING = "trial_ending"
    RENEWAL_NOTICE = "renewal_notice"
    INVOICE_REOPENED = "invoice_reopened"
    CREDIT_NOTE_ISSUED = "credit_note_issued"
    CHANGE_NOT_MADE = "change_not_made"
    LATE_INTEREST_CLAIMED = "late_interest_claimed"
    ORDER_CONFIRMED = "order_confirmed"


class MailSpec(Value):
    """What holds for one kind of mail in every language."""

    purpose: str
    """When it is sent and what the reader should know or do after it."""
    requires: tuple[str, ...]
    """Fields of `MailContext` without which it cannot be written. All others are optional."""
    legal_notice: bool = False
    """Whether the law asks for this very message. Such a notice is sent again when the provider's answer was
    lost; every other mail is not (rules 29), since what it says can be read elsewhere or follows again."""


_MONEY = ("currency", "amount_minor")

KINDS: dict[MailKind, MailSpec] = {
    MailKind.INVOICE_ISSUED: MailSpec(
        purpose="An invoice was issued: its lines, its total, and when and how it is paid.",
        requires=(*_MONEY, "invoice_number", "issued_on"),
    ),
    MailKind.RECEIPT: MailSpec(
        purpose="A payment succeeded. Also says when it brought a suspended service back.",
        requires=(*_MONEY, "paid_on"),
    ),
    MailKind.PAYMENT_FAILED: MailSpec(
        purpose="The first charge was declined, or could not be made: why in plain words, and what comes next.",
        requires=(*_MONEY, "invoice_number"),
    ),
    MailKind.PAYMENT_REMINDER: MailSpec(
        purpose="A later try failed, or none is possible. Lists all open invoices of the customer (rules 26).",
        requires=("open_invoices",),
    ),
    MailKind.LAST_NOTICE: MailSpec(
        purpose="The last reminder before the end of the policy: amount, deadline and consequence (rules 24).",
        requires=("open_invoices", "deadline_on", "consequence"),
    ),
    MailKind.PROMISE_NOTED: MailSpec(
        purpose="A promise to pay was noted: how much, until when, and that nothing happens before (rules 25).",
        requires=(*_MONEY, "invoice_number", "promised_on"),
    ),
    MailKind.AUTHENTICATION_REQUIRED: MailSpec(
        purpose="The bank wants the customer to confirm a payment.",
        requires=(*_MONEY, "pay_url"),
    ),
    MailKind.COMPLETE_PAYMENT: MailSpec(
        purpose="A sign-up or a change waits for its first payment, until a deadline (rules 13).",
        requires=(*_MONEY, "plan_name", "pay_url", "deadline_at", "timezone"),
    ),
    MailKind.DEBIT_NOTICE: MailSpec(
        purpose="A SEPA debit will be made, or a failed one repeated: how much, when, under which mandate (rules 28).",
        requires=(*_MONEY, "debit_on", "mandate_reference", "creditor_id", "method_label"),
        legal_notice=True,
    ),
    MailKind.SUBSCRIPTION_SUSPENDED: MailSpec(
        purpose="The policy ended and the service is suspended: what is owed, and how it comes back.",
        requires=("effective_on",),
    ),
    MailKind.SUBSCRIPTION_CANCELED: MailSpec(
        purpose="The subscription has ended: by whom, when, with what effects, and what is still owed.",
        requires=("ended_on", "canceled_by"),
        legal_notice=True,
    ),
    MailKind.CANCEL_SCHEDULED: MailSpec(
        purpose="Confirms a cancel at the period's end, or for a date: when it was asked for, last day, effects.",
        requires=("requested_on", "last_day_on"),
        legal_notice=True,
    ),
    MailKind.WITHDRAWAL_CONFIRMED: MailSpec(
        purpose="Confirms a consumer's withdrawal: when it arrived, what goes back and by when (rules 32).",
        requires=("received_at", "timezone", "ended_on", "deadline_on"),
        legal_notice=True,
    ),
    MailKind.PLAN_CHANGED: MailSpec(
        purpose="The plan or the quantity changed or will change: from when, and at which price.",
        requires=("plan_name", "effective_on"),
    ),
    MailKind.PRICE_CHANGE: MailSpec(
        purpose="The seller changes a price: the old one, the new one, from when, and how to leave before.",
        requires=("plan_name", "effective_on", "deadline_on", "prices"),
        legal_notice=True,
    ),
    MailKind.PAUSED: MailSpec(
        purpose="The subscription is paused, or will be: from when, until when access lasts.",
        requires=("effective_on",),
    ),
    MailKind.RESUMED: MailSpec(
        purpose="A paused subscription goes on: from when, and the next charge.",
        requires=("effective_on",),
    ),
    MailKind.CARD_EXPIRING: MailSpec(
        purpose="The card expires soon, or before a charge that is already known.",
        requires=("method_label", "card_expires_on"),
    ),
    MailKind.TRIAL_ENDING: MailSpec(
        purpose="The trial ends soon: last day, and what happens then by the terms (rules 3).",
        requires=("plan_name", "last_day_on", "trial_end"),
    ),
    MailKind.RENEWAL_NOTICE: MailSpec(
        purpose="A fixed term will renew: the deadline for opting out in a visible box, and how (rules 30).",
        requires=(*_MONEY, "plan_name", "renews_on", "deadline_on"),
        legal_notice=True,
    ),
    MailKind.INVOICE_REOPENED: MailSpec(
        purpose="A payment was taken back, so that its invoice is open again (rules 16).",
        requires=(*_MONEY, "invoice_number", "occurred_on", "taken_back_by"),
    ),
    MailKind.CREDIT_NOTE_ISSUED: MailSpec(
        purpose="A person issued a credit note: its number, its total, and where the money goes.",
        requires=(*_MONEY, "credit_note_number"),
    ),
    MailKind.CHANGE_NOT_MADE: MailSpec(
        purpose="A change that waited for its payment was dropped: nothing was billed, the plan stays.",
        requires=("plan_name",),
    ),
    MailKind.LATE_INTEREST_CLAIMED: MailSpec(
        purpose="A person claimed interest and recovery costs from a business that paid late (rules 31).",
        requires=(*_MONEY, "invoice_number"),
    ),
    MailKind.ORDER_CONFIRMED: MailSpec(
        purpose="Confirms the contract of somebody who signed up: all that was ordered and agreed to, to be kept.",
        requires=("plan_name", "currency", "timezone", "order"),
        legal_notice=True,
    ),
}
