"""How fast and how big, each beside the bare library or database doing the same work. Figures: docs/benchmarks.md."""
