"""Reads a plan from its files and says, fault by fault, why it cannot be published.

A plan may be one file or several, in YAML or JSON; their top-level keys together make one
`contracts.plan.Plan`.
"""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from contracts import plan as models
from contracts.faults import Fault
from contracts.plan import Plan
from contracts.plan_lint import lint
from services.plan_syntax import Place, SyntaxFaultError, parsed, shown

SUFFIXES = (".yaml", ".yml", ".json")


class PlanFileError(Exception):
    """The files make no plan that may be published; `faults` says why, one sentence each."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def read_plan(path: Path | Sequence[Path]) -> Plan:
    """The plan that a folder or some files hold, checked by shape and by the linter.

    Raises:
        PlanFileError: with every fault that could be found.
    """
    files = list(_files([path] if isinstance(path, Path) else path))
    source = _merge([_read_file(file) for file in files])
    try:
        plan = Plan.model_validate(source.content)
    except ValidationError as error:
        raise PlanFileError(list(_sentences(error, source))) from None
    if faults := lint(plan):
        raise PlanFileError(faults)
    return plan


def keys_of(path: Path) -> set[str]:
    """The top-level keys that one file gives.

    Raises:
        PlanFileError: it cannot be read.
    """
    return set(_read_file(path).content)


@dataclass(frozen=True, slots=True)
class _Source:
    """What files hold, and from which file and line each place came."""

    content: dict[str, object] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    lines: dict[Place, int] = field(default_factory=dict)


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    """The files themselves, and the plan files of each folder in order of their names."""
    if not paths:
        raise PlanFileError([Fault.of("no plan file was named")])
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        found = sorted(file for file in path.iterdir() if file.suffix in SUFFIXES)
        if not found:
            raise PlanFileError(
                [Fault.of("{}: the folder holds no {} file", path, ", ".join(SUFFIXES))]
            )
        yield from found


def _read_file(path: Path) -> _Source:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise PlanFileError([Fault.of("{}: the file is not UTF-8 text", path)]) from None
    except OSError as error:
        raise PlanFileError(
            [Fault.of("{}: cannot be read: {}", path, error.strerror)]
        ) from None
    source = _Source()
    try:
        content = parsed(text, source.lines, as_json=path.suffix == ".json")
    except SyntaxFaultError as error:
        raise PlanFileError([Fault.of("{}: {}", path, error.fault)]) from None
    except RecursionError:
        raise PlanFileError([Fault.of("{}: is nested too deeply", path)]) from None
    if not isinstance(content, dict):
        raise PlanFileError(
            [Fault.of("{}: found {}, expected keys and values", path, shown(content))]
        )
    source.content.update(content)
    source.files.update(dict.fromkeys(content, path))
    return source


def _merge(sources: list[_Source]) -> _Source:
    whole, faults = _Source(), []
    for source in sources:
        for key, file in source.files.items():
            if key in whole.files:
                first = whole.files[key]
                faults.append(Fault.of("{}: is given both in {} and in {}", key, first, file))
        whole.content.update(source.content)
        whole.files.update(source.files)
        whole.lines.update(source.lines)
    if faults:
        raise PlanFileError(faults)
    return whole


def _sentences(error: ValidationError, source: _Source) -> Iterator[Fault]:
    """One sentence for each faulty place, in the order of the files."""
    wanted: dict[Place, list[Fault]] = {}
    for fault in error.errors(include_url=False):
        place = _place(fault, source.content)
        expected = wanted.setdefault(place, [])
        if (words := _expected(fault)) not in expected:
            expected.append(words)
    for place, expected in wanted.items():
        known, found = _look(source.content, place)
        where, any_of = _where(place, source), reduce(_either, expected)
        if known:
            yield Fault.of("{}: found {}, expected {}", where, shown(found), any_of)
        else:
            yield Fault.of("{}: is missing; expected {}", where, any_of)


def _either(one: Fault, other: Fault) -> Fault:
    return Fault.of("{} or {}", one, other)


def _place(fault: ErrorDetails, content: object) -> Place:
    """The fault's place in the data, without the tags that pydantic puts in for unions."""
    place: list[str | int] = []
    for position, step in enumerate(fault["loc"]):
        known, inner = _look(content, (step,))
        last = position == len(fault["loc"]) - 1
        if known:
            content = inner
        if known or (last and fault["type"] == "missing"):
            place.append(step)
    if fault["type"] == "union_tag_invalid":
        place.append("kind")
    return tuple(place)


