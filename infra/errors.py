"""What can go wrong in infra. One base; the docstring is the message unless a better one is given.

Errors of redis, kombu, minio and the file system are translated into these at the edge, grouped by what the
caller can do about them. The API turns each into one HTTP status, named in the comment beside the class.
"""


class InfraError(Exception):
    """Something in the infrastructure failed."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or " ".join((type(self).__doc__ or "").split()))


class Unavailable(InfraError):
    """A service that this needs does not answer; try again later."""  # 503


class StateUnavailable(Unavailable):
    """The state server is down, hung or full."""  # 503


class BrokerUnavailable(Unavailable):
    """The broker is down or hung."""  # 503 where it matters; a lost doorbell never fails a request


class StorageUnavailable(Unavailable):
    """The object storage is down, hung or refuses the credentials."""  # 503


class StorageRefused(StorageUnavailable):
    """The object storage refuses: no such bucket, or no rights. Only a person can mend that."""  # 503


class StorageFull(InfraError):
    """The object storage has no room left."""  # 507


class ObjectNotFound(InfraError):
    """There is no such object in the storage."""  # 404


class BadKey(InfraError):
    """A storage key is not one that this project would make."""  # a bug or an attack, never a typing error


class NotDurable(InfraError):
    """The state server would lose accepted jobs in a crash."""  # refuses to start


class ServerTooOld(InfraError):
    """The state server is older than Redis 6.2."""  # refuses to start


class JobNotFound(InfraError):
    """There is no such job, or it belongs to somebody else."""  # 404


class WorkerPaused(InfraError):
    """An operator has paused this worker: it is given no jobs."""  # workers only


class JobGone(InfraError):
    """The job was deleted."""  # 410


class IdempotencyMismatch(InfraError):
    """The idempotency key was used before with another request."""  # 422


class OwnerLimit(InfraError):
    """The owner has reached a limit."""  # 429


class TooFast(OwnerLimit):
    """The owner submits jobs faster than it may."""  # 429

    def __init__(self, seconds: int) -> None:
        super().__init__(f"You submit faster than you may; the same request is accepted in {seconds} s.")
        self.retry_after = seconds
        """Seconds from now until there is room for this request."""


class TooManyAtOnce(InfraError):
    """A list has more jobs than its owner may ever submit at once."""  # 422


class SystemFull(InfraError):
    """The queue has reached the limit for the whole system."""  # 503


class BadSetting(InfraError):
    """A setting is missing or has a value that cannot be used."""  # refuses to start


class HomeInUse(InfraError):
    """Another process already serves this home folder."""  # refuses to start

    def __init__(self, pid: int | None, url: str) -> None:
        super().__init__(f"Already running at {url or 'an unknown address'} (pid {pid or 'unknown'}).")
        self.pid = pid
        self.url = url


class ServerStartError(InfraError):
    """An embedded server did not start."""  # refuses to start
