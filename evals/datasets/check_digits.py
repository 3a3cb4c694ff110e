"""Numbers of persons and institutions that nobody has, with right check digits. Rules: the issuers' published ones."""

from __future__ import annotations

from random import Random

_DIGITS = "0123456789"


def _random_digits(random: Random, count: int) -> str:
    return "".join(random.choice(_DIGITS) for _ in range(count))


def luhn(number: str) -> str:
    """The digit that completes `number` (ISO/IEC 7812-1)."""
    doubled = [int(each) * (2 - at % 2) for at, each in enumerate(reversed(number))]
    return str(-sum(value - 9 * (value > 9) for value in doubled) % 10)


def npi(random: Random) -> str:
    """US National Provider Identifier: Luhn over 80840 and the number."""
    body = "1" + _random_digits(random, 8)
    return body + luhn("80840" + body)


def rpps(random: Random) -> str:
    """French register of health professionals: 11 digits, Luhn."""
    body = "10" + _random_digits(random, 8)
    return body + luhn(body)


def _alternating(digits: str, weights: str) -> str:
    products = [int(digit) * int(weights[at % len(weights)]) for at, digit in enumerate(digits)]
    return str(sum(value // 10 + value % 10 for value in products) % 10)


def kvnr(random: Random) -> str:
    """German insured person's number: letter as two digits, weights 1 and 2, digit sums modulo 10."""
    letter, body = random.choice("ABCDEFGHKLMPRSTW"), _random_digits(random, 8)
    return letter + body + _alternating(f"{ord(letter) - 64:02d}{body}", "12")


def ik(random: Random) -> str:
    """German institution code: check digit over digits 3 to 8, weights 2 and 1."""
    body = "10" + _random_digits(random, 6)
    return body + _alternating(body[2:], "21")


def lanr(random: Random) -> str:
    """German physician number: weights 4 and 9 over six digits, then two of the speciality."""
    body = _random_digits(random, 6)
    total = sum(int(digit) * (4, 9)[at % 2] for at, digit in enumerate(body))
    return body + str(-total % 10) + random.choice(("01", "03", "05", "50"))


def ssn(random: Random) -> str:
    """US social security number of a valid form; nobody's (area 987 upwards is never given, 9xx is refused)."""
    return f"{random.randrange(750, 772):03d}-{random.randrange(1, 99):02d}-{random.randrange(1, 9999):04d}"


def dni(random: Random) -> str:
    body = random.randrange(10_000_000, 99_999_999)
    return f"{body:08d}" + "TRWAGMYFPDXBNJZSQVHLCKE"[body % 23]


def nie(random: Random) -> str:
    """Spanish foreigner's number: X, Y, Z count as 0, 1, 2."""
    first, body = random.randrange(3), random.randrange(10_000_000)
    return f"{'XYZ'[first]}{body:07d}" + "TRWAGMYFPDXBNJZSQVHLCKE"[(first * 10_000_000 + body) % 23]


def cpf(random: Random) -> str:
    """Brazilian taxpayer number: two check digits modulo 11."""
    digits = _random_digits(random, 9)
    for _ in range(2):
        total = sum(int(digit) * (len(digits) + 1 - at) for at, digit in enumerate(digits))
        digits += str((total * 10 % 11) % 10)
    return f"{digits[:3]}.{digits[3:6]}.{digits[6:9]}-{digits[9:]}"


def portuguese_nif(random: Random) -> str:
    body = "2" + _random_digits(random, 7)
    check = 11 - sum(int(digit) * (9 - at) for at, digit in enumerate(body)) % 11
    return body + str(check if check < 10 else 0)


def nir(random: Random, male: bool, year: int, month: int) -> str:
    """French social security number: 13 digits and a key of two, 97 minus the rest modulo 97."""
    body = f"{1 if male else 2}{year % 100:02d}{month:02d}{random.randrange(1, 95):02d}{_random_digits(random, 6)}"
    body = body.replace("20", "21", 1) if body[5:7] == "20" else body
    return body + f"{97 - int(body) % 97:02d}"


_ODD = dict(
    zip("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22,
         25, 24, 23), strict=True)
)  # fmt: skip


def codice_fiscale(random: Random, male: bool, year: int, month: int, day: int) -> str:
    """Italian tax code of made-up consonants; the day of women counts from 41, the last letter is the check."""
    letters = "".join(random.choice("BCDFGLMNPRSTVZ") for _ in range(6))
    code = f"{letters}{year % 100:02d}{'ABCDEHLMPRST'[month - 1]}{day + (0 if male else 40):02d}"
    code += random.choice("ABCDEFGHL") + f"{random.randrange(100, 999)}"
    values = [
        _ODD[each] if at % 2 == 0 else (ord(each) - 65 if each.isalpha() else int(each)) for at, each in enumerate(code)
    ]
    return code + chr(65 + sum(values) % 26)


def iban(random: Random, country: str) -> str:
    """International bank account number: check digits so that the whole is 1 modulo 97 (ISO 13616)."""
    length = {"DE": 18, "ES": 20, "FR": 23, "IT": 23, "PT": 21, "GB": 18}.get(country, 18)
    bank = _random_digits(random, length)
    if country == "IT":
        bank = "X" + bank[1:]
    elif country == "GB":
        bank = "NWBK" + bank[4:]
    value = "".join(str(int(each, 36)) for each in f"{bank}{country}00")
    return f"{country}{98 - int(value) % 97:02d}{bank}"
