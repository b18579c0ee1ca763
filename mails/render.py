"""From a kind and its context to subject, text and HTML."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup, escape
from mjml import mjml2html

from billing.values import Value
from mails.content import END_STRONG, STRONG, Content, MailContentError, clean, parse, without_marks
from mails.context import MailContext, check_complete
from mails.environment import TEMPLATES, content_environment
from mails.formats import Language
from mails.kinds import MailKind
from mails.plain_text import set_as_text

TEST_PREFIX = "[TEST] "


class RenderedMail(Value):
    """A mail ready to be sent."""

    subject: str
    text: str
    html: str


def render(kind: MailKind, context: MailContext) -> RenderedMail:
    """Write the mail of `kind` in the reader's language.

    Raises:
        MissingMailField: `context` lacks something that the mail must say.
        MailContentError: the content file is at fault, not the caller.
    """
    check_complete(kind, context)
    content = _content(kind, context)
    return set_mail(content, language=context.language, sender=context.merchant.name, test=context.test)


def set_mail(content: Content, *, language: Language, sender: str, test: bool) -> RenderedMail:
    """Set the blocks of a mail as text and as HTML.

    Args:
        content: with its subject.
        language: of the reader.
        sender: shown on top.
        test: sent from a sandbox or a test clock: the subject says so.
    """
    subject = (TEST_PREFIX if test else "") + without_marks(content.subject)
    return RenderedMail(
        subject=subject,
        text=set_as_text(content, language),
        html=_layout().render(
            content=content, subject=subject, language=language.value, merchant=clean(sender)
        ),
    )


def _content(kind: MailKind, context: MailContext) -> Content:
    values = {name: getattr(context, name) for name in MailContext.model_fields}
    values |= {"kind": kind, "language": context.language, "open_totals": context.open_totals}
    for name in ("method_label", "in_place_of"):
        label = getattr(context, name)
        if label:
            values[name] = label.replace(" ", "\u00a0")
    environment = content_environment()
    parts = (
        environment.get_template(f"{context.language}/{name}.txt").render(values)
        for name in ("_opening", kind, "_closing")
    )
    content = parse("\n\n".join(parts))
    if not (content.subject and content.preheader):
        raise MailContentError(f"{context.language}/{kind}.txt needs a @subject and a @preheader.")
    return content


@cache
def _layout() -> Template:
    """The one layout, through MJML once per process; its Jinja tags pass through untouched."""
    html = mjml2html((TEMPLATES / "layout.mjml").read_text(encoding="utf-8"))
    environment = Environment(
        undefined=StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"inline": _inline, "block": lambda block: type(block).__name__.lower()}
    return environment.from_string(html)


def _inline(text: str) -> Markup:
    """Escaped text with its strong marks as elements."""
    escaped = str(escape(text)).replace(STRONG, "<strong>").replace(END_STRONG, "</strong>")
    return Markup(escaped)  # noqa: S704 - escaped in the line above
