"""Names are read as the trade writes them: clipped, compounded, in six languages."""

from __future__ import annotations

import pytest

from mappings.lexicon import lexicon, pieces


@pytest.mark.parametrize(
    ("name", "atoms"),
    [
        ("GEBDAT", {"birth", "date"}), ("TELPRIV", {"phone", "home"}), ("dateOfBirth", {"birth", "date"}),
        ("HmPhone", {"home", "phone"}), ("AENDDAT", {"changed", "date"}), ("fecha_nacimiento", {"birth", "date"}),
        ("Krankenkassennummer", {"payer", "id"}), ("esf_od", {"sphere", "right"}), ("codice_fiscale", {"national", "id"}),
        ("PatientenNr", {"patient", "number"}), ("Straße", {"street"}), ("prenom", {"first", "name"}),
    ],
)  # fmt: skip
def test_a_name_means_its_concepts(name: str, atoms: set[str]) -> None:
    assert atoms <= {atom for slot in lexicon().slots(name) for atom in slot.atoms}


def test_a_single_letter_is_an_eye_only_beside_a_word_of_optics() -> None:
    def sides(name: str) -> set[str]:
        return {atom for slot in lexicon().slots(name) for atom in slot.atoms} & {"right", "left"}

    assert sides("R_SPH") == {"right"}
    assert sides("R_NAME") == set()


def test_words_are_split_at_case_digits_and_punctuation() -> None:
    assert pieces("FchPat_Tel2") == ["fch", "pat", "tel", "2"]
    assert pieces("GEBURTSDATUM") == ["geburtsdatum"]
