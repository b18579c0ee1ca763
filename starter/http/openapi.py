"""The OpenAPI document: what every call has in common is written into it in one place."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from starter.http.problems import MEDIA_TYPE

VERSION: Final = "1"
PATH: Final = "/openapi.json"
_API: Final = "/v1/"
_LIST_OF: Final = re.compile(r"Page(?:_(\w+?)_(?=\W)|\[(\w+)\])")
"""What the schemas of lists are called: `CustomerList` reads better in a generated client than `Page_Customer_`."""
_DESCRIPTION: Final = """
Start subscriptions, steer them, and ask what a customer may use.

* **Keys.** Each call carries a key: `Authorization: Bearer rlk_test_...`. Keys are made by `relance api-key create`,
  for one mode and with scopes: `read`, `write`, `support`, `admin`.
* **References.** Wherever an id is taken, your own reference is too, as `ref:acme`. `PUT` by reference creates what is
  not there yet, and updates what describes it; `PATCH` changes a part.
* **Safe to repeat.** Send an `Idempotency-Key` of your own with what changes something. For 24 hours the same call gets
  the same answer, whatever happened to the first one.
* **Amounts** end in `_minor` and are whole minor units: 4900 is EUR 49.00. Unit prices are decimals in major units.
* **Dates** are ISO 8601: days are local to the customer, instants have their offset, ends of periods are exclusive.
* **Lists** are newest first; `limit` and `starting_after` page through them while `has_more`.
* **Errors** are problem details (RFC 9457) with a stable `code`, the `field`, and the `remedy`.
"""
_TAGS: Final = (
    ("Customers", "Who buys, and what they may use."),
    ("Payment methods", "How they pay."),
    ("Plans", "What is on offer."),
    ("Coupons", "Discounts on offer."),
    ("Subscriptions", "Starting them, changing them, ending them, and how they stand."),
    ("Signing up", "Pages on which somebody signs up by oneself."),
    ("Usage", "What is billed in arrears."),
    ("Invoices", "What was billed, and what corrects it."),
    ("Dunning", "The chase of what is not paid."),
    ("Payments", "Transfers, lost answers, refunds."),
    ("Events", "Whatever happened, in order, to be polled."),
    ("Webhook endpoints", "Where events are sent."),
    ("Portal", "Ways into the customer's own space."),
    ("Test clocks", "A year in seconds."),
    ("Health", "Whether the process works."),
)
_PROBLEM: Final = {
    "type": "object",
    "title": "Problem",
    "description": "What is wrong, where, and what to do (RFC 9457).",
    "required": ["type", "title", "status", "detail", "code", "remedy"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string", "description": "The status in words."},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "A sentence for people, about this case."},
        "code": {"type": "string", "description": "The kind of error, for programs. It is stable."},
        "field": {"type": "string", "description": "What it is about."},
        "remedy": {"type": "string", "description": "What to do, and whether the call may be repeated."},
        "decline_code": {"type": "string", "description": "The bank's reason, where it refused."},
        "errors": {
            "type": "array",
            "description": "Everything that is wrong, where that is more than one thing.",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": ["string", "null"]}, "message": {"type": "string"}},
            },
        },
    },
    "example": {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "There is no customer ref:acme.",
        "code": "not_found",
        "field": "customer",
        "remedy": "Check the id, or name it by your own reference as ref:...",
    },
}
_ALWAYS: Final = {
    HTTPStatus.UNAUTHORIZED: "There is no valid key.",
    HTTPStatus.NOT_FOUND: "Something that is named does not exist.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Something that was sent is wrong; `field` says what.",
    HTTPStatus.SERVICE_UNAVAILABLE: "No worker, Temporal, Stripe or database. Safe to repeat with the same key.",
}
_WRITING: Final = {
    HTTPStatus.PAYMENT_REQUIRED: "The bank refused; `decline_code` says why.",
    HTTPStatus.FORBIDDEN: "The key has not the scope, or has reached its limit.",
    HTTPStatus.CONFLICT: "As things stand it can't be done. Nothing was changed.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The request is too large.",
}


def add_openapi(app: FastAPI) -> None:
    """Let the application describe itself at `PATH`."""

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = document(app)
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]  # FastAPI's documented way to change the document


def document(app: FastAPI) -> dict[str, Any]:
    """The document of the application's routes."""
    generated = get_openapi(
        title="Relance",
        version=VERSION,
        summary="Automatic billing and dunning for SaaS subscriptions.",
        description=_DESCRIPTION,
        routes=app.routes,
        separate_input_output_schemas=False,
        tags=[{"name": name, "description": said} for name, said in _TAGS],
    )
    text = _LIST_OF.sub(lambda found: f"{found[1] or found[2]}List", json.dumps(generated))
    made: dict[str, Any] = json.loads(text)
    schemas = made["components"]["schemas"]
    for theirs in ("HTTPValidationError", "ValidationError"):
        schemas.pop(theirs, None)
    schemas["Problem"] = _PROBLEM
    for path, methods in made["paths"].items():
        for method, operation in methods.items():
            _complete(path, method, operation)
    return made


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    """Add the problems that any call may be answered with."""
    responses: dict[str, Any] = operation["responses"]
    responses.pop("422", None)
    if not path.startswith(_API):
        return
    (needed,) = operation["security"]
    scopes = " or ".join(f"`{scope}`" for (of_scheme,) in [needed.values()] for scope in of_scheme)
    operation["description"] += f"\n\nNeeds a key with the scope {scopes}."
    problems = _ALWAYS | (_WRITING if method != "get" else {})
    for status, said in sorted(problems.items()):
        responses[str(status.value)] = {
            "description": said,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
