"""A masked value keeps its shape and nothing else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mappings.mask import masked, masked_samples, masked_schema
from mappings.schema import Column, Schema, Table


def test_the_shape_stays() -> None:
    assert masked("12.03.1961") == "99.99.9999"
    assert masked("Müller-Groß") == "Xxxxxx-Xxxx"
    assert masked(1001) == "9999"
    assert masked(None) is None


@given(st.text())
def test_no_letter_and_no_digit_survives(text: str) -> None:
    shape = masked(text) or ""
    assert set(shape) - {"x", "X", "9", "…"} <= {each for each in shape if not each.isalnum()}


def test_samples_become_their_shapes() -> None:
    assert masked_samples(["Anna", "Jörg", "Li", None, ""]) == ("Xxxx", "Xx")
    schema = Schema(tables=(Table(name="t", columns=(Column(name="c", samples=("Anna",)),)),))
    assert masked_schema(schema).tables[0].columns[0].samples == ("Xxxx",)
