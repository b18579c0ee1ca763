#!/bin/sh
# Brings Temporal's two databases to the schema of this image. Safe to repeat: setup-schema leaves a later version
# alone, update-schema applies what is missing. SQL_PASSWORD and the other SQL_* variables come from the compose file.
set -eu

migrate() {
    temporal-sql-tool --db "$1" setup-schema -v 0.0
    temporal-sql-tool --db "$1" update-schema -d "/etc/temporal/schema/postgresql/v12/$2/versioned"
}

migrate temporal temporal
migrate temporal_visibility visibility
