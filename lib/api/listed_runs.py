"""A run as lists of runs show it: the API's object with the extensions' fields."""

from lib.store.objects import to_json
from lib.store.run_queries import ListedRun


def listed_run(item: ListedRun) -> str:
    run = item.run
    return to_json(
        run,
        answered_by=run.answered_by,
        thread_title=item.thread_title,
        assistant_name=item.assistant_name,
        step_count=item.step_count,
        duration_ms=run.duration_ms,
        waited_ms=run.waited_ms,
        cost=run.cost,
    )
