"""The versions of the database, applied by `relance db migrate`. `python -m migrations "why"` writes the next."""
