"""Scores of masks against truth: pure functions."""
