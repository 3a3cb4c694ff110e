"""Kills the served product at random moments and compares what it holds afterwards with the truth."""
