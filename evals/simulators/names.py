"""Names, streets, payers and billing codes that seeded practices are made of. Nobody in here exists; labels of codes are our own."""

from decimal import Decimal
from typing import NamedTuple


class Payer(NamedTuple):
    """Somebody who insures: name, payer id (IK in Germany), kind of plan."""

    name: str
    payer_id: str
    plan_type: str


class Code(NamedTuple):
    """One billable service; `points` where the catalogue counts points, `price` of one in the practice's currency."""

    system: str
    code: str
    label: str
    short: str
    category: str
    points: Decimal | None
    price: Decimal


def _words(text: str, *phrases: str) -> tuple[str, ...]:
    """The words of a text, then whole phrases."""
    return (*text.split(), *phrases)


class People(NamedTuple):
    female: tuple[str, ...]
    male: tuple[str, ...]
    last: tuple[str, ...]
    streets: tuple[str, ...]
    cities: tuple[tuple[str, str, str], ...]  # city, state, postal code
    employers: tuple[str, ...]
    occupations: tuple[str, ...]
    payers: tuple[Payer, ...]


GERMAN = People(
    female=_words(
        "Anna Maria Jörg-Anne Käthe Sabine Ute Renate Birgit Zoë Mia Emma Lina Ayşe Ingeborg Heike Petra Claudia "
        "Frieda Änne Elif Nadja Sophie Marlene Gisela Bärbel"
    ),
    male=_words(
        "Jürgen Jörg Björn Günter Hans-Peter Karl Thomas Michael Stefan Uwe Kai Søren Mehmet Lukas Finn Paul Emil Wolfgang "
        "Klaus Götz Rüdiger Matthias Sören Ömer Leon Noah"
    ),
    last=_words(
        "Müller Groß Jäger Schäfer Weiß Köhler König Krüger Böhm Schröder Lehmann Schmidt Schneider Fischer Weber Wagner Becker "
        "Hoffmann Koch Richter Klein Wolf Neumann Schwarz Zimmermann Braun Hartmann Lange Werner Krause Vogel Günther Yılmaz "
        "Özdemir Nowak Kowalski Straß Voß Preuß Möller Dürr Häußler Müller-Lüdenscheidt Groß-Gerau Meyer-Abich Schulze-Vorberg "
        "Öttinger Ångström Großmann Dießelhorst",
        "von der Heide",
        "zu Löwenstein",
        "O'Reilly",
    ),
    streets=(
        "Hauptstraße",
        "Bahnhofstraße",
        "Gartenweg",
        "Am Mühlbach",
        "Schloßallee",
        "Lindenstraße",
        "Kölner Straße",
        "Im Grünen Winkel",
    ),
    cities=(
        ("Köln", "NW", "50667"),
        ("Münster", "NW", "48143"),
        ("Görlitz", "SN", "02826"),
        ("Lübeck", "SH", "23552"),
        ("Würzburg", "BY", "97070"),
        ("Fürth", "BY", "90762"),
        ("Dresden", "SN", "01067"),
        ("Düren", "NW", "52349"),
    ),
    employers=(
        "Stadtwerke Köln",
        "Bäckerei Göbel",
        "Universität Würzburg",
        "Müller & Söhne GmbH",
        "Städtisches Klinikum",
    ),
    occupations=("Bäckerin", "Schüler", "Lehrerin", "Ingenieur", "Rentner", "Pflegekraft", "Kaufmann", "Tischler"),
    payers=(
        Payer("AOK Baden-Württemberg", "108018007", "statutory"),
        Payer("Techniker Krankenkasse", "101575519", "statutory"),
        Payer("AOK Nordost", "109519005", "statutory"),
        Payer("BARMER", "104212059", "statutory"),
        Payer("Muster Krankenversicherung AG", "168140346", "private"),
    ),
)
AMERICAN = People(
    female=_words(
        "Mary Linda Jennifer Emily Olivia Sophia Renée Zoë Chloé Ana María Keisha Wei Priya Grace Hannah Ruth Beth-Ann Siobhán "
        "Nora Abigail Camila"
    ),
    male=_words(
        "James Robert José Michael William Noah Liam André Jean-Luc Björn Carlos DeShawn Raj Ethan Henry Walter Owen Jürgen "
        "Mateo Samuel Theo"
    ),
    last=_words(
        "Smith Johnson Williams Brown Jones Garcia Miller Davis Rodríguez Martínez Hernández López Gonzalez Wilson Anderson "
        "Thomas Taylor Moore Jackson Martin Lee Pérez Thompson White Harris Müller Nuñez O'Connor O'Neill MacDonald García-López "
        "Smith-Jones Nguyen Kowalski Peña Groß Jäger Brontë Ibáñez Clark-Whitfield",
        "De La Cruz",
        "St. John",
        "van Dyke",
    ),
    streets=(
        "Maple Avenue",
        "Lake Street",
        "Elm Street",
        "Washington Blvd",
        "2nd Avenue",
        "County Road 9",
        "Martin Luther King Jr Dr",
    ),
    cities=(
        ("Syracuse", "NY", "13202"),
        ("Ithaca", "NY", "14850"),
        ("Newark", "NJ", "07102"),
        ("Boston", "MA", "02108"),
        ("Hartford", "CT", "06103-1234"),
        ("Albany", "NY", "12207"),
    ),
    employers=("Lakeside Logistics", "Finger Lakes Dairy", "Onondaga Schools", "Café Renée", "Self"),
    occupations=("Teacher", "Student", "Driver", "Engineer", "Retired", "Nurse", "Clerk", "Carpenter"),
    payers=(
        Payer("Example Dental of New York", "11198", "dental"),
        Payer("Northeast Dental Plan", "22099", "dental"),
        Payer("Granite Mutual", "60054", "dental"),
        Payer("State Medicaid", "77350", "medicaid"),
        Payer("Harbor Federal", "62308", "dental"),
    ),
)


