"""The table of operations: what the fake understands, each with the SDK's class for its parameters."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stripe import params as sdk
from stripe.params import checkout as sdk_checkout
from stripe.params import radar as sdk_radar
from stripe.params import test_helpers as sdk_clocks

from sandbox.stripe import (
    charges,
    checkout,
    customers,
    disputes,
    events,
    intents,
    mandates,
    methods,
    refunds,
    setups,
    subscriptions,
)
from sandbox.stripe.errors import Document
from sandbox.stripe.world import Call

Run = Callable[[Call, Sequence[str], Document], Document]


@dataclass(frozen=True)
class Operation:
    """One endpoint.

    Attributes:
        path: with `{id}` for an identifier.
        params: the SDK's class that names and types the parameters.
        check: further validation before anything begins.
    """

    method: str
    path: str
    params: type
    run: Run
    check: Callable[[Document], None] = lambda _: None


def _many(function: Callable[[Call, Document], Document]) -> Run:
    return lambda call, _, params: function(call, params)


def _one(function: Callable[[Call, str, Document], Document]) -> Run:
    return lambda call, ids, params: function(call, ids[0], params)


def _bare(function: Callable[[Call, str], Document]) -> Run:
    return lambda call, ids, _: function(call, ids[0])


def _get(path: str, params: type, run: Run) -> Operation:
    return Operation("GET", path, params, run)


def _post(path: str, params: type, run: Run, check: Callable[[Document], None] = lambda _: None) -> Operation:
    return Operation("POST", path, params, run, check)


def _delete(path: str, params: type, run: Run) -> Operation:
    return Operation("DELETE", path, params, run)


OPERATIONS: tuple[Operation, ...] = (
    _post("customers", sdk.CustomerCreateParams, _many(customers.create)),
    _get("customers", sdk.CustomerListParams, _many(customers.listed)),
    _get("customers/{id}", sdk.CustomerRetrieveParams, _bare(customers.retrieve)),
    _post("customers/{id}", sdk.CustomerUpdateParams, _one(customers.update)),
    _delete("customers/{id}", sdk.CustomerDeleteParams, _bare(customers.delete)),
    _get(
        "customers/{id}/payment_methods", sdk.CustomerPaymentMethodListParams, _one(customers.listed_methods)
    ),
    _post("payment_methods", sdk.PaymentMethodCreateParams, _many(methods.create)),
    _get("payment_methods", sdk.PaymentMethodListParams, _many(methods.listed)),
    _get("payment_methods/{id}", sdk.PaymentMethodRetrieveParams, _bare(methods.retrieve)),
    _post("payment_methods/{id}", sdk.PaymentMethodUpdateParams, _one(methods.update)),
    _post("payment_methods/{id}/attach", sdk.PaymentMethodAttachParams, _one(methods.attach)),
    _post("payment_methods/{id}/detach", sdk.PaymentMethodDetachParams, _one(methods.detach)),
    _post("payment_intents", sdk.PaymentIntentCreateParams, _many(intents.create), intents.check),
    _get("payment_intents", sdk.PaymentIntentListParams, _many(intents.listed)),
    _get("payment_intents/{id}", sdk.PaymentIntentRetrieveParams, _bare(intents.retrieve)),
    _post("payment_intents/{id}", sdk.PaymentIntentUpdateParams, _one(intents.update)),
    _post("payment_intents/{id}/confirm", sdk.PaymentIntentConfirmParams, _one(intents.confirm)),
    _post("payment_intents/{id}/cancel", sdk.PaymentIntentCancelParams, _one(intents.cancel)),
    _post("setup_intents", sdk.SetupIntentCreateParams, _many(setups.create)),
    _get("setup_intents", sdk.SetupIntentListParams, _many(setups.listed)),
    _get("setup_intents/{id}", sdk.SetupIntentRetrieveParams, _bare(setups.retrieve)),
    _post("setup_intents/{id}", sdk.SetupIntentUpdateParams, _one(setups.update)),
    _post("setup_intents/{id}/confirm", sdk.SetupIntentConfirmParams, _one(setups.confirm)),
    _post("setup_intents/{id}/cancel", sdk.SetupIntentCancelParams, _one(setups.cancel)),
    _post("checkout/sessions", sdk_checkout.SessionCreateParams, _many(checkout.create)),
    _get("checkout/sessions/{id}", sdk_checkout.SessionRetrieveParams, _bare(checkout.retrieve)),
    _post("checkout/sessions/{id}/expire", sdk_checkout.SessionExpireParams, _bare(checkout.expire)),
    _post("subscriptions", sdk.SubscriptionCreateParams, _many(subscriptions.create)),
    _get("subscriptions/{id}", sdk.SubscriptionRetrieveParams, _bare(subscriptions.retrieve)),
    _post("subscriptions/{id}", sdk.SubscriptionUpdateParams, _one(subscriptions.update)),
    _delete("subscriptions/{id}", sdk.SubscriptionCancelParams, _bare(subscriptions.cancel)),
    _get("balance_transactions/{id}", sdk.BalanceTransactionRetrieveParams, _bare(charges.retrieve_move)),
    _get("charges", sdk.ChargeListParams, _many(charges.listed)),
    _get("charges/{id}", sdk.ChargeRetrieveParams, _bare(charges.retrieve)),
    _post("charges/{id}", sdk.ChargeUpdateParams, _one(charges.update)),
    _post("refunds", sdk.RefundCreateParams, _many(refunds.create)),
    _get("refunds", sdk.RefundListParams, _many(refunds.listed)),
    _get("refunds/{id}", sdk.RefundRetrieveParams, _bare(refunds.retrieve)),
    _post("refunds/{id}", sdk.RefundUpdateParams, _one(refunds.update)),
    _get("disputes", sdk.DisputeListParams, _many(disputes.listed)),
    _get("disputes/{id}", sdk.DisputeRetrieveParams, _bare(disputes.retrieve)),
    _post("disputes/{id}", sdk.DisputeUpdateParams, _one(disputes.update)),
    _post("disputes/{id}/close", sdk.DisputeCloseParams, _bare(disputes.close)),
    _get(
        "radar/early_fraud_warnings",
        sdk_radar.EarlyFraudWarningListParams,
        _many(disputes.listed_warnings),
    ),
    _get(
        "radar/early_fraud_warnings/{id}",
        sdk_radar.EarlyFraudWarningRetrieveParams,
        _bare(disputes.retrieve_warning),
    ),
    _get("mandates/{id}", sdk.MandateRetrieveParams, _bare(mandates.retrieve)),
    _get("events", sdk.EventListParams, _many(events.list_events)),
    _get("events/{id}", sdk.EventRetrieveParams, _bare(events.retrieve_event)),
    _post("webhook_endpoints", sdk.WebhookEndpointCreateParams, _many(events.create_endpoint)),
    _get("webhook_endpoints", sdk.WebhookEndpointListParams, _many(events.list_endpoints)),
    _get("webhook_endpoints/{id}", sdk.WebhookEndpointRetrieveParams, _bare(events.retrieve_endpoint)),
    _post("webhook_endpoints/{id}", sdk.WebhookEndpointUpdateParams, _one(events.update_endpoint)),
    _delete("webhook_endpoints/{id}", sdk.WebhookEndpointDeleteParams, _bare(events.delete_endpoint)),
    _post("test_helpers/test_clocks", sdk_clocks.TestClockCreateParams, _many(events.create_clock)),
    _get("test_helpers/test_clocks", sdk_clocks.TestClockListParams, _many(events.list_clocks)),
    _get("test_helpers/test_clocks/{id}", sdk_clocks.TestClockRetrieveParams, _bare(events.retrieve_clock)),
    _post(
        "test_helpers/test_clocks/{id}/advance", sdk_clocks.TestClockAdvanceParams, _one(events.advance_clock)
    ),
    _delete("test_helpers/test_clocks/{id}", sdk_clocks.TestClockDeleteParams, _bare(events.delete_clock)),
)
