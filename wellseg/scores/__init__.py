"""Scores of masks against truth: pure functions."""

SHARES = {
    "precision": "precision",
    "recall": "recall",
    "f1_at_3px": "F1@3px",
    "dice": "Dice",
    "iou": "IoU",
    "cldice": "clDice",
}
"""Scores of logs with curves and their headings."""
FALSE = "false_centreline_px_per_row"
"""The score of logs without curves."""
