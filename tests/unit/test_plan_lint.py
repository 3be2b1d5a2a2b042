"""Every rule of the plan linter and of the reader, next to the plan that both accept."""

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from contracts.events import (
    ArticleRecorded,
    BulletinBroadcast,
    FeedbackRecorded,
    ItemRecorded,
)
from contracts.faults import Fault
from contracts.plan import Plan
from contracts.plan_lint import FIELDS, lint
from services import plan_files
from services.plan_files import PlanFileError, read_plan
from services.scoring.domain.rules import claim_fields, dossier_fields

Content = dict[str, Any]


def text(words: str) -> Content:
    return {"vi": words, "en": words}


def indicator(code: str, points: int, measure: Content, **part: object) -> Content:
    return {
        "code": code,
        "name": text(code),
        "clause": f"clause {code}",
        "target": text("full"),
        "frequency": "month",
        "origin": text("system"),
        "parts": [{"points": points, "measure": measure, **part}],
    }


def band(at_least: str, share: str) -> Content:
    return {"at_least": at_least, "share": share}


CHECKLIST = {
    "kind": "checklist",
    "items": [{"code": "a", "name": text("a")}, {"code": "b", "name": text("b")}],
}
BANDS = {"kind": "bands", "bands": [band("0", "0"), band("0.5", "0.4"), band("0.8", "1")]}
SOUND: Content = {
    "id": "sample",
    "version": 1,
    "title": text("Sample"),
    "decision": "1/KH",
    "authority": text("Office"),
    "starts_on": "2023-06-01",
    "ends_on": "2023-12-31",
    "valid_from": "2023-06-01",
    "valid_to": "2023-12-31",
    "uncounted_statuses": ["withdrawn"],
    "reporting": {"last_day": 14, "clause": "V", "blocs": ["town"]},
    "deadlines": [{"code": "dossier", "name": text("d"), "on": "2024-01-05", "clause": "IV"}],
    "blocs": [
        {
            "code": "town",
            "name": text("Towns"),
            "scale": 100,
            "points_are": "proposed",
            "indicators": [
                indicator("R", 40, {"kind": "reports", "late_share": "0.5"}),
                indicator(
                    "Q",
                    20,
                    {
                        "kind": "ratio",
                        "where": {"fee_due": [True]},
                        "numerator": {"paid_online": [True]},
                    },
                    score=BANDS,
                ),
                indicator(
                    "D",
                    10,
                    {
                        "kind": "distinct",
                        "where": {"service_level": ["full"]},
                        "offered_levels": ["full"],
                    },
                ),
                indicator("C", 10, CHECKLIST, over="to_date") | {"not_for": ["small"]},
                indicator(
                    "I",
                    10,
                    {"kind": "deduction", "per_incident": 1, "list_item": "list"},
                    over="to_date",
                ),
                indicator(
                    "A",
                    10,
                    {"kind": "capped", "of": "article.recorded", "per": "month", "cap": 1},
                ),
                indicator("T", 0, {"kind": "figure"}) | {"tracked_only": True},
            ],
            "awards": [
                {
                    "code": "first",
                    "name": text("First"),
                    "places": 1,
                    "at_least": 80,
                    "prize": {"money": 1},
                    "clause": "VI",
                },
                {
                    "code": "next",
                    "name": text("Next"),
                    "places": 0,
                    "at_least": 60,
                    "below": 80,
                    "clause": "VI",
                },
            ],
            "exclusions": [
                {
                    "kind": "overdue_dossiers",
                    "code": "overdue",
                    "name": text("o"),
                    "clause": "VI",
                    "at_least": 2,
                    "where": {"service_level": ["full"]},
                },
                {
                    "kind": "late_report",
                    "code": "late",
                    "name": text("l"),
                    "clause": "VI",
                    "days": 3,
                },
            ],
            "decision_items": [{"code": "tie", "text": text("t"), "criteria": ["R"]}],
        }
    ],
    "units": [
        {"code": "1", "name": text("One"), "bloc": "town", "traits": ["small"]},
        {"code": "2", "name": text("Two"), "bloc": "town", "parent": "1"},
    ],
    "catalogue": [
        {"code": "p", "title": "P", "level": "full", "fee_due": True, "units": ["1"]},
    ],
}


