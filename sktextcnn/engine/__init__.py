"""The network: what it starts from, how it learns, and how it scores texts."""
