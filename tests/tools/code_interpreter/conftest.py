"""A real interpreter for each kind of sandbox, started once, and what tests say of its events."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio

from lib.tools.code_interpreter.events import Done, Event, Image, LogText
from lib.tools.code_interpreter.interpreter import CodeInterpreter
from lib.tools.code_interpreter.limits import MIB, Limits
from lib.tools.code_interpreter.sandbox.probe import Tier
from lib.tools.code_interpreter.session import Session

TIERS: tuple[Tier, ...] = ("bubblewrap", "landlock")
LIMITS = Limits(
    wall_seconds=20,
    cpu_seconds=30,
    memory_bytes=1024 * MIB,
    file_bytes=64 * MIB,
    disk_bytes=128 * MIB,
    file_count=2000,
    output_files=20,
)


@dataclass
class Outcome:
    """Everything that a cell produced."""

    events: list[Event]

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, LogText))

    @property
    def images(self) -> list[bytes]:
        return [event.png for event in self.events if isinstance(event, Image)]

    @property
    def done(self) -> Done:
        last = self.events[-1]
        assert isinstance(last, Done)
        return last

    @property
    def files(self) -> dict[str, bytes]:
        return {file.name: file.path.read_bytes() for file in self.done.files}


async def run(session: Session, code: str, wall_seconds: float | None = None) -> Outcome:
    return Outcome([event async for event in session.execute(code, wall_seconds)])


@pytest.fixture(scope="session", params=TIERS)
def tier(request: pytest.FixtureRequest) -> Tier:
    chosen: Tier = request.param
    return chosen


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def interpreter(
    tier: Tier, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[CodeInterpreter]:
    files = tmp_path_factory.mktemp(tier) / "code_interpreter"
    async with CodeInterpreter(files, tier, LIMITS) as interpreter:
        if interpreter.status.tier is None:
            pytest.fail(f"{interpreter.status.reason} (apt-get install bubblewrap)")
        yield interpreter


@pytest.fixture
def files(tmp_path: Path) -> Path:
    return tmp_path / "code_interpreter"


@pytest_asyncio.fixture(loop_scope="session")
async def session(interpreter: CodeInterpreter) -> AsyncIterator[Session]:
    key = f"thread_{uuid4().hex}"
    session = await interpreter.session(key)
    yield session
    await interpreter.delete(key)
