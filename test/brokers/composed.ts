import { execFile } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Broker, Way } from './broker.js';
import { findCommand } from './find-command.js';
import { freePort } from './free-port.js';
import { ownBroker } from './own-broker.js';

const run = promisify(execFile);
const COMPOSE_FILE = fileURLToPath(new URL('../../compose.yaml', import.meta.url));
/** The first start brings the image. */
const START_MS = 600_000;

/** How a broker was found that {@link composed} starts. */
export const IN_DOCKER = 'Docker Compose';

/** A service of `compose.yaml`. */
export interface Composed {
  readonly service: 'rabbitmq' | 'mosquitto' | 'kafka';
  readonly urlOf: (port: number) => string;
  readonly ready: (port: number) => Promise<unknown>;
}

/** A broker in a container of its own, where an engine answers. Signals reach the container; see `keeper.sh`. */
export function composed(options: Composed): Way {
  return async () => {
    const docker = findCommand('docker');
    if (docker === undefined) return 'docker is not installed';
    const timeout = 20_000;
    if (await fails(run(docker, ['compose', 'version'], { timeout }))) return 'docker has no Compose';
    if (await fails(run(docker, ['info'], { timeout }))) return 'no Docker engine answers';
    return { how: IN_DOCKER, open: () => start(docker, options) };
  };
}

async function fails(attempt: Promise<unknown>): Promise<boolean> {
  return attempt.then(
    () => false,
    () => true,
  );
}

async function start(docker: string, { service, urlOf, ready }: Composed): Promise<Broker> {
  const port = await freePort();
  return ownBroker({
    name: `${service} in Docker`,
    command: [docker, 'compose', 'up', '--no-log-prefix', service],
    env: {
      COMPOSE_FILE,
      COMPOSE_PROJECT_NAME: `sluice-tests-${port}`,
      [`${service.toUpperCase()}_PORT`]: String(port),
    },
    composed: docker,
    folder: await mkdtemp(join(tmpdir(), `sluice-${service}-`)),
    port,
    url: urlOf(port),
    ready: () => ready(port),
    startMs: START_MS,
  });
}
