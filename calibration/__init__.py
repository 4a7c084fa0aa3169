"""Confidence: the raw signals of each candidate, and the first combined confidence, marked uncalibrated."""
