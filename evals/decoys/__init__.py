"""Addresses that look like a practice system and are none: detection must not fall for them."""
