#!/usr/bin/env bash
# Brings the brokers that the integration tests run against onto a Debian machine, as root: only what is missing, and
# without starting any service. Run it again at any time.
set -euo pipefail

missing=()

# debian <command that shows it is there> <package>
debian() {
  if [[ -x $1 ]] || command -v "$1" >/dev/null; then
    echo "$2: is there"
  else
    missing+=("$2")
  fi
}

debian /usr/lib/rabbitmq/bin/rabbitmq-server rabbitmq-server
debian /usr/sbin/mosquitto mosquitto
debian /usr/bin/kcat kcat

if ((${#missing[@]} > 0)); then
  echo "installing ${missing[*]}"
  # A test starts its own broker. This file tells Debian's packages to start none of theirs.
  policy=/usr/sbin/policy-rc.d
  if [[ ! -e $policy ]]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -qq -y --no-install-recommends "${missing[@]}"
fi
