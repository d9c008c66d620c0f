"""Many commands in one go over one connection: redis-py's pipeline without its price for each command."""

from collections.abc import Sequence
from typing import Any

import redis


def pack(*words: str | int) -> bytes:
    """A command as it is sent."""
    texts = [str(word).encode() for word in words]
    return b"*%d\r\n" % len(texts) + b"".join(map(pack_text, texts))


def pack_text(text: bytes) -> bytes:
    """One word of it."""
    return b"$%d\r\n%b\r\n" % (len(text), text)


def exchange(client: redis.Redis, commands: Sequence[bytes]) -> list[Any]:
    """Send all, then read all replies; an error reply is in its place. When the connection fails, all are
    sent again, as often as the client's settings say."""
    pool = client.connection_pool
    connection: Any = pool.get_connection()
    try:
        replies: list[Any] = connection.retry.call_with_retry(
            lambda: _exchanged(connection, b"".join(commands), len(commands)),
            lambda _: connection.disconnect(),
        )
        return replies
    except BaseException:
        connection.disconnect()  # replies may still be on their way
        raise
    finally:
        pool.release(connection)


def _exchanged(connection: Any, sent: bytes, count: int) -> list[Any]:
    connection.send_packed_command([sent])
    return [_reply(connection) for _ in range(count)]


def _reply(connection: Any) -> Any:
    try:
        return connection.read_response()
    except redis.ResponseError as error:
        return error
