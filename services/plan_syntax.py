"""YAML and JSON as plans may use them: plain data with the line of every place, or why there is none."""

import json
import re

import yaml
from yaml.reader import ReaderError

from contracts.faults import Fault

Place = tuple[str | int, ...]
"""Where in the data: keys and list indexes from the top."""


class SyntaxFaultError(Exception):
    """A text cannot be parsed; `fault` says where and why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault)
        self.fault = fault


def parsed(text: str, lines: dict[Place, int], *, as_json: bool) -> object:
    """The text as plain data; notes the line of every place of YAML.

    Raises:
        SyntaxFaultError: it cannot be parsed.
    """
    try:
        content = _from_json(text) if as_json else _from_yaml(text, lines)
        json.dumps(content, ensure_ascii=False).encode()
    except (yaml.YAMLError, ValueError) as error:
        raise SyntaxFaultError(_fault(error, text)) from None
    return content


def _fault(error: Exception, text: str) -> Fault:
    """The parsers' own words are English only, so the text at fault stands beside them."""
    match error:
        case yaml.MarkedYAMLError(problem_mark=yaml.Mark() as mark):
            return _at(text, mark.index, error.problem or error.context)
        case json.JSONDecodeError():
            return _at(text, error.pos, error.msg)
        case ReaderError():
            character = f"U+{error.character:04X}"
            problem = Fault.of("special characters are not allowed ({})", character)
            return _at(text, error.position, problem)
        case UnicodeEncodeError():
            return Fault.of("a text holds half a character ({!r})", error.object[error.start])
        case _:
            return Fault.of("a value cannot be read ({})", error)


def _at(text: str, index: int, problem: object) -> Fault:
    line = text.count("\n", 0, index) + 1
    if isinstance(problem, Fault):
        return Fault.of("line {}: {}", line, problem)
    if not text[index:].strip("\0 \n"):
        return Fault.of("line {}: {}, at the end of the file", line, problem)
    return Fault.of(
        "line {}: {}, at {}", line, problem, shown(text.split("\n")[line - 1].strip())
    )


def _from_json(text: str) -> object:
    content: object = json.loads(text, object_pairs_hook=_unique)
    return content


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise SyntaxFaultError(Fault.of("key {!r} is given twice in one object", twice))
    return content


class _Loader(yaml.SafeLoader):
    """The safe loader, with the plain scalars of JSON only: `on`, `no`, `1:30` stay text."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - as PyYAML has it

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuses aliases: a plan is read by people, and a small file must stay small."""
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(
                problem=Fault.of("write the value out, not `*`"), problem_mark=mark
            )
        return super().compose_node(parent, index)


_SCALARS = {
    "bool": (r"^(true|false)$", "tf"),
    "null": (r"^(null|~|)$", ["n", "~", ""]),
    "int": (r"^-?(0|[1-9][0-9]*)$", "-0123456789"),
    "float": (r"^-?(0|[1-9][0-9]*)\.[0-9]+$", "-0123456789"),
}
for _tag, (_pattern, _first) in _SCALARS.items():
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first)
    )


def _from_yaml(text: str, lines: dict[Place, int]) -> object:
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        return None if node is None else _plain(loader, node, (), lines)
    finally:
        loader.dispose()


def _plain(loader: _Loader, node: yaml.Node, place: Place, lines: dict[Place, int]) -> object:
    """The node as plain data; notes the line of every place."""
    lines[place] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        content: dict[str, object] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.value in content:
                raise yaml.MarkedYAMLError(problem=_key(key), problem_mark=key.start_mark)
            content[key.value] = _plain(loader, value, (*place, key.value), lines)
            lines[(*place, key.value)] = key.start_mark.line + 1
        return content
    if isinstance(node, yaml.SequenceNode):
        return [_plain(loader, item, (*place, n), lines) for n, item in enumerate(node.value)]
    return _scalar(loader, node)


def _key(key: yaml.Node) -> Fault:
    if isinstance(key, yaml.ScalarNode):
        return Fault.of("key {!r} is given twice", key.value)
    return Fault.of("a key must be plain text, not a list or keys and values")


def _scalar(loader: _Loader, node: yaml.Node) -> object:
    value: object = loader.construct_object(node)
    return value


def shown(value: object) -> Fault:
    """The value as it would stand in JSON, cut short."""
    match value:
        case None:
            return Fault.of("nothing")
        case dict():
            return Fault.of("keys and values")
        case list():
            return Fault.of("a list of {}", len(value))
        case _:
            text = json.dumps(value, ensure_ascii=False)
            return Fault.of("{}", text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…")


_LONGEST = 60
