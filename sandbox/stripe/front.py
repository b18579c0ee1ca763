"""The page that a person sees at the fake's address: money that moved and the bank's answers."""

import html
from datetime import UTC, datetime

from sandbox.stripe import charges
from sandbox.stripe.errors import Document
from sandbox.stripe.world import World

_SHOWN = 200


def page(world: World) -> str:
    """Totals by currency and the latest authorisations, as HTML."""
    entries = [entry for books in world.store for entry in books.all("ledger")]
    attempts = [attempt for books in world.store for attempt in books.all("attempt")]
    totals = {
        currency: sum(charges.signed(entry) for entry in entries if entry["currency"] == currency)
        for currency in sorted({entry["currency"] for entry in entries})
    }
    money = "".join(f"<li>{total} {html.escape(currency)}</li>" for currency, total in totals.items())
    rows = "".join(_row(attempt) for attempt in reversed(attempts[-_SHOWN:]))
    return _PAGE.format(money=money or "<li>none yet</li>", rows=rows, count=len(attempts))


def _row(attempt: Document) -> str:
    at = datetime.fromtimestamp(attempt["at"], UTC).strftime("%Y-%m-%d %H:%M")
    cells = (
        at,
        attempt["outcome"],
        f"{attempt['amount']} {attempt['currency']}",
        attempt["customer"] or "",
        attempt["payment_intent"],
        attempt["idempotency_key"] or "",
    )
    return "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>"


_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Fake Stripe</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem; color: #222; }}
table {{ border-collapse: collapse; }}
td, th {{ padding: .2rem .8rem .2rem 0; text-align: left; white-space: nowrap; border-bottom: 1px solid #ddd; }}
</style></head>
<body>
<h1>Fake Stripe</h1>
<p>No money moves here. As JSON: <a href="/_fake/ledger">ledger</a>, <a href="/_fake/attempts">attempts</a>,
<a href="/_fake/webhooks">webhooks waiting</a>, <a href="/_fake/faults">faults</a>.</p>
<h2>Collected, refunds taken off, in minor units</h2>
<ul>{money}</ul>
<h2>Authorisations ({count}), newest first</h2>
<table>
<thead><tr><th>at (UTC)</th><th>outcome</th><th>amount</th>
<th>customer</th><th>PaymentIntent</th><th>key</th></tr></thead>
<tbody>{rows}</tbody>
</table>
</body>
</html>
"""
