"""Fitted classifiers in the formats of other tools."""
