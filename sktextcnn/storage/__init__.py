"""Saved models: plain values in a folder of JSON and arrays, and what a model must consist of."""
