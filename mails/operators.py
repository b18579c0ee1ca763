"""Mails to those who run the integration, not to customers: about an endpoint that takes no events any more."""

from __future__ import annotations

from typing import Literal

from billing.values import Value
from mails.content import parse
from mails.environment import content_environment
from mails.formats import Language
from mails.render import RenderedMail, set_mail

Why = Literal["gone", "silent"]
_WHY = {
    Language.EN: {
        "gone": "it answered that it wants no more (410 Gone)",
        "silent": "it failed for three days",
    },
    Language.FR: {
        "gone": "elle a répondu ne plus rien vouloir (410 Gone)",
        "silent": "elle est en échec depuis trois jours",
    },
}


class EndpointDisabled(Value):
    """What the mail is told."""

    locale: str
    endpoint: str
    url: str
    host: str
    why: Why
    test: bool = False


def render_endpoint_disabled(told: EndpointDisabled) -> RenderedMail:
    """The mail that says that an endpoint was disabled."""
    language = Language.of(told.locale)
    template = content_environment().get_template(f"{language}/_endpoint_disabled.txt")
    values = told.model_dump() | {"why": _WHY[language][told.why]}
    content = parse(template.render(values))
    return set_mail(content, language=language, sender="Relance", test=told.test)
