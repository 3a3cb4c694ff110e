"""What is at an address: evidence to posterior to report, with `unknown` as a real answer."""

from tools.detection.databases import fitting_databases
from tools.detection.detect import detect
from tools.detection.methods import rank_methods
from tools.detection.repair import repair_candidates
from tools.detection.report import UNKNOWN, Candidate, Details, Detection, Evidence, MethodChoice, Question

__all__ = [
    "UNKNOWN", "Candidate", "Details", "Detection", "Evidence", "MethodChoice", "Question", "detect",
    "fitting_databases", "rank_methods", "repair_candidates",
]  # fmt: skip