def faults_of(change: Callable[[Content], object] | None = None) -> list[Fault]:
    content = deepcopy(SOUND)
    if change is not None:
        change(content)
    return lint(Plan.model_validate(content))


def bloc(content: Content) -> Content:
    found: Content = content["blocs"][0]
    return found


def line(content: Content, code: str) -> Content:
    found: Content = next(i for i in bloc(content)["indicators"] if i["code"] == code)
    return found


def part(content: Content, code: str) -> Content:
    found: Content = line(content, code)["parts"][0]
    return found


def measure(content: Content, code: str) -> Content:
    found: Content = part(content, code)["measure"]
    return found


def set_bands(*bands: Content) -> Callable[[Content], object]:
    return lambda c: part(c, "Q").update(score={"kind": "bands", "bands": list(bands)})


FAULTS: dict[str, Callable[[Content], object]] = {
    "ends_on 2023-05-01 is before starts_on 2023-06-01": lambda c: c.update(
        ends_on="2023-05-01", valid_from="2023-05-01"
    ),
    "valid_to 2023-06-30 is before valid_from 2023-07-01": lambda c: c.update(
        valid_from="2023-07-01", valid_to="2023-06-30"
    ),
    "the version is valid on no day of the competition": lambda c: c.update(
        valid_from="2024-01-01", valid_to="2024-12-31"
    ),
    "unit 1 is listed twice": lambda c: c["units"].append(c["units"][0]),
    "bloc town is defined twice": lambda c: c["blocs"].append(bloc(c)),
    "procedure p is listed twice": lambda c: c["catalogue"].append(c["catalogue"][0]),
    "deadline dossier is given twice": lambda c: c["deadlines"].append(c["deadlines"][0]),
    "unit 2: there is no bloc 'city'": lambda c: c["units"][1].update(bloc="city"),
    "unit 2: there is no parent unit '9'": lambda c: c["units"][1].update(parent="9"),
    "unit 2: there is no parent unit '2'": lambda c: c["units"][1].update(parent="2"),
    "reporting: there is no bloc 'city'": lambda c: c["reporting"]["blocs"].append("city"),
    "uncounted_statuses: no dossier is ever 'gone'": lambda c: c.update(
        uncounted_statuses=["gone"]
    ),
    "procedure p: there is no unit '9'": lambda c: c["catalogue"][0].update(units=["1", "9"]),
    "reporting cites no clause": lambda c: c["reporting"].update(clause=" "),
    "deadline dossier cites no clause": lambda c: c["deadlines"][0].update(clause=" "),
    "town: indicator C is defined twice": lambda c: line(c, "A").update(code="C"),
    "town: points sum to 99, the scale is 100": lambda c: part(c, "A").update(points=9),
    "town: C: cites no clause": lambda c: line(c, "C").update(clause=" "),
    "town: T: is tracked only, but carries points": lambda c: part(c, "T").update(points=1),
    "town: T: carries no points; mark it tracked_only": lambda c: line(c, "T").update(
        tracked_only=False
    ),
    "town: T: part main is defined twice": lambda c: line(c, "T")["parts"].append(part(c, "T")),
    "town: D: part main: no procedure of the catalogue is offered at these levels": (
        lambda c: c.update(catalogue=[])
    ),
    "town: D: part main: counts dossiers of level 'partial', which offered_levels leaves out": (
        lambda c: measure(c, "D")["where"].update(service_level=["full", "partial"])
    ),
    "town: I: part main: a deduction needs over: to_date": lambda c: part(c, "I").pop("over"),
    "town: A: part main: a capped count needs over: pool": lambda c: part(c, "A").update(
        over="mean"
    ),
    "town: A: part main: figure.reported has no date of its own: it cannot be capped": (
        lambda c: measure(c, "A").update(of="figure.reported")
    ),
    "town: C: part main: checklist item a is listed twice": (
        lambda c: measure(c, "C")["items"].append(measure(c, "C")["items"][0])
    ),
    "town: Q: part main: numerator takes every fact: the share would always be 1": (
        lambda c: measure(c, "Q").update(numerator={})
    ),
    "town: A: part main: where: article.recorded has no field 'publised'; "
    "it has approved, published": lambda c: measure(c, "A").update(where={"publised": [True]}),
    "town: Q: part main: where.fee_due: no value is accepted: nothing would count": (
        lambda c: measure(c, "Q").update(where={"fee_due": []})
    ),
    "town: Q: part main: numerator.channel: is never 'onlnie'": (
        lambda c: measure(c, "Q").update(numerator={"channel": ["onlnie"]})
    ),
    "town: Q: part main: bands leave a gap from 0 to 0.1": set_bands(band("0.1", "1")),
    "town: Q: part main: band 0.5 does not come after band 0.5": set_bands(
        band("0", "0"), band("0.5", "0.5"), band("0.5", "1")
    ),
    "town: Q: part main: band 0.5 gives less than band 0.2": set_bands(
        band("0", "0"), band("0.2", "0.5"), band("0.5", "0.4"), band("0.8", "1")
    ),
    "town: Q: part main: the highest band gives 0.9 of the points, not all": set_bands(
        band("0", "0"), band("0.5", "0.9")
    ),
    "town: Q: part main: band 1.2 is above the highest figure there can be, 1": set_bands(
        band("0", "0"), band("1.2", "1")
    ),
    "town: judges monthly reports, but is not among reporting.blocs": lambda c: c[
        "reporting"
    ].update(blocs=[]),
    "town: C: not_for: no unit of the bloc has the trait 'smal'": lambda c: line(c, "C").update(
        not_for=["smal"]
    ),
    "town: unit 1: no scored indicator applies to it": lambda c: [
        i.update(not_for=["small"]) for i in bloc(c)["indicators"]
    ],
    "town: award first is defined twice": lambda c: bloc(c)["awards"][1].update(code="first"),
    "town: award first: cites no clause": lambda c: bloc(c)["awards"][0].update(clause=" "),
    "town: award first: needs 101 of 100 points: unreachable": lambda c: bloc(c)["awards"][
        0
    ].update(at_least=101),
    "town: award next: below 60 is not above at_least 60": lambda c: bloc(c)["awards"][
        1
    ].update(below=60),
    "town: award next: has a prize, but no place": lambda c: bloc(c)["awards"][1].update(
        prize={"individuals": 1}
    ),
    "town: award next: no award begins at 79, where its band ends": lambda c: bloc(c)["awards"][
        1
    ].update(below=79),
    "town: award first needs more points than next before it": lambda c: bloc(c)[
        "awards"
    ].reverse(),
    "town: exclusion late is defined twice": lambda c: bloc(c)["exclusions"][0].update(
        code="late"
    ),
    "town: exclusion late: cites no clause": lambda c: bloc(c)["exclusions"][1].update(
        clause=" "
    ),
    "town: exclusion overdue: where.service_level: is never 'ful'": lambda c: bloc(c)[
        "exclusions"
    ][0].update(where={"service_level": ["ful"]}),
    "town: decision item tie is given twice": lambda c: bloc(c)["decision_items"].append(
        bloc(c)["decision_items"][0]
    ),
    "town: decision item tie: there is no indicator 'X9'": lambda c: bloc(c)["decision_items"][
        0
    ].update(criteria=["X9"]),
}


