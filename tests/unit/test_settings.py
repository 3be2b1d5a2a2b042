"""What a process is told: by variables, or by files that variables name."""

import sys
from pathlib import Path

import pytest

from services import cli
from services.runtime.datafolder import free_port
from services.runtime.settings import Settings, from_environment
from services.scoring.settings import ScoringSettings


def test_a_file_holds_the_value_and_the_variable_itself_goes_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("redis://:word@host/0\n", "utf-8")
    monkeypatch.setenv("THIDUA_REDIS_URL_FILE", str(secret))
    monkeypatch.setenv("THIDUA_OIDC_CLIENT_SECRET_FILE", str(secret))
    told = Settings()
    assert told.redis_url == "redis://:word@host/0"
    assert told.oidc_client_secret.get_secret_value() == "redis://:word@host/0"
    assert {"redis_url", "oidc_client_secret"} <= told.model_fields_set
    monkeypatch.setenv("THIDUA_REDIS_URL", "redis://other/0")
    assert Settings().redis_url == "redis://other/0"


def test_a_file_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THIDUA_MONGO_URL_FILE", str(tmp_path / "none"))
    with pytest.raises(FileNotFoundError, match="none"):
        Settings()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (
            "THIDUA_SCORING_SHARDS",
            "many",
            "THIDUA_SCORING_SHARDS: Input should be a valid integer",
        ),
        ("REDIS_URL", "redis+cluster://:secret@a/0", "expected nothing after the last '/'"),
        ("THIDUA_SCORING_ORDINAL", "3", "THIDUA_SCORING_ORDINAL: there is nothing to share"),
    ],
)
def test_a_wrong_setting_ends_a_command_with_a_sentence(
    name: str,
    value: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(name, value)
    words = ["up", "--data", str(tmp_path), "--port", str(free_port())]
    monkeypatch.setattr(sys, "argv", ["thidua", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    error = capsys.readouterr().err
    assert said in error
    assert error.startswith("thidua: ")
    assert "secret" not in error


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("THIDUA_SCORING_ORDINAL", "0", "THIDUA_SCORING_ORDINAL: there is nothing to share"),
        ("REDIS_URL", "redis+cluster://:secret@a/0", "REDIS_URL: "),
        ("THIDUA_MONGO_URL_FILE", "/no/such/file", "/no/such/file"),
    ],
)
def test_a_wrong_setting_ends_a_process_with_a_sentence(
    name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert from_environment(ScoringSettings).scoring_ordinal is None
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        from_environment(ScoringSettings)
    sentence = str(ended.value.code)
    assert sentence.startswith("thidua: ")
    assert said in sentence
    assert "secret" not in sentence
