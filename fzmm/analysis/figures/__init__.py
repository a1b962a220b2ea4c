"""The report's figures: a module each, with its title and caption, and their order here."""

from __future__ import annotations

from fzmm.analysis.figures import (
    classes,
    detections,
    map_by_images,
    map_by_share,
    map_by_stages,
    pretrained_scratch,
    repeats,
    time_by_stages,
    trade_off,
)
from fzmm.analysis.figures.curves import loss_curves, map_curves, train_val_curves

FIGURES = (
    trade_off.FIGURE,
    map_by_stages.FIGURE,
    map_by_images.FIGURE,
    map_curves.FIGURE,
    *train_val_curves.FIGURES,
    *loss_curves.FIGURES,
    map_by_share.FIGURE,
    time_by_stages.FIGURE,
    *repeats.FIGURES,
    pretrained_scratch.FIGURE,
    *detections.FIGURES,
    *classes.FIGURES,
)