def test_a_sound_plan_is_accepted() -> None:
    assert faults_of() == []


@pytest.mark.parametrize("sentence", FAULTS)
def test_the_linter_names_the_fault(sentence: str) -> None:
    assert sentence in faults_of(FAULTS[sentence])


def test_the_linter_knows_the_fields_that_the_interpreter_offers() -> None:
    offered = dossier_fields((None,) * 8, {})
    assert set(FIELDS["dossier.recorded"]) == set(offered)
    for model in (ArticleRecorded, FeedbackRecorded, ItemRecorded, BulletinBroadcast):
        event = model.model_validate_json(json.dumps(model.example))
        assert set(FIELDS.get(event.type, {})) == set(claim_fields(event))


def write(folder: Path, **files: str) -> Path:
    for name, content in files.items():
        stem, _, suffix = name.rpartition("_")
        (folder / f"{stem}.{suffix}").write_text(content, encoding="utf-8")
    return folder


def refusal(path: Path | list[Path]) -> list[Fault]:
    with pytest.raises(PlanFileError) as caught:
        read_plan(path)
    assert str(caught.value) == "\n".join(caught.value.faults)
    return caught.value.faults


def split() -> tuple[str, str]:
    """The sound plan without its units, and its units; JSON is YAML too."""
    content = deepcopy(SOUND)
    units = {"units": content.pop("units")}
    return json.dumps(content, indent=1), json.dumps(units, indent=1)


