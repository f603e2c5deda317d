"""Triggers that write the audit log, and one that keeps it as it was written."""

from django.db import migrations

# Table → columns that are not worth an entry, columns whose value is secret.
AUDITED = {
    "incidents_incident": (["last_event_number", "last_anomaly_at"], []),
    "incidents_incidentrole": ([], []),
    "incidents_incidenttask": ([], []),
    "incidents_statusupdate": ([], []),
    "incidents_silence": ([], []),
    "incidents_alertsource": (["last_received_at"], ["signing_secrets"]),
    "incidents_sourcetoken": (["last_used_at"], ["token_sha256"]),
    "incidents_groupingrule": ([], []),
    "incidents_team": ([], []),
    "incidents_team_members": ([], []),
    "incidents_service": (["first_seen_at", "last_seen_at", "version"], []),
    "incidents_serviceedge": (["last_seen_at"], []),
    "incidents_watch": ([], []),
    "incidents_notificationchannel": ([], ["target"]),
    "runbooks_document": ([], []),
    "runbooks_revision": (["chunked_at", "indexed_at", "claimed_until", "attempts", "failure"], []),
    "auth_user": (["last_login"], ["password"]),
    "auth_user_groups": ([], []),
    "auth_user_user_permissions": ([], []),
    "auth_group": ([], []),
    "auth_group_permissions": ([], []),
    "copilot_apitoken": (["last_used_at"], ["token_sha256"]),
    "copilot_signinlink": ([], ["token_sha256"]),
}

FUNCTIONS = r"""
CREATE FUNCTION copilot_audit_shown(given jsonb, secret text[]) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
  -- Secrets are named, not shown; a long value is kept as its beginning, its length and its SHA-256.
  SELECT jsonb_object_agg(key, CASE
    WHEN value IN ('null', '""', '[]') THEN value
    WHEN key = ANY (secret) THEN '"[secret]"'
    WHEN length(value::text) > 2000 THEN to_jsonb(
      left(value #>> '{}', 200) || '… (' || length(value #>> '{}') || ' characters, SHA-256 '
      || encode(sha256(convert_to(value #>> '{}', 'UTF8')), 'hex') || ')')
    ELSE value END)
  FROM jsonb_each(given)
$$;

CREATE FUNCTION copilot_audit() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  ignored text[] := string_to_array(TG_ARGV[0], ',');
  secret text[] := string_to_array(TG_ARGV[1], ',');
  was jsonb; now_is jsonb; lost jsonb; gained jsonb;
BEGIN
  IF TG_OP <> 'INSERT' THEN was := to_jsonb(OLD) - ignored; END IF;
  IF TG_OP <> 'DELETE' THEN now_is := to_jsonb(NEW) - ignored; END IF;
  lost := was; gained := now_is;
  IF TG_OP = 'UPDATE' THEN
    IF was = now_is THEN RETURN NULL; END IF;
    SELECT jsonb_object_agg(key, value) INTO lost FROM jsonb_each(was) WHERE value IS DISTINCT FROM now_is -> key;
    SELECT jsonb_object_agg(key, value) INTO gained FROM jsonb_each(now_is) WHERE value IS DISTINCT FROM was -> key;
  END IF;
  INSERT INTO copilot_auditentry (at, actor, "table", row_id, action, before, after, hmac) VALUES (
    clock_timestamp(),
    left(coalesce(nullif(current_setting('copilot.actor', true), ''), 'co-pilot'), 150),
    TG_TABLE_NAME, coalesce(now_is, was) ->> 'id', lower(TG_OP),
    copilot_audit_shown(lost, secret), copilot_audit_shown(gained, secret), '');
  RETURN NULL;
END $$;

CREATE FUNCTION copilot_audit_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    IF OLD.number IS NULL AND NEW.number IS NOT NULL AND length(NEW.hmac) = 64
       AND to_jsonb(OLD) - '{number,hmac}'::text[] = to_jsonb(NEW) - '{number,hmac}'::text[] THEN
      RETURN NEW;
    END IF;
  END IF;
  RAISE EXCEPTION 'The audit log is only ever added to: % of copilot_auditentry is refused.', TG_OP
    USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER audit_kept BEFORE UPDATE OR DELETE ON copilot_auditentry
  FOR EACH ROW EXECUTE FUNCTION copilot_audit_keep();
CREATE TRIGGER audit_not_emptied BEFORE TRUNCATE ON copilot_auditentry
  FOR EACH STATEMENT EXECUTE FUNCTION copilot_audit_keep();

-- Of alerts only what people do to them: deliveries change them all the time, and are kept themselves.
CREATE TRIGGER audit AFTER UPDATE ON incidents_alert FOR EACH ROW
  WHEN ('snoozed' IN (OLD.quiet, NEW.quiet)
        AND (OLD.quiet, OLD.quiet_until) IS DISTINCT FROM (NEW.quiet, NEW.quiet_until))
  EXECUTE FUNCTION copilot_audit('last_event_at,last_received_at,deliveries,episodes,ends_at,status', '');
CREATE TRIGGER audit AFTER UPDATE ON incidents_deadletter FOR EACH ROW EXECUTE FUNCTION copilot_audit('', '');
CREATE TRIGGER audit AFTER UPDATE ON incidents_groupingdecision FOR EACH ROW
  WHEN (OLD.undone_at IS DISTINCT FROM NEW.undone_at) EXECUTE FUNCTION copilot_audit('', '');
"""
TRIGGERS = "".join(
    f"CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON {table} FOR EACH ROW "
    f"EXECUTE FUNCTION copilot_audit('{','.join(ignored)}', '{','.join(secret)}');\n"
    for table, (ignored, secret) in AUDITED.items()
)
REVERSE = (
    "".join(
        f"DROP TRIGGER audit ON {table};\n"
        for table in (*AUDITED, "incidents_alert", "incidents_deadletter", "incidents_groupingdecision")
    )
    + "DROP TRIGGER audit_kept ON copilot_auditentry; DROP TRIGGER audit_not_emptied ON copilot_auditentry;"
    + "DROP FUNCTION copilot_audit(); DROP FUNCTION copilot_audit_keep(); DROP FUNCTION copilot_audit_shown(jsonb, text[]);"
)


class Migration(migrations.Migration):
    dependencies = [
        ("copilot", "0003_roles"),
        ("incidents", "0002_alerts_and_teamwork"),
        ("runbooks", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]
    operations = [migrations.RunSQL(FUNCTIONS + TRIGGERS, REVERSE)]
