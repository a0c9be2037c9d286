"""The Python that makes or fetches an object with the openai SDK, ready to copy and run."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from openai.types.beta import Assistant, Thread
from openai.types.beta.threads import Message, Run
from openai.types.beta.threads.runs import RunStep

from lib.dashboard.run_progress import message_text

YOUR_KEY = "your key"


def connect_lines(base_url: str, asks_for_key: bool) -> str:
    """The three lines with which any program uses this server."""
    key = YOUR_KEY if asks_for_key else "no-key-needed"
    return "\n".join(
        [
            "from openai import OpenAI",
            f"client = OpenAI(base_url={literal(base_url)}, api_key={literal(key)})",
            "print(client.beta.assistants.list().data)",
        ]
    )


def assistant_calls(assistant: Assistant) -> str:
    """Create an assistant like this one, and fetch this one."""
    create = call(
        "client.beta.assistants.create",
        model=assistant.model,
        name=assistant.name,
        description=assistant.description,
        instructions=assistant.instructions,
        temperature=assistant.temperature,
        top_p=assistant.top_p,
        tools=[tool.to_dict() for tool in assistant.tools] or None,
        tool_resources=assistant.tool_resources.to_dict() if assistant.tool_resources else None,
        metadata=assistant.metadata or None,
    )
    fetch = f"client.beta.assistants.retrieve({literal(assistant.id)})"
    return _both("assistant", create, fetch)


def thread_calls(thread: Thread) -> str:
    """Create a thread like this one, and fetch this one."""
    create = call("client.beta.threads.create", metadata=thread.metadata or None)
    return _both("thread", create, f"client.beta.threads.retrieve({literal(thread.id)})")


def message_calls(message: Message) -> str:
    """Add a message like this one if a person may write it, and fetch this one."""
    fetch = call("client.beta.threads.messages.retrieve", message.id, thread_id=message.thread_id)
    if message.role != "user":
        return f"message = {fetch}"
    create = call(
        "client.beta.threads.messages.create",
        thread_id=message.thread_id,
        role="user",
        content=message_text(message),
    )
    return _both("message", create, fetch)


def run_calls(run: Run) -> str:
    """Start a run like this one, and fetch this one."""
    create = call(
        "client.beta.threads.runs.create",
        thread_id=run.thread_id,
        assistant_id=run.assistant_id,
    )
    fetch = call("client.beta.threads.runs.retrieve", run.id, thread_id=run.thread_id)
    return _both("run", create, fetch)


def step_calls(step: RunStep) -> str:
    """Fetch this step; only the engine makes steps."""
    fetch = call(
        "client.beta.threads.runs.steps.retrieve",
        step.id,
        thread_id=step.thread_id,
        run_id=step.run_id,
    )
    return f"step = {fetch}"


def call(function: str, *positional: str, **named: Any) -> str:
    """A call in Python, one argument a line; arguments that are None are left out."""
    arguments = [literal(value) for value in positional]
    arguments += [f"{name}={literal(value)}" for name, value in named.items() if value is not None]
    if not arguments:
        return f"{function}()"
    lines = "".join(f"    {argument},\n" for argument in arguments)
    return f"{function}(\n{lines})"


def literal(value: Any) -> str:
    """A JSON-like value as Python spells it, with double quotes."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{literal(k)}: {literal(v)}" for k, v in value.items()) + "}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(literal(item) for item in value) + "]"
    return repr(value)


def _both(name: str, create: str, fetch: str) -> str:
    return f"# make one like it\n{name} = {create}\n\n# fetch this one\n{name} = {fetch}"