@pytest.mark.parametrize("suffix", ["yaml", "yml", "json"])
def test_a_folder_of_files_makes_one_plan(tmp_path: Path, suffix: str) -> None:
    plan, units = split()
    write(tmp_path, **{f"plan_{suffix}": plan, f"units_{suffix}": units, "notes_md": "no plan"})
    assert read_plan(tmp_path) == Plan.model_validate(SOUND)
    files = [tmp_path / f"plan.{suffix}", tmp_path / f"units.{suffix}"]
    assert read_plan(files) == read_plan(tmp_path)


def test_a_key_given_in_two_files_is_refused(tmp_path: Path) -> None:
    plan, units = split()
    write(tmp_path, plan_yaml=plan, units_yaml=units, more_json=units)
    more, first = tmp_path / "more.json", tmp_path / "units.yaml"
    assert refusal(tmp_path) == [f"units: is given both in {more} and in {first}"]


def test_the_linter_speaks_through_the_reader(tmp_path: Path) -> None:
    plan, units = split()
    write(tmp_path, plan_yaml=plan.replace('"scale": 100', '"scale": 90'), units_yaml=units)
    assert refusal(tmp_path) == ["town: points sum to 100, the scale is 90"]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        (
            "p.yaml",
            "a: 1\nb: 2\na: 3\n",
            "line 3: key 'a' is given twice",
        ),
        ("p.yaml", "? [a]\n: 1\n", "line 1: a key must be plain text, not a list"),
        ("p.yaml", "a: &x 1\nb: *x\n", "line 2: write the value out, not `*`"),
        (
            "p.yaml",
            "a: !!python/name:os.system ''\n",
            "line 1: could not determine a constructor",
        ),
        ("p.yaml", "a: [1\nb: 2\n", "line 2: expected ',' or ']', but got ':', at \"b: 2\""),
        (
            "p.yaml",
            "a: [1\n",
            "line 2: expected ',' or ']', but got '<stream end>', at the end",
        ),
        ("p.yaml", "b: 1\na: \x07\n", "line 2: special characters are not allowed (U+0007)"),
        ("p.yaml", "- a\n", "found a list of 1, expected keys and values"),
        ("p.yaml", "", "found nothing, expected keys and values"),
        ("p.yaml", "[" * 5000, "is nested too deeply"),
        ("p.json", '{"a": 1, "a": 2}', "key 'a' is given twice in one object"),
        (
            "p.json",
            '{"a": 1,\n}',
            'line 2: Expecting property name enclosed in double quotes, at "}"',
        ),
        ("p.json", '{"a": ', "line 1: Expecting value, at the end of the file"),
        ("p.json", r'{"a": "\ud800"}', r"a text holds half a character ('\ud800')"),
        ("p.yaml", r'"a\ud800": 1', r"a text holds half a character ('\ud800')"),
        ("p.json", '{"a": ' + "9" * 5000 + "}", "a value cannot be read (Exceeds the limit"),
    ],
)
def test_a_file_that_cannot_be_parsed_is_named(
    tmp_path: Path, name: str, content: str, sentence: str
) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    (fault,) = refusal(tmp_path)
    assert fault.startswith(f"{tmp_path / name}: ")
    assert sentence in fault


def test_paths_without_a_plan_are_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path) == [f"{tmp_path}: the folder holds no .yaml, .yml, .json file"]
    assert refusal(tmp_path / "x.yaml") == [
        f"{tmp_path / 'x.yaml'}: cannot be read: No such file or directory"
    ]
    assert refusal([]) == ["no plan file was named"]
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe")
    assert refusal(tmp_path) == [f"{tmp_path / 'b.yaml'}: the file is not UTF-8 text"]