def _look(content: object, place: Place) -> tuple[bool, object]:
    """Whether the place exists in the data, and what stands there."""
    for step in place:
        match content:
            case dict() if step in content:
                content = content[step]
            case list() if isinstance(step, int) and step < len(content):
                content = content[step]
            case _:
                return False, None
    return True, content


def _where(place: Place, source: _Source) -> Fault:
    """File, line and dotted path: `plan.yaml, line 12, blocs[0 commune].scale`."""
    file = source.files.get(str(place[0])) if place else None
    if file is None:
        names = ", ".join(sorted({str(path) for path in source.files.values()}))
        return Fault.of("{}: {}", names or Fault.of("the plan"), _dotted(place, source.content))
    above = next(
        (place[:n] for n in range(len(place), 0, -1) if place[:n] in source.lines), None
    )
    dotted = _dotted(place, source.content)
    if above is None:
        return Fault.of("{}, {}", file, dotted)
    return Fault.of("{}, line {}, {}", file, source.lines[above], dotted)


def _dotted(place: Place, content: object) -> str:
    words = ""
    for n, step in enumerate(place):
        if isinstance(step, int):
            item = _look(content, place[: n + 1])[1]
            code = item.get("code") if isinstance(item, dict) else None
            words += f"[{step} {code}]" if code is not None else f"[{step}]"
        else:
            words += f".{step}" if words else step
    return words


def _expected(fault: ErrorDetails) -> Fault:
    """What pydantic wanted, in plain words."""
    context = fault.get("ctx", {})
    words = _EXPECTED.get(fault["type"])
    if fault["type"] == "extra_forbidden":
        return _known_key(fault["loc"])
    if fault["type"] == "model_type":
        return _keys_of(str(context["class_name"]))
    if fault["type"] == "literal_error":
        values = str(context["expected"]).rsplit(" or ", 1)
        return reduce(_either, (Fault.of("{}", value) for value in values))
    if words is None:
        return Fault.of("otherwise ({})", fault["msg"])
    template, *names = words
    return Fault.of(template, *(context.get(name, "") for name in names))


_EXPECTED: Mapping[str, tuple[str, ...]] = {
    "missing": ("a value here",),
    "string_type": ("text; write it in quotes",),
    "string_pattern_mismatch": ("a code of letters, digits, `.`, `_` and `-`",),
    "string_too_short": ("some text",),
    "bool_type": ("true or false",),
    "bool_parsing": ("true or false",),
    "int_type": ("a whole number",),
    "int_parsing": ("a whole number",),
    "int_from_float": ("a whole number",),
    "int_parsing_size": ("a smaller number",),
    "finite_number": ("a number",),
    "decimal_type": ("a number",),
    "decimal_parsing": ("a number",),
    "decimal_max_digits": ("at most {} digits", "max_digits"),
    "decimal_max_places": ("at most {} decimals", "decimal_places"),
    "date_type": ("a date such as 2023-06-01",),
    "date_parsing": ("a date such as 2023-06-01",),
    "date_from_datetime_parsing": ("a date such as 2023-06-01",),
    "date_from_datetime_inexact": ("a date such as 2023-06-01",),
    "list_type": ("a list",),
    "dict_type": ("keys and values",),
    "model_attributes_type": ("keys and values",),
    "too_short": ("at least {} entry", "min_length"),
    "union_tag_invalid": ("one of {}", "expected_tags"),
    "union_tag_not_found": ("a `kind:` among its keys",),
    "none_required": ("nothing",),
    "greater_than": ("more than {}", "gt"),
    "greater_than_equal": ("at least {}", "ge"),
    "less_than": ("less than {}", "lt"),
    "less_than_equal": ("at most {}", "le"),
}


def _known_key(loc: Place) -> Fault:
    """A refusal of a key that no plan has, with the one that was probably meant."""
    keys = _KEYS if len(loc) > 1 else list(Plan.model_fields)
    near = difflib.get_close_matches(str(loc[-1]), keys, n=1)
    if near:
        return Fault.of("no such key; did you mean `{}`?", near[0])
    return Fault.of("no such key here")


def _keys_of(name: str) -> Fault:
    required = [key for key, given in _MODELS[name].model_fields.items() if given.is_required()]
    return Fault.of("keys {}", ", ".join(f"`{key}:`" for key in required))


_MODELS = {
    name: model
    for name, model in vars(models).items()
    if isinstance(model, type) and issubclass(model, models.Model)
}
_KEYS = sorted({key for model in _MODELS.values() for key in model.model_fields})
