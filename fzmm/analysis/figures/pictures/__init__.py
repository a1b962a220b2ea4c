"""Validation images with ground truth and the boxes of two scenarios side by side."""
