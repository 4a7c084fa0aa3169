"""Confidence: raw signals of each candidate, the calibrator that makes them a probability, and its guarantee."""
