"""Token counts in the API's shape."""

from lib.models.provider import Usage
from lib.store.tables import Json


def usage_json(usage: Usage) -> Json:
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.prompt + usage.completion,
        "prompt_token_details": {"cached_tokens": usage.cached},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }


def usage_from_json(usage: Json | None) -> Usage:
    if usage is None:
        return Usage()
    # Objects that the hosted API returned did not always tell the details.
    read = usage.get("prompt_token_details") or {}
    written = usage.get("completion_tokens_details") or {}
    return Usage(
        usage["prompt_tokens"],
        usage["completion_tokens"],
        read.get("cached_tokens") or 0,
        written.get("reasoning_tokens") or 0,
    )
