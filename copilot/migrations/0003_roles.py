"""Makes the roles, which are groups. `copilot.people` keeps them complete from here on."""

from django.contrib.auth.management import create_permissions
from django.db import migrations

SEE = ["incidents.view_incident", "runbooks.view_document", "runbooks.view_revision"]
RESPOND = ["incidents.respond_to_incident", "incidents.silence_alerts"]
SET_UP = ["incidents.manage_sources", "incidents.view_trends"]
CURATE = ["runbooks.add_document", "runbooks.change_document", "runbooks.change_revision", "runbooks.approve_revision"]
OVERSEE = ["incidents.view_trends", "copilot.view_audit", "incidents.view_restricted_incident"]
ROLES = {
    "viewer": SEE,
    "responder": SEE + RESPOND,
    "SRE": SEE + RESPOND + SET_UP + CURATE,
    "manager": SEE + OVERSEE,
    "administrator": SEE + RESPOND + SET_UP + CURATE + OVERSEE + ["copilot.manage_people"],
}


def make_roles(apps, schema_editor):
    """Make the groups with their permissions; Django makes permissions after all migrations, which is too late here."""
    for label in ("incidents", "runbooks", "copilot"):
        config = apps.get_app_config(label)
        config.models_module = True
        create_permissions(config, apps=apps, verbosity=0)
        config.models_module = None
    Group, Permission = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    for name, permissions in ROLES.items():
        group, _ = Group.objects.get_or_create(name=name)
        for permission in permissions:
            app, _, codename = permission.partition(".")
            group.permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))


class Migration(migrations.Migration):
    dependencies = [
        ("copilot", "0002_audit_tokens_and_views"),
        ("incidents", "0002_alerts_and_teamwork"),
        ("runbooks", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]
    operations = [migrations.RunPython(make_roles, migrations.RunPython.noop)]
