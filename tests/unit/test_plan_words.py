"""Every fault of a plan has its Vietnamese words, with the same parts in the same order."""

import ast
from pathlib import Path
from string import Formatter

import pytest

from contracts.faults import Fault
from services import plan_files
from services.runtime.web.plan_words import VIETNAMESE, plan_fault

ROOT = Path(__file__).parents[2]
SOURCES = (
    "contracts/plan_lint.py",
    "contracts/alert_lint.py",
    "services/plan_files.py",
    "services/plan_syntax.py",
    "services/changing.py",
    "services/publishing.py",
)


def templates() -> set[str]:
    """What the code may say, read from the code itself."""
    found = {words[0] for words in plan_files._EXPECTED.values()}
    for source in SOURCES:
        for node in ast.walk(ast.parse((ROOT / source).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Fault.of":
                first = node.args[0]
                if isinstance(first, ast.Constant):
                    found.add(str(first.value))
                else:
                    assert ast.unparse(first) in {"template", "self.template"}
    return found


def parts(template: str) -> list[tuple[str | None, str | None, str | None]]:
    return [
        (name, spec, conversion)
        for _, name, spec, conversion in Formatter().parse(template)
        if name is not None
    ]


def test_every_sentence_is_said_in_vietnamese_and_none_that_is_never_said() -> None:
    assert templates() == set(VIETNAMESE)


@pytest.mark.parametrize("template", VIETNAMESE)
def test_the_parts_are_the_same(template: str) -> None:
    assert parts(template) == parts(VIETNAMESE[template])


def test_parts_are_said_in_the_same_language() -> None:
    fault = Fault.of("{}: {}", "xa", Fault.of("award {}: {}", "A", Fault.of("cites no clause")))
    assert fault == "xa: award A: cites no clause"
    assert plan_fault("en", fault) == fault
    assert plan_fault("vi", fault) == "xa: mức giải A: không dẫn điều khoản nào của kế hoạch"
    assert plan_fault("vi", "Tối đa 8 tệp.") == "Tối đa 8 tệp."


def test_a_folder_that_means_nothing_to_the_reader_is_left_out(tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text("id: 7\nblocs: 3\n", encoding="utf-8")
    with pytest.raises(plan_files.PlanFileError) as refused:
        plan_files.read_plan(plan)
    said = [fault.without(f"{tmp_path}/") for fault in refused.value.faults]
    assert "plan.yaml, line 1, id: found 7, expected text; write it in quotes" in said
    assert next(plan_fault("vi", fault) for fault in said if "id:" in fault) == (
        "plan.yaml, dòng 1, id: gặp 7, cần văn bản; hãy đặt trong dấu nháy"
    )
