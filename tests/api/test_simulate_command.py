"""A stand-in says which faults it can play, and what they take."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from evals.simulators.dampsoft.face import Dampsoft
from evals.simulators.dental_suite.face import DentalSuite
from evals.simulators.dentrix.face import Dentrix
from evals.simulators.epic.face import Epic
from evals.simulators.praxident.face import PraxidentFace

if TYPE_CHECKING:
    from evals.simulators.face import Face
    from tests.api.conftest import Practice


def test_the_control_address_lists_the_faults_it_plays(dentrix: Practice) -> None:
    known = dentrix.ask("GET", "/faults/known")
    assert "rate.limited" in known["codes"]
    assert tuple(known["codes"]) == dentrix.stand.faults
    assert "`retry_after` seconds" in known["parameters"]
    dentrix.ask("POST", "/faults", {"code": "rate.limited", "retry_after": 5})
    assert dentrix.ask("GET", "/faults") == [{"code": "rate.limited", "retry_after": 5}]
    dentrix.ask("DELETE", "/faults")
    assert dentrix.ask("GET", "/faults") == []


@pytest.mark.parametrize("face", [Dampsoft, DentalSuite, Dentrix, Epic, PraxidentFace])
def test_every_stand_in_says_what_its_faults_take(face: type[Face]) -> None:
    assert face.fault_words().startswith("Faults")