def _code(system: str, code: str, label: str, short: str, category: str, points: str | None, price: str) -> Code:
    return Code(system, code, label, short, category, Decimal(points) if points else None, Decimal(price))


CDT = (
    _code("CDT", "D0120", "Checkup, known patient", "Checkup", "diagnostic", None, "58.00"),
    _code("CDT", "D0150", "First full examination", "FullExam", "diagnostic", None, "95.50"),
    _code("CDT", "D0210", "Full set of films", "FMX", "diagnostic", None, "142.00"),
    _code("CDT", "D0274", "Four bitewing films", "4BW", "diagnostic", None, "72.25"),
    _code("CDT", "D1110", "Cleaning, adult", "AdultCln", "preventive", None, "104.00"),
    _code("CDT", "D1120", "Cleaning, child", "ChildCln", "preventive", None, "76.00"),
    _code("CDT", "D1206", "Fluoride varnish", "FlVarn", "preventive", None, "41.00"),
    _code("CDT", "D2140", "Amalgam, one surface", "Am1", "restorative", None, "164.00"),
    _code("CDT", "D2391", "Composite, one surface, back tooth", "Comp1P", "restorative", None, "189.75"),
    _code("CDT", "D2740", "Crown, ceramic", "CrnCer", "restorative", None, "1250.00"),
    _code("CDT", "D3330", "Root canal, molar", "RCTMol", "endodontics", None, "1180.00"),
    _code("CDT", "D4341", "Deep cleaning, quadrant", "SRP", "periodontics", None, "262.00"),
    _code("CDT", "D7140", "Simple extraction", "Ext", "surgery", None, "198.00"),
)
BEMA_GOZ = (
    _code("BEMA", "01", "Eingehende Untersuchung", "U", "KCH", "18", "20.84"),
    _code("BEMA", "Ä1", "Beratung", "Ber", "KCH", "9", "10.42"),
    _code("BEMA", "107", "Zahnstein entfernen", "Zst", "KCH", "16", "18.53"),
    _code("BEMA", "13a", "Füllung, eine Fläche", "F1", "KCH", "32", "37.05"),
    _code("BEMA", "13b", "Füllung, zwei Flächen", "F2", "KCH", "39", "45.16"),
    _code("BEMA", "28", "Vitalexstirpation", "VitE", "KCH", "18", "20.84"),
    _code("BEMA", "43", "Extraktion, einwurzelig", "X1", "KCH", "10", "11.58"),
    _code("GOZ", "0010", "Eingehende Untersuchung", "Unters", "A", "100", "12.94"),
    _code("GOZ", "1040", "Professionelle Zahnreinigung", "PZR", "B", "28", "3.62"),
    _code("GOZ", "2060", "Adhäsive Füllung, eine Fläche", "Komp1", "C", "527", "68.17"),
    _code("GOZ", "2080", "Adhäsive Füllung, zwei Flächen", "Komp2", "C", "556", "71.92"),
    _code("GOZ", "2200", "Vollkrone", "Krone", "C", "1322", "171.01"),
    _code("GOZ", "3000", "Extraktion, einwurzelig", "Ex1", "D", "70", "9.06"),
)
VISITS_DE = (
    ("Kontrolle", 15, "#7FB3D5"),
    ("Prophylaxe", 60, "#76D7C4"),
    ("Füllung", 45, "#F7DC6F"),
    ("Wurzelbehandlung", 90, "#E59866"),
    ("Schmerzbehandlung", 30, "#EC7063"),
    ("Zahnersatz Einprobe", 30, "#BB8FCE"),
    ("Neupatient", 45, "#82E0AA"),
)
VISITS_US = (
    ("Recall exam", 30, "#7FB3D5"),
    ("Cleaning", 60, "#76D7C4"),
    ("Filling", 45, "#F7DC6F"),
    ("Root canal", 90, "#E59866"),
    ("Emergency", 30, "#EC7063"),
    ("Crown seat", 45, "#BB8FCE"),
    ("New patient", 60, "#82E0AA"),
)
