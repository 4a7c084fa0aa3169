"""What is fitted: recall on a store's history, the calibrator on labels, a judge on examples."""
