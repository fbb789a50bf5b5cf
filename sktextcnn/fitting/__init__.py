"""Texts held out, networks and SVMs trained, their blend and thresholds found."""
