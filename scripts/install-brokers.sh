#!/usr/bin/env bash
# Brings the brokers that the integration tests run against, and a browser, onto a Debian machine: only what is missing, and
# without starting any service. Debian's packages need root. Ends with 1 when RabbitMQ, Mosquitto, a Kafka or Chromium is
# missing afterwards, or when the real Kafka is although Maven Central can be reached. Run it again at any time.
set -euo pipefail
cd "$(dirname "$0")/.."

pom=test/brokers/kafka.pom.xml
version=$(sed -n 's:.*<kafka.version>\(.*\)</kafka.version>.*:\1:p' "$pom")
# Outside of the project: its copies share it, and nothing that is cleaned takes it away.
jars=${XDG_CACHE_HOME:-$HOME/.cache}/sluice/kafka-$version

has_rabbitmq() { [[ -x /usr/lib/rabbitmq/bin/rabbitmq-server ]]; }
has_mosquitto() { command -v mosquitto || [[ -x /usr/sbin/mosquitto ]]; } >/dev/null
has_kcat() { command -v kcat kafkacat; } >/dev/null
has_chromium() { [[ -n ${CHROMIUM:-} ]] || command -v chromium chromium-browser google-chrome; } >/dev/null
has_java() { java -version 2>&1 | grep -qE 'version "(1[7-9]|[2-9][0-9])'; }
has_jars() { compgen -G "$jars/kafka_*.jar" >/dev/null; }

packages() {
  local missing=()
  has_rabbitmq || missing+=(rabbitmq-server)
  has_mosquitto || missing+=(mosquitto)
  has_kcat || missing+=(kcat)
  has_chromium || missing+=(chromium)
  has_java || missing+=(default-jre-headless)
  has_jars || command -v mvn >/dev/null || missing+=(maven)
  ((${#missing[@]} > 0)) || return 0
  if ((EUID != 0)) || ! command -v apt-get >/dev/null; then
    echo "not installed, which takes root on Debian: ${missing[*]}"
    return 0
  fi
  echo "installing ${missing[*]}"
  # A test starts its own broker. This file tells Debian's packages to start none of theirs.
  local policy=/usr/sbin/policy-rc.d
  if [[ ! -e $policy ]]; then
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq && apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
}

# What cannot be reached is no fault of this machine: then the mock cluster of kcat has to do.
unreachable=
kafka_jars() {
  has_jars && return
  command -v mvn >/dev/null && has_java || return 0
  echo "bringing Kafka $version from Maven Central"
  local new said
  mkdir -p "$(dirname "$jars")"
  new=$(mktemp -d "$jars.XXXXXX")
  said=$new/said
  # In one step at the end, so that nobody finds half of it.
  if mvn -q -B -f "$pom" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$new/jars" >"$said" 2>&1; then
    mv -T "$new/jars" "$jars" 2>/dev/null || has_jars
  elif grep -qiE 'unknown host|connection (refused|reset)|timed out|unreachable|no route to host|offline mode' "$said"; then
    unreachable='Maven Central is not reached'
  else
    cat "$said"
  fi
  rm -rf "$new"
}

# Half of a broker's start is Java reading classes. What it made of them is kept, by a broker that is started once for that; without
# it they start all the same.
kafka_archive() {
  has_java && has_jars && [[ ! -e $jars/classes.jsa ]] || return 0
  local folder port=$((20000 + RANDOM % 10000)) broker
  folder=$(mktemp -d)
  printf '%s\n' process.roles=broker,controller node.id=1 "log.dirs=$folder/data" controller.listener.names=CONTROLLER \
    "listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$((port + 1))" \
    "controller.quorum.voters=1@127.0.0.1:$((port + 1))" >"$folder/conf"
  # The collector has to be that of the brokers: it decides how the archive is laid out.
  local run=(java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xmx384m)
  "${run[@]}" -cp "$jars/*" kafka.tools.StorageTool format -t c2x1aWNlLXRlc3RzLTAwMQ -c "$folder/conf" >/dev/null 2>&1 || true
  "${run[@]}" -XX:ArchiveClassesAtExit="$folder/classes.jsa" -cp "$jars/*" kafka.Kafka "$folder/conf" >/dev/null 2>&1 &
  broker=$!
  for ((tries = 0; tries < 300; tries += 1)); do
    kill -0 "$broker" 2>/dev/null || break
    (: >"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
    sleep 0.1
  done
  kill "$broker" && wait "$broker" || true
  mv -n "$folder/classes.jsa" "$jars/" 2>/dev/null || echo 'the brokers of tests start without an archive of classes'
  rm -rf "$folder"
}

packages || echo 'apt-get failed'
kafka_jars
kafka_archive

missing=0
# verdict <name> <check> <what its absence means>
verdict() {
  if "$2"; then
    echo "$1: there"
  else
    echo "$1: MISSING. $3"
    missing=1
  fi
}
has_kafka() { has_java && has_jars; }
has_a_kafka() { has_kafka || has_kcat; }
verdict RabbitMQ has_rabbitmq 'Its suites are skipped.'
verdict Mosquitto has_mosquitto 'Its suites are skipped.'
verdict Chromium has_chromium 'Its suites are skipped.'
verdict 'a Kafka' has_a_kafka 'Its suites are skipped.'
if [[ -n $unreachable ]]; then
  echo "Kafka $version: $unreachable; its suites run against the mock cluster of kcat."
else
  verdict "Kafka $version" has_kafka 'Its suites run against the mock cluster of kcat, if at all.'
fi
exit "$missing"
