import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { BrokerMissing, type Broker } from './broker.js';
import { within } from './within.js';

const KEEPER = fileURLToPath(new URL('./keeper.sh', import.meta.url));
/** How long a broker may take on a busy machine. */
const START_MS = 120_000;
const STOP_MS = 30_000;

/** What {@link ownBroker} runs. */
export interface Launch {
  /** For people: `RabbitMQ 3.10.8`. */
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  readonly env?: Readonly<Record<string, string>>;
  /** All that it writes, a folder of its own: gone when it is closed, or when the test is killed. */
  readonly folder: string;
  readonly port: number;
  readonly url: string;
  /** Resolves when clients are served; rejects when not yet. Asked again and again. */
  readonly ready: () => Promise<unknown>;
  /** The `docker` to signal and remove a container with, when the command is `docker compose up`. */
  readonly composed?: string;
}

/** Starts a broker that belongs to this test alone; see `keeper.sh` for what happens when the test does not end well. */
export async function ownBroker(launch: Launch): Promise<Broker> {
  const { name, command, folder } = launch;
  const keeper = spawn(KEEPER, [folder, ...command], {
    detached: true,
    stdio: ['pipe', 'pipe', 'ignore'],
    // By its folder a person, or a test, finds every process that belongs to a broker.
    env: { ...process.env, ...launch.env, BROKER_FOLDER: folder, BROKER_DOCKER: launch.composed ?? '' },
  });
  const closed = once(keeper, 'close');
  const state = { isRunning: false, code: '' };
  createInterface(keeper.stdout).on('line', (line) => {
    const [word = '', code = ''] = line.split(' ');
    state.isRunning = word === 'started';
    state.code = code;
    keeper.emit(word);
  });
  const order = (line: string): void => void keeper.stdin.write(`${line}\n`);

  const log = async (): Promise<string> => (await readFile(join(folder, 'log'), 'utf8').catch(() => '')).slice(-2_000);

  async function start(): Promise<void> {
    if (state.isRunning) return;
    const started = once(keeper, 'started');
    order('start');
    await started;
    await within(START_MS, launch.ready, () => (state.isRunning ? undefined : `It ended with ${state.code}.`)).catch(
      async (cause: unknown) => {
        const log = await readFile(join(folder, 'log'), 'utf8').catch(() => '');
        throw new BrokerMissing(`${name} did not start. ${String(cause)}\n${log.slice(-2_000)}`, { cause });
      },
    );
  }

  async function kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (!state.isRunning) return;
    const ended = once(keeper, 'ended');
    order(`signal ${signal.slice('SIG'.length)}`);
    if (signal !== 'SIGSTOP' && signal !== 'SIGCONT') await ended;
  }

  async function stop(): Promise<void> {
    const hard = setTimeout(() => void kill(), STOP_MS);
    await kill('SIGTERM');
    clearTimeout(hard);
  }

  async function close(): Promise<void> {
    keeper.stdin.end();
    await closed;
  }

  const from = Date.now();
  try {
    await start();
  } catch (error) {
    await close();
    throw error;
  }
  const how = `${name}, started in ${Date.now() - from} ms`;
  const { url, port } = launch;
  return { url, port, how, isOwn: true, start, kill, stop, log, close, [Symbol.asyncDispose]: close };
}
