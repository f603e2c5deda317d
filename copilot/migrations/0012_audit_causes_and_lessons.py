"""Triggers that write the audit log for confirmed causes and lessons."""

from django.db import migrations

TABLES = ("incidents_confirmedcause", "incidents_lesson")
TRIGGERS = "".join(
    f"CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION copilot_audit('', '');\n"
    for table in TABLES
)
REVERSE = "".join(f"DROP TRIGGER audit ON {table};\n" for table in TABLES)


class Migration(migrations.Migration):
    dependencies = [("copilot", "0011_unmasking_reason"), ("incidents", "0013_confirmed_causes_and_lessons")]
    operations = [migrations.RunSQL(TRIGGERS, REVERSE)]
