#!/bin/sh
# Creates the namespace and registers the search attributes of Relance's workflows. Safe to repeat.
set -eu

host=${TEMPORAL_ADDRESS%:*}
port=${TEMPORAL_ADDRESS##*:}
# An IPv4 address, where there is one: with a name the client has been seen to wait for IPv6 until it gave up.
ip=$(getent ahosts "$host" | awk '$1 !~ /:/ { print $1; exit }')
export TEMPORAL_ADDRESS="${ip:-$host}:$port"

# The server listens before it serves, and a new namespace is found only seconds after it was created.
patiently() {
    tries=60
    until "$@" > /dev/null 2>&1; do
        tries=$((tries - 1))
        if [ "$tries" -eq 0 ]; then
            "$@"
            return 1
        fi
        sleep 1
    done
}

patiently temporal operator cluster health
temporal operator namespace describe > /dev/null 2>&1 || temporal operator namespace create --retention "$RETENTION"
patiently temporal operator search-attribute list
temporal operator search-attribute create \
    --name BillingStatus --type Keyword \
    --name PlanId --type Keyword \
    --name CustomerId --type Keyword \
    --name CollectionStep --type Keyword \
    --name ParkedReason --type Keyword \
    --name ClockId --type Keyword \
    --name NextBillingAt --type Datetime \
    --name PastDueSince --type Datetime \
    --name DunningAttempt --type Int
patiently sh -c 'temporal operator search-attribute list | grep -q DunningAttempt'
