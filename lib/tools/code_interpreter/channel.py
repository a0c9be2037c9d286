"""The host's end of a box's channel. Whatever arrives may come from hostile code."""

import asyncio
import json
import socket
import struct
from dataclasses import dataclass
from typing import Any

_LARGEST_MESSAGE = 16 * 1024
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_LARGEST_SIDE = 20_000
_LARGEST_AREA = 100_000_000


class ProtocolError(Exception):
    """The box said something that a worker never says. It cannot be trusted any further."""


@dataclass(frozen=True, slots=True)
class FigureMessage:
    png: bytes | None
    """None when it is too large to be shown."""


@dataclass(frozen=True, slots=True)
class DoneMessage:
    ok: bool
    error: str | None


class Channel:
    def __init__(self, sock: socket.socket, image_bytes: int) -> None:
        self._socket = sock
        self._image_bytes = image_bytes

    async def run_cell(self, cell: int, code: str, data: str) -> None:
        await self._send({"cell": cell, "code": code, "data": data})

    async def acknowledge_figure(self) -> None:
        """Let the worker go on: it waits, so that later text cannot overtake the figure."""
        await self._send({})

    async def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps(message).encode()
        frame = struct.pack("!I", len(body)) + body
        try:
            await asyncio.get_running_loop().sock_sendall(self._socket, frame)
        except ConnectionError:
            raise EOFError from None

    async def receive(self, cell: int) -> FigureMessage | DoneMessage:
        """The next message about this cell. Raises ProtocolError; EOFError when the box is gone."""
        (size,) = struct.unpack("!I", await self._read(4))
        if size > _LARGEST_MESSAGE:
            raise ProtocolError
        message = _parsed(await self._read(size))
        if message.get("type") == "image":
            return await self._figure(message)
        return _done(message, cell)

    async def _figure(self, message: dict[str, Any]) -> FigureMessage:
        size = message.get("size")
        if type(size) is not int or size < 0:
            raise ProtocolError
        if size > self._image_bytes:
            await self._skip(size)
            return FigureMessage(None)
        png = await self._read(size)
        return FigureMessage(png if _is_modest_png(png) else None)

    async def _read(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            data += await self._some(size - len(data))
        return bytes(data)

    async def _skip(self, size: int) -> None:
        while size > 0:
            size -= len(await self._some(size))

    async def _some(self, most: int) -> bytes:
        loop = asyncio.get_running_loop()
        try:
            chunk = await loop.sock_recv(self._socket, min(most, 256 * 1024))
        except ConnectionError:
            chunk = b""
        if not chunk:
            raise EOFError
        return chunk


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        raise ProtocolError from None
    if not isinstance(message, dict):
        raise ProtocolError
    return message


def _done(message: dict[str, Any], cell: int) -> DoneMessage:
    ok, error = message.get("ok"), message.get("error")
    if message.get("type") != "done" or message.get("cell") != cell or type(ok) is not bool:
        raise ProtocolError
    if ok:
        return DoneMessage(True, None)
    if not isinstance(error, str):
        raise ProtocolError
    return DoneMessage(False, error[:1000].encode("utf-8", "replace").decode())


def _is_modest_png(png: bytes) -> bool:
    """A PNG whose header promises a size that a reader can afford to decode."""
    if len(png) < 33 or not png.startswith(_PNG_SIGNATURE) or png[12:16] != b"IHDR":
        return False
    width: int
    height: int
    width, height = struct.unpack("!II", png[16:24])
    if not 0 < width <= _LARGEST_SIDE or not 0 < height <= _LARGEST_SIDE:
        return False
    return width * height <= _LARGEST_AREA
