"""What a process is told from outside: addresses, clock, keys. Read once, in an `app.py` or the CLI."""

import json
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import (
    AliasChoices,
    AwareDatetime,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from services.runtime.redis_address import RedisAddress

Kind = TypeVar("Kind", bound=BaseSettings)


def faults_of(error: ValidationError) -> str:
    """What is wrong with which variable, in a sentence that holds no value."""
    return "; ".join(_of_setting(fault["loc"][0], fault["msg"]) for fault in error.errors())


def _of_setting(field: int | str, message: str) -> str:
    name = str(field)
    variable = name if name.isupper() else f"THIDUA_{name.upper()}"
    return f"{variable}: {message.removeprefix('Value error, ')}"


def from_environment(kind: type[Kind]) -> Kind:
    """The settings of a process that begins; wrong ones end it with a sentence."""
    try:
        return kind()
    except ValidationError as error:
        sys.exit(f"thidua: {faults_of(error)}")
    except OSError as error:  # of a file that a variable names
        sys.exit(f"thidua: {error}")


class _Files(EnvSettingsSource):
    """The content of the file that `THIDUA_<NAME>_FILE` names, so that a secret stands in no environment."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        given = super()._load_env_vars()
        names = (self.env_prefix.lower() + field for field in self.settings_cls.model_fields)
        paths = {name: given.get(f"{name}_file") for name in names}
        return {
            name: Path(path).read_text(encoding="utf-8").strip()
            for name, path in paths.items()
            if path
        }


class Settings(BaseSettings):
    """Settings that every process shares; each is an environment variable `THIDUA_<NAME>`.

    Or `THIDUA_<NAME>_FILE` names a file that holds the value; the variable itself goes before it.
    `MONGO_URL` and `REDIS_URL` are read without the prefix too, because operators know them.
    """

    model_config = SettingsConfigDict(
        env_prefix="THIDUA_",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    mongo_url: str = Field(
        "mongodb://127.0.0.1:27017/?replicaSet=rs0",
        validation_alias=AliasChoices("THIDUA_MONGO_URL", "MONGO_URL"),
    )
    redis_url: str = Field(
        "redis://127.0.0.1:6379/0",
        validation_alias=AliasChoices("THIDUA_REDIS_URL", "REDIS_URL"),
    )
    database_prefix: str = Field("", pattern=r"^(\w+_)?$")
    """Empty, or a word that ends in an underscore."""
    stream_prefix: str = "thidua:"
    host: str = "127.0.0.1"
    port: int = 8000
    keys_dir: Path = Path(".data/keys")
    session_idle_hours: float = Field(12.0, gt=0)
    """A person who did nothing for so long is signed out; real hours."""
    session_hours: float = Field(24.0 * 7, gt=0)
    """A person signs in anew at the latest after so long; real hours."""
    oidc_issuer: str = ""
    """Address of the office's OpenID Connect provider; empty: people sign in with passwords only."""
    oidc_client_id: str = ""
    oidc_client_secret: SecretStr = SecretStr("")
    clock_start: AwareDatetime | None = None
    """Simulated time shown at `clock_anchor`; unset: real time."""
    clock_anchor: AwareDatetime | None = None
    """Real instant at which the simulated clock showed `clock_start`."""
    clock_rate: float = Field(1.0, gt=0)
    """Simulated seconds that pass in one real second."""
    clock_until: AwareDatetime | None = None
    """Simulated instant from which on the clock runs as fast as real time."""
    scoring_shards: int = Field(1, ge=1, le=64)
    catch_up_seconds: float = Field(2.0, gt=0)
    catch_up_margin_seconds: float = Field(120.0, gt=0)
    """How far behind the low-water mark a late commit or a slow clock is still looked for."""
    stream_length: int = Field(10_000, ge=10)
    """Packs that a Redis stream keeps before it is trimmed."""
    log_level: str = "INFO"
    log_format: Literal["auto", "json", "console"] = "auto"
    """auto: lines for people on a terminal, JSON elsewhere."""
    traces_to: str = ""
    """Where spans go: the address of an OTLP receiver over HTTP; empty: nothing is traced."""
    traces_share: float = Field(1.0, gt=0, le=1)
    """Share of the requests that are traced, where their sender has not decided it."""
    mtls_subject_header: str = ""
    """Header in which the proxy tells the subject of a client's certificate; it must strip it from what comes in."""
    worker_urls: tuple[str, ...] = ()
    """Base addresses of the workers whose readiness this web process also reports."""

    @field_validator("redis_url")
    @classmethod
    def _names_servers(cls, url: str) -> str:
        RedisAddress.parse(url)
        return url

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - its caller names them
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is given in code, then the environment, then files that the environment names."""
        return init_settings, env_settings, _Files(settings_cls)

    def environment(self) -> dict[str, str]:
        """The variables that give a child process these very settings."""
        plain = self.model_dump(mode="json", exclude_none=True)
        return {
            f"THIDUA_{name.upper()}": value if isinstance(value, str) else json.dumps(value)
            for name, value in plain.items()
        }

    def started_at(self) -> tuple[datetime, datetime] | None:
        """(simulated start, real anchor), or None when time is real."""
        if self.clock_start is None or self.clock_anchor is None:
            return None
        return self.clock_start, self.clock_anchor
