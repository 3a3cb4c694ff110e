"""Suites: each measures one promise of the product and says how well it is kept."""
