import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** The project: what is built of this file is in a folder of its folder `bench`. */
const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** A broker of the tests, for the time of a benchmark. */
export interface BenchBroker {
  readonly url: string;
  close(): Promise<void>;
}

/** Starts it, wherever it is called from. `settings` are further lines of the configuration of Mosquitto. */
export async function benchBroker(
  name: 'rabbitmq' | 'mosquitto' | 'kafka',
  settings: readonly string[] = [],
): Promise<BenchBroker> {
  const child = spawn(process.execPath, ['--import', 'tsx', 'test/brokers/serve.ts', name, ...settings], {
    cwd: ROOT,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(child, 'close');
  for await (const url of createInterface(child.stdout)) {
    return {
      url,
      async close() {
        child.stdin.end();
        await ended;
      },
    };
  }
  throw new Error(`no ${name}: npm run brokers:install`);
}
