"""From scores to decisions: thresholds, measures, and the held-out texts that they come from."""
