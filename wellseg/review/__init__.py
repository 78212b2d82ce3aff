"""Corrections of curves by hand: edits of NAME.curves.csv, and what is made of it."""
