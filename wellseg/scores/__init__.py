"""Scores of masks against truth: pure functions."""

F1 = "f1_at_3px"
SHARES = {
    "precision": "precision",
    "recall": "recall",
    F1: "F1@3px",
    "dice": "Dice",
    "iou": "IoU",
    "cldice": "clDice",
    "whole_curves": "curves 95 %",
    "half_curves": "curves 50 %",
}
"""Scores of logs with curves and their headings."""
FALSE = "false_centreline_px_per_row"
"""The score of all logs, and the only one of those without curves."""
HEADINGS = {**SHARES, FALSE: "false px a row"}
