"""How far the model is, in words and as a share of the work."""

from lib.dashboard.formatting import megabytes, sentence
from lib.dashboard.studio_api import ModelState

PREPARING = frozenset({"waiting", "downloading", "verifying", "starting"})
BROKEN = frozenset({"failed", "unreachable"})

PHASE_WORDS = {
    "waiting": "Waiting to fetch the model",
    "downloading": "Fetching the model",
    "verifying": "Checking the model's bytes",
    "starting": "Starting the model",
    "ready": "Ready",
    "failed": "The model could not be prepared",
    "unreachable": "The model endpoint cannot be reached",
}


def is_preparing(model: ModelState) -> bool:
    """True while the model will become ready by itself."""
    return model.phase in PREPARING


def is_broken(model: ModelState) -> bool:
    """True when someone has to do something before the model answers."""
    return model.phase in BROKEN


def progress_words(model: ModelState) -> str:
    """The phase, with the bytes while they are being fetched."""
    words = PHASE_WORDS.get(model.phase, model.phase)
    if model.phase != "downloading" or not model.bytes_total:
        return words
    return f"{words}: {megabytes(model.bytes_done or 0, model.bytes_total)}"


def progress_share(model: ModelState) -> float:
    """The share of bytes fetched, from 0 to 1."""
    if model.phase in ("verifying", "starting", "ready"):
        return 1.0
    if not model.bytes_total:
        return 0.0
    return min(1.0, (model.bytes_done or 0) / model.bytes_total)


def broken_sentence(model: ModelState) -> str:
    """What is wrong with the model, as the server says it."""
    return sentence(model.message or PHASE_WORDS.get(model.phase, model.phase))
