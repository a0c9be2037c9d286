"""What programs do with the agentops package themselves, and what the server does without a key."""

import os
import subprocess
import sys
from pathlib import Path

from tests.servers import ROOT, ThreadServer

OLD_NOTEBOOK = """
import agentops
agentops.init(default_tags=["assistants-api-overview"])

from openai import OpenAI
client = OpenAI()
assistant = client.beta.assistants.create(name="Math Tutor", model="gpt-4-1106-preview")
run = client.beta.threads.create_and_run_poll(
    assistant_id=assistant.id, thread={"messages": [{"role": "user", "content": "Hello"}]}
)
assert run.status == "completed", run.status

agentops.end_session("Success")
print("the end")
"""


def run_python(code: str, directory: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=directory,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )


def test_the_oldest_notebook_runs_with_no_agentops_key_and_no_network(
    server: ThreadServer, tmp_path: Path
) -> None:
    finished = run_python(
        OLD_NOTEBOOK,
        tmp_path,
        OPENAI_BASE_URL=server.base_url,
        OPENAI_API_KEY="any-key",
        # Nobody listens there: as good as no network.
        AGENTOPS_API_ENDPOINT="http://127.0.0.1:9",
        AGENTOPS_EXPORTER_ENDPOINT="http://127.0.0.1:9",
    )

    assert finished.returncode == 0, finished.stderr
    assert "the end" in finished.stdout


def test_a_server_without_a_key_does_not_load_agentops(tmp_path: Path) -> None:
    finished = run_python(
        "import sys, lib.studio, lib.api.app; sys.exit('agentops' in sys.modules)",
        ROOT,
        DATA_DIR=str(tmp_path),
    )

    assert finished.returncode == 0, finished.stderr
