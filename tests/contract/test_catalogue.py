"""Whoever builds a method brings its system under the contract."""

from __future__ import annotations

from evals.simulators import systems
from knowledge.catalogue import catalogue


def test_every_built_system_is_under_contract_and_has_a_simulator(systems_under_contract: set[str]) -> None:
    described = {key: manifest for key, manifest in catalogue().items() if not manifest.generic}
    built = {key for key, manifest in described.items() if any(method.built for method in manifest.methods)}
    assert built == systems_under_contract
    assert built <= set(systems())


def test_what_is_built_was_proven_on_its_simulator() -> None:
    for manifest in catalogue().values():
        for method in manifest.methods:
            assert method.proven.simulator == (method.built and not manifest.generic), manifest.key
            assert not method.proven.live, manifest.key


def test_what_is_not_built_says_why_it_is_known_all_the_same() -> None:
    for manifest in catalogue().values():
        assert all(method.because for method in manifest.methods), manifest.key
