"""A small fake of Stripe: it behaves like Stripe where a charging engine can get hurt.

Idempotency keys, the life of a PaymentIntent, decline and advice codes, 3-D Secure, SEPA timing and signed
webhooks with retries follow Stripe's published behaviour; what Stripe refuses is refused. A control plane
under `/_fake/` scripts the bank, injects faults and shows the ledger. It is met through the official SDK:
`StripeClient(key, base_addresses={"api": "http://127.0.0.1:12111"})`.
"""
