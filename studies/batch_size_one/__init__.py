"""The atlas of normalisation at batch size one: see README.md and PREREGISTRATION.md.

plan (what is trained) -> train (checkpoints) -> score (rows) -> findings (tests, words).
"""
