"""Scores of answers against golds: pure functions of (predictions, targets), and intervals over users."""
