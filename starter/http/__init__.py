"""The routes of the HTTP door, one file per caller; `starter.api` puts them together."""
