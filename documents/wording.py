"""The words of documents, French and English side by side. To change what is printed, change them here.

In braces stand the facts of the document, already written as the reader expects them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from billing.lines import LineKind
from documents.document import DocumentKind, PaymentMeans
from mails.formats import Language


@dataclass(frozen=True)
class Words:
    """All words of one language."""

    titles: dict[DocumentKind, str]
    issued_on: str
    due_on: str
    purchase_order: str
    operation: str
    services: str
    corrects: str
    invoice_of: str
    billed_to: str
    description: str
    quantity: str
    unit_price: str
    unit_price_gross: str
    rate: str
    net: str
    gross: str
    base: str
    vat: str
    total_net: str
    vat_at: str
    total_gross: str
    credit_gross: str
    from_balance: str
    paid: str
    amount_due: str
    nothing_due: str
    to_open: str
    to_customer: str
    vat_in_eur: str
    exchange_rate: str
    page: str
    continued: str
    share_capital: str
    vat_number: str
    test: str
    lines: dict[LineKind, str]
    unused: str
    amount_of: str
    dates: str
    part: str
    part_one: str
    list_price: str
    discount_fallback: str
    per_package: str
    average: str
    late: str
    payment: str
    means: dict[PaymentMeans, str]
    method: str
    iban: str
    bic: str
    transfer_reference: str
    discount_terms: str
    late_penalty: str
    recovery_costs: str
    vat_on_debits: str


FR: Final = Words(
    titles={DocumentKind.INVOICE: "Facture", DocumentKind.CREDIT_NOTE: "Avoir"},
    issued_on="Date d’émission",
    due_on="Échéance",
    purchase_order="Bon de commande",
    operation="Nature de l’opération",
    services="Prestation de services",
    corrects="Facture rectifiée",
    invoice_of="{number} du {on}",
    billed_to="Facturé à",
    description="Désignation",
    quantity="Quantité",
    unit_price="Prix unitaire HT",
    unit_price_gross="Prix unitaire TTC",
    rate="TVA",
    net="Montant HT",
    gross="Montant TTC",
    base="Base HT",
    vat="Montant TVA",
    total_net="Total HT",
    vat_at="TVA {rate}",
    total_gross="Total TTC",
    credit_gross="Total de l’avoir TTC",
    from_balance="Réglé par votre solde créditeur",
    paid="Déjà réglé",
    amount_due="Net à payer",
    nothing_due="Facture acquittée",
    to_open="Déduit de la facture {number}",
    to_customer="En votre faveur",
    vat_in_eur="Montant de la TVA en euros : {amount}{rate}",
    exchange_rate=" (1 EUR = {per_eur} {currency} le {on})",
    page="Page {page} sur {pages}",
    continued="suite",
    share_capital="{form} au capital de {capital}",
    vat_number="N° TVA {number}",
    test="Document de test, sans valeur comptable",
    lines={
        LineKind.SUBSCRIPTION: "{name}",
        LineKind.ONE_OFF: "{name}",
        LineKind.USAGE: "{name}",
        LineKind.EARLY_EXIT: "{name} : indemnité de résiliation anticipée",
        LineKind.PRORATION_CREDIT: "{name} : temps non utilisé, après changement",
        LineKind.PRORATION_CHARGE: "{name} : temps restant, après changement",
        LineKind.CREDIT: "Avoir, {name}",
    },
    unused="{name} : temps non utilisé",
    amount_of="Avoir sur la facture {number}",
    dates="du {start} au {last}",
    part="{days} jours sur {whole}",
    part_one="1 jour sur {whole}",
    list_price="Montant avant remise {amount}, remise {names} : {off}",
    discount_fallback="accordée",
    per_package="Prix par lot de {size} unités entamé",
    average="Tarif par paliers, prix unitaire moyen",
    late="Consommation déclarée après la facturation de sa période",
    payment="Paiement",
    means={
        PaymentMeans.CARD: "Prélevé automatiquement sur votre carte enregistrée{method}.",
        PaymentMeans.SEPA_DEBIT: "Prélevé automatiquement sur votre compte{method}, selon votre mandat SEPA{mandate}.",
        PaymentMeans.TRANSFER: "À régler par virement au plus tard le {due_on}.",
        PaymentMeans.OPEN: "À régler au plus tard le {due_on} par le lien de paiement que vous avez reçu.",
    },
    method=" ({label})",
    iban="IBAN",
    bic="BIC",
    transfer_reference="Référence à rappeler",
    discount_terms="Pas d’escompte pour paiement anticipé.",
    late_penalty="En cas de retard de paiement, des pénalités sont exigibles sans rappel dès le lendemain de "
    "l’échéance, au taux de refinancement de la Banque centrale européenne majoré de 10\u00a0points "
    "(art.\u00a0L441-10 du code de commerce).",
    recovery_costs="Indemnité forfaitaire pour frais de recouvrement en cas de retard : 40 € "
    "(art.\u00a0D441-5 du code de commerce).",
    vat_on_debits="TVA acquittée d’après les débits.",
)

EN: Final = Words(
    titles={DocumentKind.INVOICE: "Invoice", DocumentKind.CREDIT_NOTE: "Credit note"},
    issued_on="Issue date",
    due_on="Due date",
    purchase_order="Purchase order",
    operation="Nature of supply",
    services="Services",
    corrects="Corrects invoice",
    invoice_of="{number} of {on}",
    billed_to="Billed to",
    description="Description",
    quantity="Quantity",
    unit_price="Unit price excl. VAT",
    unit_price_gross="Unit price incl. VAT",
    rate="VAT",
    net="Amount excl. VAT",
    gross="Amount incl. VAT",
    base="Net",
    vat="VAT amount",
    total_net="Total excl. VAT",
    vat_at="VAT {rate}",
    total_gross="Total incl. VAT",
    credit_gross="Total credited incl. VAT",
    from_balance="Paid from your balance",
    paid="Already paid",
    amount_due="Amount due",
    nothing_due="Paid in full",
    to_open="Deducted from invoice {number}",
    to_customer="In your favour",
    vat_in_eur="VAT in euros: {amount}{rate}",
    exchange_rate=" (1 EUR = {per_eur} {currency} on {on})",
    page="Page {page} of {pages}",
    continued="continued",
    share_capital="{form}, share capital {capital}",
    vat_number="VAT no. {number}",
    test="Test document, of no accounting value",
    lines={
        LineKind.SUBSCRIPTION: "{name}",
        LineKind.ONE_OFF: "{name}",
        LineKind.USAGE: "{name}",
        LineKind.EARLY_EXIT: "{name}: early exit from the commitment",
        LineKind.PRORATION_CREDIT: "{name}: unused time after the change",
        LineKind.PRORATION_CHARGE: "{name}: remaining time after the change",
        LineKind.CREDIT: "Credit, {name}",
    },
    unused="{name}: unused time",
    amount_of="Credit on invoice {number}",
    dates="{start} to {last}",
    part="{days} of {whole} days",
    part_one="1 of {whole} days",
    list_price="Before discount {amount}, discount {names}: {off}",
    discount_fallback="given",
    per_package="Price per started package of {size} units",
    average="Tiered price, average per unit",
    late="Usage reported after its period was billed",
    payment="Payment",
    means={
        PaymentMeans.CARD: "Charged automatically to your card on file{method}.",
        PaymentMeans.SEPA_DEBIT: "Debited automatically from your account{method}, under your SEPA mandate{mandate}.",
        PaymentMeans.TRANSFER: "Please pay by bank transfer by {due_on}.",
        PaymentMeans.OPEN: "Please pay by {due_on}, with the payment link that you received.",
    },
    method=" ({label})",
    iban="IBAN",
    bic="BIC",
    transfer_reference="Reference to quote",
    discount_terms="No discount for early payment.",
    late_penalty="Late payment bears interest from the day after the due date, without any reminder, at the "
    "European Central Bank’s refinancing rate plus 10\u00a0percentage points (French commercial code, "
    "art.\u00a0L441-10).",
    recovery_costs="Fixed compensation for recovery costs in case of late payment: €40 (French commercial code, "
    "art.\u00a0D441-5).",
    vat_on_debits="VAT is due on invoicing (option for debits).",
)


def say(language: Language, words: str, **facts: str) -> str:
    """A sentence with its facts, spaced as its language is printed: French keeps a space before : ; ! ? % and €."""
    if language is Language.FR:
        words = re.sub(r" (?=[:;!?%€»])|(?<=«) ", "\u00a0", words)
    return words.format(**facts)


def words_of(language: Language) -> Words:
    """The words of a language."""
    return FR if language is Language.FR else EN
