"""Objects of the API for tests, with the fields that do not matter filled in."""

from typing import Any

from openai.types.beta.threads import Message
from openai.types.beta.threads.runs import RunStep

from lib.dashboard.studio_api import ListedRun


def run(status: str = "completed", **fields: Any) -> ListedRun:
    whole = {
        "id": "run_1",
        "object": "thread.run",
        "assistant_id": "asst_1",
        "thread_id": "thread_1",
        "created_at": 1_000,
        "started_at": 1_001,
        "status": status,
        "model": "gpt-4o",
        "instructions": "",
        "tools": [],
        "metadata": {},
        "parallel_tool_calls": True,
        **fields,
    }
    return ListedRun.model_validate(whole)


def usage(prompt: int, completion: int) -> dict[str, int]:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }


def message_step(status: str = "completed", **fields: Any) -> RunStep:
    return _step(
        status,
        type="message_creation",
        step_details={
            "type": "message_creation",
            "message_creation": {"message_id": "msg_1"},
        },
        **fields,
    )


def tools_step(*functions: str, status: str = "completed", output: str | None = None) -> RunStep:
    calls = [
        {
            "id": f"call_{name}",
            "type": "function",
            "function": {"name": name, "arguments": "{}", "output": output},
        }
        for name in functions
    ]
    return _step(
        status,
        type="tool_calls",
        step_details={"type": "tool_calls", "tool_calls": calls},
    )


def code_step(code: str, logs: str, status: str = "completed") -> RunStep:
    outputs = [{"type": "logs", "logs": logs}] if logs else []
    call = {
        "id": "call_1",
        "type": "code_interpreter",
        "code_interpreter": {"input": code, "outputs": outputs},
    }
    details = {"type": "tool_calls", "tool_calls": [call]}
    return _step(status, type="tool_calls", step_details=details)


def message(text: str, **fields: Any) -> Message:
    return Message.model_validate(
        {
            "id": "msg_1",
            "object": "thread.message",
            "created_at": 1_000,
            "thread_id": "thread_1",
            "role": "user",
            "status": "completed",
            "content": [{"type": "text", "text": {"value": text, "annotations": []}}],
            **fields,
        }
    )


def _step(status: str, **fields: Any) -> RunStep:
    return RunStep.model_validate(
        {
            "id": "step_1",
            "object": "thread.run.step",
            "created_at": 1_001,
            "run_id": "run_1",
            "assistant_id": "asst_1",
            "thread_id": "thread_1",
            "status": status,
            **fields,
        }
    )
