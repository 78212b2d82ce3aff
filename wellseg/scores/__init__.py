"""Scores of masks against truth: pure functions."""

from typing import Any

Row = dict[str, Any]  # a line of scores.csv: name, split, well and kind of a log, and its scores
F1, ERRORS = "f1_at_3px", "clear_errors"
FALSE = "false_centreline_px_per_row"  # the only score of logs without curves
ON = "false_on_"  # columns of scores.csv: of the false px a row those on "text" and the like
HEADINGS = {"precision": "precision", "recall": "recall", F1: "F1@3px", "dice": "Dice"}
HEADINGS |= {"iou": "IoU", "cldice": "clDice", "whole_curves": "curves 95 %"}
HEADINGS |= {"half_curves": "curves 50 %", FALSE: "false px a row", ERRORS: "clear errors"}
