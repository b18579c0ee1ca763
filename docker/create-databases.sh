#!/bin/sh
# Run once by the PostgreSQL image, on an empty volume: one role for Relance, one for Temporal, and their databases.
set -eu

psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
    --set relance_password="$POSTGRES_RELANCE_PASSWORD" \
    --set temporal_password="$POSTGRES_TEMPORAL_PASSWORD" <<'SQL'
CREATE ROLE relance LOGIN PASSWORD :'relance_password';
CREATE ROLE temporal LOGIN PASSWORD :'temporal_password';
CREATE DATABASE relance OWNER relance;
CREATE DATABASE temporal OWNER temporal;
CREATE DATABASE temporal_visibility OWNER temporal;
REVOKE CONNECT ON DATABASE relance, temporal, temporal_visibility FROM PUBLIC;
SQL
