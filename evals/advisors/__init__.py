"""Scripted advisors behind real HTTP, OpenAI-compatible: what a language model might answer, from a ceiling to an enemy."""
