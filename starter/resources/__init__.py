"""What the HTTP API takes and gives, as values: one set for the server and for its Python client.

Amounts end in `_minor` and are whole minor units of their currency; prices are decimals in major units, as text. Dates
are local, instants have an offset. Nothing in here knows a database.
"""
