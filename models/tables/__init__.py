"""The tables, all in one place so that migrations and sessions see every one of them."""

from sqlmodel import SQLModel

from models.deliveries import DeliveryOutcome, DisabledBecause, EndpointState
from models.tables.api import ApiCall, ApiKey
from models.tables.catalogue import Coupon, CouponRedemption, DunningPolicyVersion, Plan
from models.tables.clocks import TestClock
from models.tables.disputes import Dispute, Matter, MatterKind
from models.tables.documents import (
    ELSEWHERE,
    NOTHING_TO_BILL,
    CreditNote,
    Invoice,
    InvoiceLine,
    InvoiceStatus,
    NumberSeries,
    PaymentState,
)
from models.tables.events import EventDelivery, EventLane, OutgoingEvent, WebhookEndpoint
from models.tables.imports import BatchState, ImportBatch, ImportKind, ImportRow, RowState
from models.tables.mandates import MandateRow
from models.tables.messages import EventCursor, IncomingEvent, MailAddress, Message, MessageState
from models.tables.parties import Customer, LegalEntity, PaymentMethod
from models.tables.payments import Collection, JournalLine, PaymentAttempt, Refund
from models.tables.portal import PortalSession, SignupSession
from models.tables.rendering import RenderedDocument, RenderingState
from models.tables.subscriptions import CommandRow, SubscriptionRow
from models.tables.taxes import ExchangeRate, RegisterAnswer, VatCheck
from models.tables.transfers import LateClaim, Transfer, TransferShare
from models.tables.usage import MeterStretch, UsageEvent

__all__ = [
    "ELSEWHERE",
    "NOTHING_TO_BILL",
    "ApiCall",
    "ApiKey",
    "BatchState",
    "Collection",
    "CommandRow",
    "Coupon",
    "CouponRedemption",
    "CreditNote",
    "Customer",
    "DeliveryOutcome",
    "DisabledBecause",
    "Dispute",
    "DunningPolicyVersion",
    "EndpointState",
    "EventCursor",
    "EventDelivery",
    "EventLane",
    "ExchangeRate",
    "ImportBatch",
    "ImportKind",
    "ImportRow",
    "IncomingEvent",
    "Invoice",
    "InvoiceLine",
    "InvoiceStatus",
    "JournalLine",
    "LateClaim",
    "LegalEntity",
    "MailAddress",
    "MandateRow",
    "Matter",
    "MatterKind",
    "Message",
    "MessageState",
    "MeterStretch",
    "NumberSeries",
    "OutgoingEvent",
    "PaymentAttempt",
    "PaymentMethod",
    "PaymentState",
    "Plan",
    "PortalSession",
    "Refund",
    "RegisterAnswer",
    "RenderedDocument",
    "RenderingState",
    "RowState",
    "SignupSession",
    "SubscriptionRow",
    "TestClock",
    "Transfer",
    "TransferShare",
    "UsageEvent",
    "VatCheck",
    "WebhookEndpoint",
]

for _table in SQLModel.metadata.tables.values():
    for _key in _table.foreign_key_constraints:
        # Looked at when the transaction ends: its rows may be written in any order.
        _key.deferrable, _key.initially = True, "DEFERRED"
