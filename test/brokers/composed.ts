import { execFile } from 'node:child_process';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { BrokerMissing, type Broker, type Way } from './broker.js';
import { findCommand } from './find-command.js';
import { freePort } from './free-port.js';
import { ownBroker } from './own-broker.js';

const run = promisify(execFile);
const COMPOSE_FILE = fileURLToPath(new URL('../../compose.yaml', import.meta.url));
/** The first start brings the image. */
const PULL_MS = 600_000;
const EXEC_MS = 60_000;

/** Parts of a service, as Compose names them. */
export interface ServiceParts {
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

/** A broker in a container. */
export interface ComposedBroker extends Broker {
  /** Runs a command in the container and gives what it prints. */
  exec(...command: readonly string[]): Promise<string>;
}

/** What is known of a broker before its container is made. */
export interface Prepared<B> {
  readonly url: string;
  readonly ready: () => Promise<unknown>;
  /** What the service has beside what `compose.yaml` says. */
  readonly parts?: ServiceParts;
  /** What is made of it once it serves clients. */
  opened(broker: ComposedBroker): B | Promise<B>;
}

/**
 * A broker in a container of its own, where an engine answers. Signals reach the container; see `keeper.sh`.
 *
 * @param service that of `compose.yaml`
 * @param prepare is given the port where clients will find it
 */
export function composed<B extends Broker>(
  service: 'rabbitmq' | 'mosquitto' | 'kafka',
  prepare: (port: number) => Promise<Prepared<B>>,
): Way<B> {
  return async () => {
    const docker = findCommand('docker');
    if (docker === undefined) return 'docker is not installed';
    const timeout = 20_000;
    if (await fails(run(docker, ['compose', 'version'], { timeout }))) return 'docker has no Compose';
    if (await fails(run(docker, ['info'], { timeout }))) return 'no Docker engine answers';
    return { how: 'Docker Compose', open: () => start(docker, service, prepare) };
  };
}

async function fails(attempt: Promise<unknown>): Promise<boolean> {
  return attempt.then(
    () => false,
    () => true,
  );
}

async function start<B extends Broker>(
  docker: string,
  service: string,
  prepare: (port: number) => Promise<Prepared<B>>,
): Promise<B> {
  const port = await freePort();
  const { url, ready, parts = {}, opened } = await prepare(port);
  const env = {
    COMPOSE_FILE,
    COMPOSE_PROJECT_NAME: `sluice-tests-${port}`,
    [`${service.toUpperCase()}_PORT`]: String(port),
  };
  const compose = async (timeout: number, ...words: readonly string[]): Promise<string> =>
    (await run(docker, ['compose', ...words], { env: { ...process.env, ...env }, timeout })).stdout;
  // Not left to `up`, which is to end soon when a test does.
  await compose(PULL_MS, 'pull', '--quiet', '--policy', 'missing', service).catch((cause: unknown) => {
    throw new BrokerMissing(`The image of ${service} did not come. ${String(cause)}`, { cause });
  });
  const folder = await mkdtemp(join(tmpdir(), `sluice-${service}-`));
  const file = join(folder, 'compose.json');
  // A dollar is where Compose puts a variable, unless there are two.
  await writeFile(file, JSON.stringify({ services: { [service]: parts } }).replaceAll('$', '$$$$'));
  env.COMPOSE_FILE = [COMPOSE_FILE, file].join(delimiter);
  const broker = await ownBroker({
    name: `${service} in Docker`,
    command: [docker, 'compose', 'up', '--pull', 'never', '--no-log-prefix', service],
    env,
    composed: docker,
    folder,
    port,
    url,
    ready,
  });
  try {
    return await opened({ ...broker, exec: (...command) => compose(EXEC_MS, 'exec', '-T', service, ...command) });
  } catch (error) {
    await broker.close();
    throw error;
  }
}
