"""Which model answers for which name, and through which provider."""

import asyncio
import re
import time
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal, Protocol
from urllib.parse import urlsplit

from lib.models.chat_completions import ChatCompletionsProvider
from lib.models.endpoint import Endpoint
from lib.models.provider import Json, ModelError, ModelInfo, ModelProvider
from lib.models.requests import model_infos
from lib.models.responses import ResponsesProvider
from lib.settings import OPENAI_BASE_URL, Settings

Api = Literal["responses", "chat_completions"]

_ASK_AGAIN_AFTER = 5.0
"""Seconds until an endpoint that could not say which APIs it has is asked again."""

_NOT_FOR_CHAT = re.compile(
    r"embed|whisper|tts|dall-e|moderation|rerank|image|audio|realtime|transcribe|sora|davinci"
    r"|babbage|search|computer-use|guard|bge-|clip",
    re.IGNORECASE,
)


class EmbeddedState(Protocol):
    @property
    def phase(self) -> str: ...
    @property
    def message(self) -> str: ...


class EmbeddedModel(ModelProvider, Protocol):
    """The model that runs on this machine."""

    @property
    def name(self) -> str:
        """The name under which it is listed."""
        ...

    @property
    def state(self) -> EmbeddedState:
        """How far it is; `phase` is `ready` when it can answer."""
        ...


@dataclass(frozen=True, slots=True)
class ModelHealth:
    """How the place where models answer is doing. `message` is one sentence for people."""

    kind: Literal["embedded", "endpoint"]
    base_url: str | None
    """Without credentials; None for the embedded model."""
    api: Api | None
    """None for the embedded model, and while the endpoint has not said which API it has."""
    default_model: str | None
    reachable: bool
    message: str


class ModelRegistry:
    """Finds the provider and the model for each name an assistant may carry."""

    def __init__(self, settings: Settings, embedded: EmbeddedModel | None = None) -> None:
        """`embedded` is needed where the settings name no endpoint."""
        self._settings = settings
        self._embedded = embedded
        self._endpoint: Endpoint | None = None
        self._api: Api | None = None if settings.model_api == "auto" else settings.model_api
        self._ask_again_at = 0.0
        self._api_lock = asyncio.Lock()
        if settings.model_base_url:
            self._endpoint = Endpoint(
                settings.model_base_url, settings.model_api_key, settings.model_timeout
            )
            self._providers: dict[Api, ModelProvider] = {
                "responses": ResponsesProvider(self._endpoint),
                "chat_completions": ChatCompletionsProvider(self._endpoint),
            }

    async def resolve(self, requested: str) -> tuple[ModelProvider, str]:
        """The provider, and the name it knows, of the model that answers for this name."""
        if self._endpoint is None:
            return self._own_model, self._own_model.name
        api = await self._detected_api(self._endpoint) or "chat_completions"
        return self._providers[api], await self._model_for(requested, self._endpoint)

    async def list_models(self) -> list[ModelInfo]:
        """The models that can be asked for. Raises ModelError when the endpoint does not say."""
        if self._endpoint is None:
            return await self._own_model.list_models()
        return model_infos(await self._endpoint.models())

    async def health(self) -> ModelHealth:
        """Looks anew, and never raises."""
        if self._endpoint is None:
            return self._embedded_health()
        return await self._endpoint_health(self._endpoint)

    async def close(self) -> None:
        if self._endpoint:
            await self._endpoint.close()
        if self._embedded:
            await self._embedded.close()

    @property
    def _own_model(self) -> EmbeddedModel:
        if self._embedded is None:
            raise ModelError(
                "server_error",
                "There is no model to ask. Set MODEL_BASE_URL, or use the embedded model.",
            )
        return self._embedded

    async def _detected_api(self, endpoint: Endpoint) -> Api | None:
        if self._api:
            return self._api
        async with self._api_lock:
            if self._api is None and time.monotonic() >= self._ask_again_at:
                self._api = await _ask_for_api(endpoint)
                self._ask_again_at = time.monotonic() + _ASK_AGAIN_AFTER
        return self._api

    async def _model_for(self, requested: str, endpoint: Endpoint) -> str:
        for pattern, model in self._settings.model_map.items():
            if fnmatchcase(requested, pattern):
                return model
        try:
            entries = await endpoint.models()
        except ModelError:
            # The endpoint itself will say whether it knows the name.
            return requested
        names = [entry["id"] for entry in entries]
        # Ollama lists `llama3.2:latest` and answers to `llama3.2`.
        if requested in names or f"{requested}:latest" in names:
            return requested
        return self._default_model(entries) or requested

    def _default_model(self, entries: list[Json]) -> str | None:
        if self._settings.model:
            return self._settings.model
        names = (str(entry["id"]) for entry in entries)
        return next((name for name in names if not _NOT_FOR_CHAT.search(name)), None)

    def _embedded_health(self) -> ModelHealth:
        state = self._own_model.state
        return ModelHealth(
            kind="embedded",
            base_url=None,
            api=None,
            default_model=self._own_model.name,
            reachable=state.phase == "ready",
            message=state.message,
        )

    async def _endpoint_health(self, endpoint: Endpoint) -> ModelHealth:
        entries: list[Json] = []
        try:
            entries = await endpoint.models(fresh=True)
            message = f"The endpoint at {endpoint.address} answers and lists {_count(entries)}."
        except ModelError as error:
            message = error.message
            if endpoint.is_reachable:
                message = f"The endpoint at {endpoint.address} answers, but lists no models."
        return ModelHealth(
            kind="endpoint",
            base_url=endpoint.address,
            api=await self._detected_api(endpoint) if endpoint.is_reachable else self._api,
            default_model=self._default_model(entries),
            reachable=endpoint.is_reachable,
            message=message,
        )


async def _ask_for_api(endpoint: Endpoint) -> Api | None:
    if urlsplit(endpoint.address).netloc == urlsplit(OPENAI_BASE_URL).netloc:
        return "responses"
    has_responses = await endpoint.has("/responses")
    if has_responses is None:
        return None
    return "responses" if has_responses else "chat_completions"


def _count(entries: list[Json]) -> str:
    return "1 model" if len(entries) == 1 else f"{len(entries)} models"
