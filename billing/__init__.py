"""The rules: pure functions and frozen values.

No I/O, no clock, no Temporal, no database. Nothing here imports anything else of ours, so that a workflow,
a web page and a test can all ask the same question and get the same answer.
"""
