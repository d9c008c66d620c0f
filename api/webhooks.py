"""The `webhook` of a submission: an endpoint of the owner's, or a URL; checked before anything is stored."""

from api.services import services
from infra.outbound import UrlRefused, check_url
from infra.webhooks.endpoints import NoTarget


def webhook_fault(webhook: str, owner: str) -> str | None:
    """What is wrong with it; None when messages can be sent there.

    A disabled endpoint is refused: a job whose end nobody hears of is worse than one that was not accepted.
    """
    try:
        if "://" in webhook:
            check_url(webhook, services().webhook_allow)
        services().endpoints.target(webhook, owner)
    except (UrlRefused, NoTarget) as error:
        return str(error)
    return None
