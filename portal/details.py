"""Billing details: what stands on the next invoice, who gets the mails, and in which language."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi import Response
from pydantic import ValidationError

from billing.errors import InvalidInput
from billing.subscription import CustomerKind
from mails.formats import Language
from models.parties import Address, Contact
from models.tables import Customer
from models.tax_identity import check_country
from portal.fields import countries
from portal.visiting import Form, Visit, Visitor, page_router
from starter.orders import CustomerChange, TaxFactsChange

router = page_router()

MOST_CONTACTS: Final = 3
_KINDS: Final = (CustomerKind.CONSUMER, CustomerKind.BUSINESS)
"""What a customer can say of themselves; the seller knows of the others."""
_ADDRESS: Final = ("line1", "line2", "postal_code", "city", "country")


@router.get("/details")
async def details(visit: Visitor, said: str = "") -> Response:
    """The details as they are."""
    return _page(visit, _as_fields(visit.customer), saved=said == "saved")


@router.post("/details")
async def change(sent: Form) -> Response:
    """Change them: on documents from the next one on. A VAT number is checked first, and goes with its address."""
    visit = sent.visit
    try:
        tax, rest = _asked(sent.fields, visit.customer)
        if tax is not None:
            await visit.door.relance.taxes.change_facts(visit.customer.id, tax, keeps_mentions=True)
        await visit.door.relance.change_customer(visit.customer.id, rest)
    except InvalidInput as problem:
        return _page(visit, sent.fields, wrong=problem.field or "address")
    return visit.go("details", said="saved")


def _page(visit: Visit, fields: Mapping[str, str], *, saved: bool = False, wrong: str = "") -> Response:
    keeps_kind = visit.customer.kind not in _KINDS
    return visit.show(
        "details.html",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if wrong else HTTPStatus.OK,
        page="details",
        fields=fields,
        saved=saved,
        wrong=wrong,
        kinds=() if keeps_kind else _KINDS,
        contacts=range(MOST_CONTACTS),
        countries=countries(visit.language),
    )


def _as_fields(customer: Customer) -> dict[str, str]:
    address = customer.address.model_dump() if customer.address is not None else {}
    mails = [contact["email"] for contact in customer.contacts[:MOST_CONTACTS]]
    return {
        "name": customer.name,
        "kind": customer.kind,
        "vat_number": customer.vat_number,
        "siren": customer.siren,
        "language": Language.of(customer.locale).value,
        **{part: address.get(part, "") for part in _ADDRESS},
        **{f"mail{place}": mail for place, mail in enumerate(mails)},
    }


def _asked(fields: Mapping[str, str], customer: Customer) -> tuple[TaxFactsChange | None, CustomerChange]:
    """What a form asks for, as far as it is something else than what is there.

    Raises:
        InvalidInput: a field is wrong; `field` names it.
    """
    before = _as_fields(customer)
    language = fields.get("language", "")
    # What is not written to in French is written to in English; somebody's `fr-CA` stays while the language does.
    locale = language if language in set(Language) and language != before["language"] else None
    contacts = _contacts(fields, customer)
    rest = _built(CustomerChange, name=fields.get("name", ""), contacts=contacts, locale=locale)
    facts = {name: fields.get(name, "") for name in ("kind", "vat_number", "siren", *_ADDRESS)}
    if customer.kind not in _KINDS:
        facts["kind"] = customer.kind
    if facts == {name: before[name] for name in facts}:
        return None, rest
    address = {part: facts.pop(part) for part in _ADDRESS}
    is_given = any(value for part, value in address.items() if part != "country")
    if customer.address is not None and not is_given:
        raise InvalidInput("An address can be changed, and not be taken away.", field="line1")
    if is_given and not address["country"]:
        raise InvalidInput("Choose a country.", field="country")
    if is_given:
        check_country(address["country"])
    tax = _built(TaxFactsChange, **facts, address=_built(Address, **address) if is_given else None)
    return tax, rest


def _contacts(fields: Mapping[str, str], customer: Customer) -> tuple[Contact, ...]:
    """Those of the form, with the names that are known; those that the form has no place for stay."""
    names = {contact["email"]: contact.get("name", "") for contact in customer.contacts}
    mails = dict.fromkeys(mail for place in range(MOST_CONTACTS) if (mail := fields.get(f"mail{place}", "")))
    if not mails:
        raise InvalidInput("Give at least one mail address.", field="contacts")
    kept = [contact for contact in customer.contacts[MOST_CONTACTS:] if contact["email"] not in mails]
    try:
        given = [_built(Contact, email=mail, name=names.get(mail, "")) for mail in mails]
    except InvalidInput as problem:
        raise InvalidInput(problem.message, field="contacts") from None
    return (*given, *(Contact.model_validate(contact) for contact in kept))


def _built(value: Any, **content: Any) -> Any:  # noqa: ANN401 - of any of these values
    try:
        return value(**content)
    except ValidationError as problem:
        place = str(problem.errors(include_url=False, include_input=False)[0]["loc"][0])
        raise InvalidInput("This cannot be right.", field=place) from None
