"""Settings: each wrong value is told in one sentence that names its variable."""

from pathlib import Path

import pytest

from lib.network import refuse_to_listen_openly
from lib.settings import OPENAI_BASE_URL, SettingsError, load_settings

SECRET = "sk-must-never-be-seen"


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No `.env` of the machine, and no key that the other tests' SDK wants."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MODEL_BASE_URL", "localhost:11434"),
        ("MODEL_BASE_URL", "ftp://localhost/v1"),
        ("MODEL_API", "completions"),
        ("MODEL_MAP", "gpt-4*=llama"),
        ("MODEL_MAP", '["a"]'),
        ("MODEL_TIMEOUT", "0"),
        ("MODEL_TIMEOUT", "soon"),
        ("DATABASE_URL", "postgresql://localhost/db"),
        ("SEARCH_DATABASE_URL", "sqlite:///search.db"),
        ("SEARCH_DATABASE_URL", "postgresql://localhost"),
        ("SEARCH_DATABASE_URL", "postgresql://[::1/search"),
        ("RUN_EXPIRES_AFTER", "0"),
        ("RUN_EXPIRES_AFTER", "ten minutes"),
        ("RUN_EXPIRES_AFTER", "1e30"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "nowhere"),
        ("TRACE_CONTENT", "perhaps"),
        ("CODE_INTERPRETER", "docker"),
        ("EMBEDDER", "word2vec"),
        ("EMBEDDER", "endpoint"),
        ("EMBEDDING_BASE_URL", "localhost:11434"),
    ],
)
def test_a_wrong_value_is_told_in_one_sentence_with_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError) as caught:
        load_settings()

    sentence = str(caught.value)
    assert sentence.startswith(f"{name} cannot be used: ")
    assert sentence.endswith(".") and "\n" not in sentence


def test_without_any_setting_the_embedded_model_answers() -> None:
    settings = load_settings()

    assert settings.uses_embedded_model
    assert settings.accepted_keys == [] and settings.run_expires_after == 600


def test_an_embedding_endpoint_alone_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMBEDDING_BASE_URL", "http://localhost:11434/v1")
    monkeypatch.setenv("EMBEDDING_MODEL", "nomic-embed-text")
    monkeypatch.setenv("EMBEDDING_API_KEY", SECRET)

    settings = load_settings()

    assert settings.embedder == "endpoint"
    assert SECRET in settings.secrets()
    assert SECRET not in repr(settings)


def test_an_openai_key_alone_means_openai(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)

    settings = load_settings()

    assert (settings.model_base_url, settings.model_api_key) == (OPENAI_BASE_URL, SECRET)


def test_an_openai_key_is_not_sent_to_another_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    monkeypatch.setenv("MODEL_BASE_URL", "http://localhost:11434/v1")

    assert load_settings().model_api_key is None


def test_openai_base_url_is_never_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:8501/v1")

    assert load_settings().uses_embedded_model


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MODEL_BASE_URL", "RUN_EXPIRES_AFTER", "API_KEYS", "MODEL_MAP"):
        monkeypatch.setenv(name, "")

    assert load_settings().uses_embedded_model


def test_the_environment_wins_over_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("RUN_EXPIRES_AFTER=5\nMODEL=from-file\nUNKNOWN=1\n")
    monkeypatch.setenv("MODEL", "from-environment")

    settings = load_settings()

    assert (settings.run_expires_after, settings.model) == (5, "from-environment")


def test_secrets_do_not_appear_where_settings_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("MODEL_API_KEY", "OPENAI_API_KEY", "API_KEYS", "DASHBOARD_PASSWORD")
    for name in (*names, "AGENTOPS_API_KEY"):
        monkeypatch.setenv(name, SECRET)

    settings = load_settings()

    assert SECRET not in repr(settings)
    assert settings.secrets() == [SECRET] * 5


def test_the_password_of_the_search_database_is_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEARCH_DATABASE_URL", "postgresql://me:must%20never%20be@host/search")

    settings = load_settings()

    assert {"must%20never%20be", "must never be"} <= set(settings.secrets())
    assert "SEARCH_DATABASE_URL" in settings.secret_names()
    assert "never" not in repr(settings)


def test_a_search_database_that_cannot_be_read_is_told_without_its_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SEARCH_DATABASE_URL", f"postgresql://me:{SECRET}/with@host/search")

    with pytest.raises(SettingsError, match="SEARCH_DATABASE_URL") as caught:
        load_settings()

    assert SECRET not in str(caught.value)


# --- lib/network.py ----------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["127.0.0.1", "localhost", "::1", "127.1.2.3"])
def test_this_machine_alone_may_listen_without_keys(address: str) -> None:
    refuse_to_listen_openly(load_settings(), address)


@pytest.mark.parametrize("address", [None, "", "0.0.0.0", "::", "192.168.1.2", "my-host"])
@pytest.mark.parametrize(
    ("keys", "password", "missing"),
    [("", "", "API_KEYS"), ("", "pass", "API_KEYS"), ("sk-1", "", "DASHBOARD_PASSWORD")],
)
def test_listening_to_others_needs_keys_and_a_password(
    monkeypatch: pytest.MonkeyPatch, address: str | None, keys: str, password: str, missing: str
) -> None:
    monkeypatch.setenv("API_KEYS", keys)
    monkeypatch.setenv("DASHBOARD_PASSWORD", password)

    with pytest.raises(SettingsError, match=f"set {missing} to"):
        refuse_to_listen_openly(load_settings(), address)


def test_with_keys_and_a_password_others_may_be_listened_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("API_KEYS", "sk-1")
    monkeypatch.setenv("DASHBOARD_PASSWORD", "pass")

    refuse_to_listen_openly(load_settings(), "0.0.0.0")
