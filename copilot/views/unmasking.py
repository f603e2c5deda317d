"""What a token on an incident's page stands for: fetched one at a time, on demand, by those who may see personal data."""

from django.contrib.auth.models import User
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from copilot.privacy import vault
from copilot.privacy.pseudonyms import HidingFailed
from copilot.views.access import incident_of, may_unmask


@may_unmask
@require_POST
@never_cache
def unmask(request: HttpRequest, pk: int) -> JsonResponse:
    """Return {"stands_for"} of ?token for the reason given, and write down who looked; or {"detail"} that says why not."""
    incident = incident_of(request, pk)
    user: User = request.user  # type: ignore[assignment]  # signed in: the permission says so
    token, reason = request.POST.get("token", ""), request.POST.get("reason", "")
    try:
        value = vault.unmask(incident.pk, token=token, reason=reason, by=user, now=timezone.now())
    except vault.UnknownPseudonym as error:
        return JsonResponse({"detail": str(error)}, status=404)
    except vault.UnmaskingRefused as error:
        return JsonResponse({"detail": str(error)}, status=422)
    except HidingFailed as error:
        return JsonResponse({"detail": str(error)}, status=503)
    return JsonResponse({"stands_for": value})
