#!/bin/sh
# Run once, when the database is made: the platform owns its database and is no superuser; monitoring only looks.
set -eu

password_of() { cat "/run/secrets/$1_password"; }

psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
    --set "database=$POSTGRES_DB" \
    --set "platform_password=$(password_of platform)" \
    --set "monitoring_password=$(password_of monitoring)" <<'SQL'
CREATE ROLE platform LOGIN PASSWORD :'platform_password';
CREATE ROLE monitoring LOGIN PASSWORD :'monitoring_password' IN ROLE pg_monitor;
ALTER DATABASE :"database" OWNER TO platform;
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"database" TO monitoring;
ALTER SCHEMA public OWNER TO platform;
SQL
