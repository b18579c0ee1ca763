"""The API, one file per resource. A new one is a router in here."""

from typing import Final

from fastapi import APIRouter

from starter.http.v1 import (
    catalogue,
    commands,
    customers,
    dunning,
    events,
    invoice_corrections,
    invoices,
    mandates,
    payment_methods,
    payments,
    portal_sessions,
    signup_sessions,
    subscription_commands,
    subscriptions,
    test_clocks,
    usage,
    webhook_endpoints,
)

ROUTERS: Final[tuple[APIRouter, ...]] = (
    customers.router,
    payment_methods.router,
    payment_methods.setup_router,
    mandates.router,
    catalogue.plans,
    catalogue.coupons,
    subscriptions.router,
    subscription_commands.router,
    commands.router,
    usage.router,
    invoices.router,
    invoice_corrections.router,
    dunning.router,
    payments.router,
    payments.refunds,
    events.router,
    webhook_endpoints.router,
    portal_sessions.router,
    signup_sessions.router,
    test_clocks.router,
)
"""In the order of the API document."""
