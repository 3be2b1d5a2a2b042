"""The documents tell the truth: links lead somewhere, and what they name exists."""

import importlib
import json
import re
from pathlib import Path
from typing import Any

import prometheus_client
import pytest
import typer
import yaml
from typer.testing import CliRunner

from contracts import plan as models
from contracts.plan import Bands, Part
from contracts.streams import INDICATOR
from services.cli import app
from services.notifier.settings import NotifierSettings
from services.scoring.settings import BoardSettings, ScoringSettings

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("contracts/*.md")]
)
READMES = [ROOT / "README.md", ROOT / "README.vi.md"]
MADE = ("docs/asyncapi.json", "docs/openapi.json", "docs/bench.jsonl", "deploy/secrets")
"""Written by `make docs`, `make bench-record` and `deploy/make-secrets.sh`."""
OURS = (
    "intake_",
    "journal_",
    "catch_up_",
    "consumer_",
    "dead_letters",
    "scoring_",
    "board_",
    "workspace_",
    "notifier_",
    "reports_",
    "worker_",
)
each = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))


def blocks(document: Path, language: str) -> list[str]:
    """What stands in the fenced blocks of a language."""
    return re.findall(
        rf"^```{language}\n(.*?)^```", document.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )


def prose(document: Path) -> str:
    """The document without its fenced blocks."""
    return re.sub(
        r"^```.*?^```", "", document.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL
    )


def anchors(document: Path) -> set[str]:
    """The fragments that its headings make."""
    headings = re.findall(r"^#+ +(.+)$", prose(document), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading.lower().replace("`", "")).replace(" ", "-")
        for heading in headings
    }


@each
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(document)):
        if "://" in target:
            continue
        path, _, fragment = target.partition("#")
        found = document.parent / path if path else document
        assert found.exists(), target
        if fragment:
            assert fragment in anchors(found), target


@each
def test_paths_named_in_the_text_exist(document: Path) -> None:
    named = re.findall(
        r"`((?:contracts|services|tests|deploy|docs)/[\w./-]+)`", prose(document)
    )
    kept = [path for path in named if not path.startswith(MADE)]
    assert [path for path in kept if not (ROOT / path).exists()] == []


@each
def test_verbs_of_make_exist(document: Path) -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    verbs = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = re.findall(r"(?:^|[`\s])make ([a-z-]+)(?=[`\s]|$)", code(document), re.MULTILINE)
    assert set(named) <= verbs


def code(document: Path) -> str:
    """Fenced blocks of a shell and everything between backticks."""
    return "\n".join([*blocks(document, "sh"), *re.findall(r"`[^`\n]+`", prose(document))])


def test_the_readme_names_every_verb_of_make() -> None:
    helped = re.findall(
        r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE
    )
    for readme in READMES:
        text = code(readme)
        assert [verb for verb in helped if verb != "help" and f"make {verb}" not in text] == []


def options_of(words: list[str]) -> set[str]:
    """The options of `thidua …`; fails when there is no such command."""
    found: Any = typer.main.get_command(app)
    said = " ".join(words)
    while hasattr(found, "commands"):
        assert words, f"`thidua {said}` is no whole command"
        assert words[0] in found.commands, f"there is no `thidua {said}`"
        found = found.commands[words.pop(0)]
    return {name for parameter in found.params for name in parameter.opts}


@each
def test_commands_and_their_options_exist(document: Path) -> None:
    for line in re.findall(r"\bthidua ((?:[a-z][a-z-]+ ?)[^`\n#|)]*)", code(document)):
        given = [word.partition("=")[0] for word in line.split() if word.startswith("--")]
        assert set(given) <= options_of(line.split()), f"thidua {line}"


def test_every_metric_is_explained_and_every_explained_one_exists() -> None:
    for module in ("services.app", "services.scoring.app", "services.notifier.app"):
        importlib.import_module(module)
    made = {
        f"{metric.name}_total" if metric.type == "counter" else metric.name
        for metric in prometheus_client.REGISTRY.collect()
        if metric.name.startswith(OURS)
    }
    table = prose(ROOT / "docs/operations.md").partition("## Metrics")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == made


def test_settings_named_for_operators_exist() -> None:
    pages = (ROOT / "docs/operations.md", ROOT / "docs/alerts.md")
    named = [name for page in pages for name in re.findall(r"`THIDUA_(\w+)`", prose(page))]
    assert named
    parts = (ScoringSettings, BoardSettings, NotifierSettings)
    known = {field for part in parts for field in part.model_fields}
    assert [name for name in named if name.lower() not in known] == []


