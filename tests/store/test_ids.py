import re

import pytest

from lib.store.ids import Prefix, new_id

PREFIXES: tuple[Prefix, ...] = (
    "asst_",
    "thread_",
    "msg_",
    "run_",
    "step_",
    "call_",
    "file-",
    "vs_",
    "vsfb_",
)


@pytest.mark.parametrize("prefix", PREFIXES)
def test_ids_look_like_those_of_the_hosted_api(prefix: Prefix) -> None:
    assert re.fullmatch(f"{prefix}[A-Za-z0-9]{{24}}", new_id(prefix))


def test_ids_do_not_repeat() -> None:
    assert len({new_id("msg_") for _ in range(10_000)}) == 10_000
