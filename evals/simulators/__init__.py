"""Stand-ins for practice systems, faithful on the wire; they import nothing of ours, so that they share none of our mistakes."""

from evals.simulators.catalogue import simulate, systems
from evals.simulators.stand import Stand

__all__ = ["Stand", "simulate", "systems"]
