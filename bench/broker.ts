import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** A broker of the tests, for the time of a benchmark. */
export interface BenchBroker {
  readonly url: string;
  close(): Promise<void>;
}

/** Starts it. Called from the folder of the project, as `npm run bench` does. */
export async function benchBroker(name: 'rabbitmq' | 'mosquitto' | 'kafka'): Promise<BenchBroker> {
  const child = spawn(process.execPath, ['--import', 'tsx', 'test/brokers/serve.ts', name], {
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
