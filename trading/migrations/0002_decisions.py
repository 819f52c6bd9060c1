"""The decision tables, partitioned by month of the bar's close.

Written as SQL because Django cannot create partitioned tables; its own state holds the ordinary models. The primary key
of a partitioned table contains the partition key, so it is (id, bar_close_at), and nothing may point to these rows.
"""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

CREATE = """
CREATE TABLE trading_groupdecision (
    id bigserial NOT NULL,
    bar_close_at timestamptz NOT NULL,
    reason varchar(40) NOT NULL,
    detail jsonb NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    group_id bigint NOT NULL REFERENCES trading_signalgroup (id) DEFERRABLE INITIALLY DEFERRED,
    instrument_id bigint NOT NULL REFERENCES exchanges_instrument (id) DEFERRABLE INITIALLY DEFERRED,
    PRIMARY KEY (id, bar_close_at),
    CONSTRAINT group_decides_once_per_bar UNIQUE (group_id, instrument_id, bar_close_at)
) PARTITION BY RANGE (bar_close_at);
CREATE TABLE trading_groupdecision_default PARTITION OF trading_groupdecision DEFAULT;

CREATE TABLE trading_deploymentdecision (
    id bigserial NOT NULL,
    bar_close_at timestamptz NOT NULL,
    reason varchar(40) NOT NULL,
    detail jsonb NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    deployment_id bigint NOT NULL REFERENCES trading_deployment (id) DEFERRABLE INITIALLY DEFERRED,
    instrument_id bigint NOT NULL REFERENCES exchanges_instrument (id) DEFERRABLE INITIALLY DEFERRED,
    owner_id bigint NOT NULL REFERENCES accounts_user (id) DEFERRABLE INITIALLY DEFERRED,
    revision_id bigint NOT NULL REFERENCES trading_deploymentrevision (id) DEFERRABLE INITIALLY DEFERRED,
    PRIMARY KEY (id, bar_close_at),
    CONSTRAINT deployment_decides_once_per_bar UNIQUE (deployment_id, instrument_id, bar_close_at)
) PARTITION BY RANGE (bar_close_at);
CREATE TABLE trading_deploymentdecision_default PARTITION OF trading_deploymentdecision DEFAULT;
CREATE INDEX trading_deploymentdecision_owner ON trading_deploymentdecision (owner_id);

-- Makes the partitions of the month of *instant* and of the *ahead* months after it; a repeat changes nothing. A month
-- whose rows already lie in the default partition cannot be split off, and is left there.
CREATE FUNCTION trading_ensure_decision_partitions(instant timestamptz, ahead int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    made int := 0;
    parent text;
    month timestamp;
    part text;
BEGIN
    FOR step IN 0..ahead LOOP
        month := date_trunc('month', instant AT TIME ZONE 'UTC') + make_interval(months => step);
        FOREACH parent IN ARRAY ARRAY['trading_groupdecision', 'trading_deploymentdecision'] LOOP
            part := parent || to_char(month, '"_y"YYYY"m"MM');
            IF to_regclass(part) IS NULL THEN
                BEGIN
                    EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', part, parent,
                                   month AT TIME ZONE 'UTC', (month + interval '1 month') AT TIME ZONE 'UTC');
                    made := made + 1;
                EXCEPTION WHEN check_violation OR duplicate_table THEN
                    NULL;
                END;
            END IF;
        END LOOP;
    END LOOP;
    RETURN made;
END $$;
SELECT trading_ensure_decision_partitions(now(), 3);
"""

DROP = """
DROP FUNCTION trading_ensure_decision_partitions(timestamptz, int);
DROP TABLE trading_deploymentdecision;
DROP TABLE trading_groupdecision;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("exchanges", "0001_initial"),
        ("trading", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(CREATE, DROP)],
            state_operations=[
                migrations.CreateModel(
                    name='DeploymentDecision',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('bar_close_at', models.DateTimeField()),
                        ('reason', models.CharField(max_length=40)),
                        ('detail', models.JSONField(default=dict)),
                        ('recorded_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                        ('deployment', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='trading.deployment')),
                        ('instrument', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='exchanges.instrument')),
                        ('owner', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                        ('revision', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='trading.deploymentrevision')),
                    ],
                    options={
                        'constraints': [models.UniqueConstraint(fields=('deployment', 'instrument', 'bar_close_at'), name='deployment_decides_once_per_bar')],
                    },
                ),
                migrations.CreateModel(
                    name='GroupDecision',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('bar_close_at', models.DateTimeField()),
                        ('reason', models.CharField(max_length=40)),
                        ('detail', models.JSONField(default=dict)),
                        ('recorded_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                        ('group', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='trading.signalgroup')),
                        ('instrument', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='exchanges.instrument')),
                    ],
                    options={
                        'constraints': [models.UniqueConstraint(fields=('group', 'instrument', 'bar_close_at'), name='group_decides_once_per_bar')],
                    },
                ),
            ],
        ),
    ]
