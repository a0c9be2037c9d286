"""HTTP connections to a model endpoint, fast for one stream and for thousands at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx2
from openai import AsyncOpenAI

NO_KEY = "no-key"
"""What servers without keys get: the SDK insists on one."""

_STREAMS_PER_POOL = 64
_CONNECT_TIMEOUT = 10.0
_IDLE_CONNECTIONS = 16


@dataclass(slots=True)
class _Pool:
    client: AsyncOpenAI
    streams: int = 0


class Connections:
    """As many pools of connections as the streams that run at once need.

    A pool looks at each of its connections whenever one is taken or given back. Among a thousand
    of them that costs more than reading the answers, so the streams are spread over pools.
    """

    def __init__(self, base_url: str, api_key: str | None, timeout: float) -> None:
        self._tls = httpx2.create_ssl_context()
        self._timeout = httpx2.Timeout(timeout, connect=min(timeout, _CONNECT_TIMEOUT))
        self.client = AsyncOpenAI(
            base_url=base_url,
            api_key=api_key or NO_KEY,
            max_retries=2,
            http_client=self._new_http_client(),
        )
        """For short calls; a stream takes the one of `one_stream`."""
        self._pools = [_Pool(self.client)]

    @contextmanager
    def one_stream(self) -> Iterator[AsyncOpenAI]:
        """A client for the time of one stream."""
        pool = self._free_pool()
        pool.streams += 1
        try:
            yield pool.client
        finally:
            pool.streams -= 1

    async def close(self) -> None:
        for pool in self._pools:
            await pool.client.close()

    def _free_pool(self) -> _Pool:
        for pool in self._pools:
            if pool.streams < _STREAMS_PER_POOL:
                return pool
        pool = _Pool(self.client.with_options(http_client=self._new_http_client()))
        self._pools.append(pool)
        return pool

    def _new_http_client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            timeout=self._timeout,
            # How many answers run at once is the engine's to say.
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=_IDLE_CONNECTIONS),
            follow_redirects=True,
            verify=self._tls,
        )
