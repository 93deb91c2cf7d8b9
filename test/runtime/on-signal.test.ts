import { spawn } from 'node:child_process';
import { describe, expect, it } from 'vitest';

interface Plan {
  /** The work on each message; `stop` resolves once the stop has begun, `go` once the test says so. */
  readonly handler: string;
  readonly drainTimeoutMs: number;
  /** How much time passes from one look at the clock to the next. Default: that of the machine. */
  readonly stepMs?: number;
  /** A statement at the end of `onStop`. */
  readonly onStop?: string;
  /** Of the work. */
  readonly onError?: string;
}

const program = ({ handler, drainTimeoutMs, stepMs, onStop = '', onError = 'requeue' }: Plan): string => `
import { each, memoryBroker, memorySource, run, systemClock, useClock } from 'sluice';
import { onSignal } from 'sluice/on-signal';
let nowMs = 0;
${stepMs === undefined ? '' : `useClock({ ...systemClock, elapsed: () => (nowMs += ${stepMs}) });`}
const broker = memoryBroker();
for (let at = 0; at < 4; at += 1) broker.publish({ topic: 'in', payload: at });
const stay = setInterval(() => {}, 1000);
const sink = { next: (m) => { m.ack(); console.log('done ' + m.payload); }, error() {}, complete() {} };
let stopped;
const stop = new Promise((resolve) => (stopped = resolve));
const go = new Promise((resolve) => process.stdin.once('data', resolve));
const flow = memorySource(broker, { topic: 'in', credit: 2 }).pipe(each(${handler}, { concurrency: 2, onError: '${onError}' }));
onSignal(run(flow, sink, { drainTimeoutMs: ${drainTimeoutMs} }), {
  onStop: (signal) => {
    console.log('stopping on ' + signal);
    stopped();
    ${onStop}
  },
  onStopped: (report) => console.log('unfinished ' + report.unfinished.length),
});
let signals = 0;
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => console.log('signal ' + (signals += 1)));
console.log('ready');
`;

/** Runs a program; whenever it has said a text of the script for the first time, it gets the signal or, for `go`, a line. */
function start(
  plan: Plan,
  script: Readonly<Record<string, NodeJS.Signals | 'go'>>,
): Promise<{ code: number | null; said: string }> {
  return new Promise((resolve) => {
    const child = spawn('node', ['--import', 'tsx', '--input-type=module', '-e', program(plan)], {
      cwd: process.cwd(),
    });
    let said = '';
    const left = new Map(Object.entries(script));
    child.stderr.on('data', (chunk: Uint8Array) => (said += String(chunk)));
    child.stdout.on('data', (chunk: Uint8Array) => {
      said += String(chunk);
      for (const [text, what] of left) {
        if (!said.includes(text)) continue;
        left.delete(text);
        if (what === 'go') child.stdin.write('go\n');
        else child.kill(what);
      }
    });
    child.once('close', (code) => resolve({ code, said }));
  });
}

describe('onSignal', () => {
  it('drains on SIGTERM and ends with exit code 0 (SHU-02)', async () => {
    const plan = { handler: '(n) => stop.then(() => n)', drainTimeoutMs: 30_000 };
    const { code, said } = await start(plan, { ready: 'SIGTERM' });
    expect(said).toContain('stopping on SIGTERM');
    expect(said).toContain('unfinished 0');
    expect(said).toContain('done 1');
    expect(said).not.toContain('done 2');
    expect(code).toBe(0);
  });

  it('ends with exit code 1 and says how many were given back at the deadline (SHU-06)', async () => {
    const plan = { handler: '() => new Promise(() => {})', drainTimeoutMs: 300 };
    const { code, said } = await start(plan, { ready: 'SIGINT' });
    expect(said).toContain('unfinished 2');
    expect(code).toBe(1);
  });

  it('takes a signal that comes again within a second for the same one', async () => {
    const plan = { handler: '(n) => go.then(() => n)', drainTimeoutMs: 30_000, stepMs: 0 };
    const { code, said } = await start(plan, { ready: 'SIGINT', 'signal 1': 'SIGINT', 'signal 2': 'go' });
    expect(said).toContain('unfinished 0');
    expect(code).toBe(0);
  });

  it('drains whatever onStop throws, prints what failed, and ends with exit code 1', async () => {
    const plan = {
      handler: '(n) => stop.then(() => n)',
      drainTimeoutMs: 30_000,
      onStop: "throw new Error('onStop broke')",
    };
    const { code, said } = await start(plan, { ready: 'SIGTERM' });
    expect(said).toContain('unfinished 0');
    expect(said).toContain('Error: onStop broke');
    expect(code).toBe(1);
  });

  it('prints the failure of a flow that cannot be stopped any more', async () => {
    const plan = {
      handler: '(n) => stop.then(() => { throw new Error("no") })',
      drainTimeoutMs: 30_000,
      onError: 'fail',
    };
    const { code, said } = await start(plan, { ready: 'SIGTERM' });
    expect(said).toContain('HANDLER_FAILED');
    expect(said).not.toContain('unfinished');
    expect(code).toBe(1);
  });

  it('ends at once on a second signal', async () => {
    const plan = { handler: '(n) => go.then(() => n)', drainTimeoutMs: 30_000, stepMs: 1_000 };
    const { code, said } = await start(plan, { ready: 'SIGINT', 'signal 1': 'SIGTERM', 'signal 2': 'go' });
    expect(said).not.toContain('unfinished');
    expect(code).toBe(128 + 15);
  });
});
