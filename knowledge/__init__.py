"""What we know: the canonical model, one manifest per system, glossaries, runbooks; data and its typed loaders."""
