"""From pages of raw rows to the canonical store: one page is one repeatable call."""
