"""The graphs as LangGraph's own tools open them: compiled without a checkpointer, theirs is used."""

from __future__ import annotations

from langgraph.graph.state import CompiledStateGraph

from agents.config_detection import DetectionState, config_detection_graph
from agents.context import AgentContext
from agents.heal_states import HealState
from agents.health import healing_graph
from agents.onboarding import OnboardingState, onboarding_graph
from agents.schema_mapping import MappingState, schema_mapping_graph
from agents.sync_schedule import ScheduleState, sync_schedule_graph


def onboarding() -> CompiledStateGraph[OnboardingState, AgentContext]:
    """One address in, a live integration out."""
    return onboarding_graph().compile()


def config_detection() -> CompiledStateGraph[DetectionState, AgentContext]:
    """What runs there, and how to reach it."""
    return config_detection_graph().compile()


def schema_mapping() -> CompiledStateGraph[MappingState, AgentContext]:
    """Source columns to canonical fields."""
    return schema_mapping_graph().compile()


def health() -> CompiledStateGraph[HealState, AgentContext]:
    """From a failure to a verified remedy or to guidance."""
    return healing_graph().compile()


def sync_schedule() -> CompiledStateGraph[ScheduleState, AgentContext]:
    """From observed changes to a rhythm."""
    return sync_schedule_graph().compile()
