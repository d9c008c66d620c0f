"""The two ways in which a request to a user's URL ends badly. Messages are fit for that user: they tell the
URL's own host at most, never an address that it resolves to."""

from infra.errors import InfraError


class UrlRefused(InfraError):
    """This URL may not be used."""  # 422; sending it again changes nothing


class Unreachable(InfraError):
    """The server of this URL did not answer as it should."""  # 422 at submit; a webhook is tried again later
