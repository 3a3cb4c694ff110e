"""When to look again: change rates learned from polls, and a budget of calls divided among streams."""
