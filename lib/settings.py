"""Every setting of the product, read once from the environment and from `.env`."""

import json
import os
from pathlib import Path
from typing import Literal, Self
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from lib.observability.pricing import ModelPrice

OPENAI_BASE_URL = "https://api.openai.com/v1"
EMBEDDED_MODELS = ("qwen2.5-coder-1.5b", "smollm2-135m")


class SettingsError(Exception):
    """A setting has a value that cannot be used. The text is one sentence naming the variable."""


class Settings(BaseSettings):
    """Settings by the names that `.env.example` explains; environment variables win over `.env`.

    `OPENAI_BASE_URL` is deliberately not among them: old programs set it to reach this server,
    which would then call itself.
    """

    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", env_ignore_empty=True, extra="ignore"
    )

    model_base_url: str | None = None
    model_api_key: str | None = Field(default=None, repr=False)
    model_api: Literal["auto", "responses", "chat_completions"] = "auto"
    model: str | None = None
    model_map: dict[str, str] = Field(default_factory=dict)
    model_prices: dict[str, ModelPrice] = Field(default_factory=dict)
    model_timeout: float = Field(default=120.0, gt=0, le=3600)
    embedded_model: str = EMBEDDED_MODELS[0]
    data_dir: Path = Path("data")
    database_url: str | None = None
    search_database_url: str | None = Field(default=None, repr=False)
    api_keys: str | None = Field(default=None, repr=False)
    dashboard_password: str | None = Field(default=None, repr=False)
    run_expires_after: int = Field(default=600, ge=1, le=30 * 24 * 3600)
    functions_dir: Path | None = None
    max_tool_rounds: int = Field(default=20, ge=1, le=1000)
    openai_api_key: str | None = Field(default=None, repr=False)
    agentops_api_key: str | None = Field(default=None, repr=False)
    agentops_api_endpoint: str = "https://api.agentops.ai"
    agentops_exporter_endpoint: str = "https://otlp.agentops.ai"
    agentops_app_url: str = "https://app.agentops.ai"
    otel_exporter_otlp_endpoint: str | None = None
    trace_content: bool = False
    code_interpreter: Literal["auto", "bubblewrap", "landlock", "off"] = "auto"
    code_timeout: float = Field(default=60.0, ge=1, le=3600)
    code_cpu_seconds: float = Field(default=120.0, ge=1, le=24 * 3600)
    code_memory_mb: int = Field(default=2048, ge=512)
    code_processes: int = Field(default=64, ge=16, le=4096)
    code_file_mb: int = Field(default=512, ge=1)
    code_disk_mb: int = Field(default=2048, ge=16)
    code_output_kb: int = Field(default=256, ge=1, le=16 * 1024)
    code_idle_minutes: float = Field(default=60.0, gt=0)
    embedder: Literal["minilm", "endpoint", "off"] = "minilm"
    embedding_base_url: str | None = None
    embedding_model: str | None = None
    embedding_api_key: str | None = Field(default=None, repr=False)

    @field_validator(
        "model_base_url",
        "otel_exporter_otlp_endpoint",
        "embedding_base_url",
        "agentops_api_endpoint",
        "agentops_exporter_endpoint",
        "agentops_app_url",
    )
    @classmethod
    def _is_web_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ValueError("it must be a web address such as http://localhost:11434/v1")
        return value.rstrip("/")

    @field_validator("database_url")
    @classmethod
    def _is_sqlite(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith("sqlite:///"):
            raise ValueError("it must begin with sqlite:///, the one database supported so far")
        return value

    @field_validator("search_database_url")
    @classmethod
    def _is_postgres(cls, value: str | None) -> str | None:
        if value is not None and not _is_postgres_address(value):
            # Not what urlsplit says: it quotes what it cannot read, which may be the password.
            raise ValueError(
                "it must be an address such as postgresql://user:password@localhost:5432/search, "
                "with %-codes for special characters of the password"
            )
        return value

    @model_validator(mode="after")
    def _openai_key_alone_means_openai(self) -> Self:
        if self.openai_api_key and not self.model_base_url and not self.model_api_key:
            self.model_base_url = OPENAI_BASE_URL
            self.model_api_key = self.openai_api_key
        if self.model_api_key and not self.model_base_url:
            self.model_base_url = OPENAI_BASE_URL
        return self

    @model_validator(mode="after")
    def _embedding_endpoint_is_whole(self) -> Self:
        if self.embedding_base_url and "embedder" not in self.model_fields_set:
            self.embedder = "endpoint"
        if self.embedder == "endpoint" and not (self.embedding_base_url and self.embedding_model):
            raise ValueError(
                "EMBEDDER cannot be used: endpoint needs EMBEDDING_BASE_URL and EMBEDDING_MODEL"
            )
        return self

    @property
    def uses_embedded_model(self) -> bool:
        """True when no endpoint is set: the model then runs on this machine."""
        return self.model_base_url is None

    @property
    def accepted_keys(self) -> list[str]:
        """The keys that API clients may present; empty means that none is asked for."""
        return [key.strip() for key in (self.api_keys or "").split(",") if key.strip()]

    @property
    def database(self) -> str:
        return self.database_url or f"sqlite:///{self.data_dir.resolve() / 'studio.db'}"

    @classmethod
    def secret_names(cls) -> set[str]:
        """The environment variables whose values are secret."""
        return {name.upper() for name, field in cls.model_fields.items() if not field.repr}

    def secrets(self) -> list[str]:
        """Every value that must never be shown, logged or exported."""
        values = [
            self.model_api_key,
            self.openai_api_key,
            self.embedding_api_key,
            self.agentops_api_key,
            self.dashboard_password,
            *_passwords(self.search_database_url),
            *self.accepted_keys,
        ]
        return [value for value in values if value]


def load_settings() -> Settings:
    """Read the settings. Raises SettingsError with one sentence for the first wrong value."""
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError(_sentence(error)) from None
    except Exception as error:
        # pydantic-settings wraps a broken JSON value without naming the variable plainly.
        raise SettingsError(_json_sentence(error)) from None


def _is_postgres_address(value: str) -> bool:
    try:
        parts = urlsplit(value)
        has_port = parts.port != 0
    except ValueError:
        return False
    return parts.scheme in ("postgresql", "postgres") and has_port and len(parts.path) > 1


def _passwords(address: str | None) -> list[str | None]:
    """The password in a database's address, as it is and as it is spelt there."""
    if address is None:
        return []
    parts = urlsplit(address)
    asked = parse_qs(parts.query).get("password", [])
    return [address, parts.password, unquote(parts.password or ""), *asked]


_JSON_EXAMPLES = {
    "MODEL_MAP": '{"gpt-4*": "qwen2.5-coder-1.5b"}',
    "MODEL_PRICES": '{"llama3*": {"input": 0.05, "output": 0.08}}',
}


def _sentence(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    message = first["msg"].removeprefix("Value error, ")
    if not first["loc"]:
        return f"{message}."
    name = str(first["loc"][0]).upper()
    return f"{name} cannot be used: {message[:1].lower()}{message[1:]}."


def _json_sentence(error: Exception) -> str:
    for name, example in _JSON_EXAMPLES.items():
        try:
            json.loads(os.environ.get(name) or "{}")
        except ValueError:
            return f"{name} cannot be used: it must be a JSON object such as {example}."
    return f"The settings cannot be read: {error}."
