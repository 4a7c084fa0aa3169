"""Fitting and training: recall on a store's history, the calibrator on labels, a judge on examples."""