def test_every_kind_of_event_is_shown_with_the_example_of_its_contract() -> None:
    shown = [json.loads(block) for block in blocks(ROOT / "docs/api.md", "json")]
    for event in INDICATOR.events:
        assert event.example in shown, event.__name__  # type: ignore[attr-defined]


def test_every_kind_of_rule_is_shown_and_the_linter_would_take_it() -> None:
    shown = [yaml.safe_load(block) for block in blocks(ROOT / "docs/plan-files.md", "yaml")]
    parts = [Part.model_validate(block) for block in shown if "measure" in block]
    measures = {part.measure.kind for part in parts}
    assert measures == {
        found.model_fields["kind"].annotation.__args__[0]  # type: ignore[union-attr]
        for found in vars(models).values()
        if isinstance(found, type)
        and issubclass(found, models.Model)
        and "kind" in found.model_fields
        and found.__name__ in str(models.Measure)
    }
    assert {part.score.kind for part in parts} == {"proportional", "bands", "all_or_nothing"}
    assert any(isinstance(part.score, Bands) for part in parts)
    awards = next(block for block in shown if "awards" in block)
    bloc = models.Bloc.model_fields
    assert set(awards) <= set(bloc)
    for award in awards["awards"]:
        models.Award.model_validate(award)
    reporting = next(block for block in shown if "reporting" in block)
    models.Reporting.model_validate(reporting["reporting"])
    indicator = next(block for block in shown if "parts" in block)
    models.Indicator.model_validate(indicator)


WORDS = {"vi": "Thử", "en": "Trial"}


def plan_with(part: dict[str, Any]) -> dict[str, Any]:
    """A whole plan whose only rule is an example of the document."""
    line = {
        "code": "X1", "name": WORDS, "clause": "1", "target": WORDS, "frequency": "month",
        "origin": WORDS, "parts": [part],
    }  # fmt: skip
    bloc = {
        "code": "bloc", "name": WORDS, "scale": part["points"], "points_are": "proposed",
        "indicators": [line],
    }  # fmt: skip
    return {
        "id": "trial", "version": 1, "title": WORDS, "decision": "1", "authority": WORDS,
        "starts_on": "2026-01-01", "ends_on": "2026-12-31",
        "valid_from": "2026-01-01", "valid_to": "2026-12-31", "uncounted_statuses": [],
        "reporting": {"last_day": 14, "clause": "1", "blocs": ["bloc"]},
        "blocs": [bloc], "units": [{"code": "U1", "name": WORDS, "bloc": "bloc"}],
        "catalogue": [{"code": "1", "title": "Thử", "level": "full", "fee_due": True},
                      {"code": "2", "title": "Thử", "level": "partial", "fee_due": True}],
    }  # fmt: skip


def test_plan_check_takes_every_example_of_a_rule_and_refuses_it_misspelt(
    tmp_path: Path,
) -> None:
    shown = [yaml.safe_load(block) for block in blocks(ROOT / "docs/plan-files.md", "yaml")]
    parts = [block for block in shown if "measure" in block]
    assert len(parts) >= 14
    file = tmp_path / "plan.json"
    for part in parts:
        file.write_text(json.dumps(plan_with(part)), "utf-8")
        said = CliRunner().invoke(app, ["plan", "check", str(tmp_path)])
        assert said.exit_code == 0, f"{part}: {said.output}"
    misspelt = plan_with(parts[0] | {"measure": parts[0]["measure"] | {"kind": "ration"}})
    file.write_text(json.dumps(misspelt), "utf-8")
    said = CliRunner().invoke(app, ["plan", "check", str(tmp_path)])
    assert said.exit_code == 1
    assert "ration" in said.output


def test_every_hazard_of_the_portal_has_its_test() -> None:
    section = (ROOT / "docs/portal.md").read_text("utf-8").partition("## Hazards")[2]
    named = re.findall(r"`(test_\w+)`", section)
    written = "".join(
        (ROOT / "tests" / file).read_text("utf-8")
        for file in (
            "integration/test_portal.py",
            "integration/test_sheets.py",
            "unit/test_portal_merging.py",
        )
    )
    assert len(named) > 20
    assert [name for name in named if f"def {name}(" not in written] == []
