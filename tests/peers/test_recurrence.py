"""Series against dateutil, which reads the same rules by code of its own."""

import datetime
import functools
import json
import os
import random
import subprocess
import types
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from zoneinfo import ZoneInfo

import dateutil.rrule
import pytest
from dateutil.rrule import rrulestr

BINARY = os.environ.get(
    "INTERMISSION_BIN", str(Path(__file__).parents[2] / "target" / "debug" / "intermission")
)
SEED = int(os.environ.get("INTERMISSION_SEED", "20261121"))
RULES = int(os.environ.get("INTERMISSION_RULES", "300"))
SHOWN = 25
ZONES = [
    "UTC",
    "Europe/Paris",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "America/St_Johns",
    "Pacific/Apia",
    "Africa/Casablanca",
]
DAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
UTC = datetime.timezone.utc
# A rule that hardly ever matches would be searched for to the year 9999, day by day.
LAST_YEAR = 2060
dateutil.rrule.datetime = types.SimpleNamespace(**vars(datetime) | {"MAXYEAR": LAST_YEAR})


def some(rng, values, most):
    """A few of them, in any order."""
    return ",".join(str(value) for value in rng.sample(values, rng.randint(1, most)))


def made_up(rng):
    """A rule within the subset that maintenances are planned by."""
    freq = rng.choice(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"])
    parts = [f"FREQ={freq}"]
    if rng.random() < 0.5:
        parts.append(f"INTERVAL={rng.randint(1, 5)}")
    counted = freq in ("MONTHLY", "YEARLY") and rng.random() < 0.5
    if rng.random() < 0.5:
        numbers = [-2, -1, 1, 2, 3, 4, 5] if counted else [""]
        days = [f"{rng.choice(numbers)}{day}" for day in rng.sample(DAYS, rng.randint(1, 4))]
        parts.append("BYDAY=" + ",".join(days))
    if freq != "WEEKLY" and rng.random() < 0.4:
        days = [day for day in range(-31, 32) if day]
        parts.append("BYMONTHDAY=" + some(rng, days, 6))
    if rng.random() < 0.4:
        parts.append("BYMONTH=" + some(rng, range(1, 13), 4))
    chosen_from = any(part.startswith("BY") for part in parts)
    # Of the first week dateutil sees only the part from its beginning on.
    if chosen_from and freq != "WEEKLY" and rng.random() < 0.3:
        parts.append("BYSETPOS=" + some(rng, [-3, -2, -1, 1, 2, 3], 2))
    if rng.random() < 0.3:
        parts.append(f"WKST={rng.choice(DAYS)}")
    ending = rng.random()
    if ending < 0.25:
        parts.append(f"COUNT={rng.randint(1, 30)}")
    elif ending < 0.4:
        until = datetime.datetime(2026, 1, 1) + datetime.timedelta(days=rng.randint(100, 2000))
        parts.append("UNTIL=" + until.strftime("%Y%m%dT%H%M%SZ"))
    head, *tail = parts
    rng.shuffle(tail)
    return ";".join([head, *tail])


@functools.cache
def instants(rule, start, zone):
    """What dateutil says: the first of two readings, and the offset before where there is none."""
    series = rrulestr(rule, dtstart=start.replace(tzinfo=ZoneInfo(zone)))
    said = []
    for local in series:
        if len(said) == SHOWN or local.year > LAST_YEAR:
            break
        said.append(local.replace(fold=0).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"))
    return said


def begun(rng):
    """A rule, its zone and the first day of it; none if no day is one."""
    zone = rng.choice(ZONES)
    rule = made_up(rng)
    earliest = datetime.datetime(2026, rng.randint(1, 12), rng.randint(1, 28))
    earliest = earliest.replace(hour=rng.choice([0, 1, 2, 3, 12, 23]), minute=rng.choice([0, 30]))
    open_ended = ";".join(
        part for part in rule.split(";") if not part.startswith(("COUNT", "UNTIL"))
    )
    # What a rule takes from its first day must be that day's: it is looked for twice.
    start = earliest
    for _ in range(2):
        series = rrulestr(open_ended, dtstart=start)
        found = series.between(start, start + datetime.timedelta(days=4000), inc=True)
        if not found:
            return None
        start = found[0]
    return rule, zone, start


def asked(folder, at, rule, zone, start):
    """What the program says."""
    path = Path(folder) / f"{at}.json"
    phase = {"starts": start.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
    recurrence = {"rule": rule}
    document = {"title": "x", "zone": zone, "recurrence": recurrence, "phases": [phase]}
    path.write_text(json.dumps(document))
    command = [BINARY, *COMMAND, str(path), "--json", "--count", str(SHOWN)]
    command += ["--from", "2025-01-01T00:00:00Z"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    told = json.loads(done.stdout)
    return told, [occurrence["phases"][0]["starts"] for occurrence in told["occurrences"]]


COMMAND = ["maintenance", "preview"]


@pytest.fixture(scope="module")
def cases():
    """Rules that come at least once."""
    rng = random.Random(SEED)
    made = []
    while len(made) < RULES:
        case = begun(rng)
        if case and instants(case[0], case[2], case[1]):
            made.append(case)
    return made


def test_several_hundred_rules_give_what_dateutil_gives(cases, tmp_path):
    def one(numbered):
        at, (rule, zone, start) = numbered
        first = start.replace(tzinfo=ZoneInfo(zone), fold=0)
        told, said = asked(tmp_path, at, rule, zone, first)
        wanted = instants(rule, start, zone)
        said = [instant for instant in said if int(instant[:4]) <= LAST_YEAR][: len(wanted)]
        return None if said == wanted else (SEED, rule, zone, start, told["problems"], said, wanted)

    with ThreadPoolExecutor(4) as pool:
        wrong = [found for found in pool.map(one, enumerate(cases)) if found]
    assert not wrong, f"{len(wrong)} of {len(cases)}: {wrong[:3]}"


def test_the_comparison_sees_a_difference(cases):
    """The control: another rule gives other instants."""
    differ = [
        instants(rule, start, zone) != instants("FREQ=DAILY;INTERVAL=11", start, zone)
        for rule, zone, start in cases
    ]
    assert all(differ)
