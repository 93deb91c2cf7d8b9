import { execFile } from 'node:child_process';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { Broker, Found } from './broker.js';
import { composed } from './composed.js';
import { environment } from './environment.js';
import { findBroker } from './find-broker.js';
import { findCommand } from './find-command.js';
import { freePort } from './free-port.js';
import { makeCertificate, type Certificate } from '../helpers/certificate.js';
import { overAmqp } from '../helpers/over-amqp.js';
import { ownBroker } from './own-broker.js';
import { rabbitmqEvaluate, type Evaluate } from './rabbitmq-evaluate.js';
import { rabbitmqQuickStart } from './rabbitmq-quick-start.js';

// Erlang's port mapper, in the foreground and before the server looks for one: it would leave a daemon behind.
const START = 'epmd -port "$ERL_EPMD_PORT" & until epmd -names >/dev/null; do sleep 0.02; done; exec "$@"';

// The machine has other things to do than to spin for a message that may come.
const WITHOUT_SPINNING = { RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '+sbwt none +sbwtdcpu none +sbwtdio none' };

const run = promisify(execFile);
const urlOf = (port: number): string => `amqp://guest:guest@127.0.0.1:${port}`;
const ready = (port: number): Promise<void> => overAmqp(urlOf(port), async () => undefined);

/** A RabbitMQ that a test may also give orders to. */
export interface Rabbitmq extends Broker {
  /** Runs `rabbitmqctl` and gives what it prints; takes a second or two. Left out where the broker is not of this test. */
  readonly control?: (...words: readonly string[]) => Promise<string>;
  /** Much sooner done. There when `control` is. */
  readonly evaluate?: Evaluate;
  /** The same broker over TLS, with a certificate for `localhost`. Only where the test started one of its own and can make certificates. */
  readonly secured?: { readonly url: string; readonly ca: string };
}

/**
 * A RabbitMQ for a test: that of `TEST_AMQP_URL`, or one of its own.
 *
 * @throws BrokerMissing when there is none, or it does not start
 */
export async function rabbitmq(): Promise<Rabbitmq> {
  return (await findRabbitmq()).open();
}

/** Which one {@link rabbitmq} gives. */
export function findRabbitmq(): Promise<Found<Rabbitmq>> {
  return findBroker('RabbitMQ', [environment('TEST_AMQP_URL'), installed, inDocker]);
}

const inDocker = composed<Rabbitmq>('rabbitmq', async (port) => ({
  url: urlOf(port),
  ready: () => ready(port),
  parts: { environment: WITHOUT_SPINNING },
  opened(broker) {
    const control = (...words: readonly string[]): Promise<string> => broker.exec('rabbitmqctl', '--quiet', ...words);
    return { ...broker, control, evaluate: (expression) => control('eval', `${expression}.`) };
  },
}));

async function installed(): Promise<Found<Rabbitmq> | string> {
  // Not what Debian puts on the PATH: that changes to the user of the service.
  const server = findCommand('/usr/lib/rabbitmq/bin/rabbitmq-server', 'rabbitmq-server');
  if (server === undefined || findCommand('epmd') === undefined) return 'rabbitmq-server is not installed';
  return { how: 'installed', open: () => start(server) };
}

async function start(server: string): Promise<Rabbitmq> {
  const [port, tlsPort, epmdPort, distributionPort] = (await Promise.all(Array.from({ length: 4 }, freePort))) as [
    number,
    number,
    number,
    number,
  ];
  const folder = await mkdtemp(join(tmpdir(), 'sluice-rabbitmq-'));
  const certificate = makeCertificate();
  await writeFile(join(folder, 'plugins'), '[].\n');
  await writeFile(
    join(folder, 'rabbitmq.config'),
    // In words of Erlang: to translate the format that people write takes a sixth of a start.
    `[{rabbit, [${[
      `{tcp_listeners, [{"127.0.0.1", ${port}}]}`,
      '{log, [{console, [{enabled, true}, {level, warning}]}]}',
      // A disk that is nearly full is not what is tested, unless a test says so.
      '{disk_free_limit, 1000000}',
      ...(typeof certificate === 'string' ? [] : await overTls(tlsPort, folder, certificate)),
    ].join(', ')}]}].\n`,
  );
  const env = {
    HOME: folder, // where Erlang keeps its cookie
    ERL_EPMD_PORT: String(epmdPort),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    RABBITMQ_NODENAME: `sluice${port}@localhost`,
    RABBITMQ_DIST_PORT: String(distributionPort),
    RABBITMQ_MNESIA_BASE: join(folder, 'data'),
    RABBITMQ_LOG_BASE: join(folder, 'logs'),
    RABBITMQ_LOGS: '-',
    RABBITMQ_PID_FILE: join(folder, 'pid'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'plugins'),
    RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq.config'),
    RABBITMQ_CONF_ENV_FILE: '/dev/null',
    ...(await rabbitmqQuickStart(server, folder)),
    ...WITHOUT_SPINNING,
    // The script becomes the server, instead of waiting for it and translating signals.
    RUNNING_UNDER_SYSTEMD: 'true',
  };
  const broker = await ownBroker({
    name: 'RabbitMQ',
    command: ['sh', '-c', START, 'sh', server],
    env,
    folder,
    port,
    url: urlOf(port),
    ready: () => ready(port),
  });
  const tool = join(dirname(server), 'rabbitmqctl');
  const control = async (...words: readonly string[]): Promise<string> =>
    (await run(tool, ['--quiet', ...words], { env: { ...process.env, ...env } })).stdout;
  const orders = { control, evaluate: rabbitmqEvaluate(env, control) };
  if (typeof certificate === 'string') return { ...broker, ...orders };
  return { ...broker, ...orders, secured: { url: `amqps://guest:guest@127.0.0.1:${tlsPort}`, ca: certificate.cert } };
}

/** The settings of a listener with TLS. */
async function overTls(port: number, folder: string, certificate: Certificate): Promise<string[]> {
  const file = (kind: string): string => join(folder, `${kind}.pem`);
  for (const kind of ['cert', 'key'] as const) await writeFile(file(kind), certificate[kind]);
  const files = Object.entries({ cacertfile: 'cert', certfile: 'cert', keyfile: 'key' });
  return [
    `{ssl_listeners, [{"127.0.0.1", ${port}}]}`,
    `{ssl_options, [${files.map(([option, kind]) => `{${option}, "${file(kind)}"}`).join(', ')}]}`,
  ];
}