SHAPES: list[tuple[Callable[[Content], object], str]] = [
    (
        lambda c: c.pop("decision"),
        "plan.json, {dir}units.yaml: decision: is missing; expected a value here",
    ),
    (
        lambda c: bloc(c).update(scale=1.5),
        "plan.json, blocs[0 town].scale: found 1.5, expected a whole number",
    ),
    (
        lambda c: c.update(blocz=1),
        "plan.json, blocz: found 1, expected no such key; did you mean `blocs`?",
    ),
    (
        lambda c: part(c, "A").update(qqqqq=[1]),
        (
            "plan.json, blocs[0 town].indicators[5 A].parts[0].qqqqq: found a list of 1, "
            "expected no such key here"
        ),
    ),
    (
        lambda c: measure(c, "A").update(kind="caped"),
        (
            'plan.json, blocs[0 town].indicators[5 A].parts[0].measure.kind: found "caped", '
            "expected one of 'ratio', 'count', "
        ),
    ),
    (
        lambda c: measure(c, "Q")["numerator"].update(paid_online=[0.5]),
        (
            "plan.json, blocs[0 town].indicators[1 Q].parts[0].measure.numerator.paid_online[0]"
            ": found 0.5, expected text; write it in quotes or true or false or a whole number"
        ),
    ),
    (
        lambda c: line(c, "A").update(name="Articles"),
        (
            'plan.json, blocs[0 town].indicators[5 A].name: found "Articles", '
            "expected keys `vi:`, `en:`"
        ),
    ),
    (
        lambda c: line(c, "A").update(frequency="x" * 99),
        (
            f'plan.json, blocs[0 town].indicators[5 A].frequency: found "{"x" * 59}…, '
            "expected 'week', 'month', 'quarter' or 'year'"
        ),
    ),
    (
        lambda c: c.update(authority=None),
        "plan.json, authority: found nothing, expected keys `vi:`, `en:`",
    ),
    (
        lambda c: c.update(decision=""),
        'plan.json, decision: found "", expected some text',
    ),
]


@pytest.mark.parametrize(("change", "sentence"), SHAPES)
def test_a_wrong_shape_is_told_in_plain_words(
    tmp_path: Path, change: Callable[[Content], object], sentence: str
) -> None:
    content = deepcopy(SOUND)
    units = json.dumps({"units": content.pop("units")})
    write(tmp_path, plan_json=json.dumps(content), units_yaml=units)
    read_plan(tmp_path)
    change(content)
    write(tmp_path, plan_json=json.dumps(content))
    (fault,) = refusal(tmp_path)
    assert fault.startswith(f"{tmp_path}/{sentence.format(dir=f'{tmp_path}/')}")


def places(content: object, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place of some data, from the top."""
    inner = content.items() if isinstance(content, dict) else ()
    for key, value in enumerate(content) if isinstance(content, list) else inner:
        yield (*above, key)
        yield from places(value, (*above, key))


WRONG: tuple[object, ...] = (
    *(None, True, 1.5, 2, -1, 10**30, 1e300, float("nan"), "", "x y", "9" * 50, "0.12345678"),
    *("2023-13-01", "2023-06-01T10:00:00", [], {}, [None], {"a": 1}, {"kind": "x"}),
)


def test_whatever_stands_in_a_wrong_place_is_told_in_our_own_words() -> None:
    content = Plan.model_validate(SOUND).model_dump(mode="json")
    found = set()
    for *above, last in list(places(content)):
        holder: Any = content
        for step in above:
            holder = holder[step]
        kept = holder[last]
        for value in WRONG:
            holder[last] = value
            try:
                Plan.model_validate(content)
            except ValidationError as error:
                found |= {fault["type"] for fault in error.errors(include_url=False)}
        holder[last] = kept
    assert {"literal_error", "date_type", "finite_number"} <= found
    assert found - plan_files._EXPECTED.keys() == {
        "extra_forbidden",
        "literal_error",
        "model_type",
    }


def test_yaml_faults_name_their_line_and_text_stays_text(tmp_path: Path) -> None:
    plan, _ = split()
    units = (
        "units:\n  - code: 1\n    name: {vi: on, en: no}\n    bloc: town\n    traits: 1:30\n"
    )
    write(tmp_path, plan_yaml=plan, units_yaml=units)
    assert refusal(tmp_path) == [
        (
            f"{tmp_path}/units.yaml, line 2, units[0 1].code: "
            "found 1, expected text; write it in quotes"
        ),
        f'{tmp_path}/units.yaml, line 5, units[0 1].traits: found "1:30", expected a list',
    ]
