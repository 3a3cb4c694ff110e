"""What we decide: LangGraph graphs whose nodes call tools; pauses are interrupts, side effects go through tools."""

import os

# Both are read when langgraph is imported: checkpoints may only hold types that a state names, and a stray variable of
# the environment must not send state to a third party.
os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")
os.environ["LANGSMITH_TRACING"] = "false"
