import { spawn } from 'node:child_process';
import { describe, expect, it } from 'vitest';

const PROGRAM = (handler: string, drainTimeoutMs: number): string => `
import { memoryBroker, memorySource, each, run } from 'sluice';
import { onSignal } from 'sluice/on-signal';
const broker = memoryBroker();
for (let at = 0; at < 4; at += 1) broker.publish({ topic: 'in', payload: at });
const stay = setInterval(() => {}, 1000);
const sink = { next: (m) => { m.ack(); console.log('done ' + m.payload); }, error() {}, complete() {} };
// Work that ends once the stop has begun, however long the signal took to come.
let stopped;
const stop = new Promise((resolve) => (stopped = resolve));
const flow = memorySource(broker, { topic: 'in', credit: 2 }).pipe(each(${handler}, { concurrency: 2 }));
onSignal(run(flow, sink, { drainTimeoutMs: ${drainTimeoutMs} }), {
  onStop: (signal) => {
    console.log('stopping on ' + signal);
    stopped();
  },
  onStopped: (report) => console.log('unfinished ' + report.unfinished.length),
});
console.log('ready');
`;

function start(
  handler: string,
  signal: NodeJS.Signals,
  drainTimeoutMs: number,
): Promise<{ code: number | null; said: string }> {
  return new Promise((resolve) => {
    const child = spawn('node', ['--import', 'tsx', '--input-type=module', '-e', PROGRAM(handler, drainTimeoutMs)], {
      cwd: process.cwd(),
    });
    let said = '';
    let sent = false;
    child.stderr.on('data', (chunk: Uint8Array) => (said += String(chunk)));
    child.stdout.on('data', (chunk: Uint8Array) => {
      said += String(chunk);
      if (!sent && said.includes('ready')) {
        sent = true;
        child.kill(signal);
      }
    });
    child.once('close', (code) => resolve({ code, said }));
  });
}

describe('onSignal', () => {
  it('drains on SIGTERM and ends with exit code 0 (SHU-02)', async () => {
    const { code, said } = await start('(n) => stop.then(() => n)', 'SIGTERM', 30_000);
    expect(said).toContain('stopping on SIGTERM');
    expect(said).toContain('unfinished 0');
    expect(said).toContain('done 1');
    expect(said).not.toContain('done 2');
    expect(code).toBe(0);
  });

  it('ends with exit code 1 and says how many were given back at the deadline (SHU-06)', async () => {
    const { code, said } = await start('() => new Promise(() => {})', 'SIGINT', 300);
    expect(said).toContain('unfinished 2');
    expect(code).toBe(1);
  });
});
