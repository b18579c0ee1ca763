from __future__ import annotations

import re
from datetime import date, datetime
from html.parser import HTMLParser

import pytest
from jinja2 import meta
from pydantic import ValidationError
from support.suspicion import hint_in
from typing_extensions import override

from billing.payment import DeclineClass
from mails.context import MailContext, MailLine, MailMerchant, MissingMailField, OpenInvoice
from mails.environment import TEMPLATES, content_environment
from mails.formats import Language
from mails.kinds import KINDS, MailKind
from mails.preview import write_previews
from mails.render import RenderedMail, render
from mails.samples import samples

ALL_SAMPLES = [
    pytest.param(kind, context, id=f"{language}-{kind}-{name}")
    for language in Language
    for kind in MailKind
    for name, context in samples(kind, language).items()
]
BOTH = [(kind, language) for kind in MailKind for language in Language]
REQUIRED = [(kind, field) for kind in MailKind for field in KINDS[kind].requires]


def mail(
    kind: MailKind, language: Language = Language.FR, sample: str = "typical", **changes: object
) -> RenderedMail:
    return render(kind, samples(kind, language)[sample].model_copy(update=changes))


class Reader(HTMLParser):
    """What a mail program would fetch, and the words a reader would see."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.words: list[str] = []
        self.tags: set[str] = set()
        self.feed(html)

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "background")]

    @override
    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.mark.parametrize(("kind", "context"), ALL_SAMPLES)
def test_every_mail_is_complete_and_clean(kind: MailKind, context: MailContext) -> None:
    rendered = render(kind, context)
    reader = Reader(rendered.html)
    words = " ".join(reader.words)
    for part in (rendered.subject, rendered.text, words):
        assert not re.search(r"None|\{\{|\{%|\*\*|[\ue000-\uf8ff]|\b(True|False)\b", part)
    for part in (rendered.text, words):
        assert "SUB-1042" in part
        assert "aide@ateliernord.example" in part
        assert "SIREN 123 456 782" in part
    assert rendered.subject == rendered.subject.strip()
    assert "\n" not in rendered.subject
    assert len(rendered.html.encode()) < 60_000
    assert f'<html lang="{context.language}"' in rendered.html
    assert all(link in (context.pay_url, context.portal_url, context.cancel_url) for link in reader.links)
    assert len(reader.links) <= 1
    assert not reader.tags & {"img", "script", "link", "iframe", "form"}
    assert all(len(line) <= 72 or line.startswith("https://") for line in rendered.text.splitlines())


@pytest.mark.parametrize(("kind", "context"), ALL_SAMPLES)
def test_text_and_html_say_the_same(kind: MailKind, context: MailContext) -> None:
    rendered = render(kind, context)
    in_html = set(re.findall(r"\w+", " ".join(Reader(rendered.html).words)))
    in_text = set(re.findall(r"\w+", re.sub(r"https://\S+", "", rendered.text)))
    assert in_text <= in_html


@pytest.mark.parametrize(("kind", "field"), REQUIRED)
@pytest.mark.parametrize("language", Language)
def test_a_missing_field_is_named(kind: MailKind, field: str, language: Language) -> None:
    empty: object = () if field == "open_invoices" else None
    with pytest.raises(MissingMailField, match=f"{kind} needs {field}") as refused:
        render(kind, samples(kind, language)["typical"].model_copy(update={field: empty}))
    assert refused.value.field == field


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("kind", MailKind)
def test_the_required_fields_are_enough(kind: MailKind, language: Language) -> None:
    sample = samples(kind, language)["typical"]
    kept = {"locale", "merchant", "subscription_reference", *KINDS[kind].requires}
    bare = MailContext.model_validate({name: getattr(sample, name) for name in kept})
    assert bare.merchant.support_mail in render(kind, bare).text


def test_an_amount_without_currency_is_refused() -> None:
    with pytest.raises(MissingMailField, match="needs currency"):
        mail(MailKind.RESUMED, currency=None)


def test_each_kind_has_one_file_in_each_language_and_no_file_is_left_over() -> None:
    kinds = {f"{kind}.txt" for kind in MailKind}
    shared = {path.name for path in (TEMPLATES / "fr").iterdir() if path.name.startswith("_")}
    for language in Language:
        assert {path.name for path in (TEMPLATES / language).iterdir()} == kinds | shared


@pytest.mark.parametrize("name", sorted(path.name for path in (TEMPLATES / "fr").iterdir()))
def test_both_languages_have_the_same_variables_and_blocks(name: str) -> None:
    environment = content_environment()
    outlines = []
    for language in Language:
        source = (TEMPLATES / language / name).read_text(encoding="utf-8")
        tree = environment.parse(source)
        includes = [include.split("/")[1] for include in re.findall(r'include "(.*?)"', source)]
        commands = re.findall(r"^@\w+", source, flags=re.MULTILINE)
        conditions = re.findall(r"\{% (?:el)?if (.*?) %\}", source)
        outlines.append(
            (meta.find_undeclared_variables(tree), includes, commands, sorted(conditions), source.count("**"))
        )
        assert all(include.startswith(f"{language}/") for include in re.findall(r'include "(.*?)"', source))
    assert outlines[0] == outlines[1]


@pytest.mark.parametrize("name", sorted(path.name for path in (TEMPLATES / "fr").iterdir()))
def test_no_typewriter_apostrophes_in_words(name: str) -> None:
    for language in Language:
        source = (TEMPLATES / language / name).read_text(encoding="utf-8")
        assert "'" not in re.sub(r"\{[{%].*?[}%]\}", "", source)


def test_the_first_decline_in_french() -> None:
    rendered = mail(MailKind.PAYMENT_FAILED)
    assert rendered.subject == "Votre paiement de 58,80\u00a0€ n’a pas abouti"
    assert rendered.text == (
        "Bonjour Anna Rossi,\n"
        "\n"
        "Le 31 janvier 2027, le paiement de 58,80\u00a0€ avec Visa\u00a0••••\u00a04242 pour\n"
        "votre facture 2027-000131 (abonnement «\u00a0Pro\u00a0») n’a pas abouti. Votre\n"
        "banque ne l’a pas accepté cette fois-ci. Cela arrive, et un nouvel essai\n"
        "suffit souvent.\n"
        "\n"
        "Nous essaierons de nouveau le 1er février 2027. Vous pouvez aussi régler\n"
        "dès maintenant, ou changer de moyen de paiement.\n"
        "\n"
        "En attendant, votre abonnement continue normalement.\n"
        "\n"
        "Régler maintenant\u00a0:\n"
        "https://pay.ateliernord.example/i/7Qd2\n"
        "\n"
        "Bien à vous,\n"
        "\n"
        "Atelier Nord\n"
        "\n"
        "-- \n"
        "Référence du contrat\u00a0: SUB-1042\n"
        "Une question\u202f? Écrivez-nous à aide@ateliernord.example.\n"
        "Atelier Nord, 12 rue des Tanneurs, 59000 Lille, France\n"
        "SAS au capital de 10 000 €, SIREN 123 456 782 RCS Lille, TVA\n"
        "FR12123456782\n"
    )


def test_the_last_notice_names_amount_deadline_and_consequence_in_a_box() -> None:
    box = (
        "+----------------------------------------------------------------------+\n"
        "| Amount to pay: €58.80                                                |\n"
        "| Deadline: 20 February 2027, that day included                        |\n"
        "| Without payment by then: your Pro subscription will be suspended and |\n"
        "| you will no longer have access to the service. The amount will       |\n"
        "| remain due.                                                          |\n"
        "+----------------------------------------------------------------------+\n"
    )
    assert box in mail(MailKind.LAST_NOTICE, Language.EN).text


def test_the_renewal_notice_has_its_deadline_in_a_visible_box() -> None:
    rendered = mail(MailKind.RENEWAL_NOTICE)
    assert (
        "+----------------------------------------------------------------------+\n"
        "| Date limite pour refuser la reconduction\u00a0: 30 avril 2027 inclus      |\n"
        "+----------------------------------------------------------------------+\n"
    ) in rendered.text
    assert "1er mai 2027" in rendered.text
    assert "30 avril 2028" in rendered.text
    assert "1\u202f188,00\u00a0€" in rendered.text
    assert "https://pay.ateliernord.example/cancel" in rendered.html
    assert "border: 2px solid" in rendered.html


def test_several_open_invoices_are_listed_with_their_total() -> None:
    rendered = mail(MailKind.PAYMENT_REMINDER, Language.EN, "several")
    assert rendered.subject == "Reminder: €1,246.80 to pay"
    assert (
        "Invoice 2027-000131 of 31 January 2027 (contract SUB-1042)        €58.80\n"
        "Invoice 2027-000164 of 10 February 2027 (contract SUB-2107)    €1,188.00\n"
        "------------------------------------------------------------------------\n"
        "Total to pay                                                   €1,246.80\n"
    ) in rendered.text


def test_totals_are_never_added_across_currencies() -> None:
    euro = samples(MailKind.PAYMENT_REMINDER, Language.FR)["typical"].open_invoices[0]
    dollar = OpenInvoice(
        number="2027-000170",
        issued_on=date(2027, 2, 1),
        currency="USD",
        open_minor=1000,
        subscription_reference="SUB-7",
    )
    rendered = mail(MailKind.PAYMENT_REMINDER, open_invoices=(euro, dollar))
    assert rendered.subject == "Rappel\u00a0: 58,80\u00a0€ et 10,00\u00a0$US à régler"


@pytest.mark.parametrize(("kind", "language"), BOTH)
def test_no_mail_hints_at_fraud(kind: MailKind, language: Language) -> None:
    for name in samples(kind, language):
        rendered = mail(kind, language, name, decline_class=DeclineClass.FRAUD_STOP, next_try_on=None)
        for part in (rendered.subject, rendered.text, " ".join(Reader(rendered.html).words)):
            assert hint_in(part) is None


@pytest.mark.parametrize("language", Language)
def test_each_decline_class_has_its_own_words(language: Language) -> None:
    texts = {
        mail(MailKind.PAYMENT_FAILED, language, decline_class=decline, next_try_on=None).text
        for decline in [None, *DeclineClass]
    }
    assert len(texts) == 6


def test_a_hostile_name_is_only_text() -> None:
    name = '<script>alert(1)</script>"\r\n@button https://evil.example | Win\n**{{ 7 * 7 }}** \ue000subject x'
    rendered = mail(MailKind.RECEIPT, customer_name=name)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in rendered.html
    assert "script" not in Reader(rendered.html).tags
    assert "https://evil.example" not in Reader(rendered.html).links
    assert "**{{ 7 * 7 }}**" in rendered.html
    assert "Bonjour <script>alert(1)</script>" in rendered.text


def test_hostile_names_do_not_leave_the_subject_nor_its_attribute() -> None:
    rendered = mail(MailKind.TRIAL_ENDING, plan_name='Pro"><img src=x>\r\nBcc: all@example.org')
    assert rendered.subject == (
        'Votre essai «\u00a0Pro"><img src=x> Bcc: all@example.org\u00a0» se termine le 28 février 2027'
    )
    assert "img" not in Reader(rendered.html).tags


def test_lines_and_merchants_are_escaped_too() -> None:
    merchant = MailMerchant(
        name="A & <b>Sons</b>", address_lines=("1 <i>St</i>",), support_mail="a@b.example", legal_line="<u>"
    )
    line = MailLine(description="<b>5 | seats</b>", net_minor=4900)
    rendered = mail(MailKind.RECEIPT, merchant=merchant, lines=(line,))
    assert not Reader(rendered.html).tags & {"b", "i", "u"}
    assert "<b>5 | seats</b>" in rendered.text


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "ftp://a.example", "https://a.example/\nx", "https://a b"]
)
def test_only_web_links_are_taken(url: str) -> None:
    with pytest.raises(ValidationError, match="a link starts with https://"):
        context_with(pay_url=url)


def test_bad_zones_currencies_and_naive_instants_are_refused() -> None:
    with pytest.raises(ValidationError, match="IANA"):
        context_with(timezone="Mars/Olympus")
    with pytest.raises(ValidationError, match="EURO"):
        context_with(currency="EURO")
    with pytest.raises(ValidationError, match="timezone"):
        context_with(deadline_at=datetime(2027, 2, 1, 7, 12))  # noqa: DTZ001 - the point of the test


def context_with(**fields: object) -> MailContext:
    base = samples(MailKind.RECEIPT, Language.FR)["typical"].model_dump()
    return MailContext.model_validate(base | fields)


def test_a_test_mail_says_so_first() -> None:
    rendered = mail(MailKind.RECEIPT, Language.EN, "test")
    assert rendered.subject == "[TEST] Payment received: €58.80"
    assert rendered.text.startswith("=== Test message: no real payment is involved. ===\n")


def test_the_receipt_says_that_the_service_is_back() -> None:
    assert (
        "Votre abonnement «\u00a0Pro\u00a0» est de nouveau actif."
        in mail(MailKind.RECEIPT, sample="restored").text
    )


def test_only_messages_that_the_law_asks_for_are_sent_again() -> None:
    assert {kind for kind in MailKind if KINDS[kind].legal_notice} == {
        MailKind.RENEWAL_NOTICE,
        MailKind.CANCEL_SCHEDULED,
        MailKind.SUBSCRIPTION_CANCELED,
        MailKind.WITHDRAWAL_CONFIRMED,
        MailKind.PRICE_CHANGE,
        MailKind.DEBIT_NOTICE,
        MailKind.ORDER_CONFIRMED,
    }


def test_the_registry_covers_every_kind_with_real_fields() -> None:
    assert list(KINDS) == list(MailKind)
    for spec in KINDS.values():
        assert set(spec.requires) <= set(MailContext.model_fields)


def test_a_context_survives_json() -> None:
    context = samples(MailKind.PAYMENT_REMINDER, Language.FR)["several"]
    again = MailContext.model_validate_json(context.model_dump_json())
    assert again == context


def test_the_preview_writes_every_mail(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("preview")
    written = write_previews(folder)
    assert (
        written == len(list(folder.glob("*/*.html"))) == len(list(folder.glob("*/*.txt"))) == len(ALL_SAMPLES)
    )
    assert "Anna Rossi" in (folder / "fr" / "receipt.typical.txt").read_text(encoding="utf-8")
