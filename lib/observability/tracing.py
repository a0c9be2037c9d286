"""Every destination that the settings name, fed from the event log."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import Session

from lib.engine.events import EventLog
from lib.observability.destinations import AgentOps, Destination, OtlpEndpoint
from lib.observability.trace_ids import trace_id_of
from lib.settings import Settings
from lib.store.database import Store
from lib.store.queries import find
from lib.store.tables import Json, RunRow, TraceDeliveryRow

if TYPE_CHECKING:
    from lib.observability.delivery import Delivery


@dataclass(frozen=True, slots=True)
class Tracing:
    """Made by `start_tracing`; empty when the settings name no destination."""

    deliveries: "list[Delivery]"
    app_url: str

    def states(self) -> dict[str, Json]:
        """By destination: how its deliveries are doing."""
        off: Json = {"phase": "off", "message": "No key is set.", "since": None, "waiting": 0}
        states = {"agentops": off, "otlp": {**off, "message": "No endpoint is set."}}
        return states | {each.destination.name: asdict(each.state) for each in self.deliveries}

    def of_run(self, session: Session, thread_id: str, run_id: str) -> Json:
        """A run's trace id, when it arrived where or why it will not, and its link in AgentOps."""
        find(session, RunRow, run_id, thread_id=thread_id)
        query = select(TraceDeliveryRow).where(TraceDeliveryRow.run_id == run_id)
        rows = session.scalars(query).all()
        arrived = {row.destination: row.delivered_at for row in rows if row.refusal is None}
        trace_id = f"{trace_id_of(run_id):032x}"
        link = f"{self.app_url}/sessions?trace_id={trace_id}" if "agentops" in arrived else None
        return {
            "object": "thread.run.trace",
            "trace_id": trace_id,
            "url": link,
            "delivered_at": arrived,
            "refusals": {row.destination: row.refusal for row in rows if row.refusal},
            "destinations": self.states(),
        }

    async def close(self) -> None:
        for delivery in self.deliveries:
            await delivery.close()


def start_tracing(settings: Settings, store: Store, log: EventLog) -> Tracing:
    """Begin delivering to the destinations that the settings name."""
    destinations: list[Destination] = []
    if settings.agentops_api_key:
        destinations.append(
            AgentOps(
                settings.agentops_api_endpoint,
                settings.agentops_exporter_endpoint,
                settings.agentops_api_key,
            )
        )
    if settings.otel_exporter_otlp_endpoint:
        destinations.append(OtlpEndpoint(settings.otel_exporter_otlp_endpoint))
    if not destinations:
        return Tracing([], settings.agentops_app_url)
    # Loaded only when wanted: AgentOps' package takes seconds to import.
    from lib.observability.delivery import Delivery

    secrets = settings.secrets()
    deliveries = [Delivery(store, each, settings.trace_content, secrets) for each in destinations]
    for delivery in deliveries:
        log.listen(delivery.on_event)
        delivery.start()
    return Tracing(deliveries, settings.agentops_app_url)
