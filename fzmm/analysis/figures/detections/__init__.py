"""Figures of what the kept predictions say, in the page's order."""

from fzmm.analysis.figures.detections import (
    class_dots,
    confusion_matrix,
    error_bars,
    precision_recall,
)

FIGURES = (
    class_dots.FIGURE,
    error_bars.FIGURE,
    confusion_matrix.FIGURE,
    precision_recall.FIGURE,
)
