"""Numbers with check digits, and telephone numbers out of the ranges kept free for fiction."""

from random import Random


def digit_sum(number: int) -> int:
    return sum(int(digit) for digit in str(number))


def kvnr(letter: str, eight_digits: str) -> str:
    """Person part of a German health insurance number: letter, eight digits, check digit (products with 1, 2, 1, 2, …)."""
    digits = f"{ord(letter) - 64:02d}{eight_digits}"
    check = sum(digit_sum(int(digit) * (1 + place % 2)) for place, digit in enumerate(digits)) % 10
    return f"{letter}{eight_digits}{check}"


def ik(first_eight: str) -> str:
    """Institution number of a German payer or practice: digits 3 to 8 with 2, 1, 2, 1, 2, 1."""
    check = sum(digit_sum(int(digit) * (2 - place % 2)) for place, digit in enumerate(first_eight[2:])) % 10
    return f"{first_eight}{check}"


def lanr(first_six: str, speciality: str) -> str:
    """German doctor's number: six digits, check digit over 4, 9, 4, 9, 4, 9, two digits of speciality."""
    total = sum(int(digit) * (4, 9)[place % 2] for place, digit in enumerate(first_six))
    return f"{first_six}{(10 - total % 10) % 10}{speciality}"


def npi(first_nine: str) -> str:
    """US provider number: Luhn over 80840 and the number."""
    digits = f"80840{first_nine}"
    total = sum(digit_sum(int(digit) * (2 if place % 2 == 0 else 1)) for place, digit in enumerate(reversed(digits)))
    return f"{first_nine}{(10 - total % 10) % 10}"


def ssn(random: Random) -> str:
    """A number of valid form (no 000, 666, 9xx; no 00; no 0000)."""
    area = random.choice([number for number in range(1, 900) if number != 666])
    return f"{area:03d}-{random.randint(1, 99):02d}-{random.randint(1, 9999):04d}"


GERMAN_LANDLINES = (("30", "23125"), ("69", "90009"), ("40", "66969"), ("89", "99998"), ("221", "4710"))
AMERICAN_AREAS = (
    "212",
    "315",
    "518",
    "607",
    "716",
    "845",
    "914",
    "617",
    "413",
    "508",
    "203",
    "860",
    "201",
    "732",
    "856",
    "973",
)


def landline(country: str, number: int) -> str:
    """The n-th fictional landline in E.164 (Bundesnetzagentur's numbers for film and television; 555-01xx, then other 555s)."""
    if country == "US":
        area = AMERICAN_AREAS[number % len(AMERICAN_AREAS)]
        line = number // len(AMERICAN_AREAS)
        return f"+1{area}555{100 + line:04d}" if line < 100 else f"+1{area}555{2000 + line % 8000:04d}"
    area, prefix = GERMAN_LANDLINES[number % len(GERMAN_LANDLINES)]
    return f"+49{area}{prefix}{number // len(GERMAN_LANDLINES) % 1000:03d}"


def mobile(country: str, number: int) -> str:
    """The n-th fictional mobile in E.164; in Germany first the hundred kept free (0176 040690xx), then its empty neighbours."""
    if country == "US":
        return landline("US", number + 40_000)
    return f"+4917604{69_000 + number:06d}" if number < 100 else f"+4917604{100_000 + number % 800_000:06d}"


def spell(country: str, e164: str, style: int) -> str:
    """How people write a number: one of four ways of the country, `style` taken modulo four."""
    if country == "US":
        area, exchange, line = e164[2:5], e164[5:8], e164[8:]
        return (
            f"({area}) {exchange}-{line}",
            f"{area}-{exchange}-{line}",
            f"{area}{exchange}{line}",
            f"+1 {area} {exchange} {line}",
        )[style % 4]
    national = e164[3:]
    cut = (
        3 if national.startswith("17") else next(len(area) for area, _ in GERMAN_LANDLINES if national.startswith(area))
    )
    area, line = national[:cut], national[cut:]
    return (f"0{area} {line}", f"0{area}/{line}", f"+49 {area} {line}", f"0{area}-{line[:3]} {line[3:]}")[style % 4]
