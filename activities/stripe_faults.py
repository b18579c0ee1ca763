"""The SDK's exceptions as our faults: what may be sent again, what a person must set right."""

from __future__ import annotations

import httpx
import stripe

from activities.gateway import ProviderMisconfigured, ProviderRefused, ProviderUnavailable
from billing.errors import RelanceError

_NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
"""Raised before a request was written."""


def fault_of(error: stripe.StripeError) -> RelanceError:
    """The fault behind an exception of the SDK that is not news about a payment."""
    match error:
        case stripe.APIConnectionError():
            return _no_answer(error)
        case stripe.RateLimitError():
            return ProviderUnavailable(
                f"Stripe takes no more requests for the moment: {_said(error)}",
                kind="rate_limited",
                may_have_run=False,
            )
        case stripe.AuthenticationError():
            return ProviderMisconfigured(
                "Stripe does not accept the API key. Set STRIPE_API_KEY to a valid secret key of your account.",
                field="STRIPE_API_KEY",
            )
        case stripe.PermissionError():
            return ProviderMisconfigured(
                f"Stripe's API key lacks a permission: {_said(error)} Give it to the key in STRIPE_API_KEY.",
                field="STRIPE_API_KEY",
            )
        case stripe.InvalidRequestError():
            return ProviderRefused(
                f"Stripe refused the request: {_said(error)}", reason=error.code, field=error.param
            )
        case stripe.IdempotencyError():
            return ProviderRefused(
                f"The idempotency key was used for other parameters before: {_said(error)}",
                reason="idempotency_error",
                field="idempotency_key",
            )
        case _:
            return _broken_answer(error)


def is_replayed_failure(error: stripe.StripeError) -> bool:
    """Whether this is a server error that Stripe keeps under the key: it would come again for ever."""
    replayed = (error.headers or {}).get("idempotent-replayed", "")
    return httpx.codes.is_server_error(error.http_status or 0) and str(replayed).lower() == "true"


def _no_answer(error: stripe.APIConnectionError) -> ProviderUnavailable:
    cause = error.__cause__
    timed_out = isinstance(cause, httpx.TimeoutException)
    return ProviderUnavailable(
        "Stripe gave no answer in time." if timed_out else "The connection to Stripe failed.",
        kind="timeout" if timed_out else "connection",
        may_have_run=not isinstance(cause, _NEVER_LEFT),
    )


def _broken_answer(error: stripe.StripeError) -> ProviderUnavailable:
    if error.http_status == httpx.codes.CONFLICT:
        return ProviderUnavailable(
            "Stripe still works on the first request with this key.", kind="conflict", may_have_run=True
        )
    return ProviderUnavailable(
        f"Stripe failed with status {error.http_status}: {_said(error)}",
        kind="server_error",
        may_have_run=True,
    )


def _said(error: stripe.StripeError) -> str:
    return str(error.user_message or "no reason given.")
