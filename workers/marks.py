"""The marks of provenance that the settings ask for."""

from infra.errors import BadSetting
from infra.settings import Settings
from pipelines.provenance.credential import BadCredential, Credential, local_credential, read_credential
from pipelines.provenance.deployment import DeploymentMarks


def marks_of(settings: Settings) -> DeploymentMarks:
    """What marks outputs; raises BadSetting for a credential that cannot be used. Makes the local one when it
    is needed and not there."""
    return DeploymentMarks(
        number=settings.watermark_number if settings.watermark else None,
        credential=_credential(settings) if settings.c2pa else None,
    )


def _credential(settings: Settings) -> Credential:
    try:
        if settings.c2pa_certificates is None or settings.c2pa_key is None:
            return local_credential(settings.places.credential)
        return read_credential(settings.c2pa_certificates, settings.c2pa_key)
    except BadCredential as error:
        raise BadSetting(f"Outputs cannot be signed: {error}. See docs/provenance.md.") from error
