"""Every operation of the API once, in an order in which each of them works: a shop, two customers, a few months."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Final

import requests
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.core import NOT_SET
from schemathesis.core.result import Ok
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
PATIENCE_SECONDS: Final = 90
BACK: Final = "https://app.example.com/welcome"
"""Below an address to which customers may be led back."""
BEGINS: Final = "2041-01-31T09:00:00Z"
PARIS: Final = {"line1": "12 rue de la Paix", "postal_code": "75002", "city": "Paris", "country": "FR"}


class Told:
    """The API by its own document: each call is held against it, and its status is noted."""

    def __init__(self, document: dict[str, Any], base: str, key: str) -> None:
        self.schema: BaseSchema = schemathesis.openapi.from_dict(document)
        self.operations: dict[str, Any] = {}
        for result in self.schema.get_all_operations():
            assert isinstance(result, Ok), result
            operation = result.ok()
            self.operations[operation.label] = operation
        self.statuses: defaultdict[str, set[int]] = defaultdict(set)
        self._base = base
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"Bearer {key}"

    def tell(self, case: Any) -> Any:
        """Make a call and hold its answer against the document."""
        response = case.call(base_url=self._base, session=self._session, timeout=PATIENCE_SECONDS)
        self.statuses[case.operation.label].add(response.status_code)
        case.validate_response(response, checks=CHECKS)
        return response

    def __call__(
        self,
        label: str,
        body: Any = NOT_SET,
        query: Any = None,
        **path: Any,
    ) -> Any:
        """One operation of the story, which has to work."""
        media_type = None if body is NOT_SET else "application/json"
        case = self.operations[label].Case(
            path_parameters=path, query=query, body=body, media_type=media_type
        )
        response = self.tell(case)
        assert response.status_code in (200, 201), f"{label}: {response.text}"
        is_json = "json" in response.headers["content-type"][0]
        return response.json() if is_json else response.content


def live(tell: Told, cards: dict[str, str]) -> dict[str, str]:
    """Live the story; the ids that can be named afterwards, by their place in a path or body.

    Args:
        tell: the API.
        cards: payment methods of the fake Stripe: `good` and `spare` are paid, `late` is declined; `account` is a
            bank account.
    """
    tell("GET /healthz")
    tell("GET /readyz")
    plan = _offer(tell)
    clock = tell("POST /v1/test_clocks", {"name": "story", "now": BEGINS})["id"]
    tell("GET /v1/test_clocks")
    tell("GET /v1/test_clocks/{test_clock}", test_clock=clock)
    customer = _sign_up(tell, clock, cards)
    subscription = _steer(tell)
    tell("POST /v1/test_clocks/{test_clock}/advance", {"to": "2041-03-01T12:00:00Z"}, test_clock=clock)
    invoice = _correct(tell)
    _chase(tell)
    event, endpoint = _follow(tell)
    return {
        "event": event,
        "webhook_endpoint": endpoint,
        "plan": plan,
        "coupon": "WELCOME20",
        "test_clock": clock,
        "customer": customer,
        "subscription": subscription,
        "invoice": invoice,
    }


def _offer(tell: Told) -> str:
    price = {"name": "Gold", "currency": "EUR", "every": "1month", "amount": "49.00"}
    tell("PUT /v1/plans/{plan}", price, plan="ref:gold")
    metered = {
        "name": "Calls",
        "reference": "calls",
        "currency": "EUR",
        "every": "monthly",
        "prices": [
            {"id": "base", "unit_amount": "10"},
            {
                "id": "calls",
                "charging": "metered",
                "model": "per_unit",
                "unit_amount": "0.01",
                "meter": "calls",
            },
        ],
        "features": [{"key": "calls", "kind": "meter", "limit": 1000}, {"key": "export"}],
    }
    tell("POST /v1/plans", metered)
    plan: str = tell("POST /v1/plans", {**price, "name": "Old"})["id"]
    tell("POST /v1/plans/{plan}/archive", plan=plan)
    tell("PATCH /v1/plans/{plan}", {"metadata": {"tier": "2"}}, plan="ref:gold")
    tell("GET /v1/plans", query={"archived": "true", "limit": 2})
    tell("POST /v1/coupons", {"code": "WELCOME20", "percent": "20", "periods": 3})
    tell("POST /v1/coupons", {"code": "OLD", "amount": "5", "currency": "EUR"})
    tell("POST /v1/coupons/{coupon}/archive", coupon="OLD")
    tell("GET /v1/coupons")
    tell("GET /v1/coupons/{coupon}", coupon="WELCOME20")
    found: str = tell("GET /v1/plans/{plan}", plan="ref:gold")["id"]
    return found


def _sign_up(tell: Told, clock: str, cards: dict[str, str]) -> str:
    acme = {
        "kind": "business",
        "name": "Acme SARL",
        "contacts": [{"email": "billing@acme.example"}],
        "siren": "303265045",
        "vat_number": "FR40303265045",
        "address": PARIS,
        "test_clock": clock,
    }
    tell("PUT /v1/customers/{customer}", acme, customer="ref:acme")
    tell("PATCH /v1/customers/{customer}", {"segment": "small"}, customer="ref:acme")
    late = {
        "reference": "late",
        "name": "Late",
        "contacts": [{"email": "late@example.com"}],
        "test_clock": clock,
    }
    tell("POST /v1/customers", late)
    tell("POST /v1/setup_intents", {"customer": "ref:acme"})
    for name, card in (("acme", "good"), ("late", "late")):
        tell("POST /v1/payment_methods", {"customer": f"ref:{name}", "token": cards[card]})
    session = tell("POST /v1/portal_sessions", {"customer": "ref:acme", "start": "invoices"})["id"]
    tell("POST /v1/portal_sessions/{portal_session}/revoke", portal_session=session)
    new = {"plan": "ref:gold", "reference": "signing-up", "success_url": BACK, "test_clock": clock}
    tell("POST /v1/signup_sessions", {**new, "customer": {"kind": "business", "country": "DE"}})
    signing_up = {"signup_session": "ref:signing-up"}
    assert tell("GET /v1/signup_sessions/{signup_session}", **signing_up)["state"] == "open"
    ended = tell("POST /v1/signup_sessions/{signup_session}/expire", **signing_up)
    assert (ended["state"], ended["url"]) == ("expired", None)
    whose = {"customer": "ref:acme"}
    spare = tell("POST /v1/payment_methods", {**whose, "token": cards["spare"], "as_default": False})
    method, good = spare["id"], {"payment_method": cards["good"]}
    tell(
        "POST /v1/payment_methods/{payment_method}/make-backup",
        {**whose, "agreed": True},
        payment_method=method,
    )
    tell("POST /v1/payment_methods/{payment_method}/drop-backup", whose, payment_method=method)
    tell("POST /v1/payment_methods/{payment_method}/make-default", whose, payment_method=method)
    tell("POST /v1/payment_methods/{payment_method}/make-default", whose, **good)
    tell("POST /v1/payment_methods/{payment_method}/detach", whose, payment_method=method)
    tell("GET /v1/payment_methods", query=whose)
    accepted = {"accepted_at": BEGINS, "ip_address": "203.0.113.7", "user_agent": "Firefox"}
    account = {**whose, "token": cards["account"], "as_default": False, "mandate": accepted}
    tell("POST /v1/payment_methods", account)
    (mandate,) = tell("GET /v1/mandates", query=whose)["data"]
    tell("GET /v1/mandates/{mandate}", mandate=mandate["id"])
    tell("POST /v1/mandates/{mandate}/revoke", {"reason": "by letter"}, mandate=mandate["id"])
    tell("GET /v1/customers")
    customer: str = tell("GET /v1/customers/{customer}", customer="ref:acme")["id"]
    return customer


def _steer(tell: Told) -> str:
    asked = {"customer": "ref:acme", "plan": "ref:gold", "wait_for_payment": True}
    started = tell("PUT /v1/subscriptions/{subscription}", asked, subscription="ref:acme")
    assert started["first_payment"]["outcome"] == "paid"
    for name, customer, plan in (
        ("calls", "acme", "calls"),
        ("paused", "acme", "gold"),
        ("regret", "late", "gold"),
        ("late", "late", "gold"),
        ("later", "late", "gold"),
    ):
        body = {"reference": name, "customer": f"ref:{customer}", "plan": f"ref:{plan}"}
        tell("POST /v1/subscriptions", {**body, "wait_for_payment": True})
    acme = {"subscription": "ref:acme"}
    change = {"plan": "ref:calls", "when": "now"}
    tell("POST /v1/subscriptions/{subscription}/preview-change", change, **acme)
    tell("POST /v1/subscriptions/{subscription}/change", {"plan": "ref:calls"}, **acme)
    tell("POST /v1/subscriptions/{subscription}/undo-change", **acme)
    for body in ({}, {"on": "2041-12-10", "reason": "moves abroad"}):
        asked = tell("POST /v1/subscriptions/{subscription}/cancel", body, **acme)["command"]
        tell("GET /v1/commands/{command}", command=asked)
        tell("POST /v1/subscriptions/{subscription}/reactivate", **acme)
    tell("POST /v1/subscriptions/{subscription}/coupons", {"code": "WELCOME20"}, **acme)
    tell("POST /v1/subscriptions/{subscription}/pause", {"when": "now"}, subscription="ref:paused")
    tell("POST /v1/subscriptions/{subscription}/resume", {}, subscription="ref:paused")
    tell("POST /v1/subscriptions/{subscription}/withdraw", {}, subscription="ref:regret")
    tell("PATCH /v1/subscriptions/{subscription}", {"metadata": {"crm": "7"}}, **acme)
    tell("GET /v1/subscriptions", query={"customer": "ref:acme", "plan": "ref:gold", "status": "active"})
    tell("GET /v1/subscriptions/{subscription}/overview", **acme)
    events = [{"id": "e1", "meter": "calls", "quantity": "250"}]
    tell("POST /v1/usage", {"subscription": "ref:calls", "events": events})
    tell("GET /v1/usage", query={"subscription": "ref:calls"})
    tell("GET /v1/customers/{customer}/entitlements", customer="ref:acme")
    subscription: str = tell("GET /v1/subscriptions/{subscription}", **acme)["id"]
    return subscription


def _correct(tell: Told) -> str:
    invoices = tell("GET /v1/invoices", query={"subscription": "ref:acme", "status": "paid"})["data"]
    first = invoices[-1]["id"]
    tell("GET /v1/invoices/{invoice}", invoice=first)
    assert tell("GET /v1/invoices/{invoice}/pdf", invoice=first).startswith(b"%PDF-")
    assert b"CrossIndustryInvoice" in tell("GET /v1/invoices/{invoice}/facturx", invoice=first)
    why = {"reason": "goodwill"}
    tell("POST /v1/invoices/{invoice}/credit", {**why, "amount_minor": 1200}, invoice=first)
    tell("POST /v1/invoices/{invoice}/refund", {**why, "amount_minor": 1200}, invoice=first)
    rectified = {"buyer": {"name": "Acme SAS"}}
    tell("POST /v1/invoices/{invoice}/rectify", rectified, invoice=invoices[0]["id"])
    tell("GET /v1/customers/{customer}/balances", customer="ref:acme")
    back = {**why, "source": "balance", "amount_minor": 100}
    tell("POST /v1/customers/{customer}/refunds", back, customer="ref:acme")
    tell("GET /v1/refunds", query={"customer": "ref:acme"})
    found: str = first
    return found


def _chase(tell: Told) -> None:
    chased, other = (
        tell("GET /v1/invoices", query={"subscription": f"ref:{name}", "status": "open"})["data"][0]["id"]
        for name in ("late", "later")
    )
    it = {"invoice": chased}
    tell("POST /v1/invoices/{invoice}/dunning/promise", {"on": "2041-03-08"}, **it)
    tell("POST /v1/invoices/{invoice}/dunning/resume", {}, **it)
    tell("POST /v1/invoices/{invoice}/dunning/pause", {"until": "2041-03-09"}, **it)
    tell("POST /v1/invoices/{invoice}/dunning/resume", {}, **it)
    tell("POST /v1/invoices/{invoice}/dunning/skip", {}, **it)
    tell("POST /v1/invoices/{invoice}/dunning/extend", {"end_on": "2041-04-20"}, **it)
    tell("POST /v1/invoices/{invoice}/dunning/retry", **it)
    paid = {"invoices": [other], "amount_minor": 5880, "received_on": "2041-03-01"}
    tell("POST /v1/payments", paid)
    tell("POST /v1/invoices/{invoice}/write-off", {"reason": "moved away"}, **it)


def _follow(tell: Told) -> tuple[str, str]:
    page = tell("GET /v1/events", query={"subscription": "ref:acme", "type": ["access.*"]})
    event: str = page["data"][0]["id"]
    assert tell("GET /v1/events/{event}", event=event)["type"] == "access.granted"
    new = {"url": "http://127.0.0.1:9/events", "owner": "dev@example.com", "types": ["invoice.*"]}
    endpoint: str = tell("POST /v1/webhook_endpoints", new)["id"]
    it: dict[str, Any] = {"webhook_endpoint": endpoint}
    tell("GET /v1/webhook_endpoints")
    tell("GET /v1/webhook_endpoints/{webhook_endpoint}", **it)
    wanted = {"types": ["invoice.*", "access.*"]}
    tell("PATCH /v1/webhook_endpoints/{webhook_endpoint}", wanted, **it)
    assert not tell("POST /v1/webhook_endpoints/{webhook_endpoint}/test", **it)["delivered"]
    before = tell("GET /v1/webhook_endpoints/{webhook_endpoint}/secret", **it)["secret"]
    tell("POST /v1/webhook_endpoints/{webhook_endpoint}/rotate-secret", {}, **it)
    assert tell("GET /v1/webhook_endpoints/{webhook_endpoint}/secret", **it)["secret"] != before
    tell("POST /v1/webhook_endpoints/{webhook_endpoint}/disable", **it)
    assert tell("POST /v1/webhook_endpoints/{webhook_endpoint}/replay", {"after": event}, **it)["behind"] > 0
    tell("POST /v1/webhook_endpoints/{webhook_endpoint}/enable", {"skip_missed": True}, **it)
    tell("GET /v1/webhook_endpoints/{webhook_endpoint}/deliveries", **it)
    return event, endpoint
