"""Addresses of the runbook pages."""

from django.urls import path

from runbooks import views

urlpatterns = [
    path("", views.runbook_list, name="runbook-list"),
    path("new/", views.runbook_new, name="runbook-new"),
    path("preview/", views.runbook_preview, name="runbook-preview"),
    path("<slug:slug>/", views.runbook_page, name="runbook-page"),
    path("<slug:slug>/edit/", views.runbook_edit, name="runbook-edit"),
    path("<slug:slug>/revisions/<int:number>/approve/", views.runbook_approve, name="runbook-approve"),
    path("<slug:slug>/revisions/<int:number>/retire/", views.runbook_retire, name="runbook-retire"),
    path("<slug:slug>/revisions/<int:number>/discard/", views.runbook_discard, name="runbook-discard"),
    path("<slug:slug>/revisions/<int:number>/embed/", views.runbook_embed_again, name="runbook-embed-again"),
]
