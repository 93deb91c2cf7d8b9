import { chmod } from 'node:fs/promises';
import { vi } from 'vitest';
import type { Folder } from './folder.js';

/**
 * A stand-in for docker: its engine runs a process as the container until a signal reaches that, whoever waits for it, and each
 * call is noted. It shows that the right orders are given; not that an engine follows them. Where there is a file `slow`, the
 * engine makes the container only after it has been asked to take it away.
 */
const DOCKER = `#!/usr/bin/env bash
cd "$(dirname "$0")"
[[ $1 != compose || $2 == version ]] || echo "\${*:2}" >>calls
case "$2" in
  version) [[ ! -e without-compose ]] ;;
  pull) [[ ! -e without-image ]] || { echo 'no such image' >&2 && false; } ;;
  up)
    IFS=: read -r given added <<<"$COMPOSE_FILE"
    [[ -n $MOSQUITTO_PORT && -f $given && $COMPOSE_PROJECT_NAME == sluice-tests-$MOSQUITTO_PORT ]] || exit 9
    cp "$added" added
    echo "$added" >new && mv new file
    rm -f container
    setsid "$PWD/docker" the engine </dev/null >/dev/null 2>&1 &
    until [[ -s container ]]; do sleep 0.01; done
    while kill -0 "$(<container)"; do sleep 0.01; done 2>/dev/null
    ;;
  engine)
    until [[ ! -e slow ]] || grep -q '^down' calls; do sleep 0.01; done
    sleep 1000 &
    echo $! >container
    wait $!
    ;;
  exec) echo "said by \${*:4}" ;;
  kill) kill -s "$4" "$(<container)" ;;
  stop) kill "$(<container)" ;;
  down)
    [[ ! -e without-engine ]] || exit 1
    kill "$(<container)"
    true
    ;;
  pause) kill -s STOP "$(<container)" ;;
  unpause) kill -s CONT "$(<container)" ;;
  *) [[ ! -e without-engine ]] ;;
esac
`;

/** Puts the stand-in first on the PATH, until `vi.unstubAllEnvs()`. */
export async function dockerStandIn(folder: Folder): Promise<void> {
  await folder.write('docker', DOCKER);
  await chmod(folder.of('docker'), 0o755);
  vi.stubEnv('PATH', `${folder.path}:${process.env['PATH'] ?? ''}`);
}
