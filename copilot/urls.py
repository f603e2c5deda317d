"""Every address of the site; each app names its own."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("incidents.urls")),
    path("runbooks/", include("runbooks.urls")),
]
