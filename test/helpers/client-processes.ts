import process from 'node:process';
import type { ProcVerbs } from 'sluice/testing';
import { childProgram, type Child, type ChildProgram } from './child-program.js';

/** What the process does, by its first argument; `source` comes from the setup. */
const SCENARIOS = `
import { writeSync } from 'node:fs';
import { run } from 'sluice';
import { onSignal } from 'sluice/on-signal';
const [scenario, channel, json] = process.argv.slice(2);
const { credit, deliveries, settles, workMs, drainTimeoutMs, forMs } = JSON.parse(json);
const say = (word, bytes) => void writeSync(1, word + ' ' + Buffer.from(bytes).toString('base64') + '\\n');
const ack = (message) => void (message?.ack() && say('acked', message.payload));
setInterval(() => {}, 1000);
const scenarios = {
  crash() {
    const taken = [];
    source(channel, { credit, closeTimeoutMs: 0 }).subscribe((message) => {
      if (taken.length >= deliveries) return;
      taken.push(message);
      if (settles === undefined && taken.length % 2 === 0) ack(message);
      if (taken.length < deliveries) return;
      for (const at of settles ?? []) ack(taken[at]);
      // Sometimes before it passed on what was acked, sometimes after.
      setTimeout(() => process.kill(process.pid, 'SIGKILL'), Math.random() * 20);
    });
  },
  terminate() {
    let count = 0;
    const next = (message) => {
      count += 1;
      if (workMs !== null) setTimeout(() => ack(message), workMs);
      if (count === deliveries) process.kill(process.pid, 'SIGTERM');
    };
    const running = run(source(channel, { credit }), { next, error() {}, complete() {} }, { drainTimeoutMs });
    onSignal(running, { onStopped: ({ error }) => void (error && writeSync(1, error.code + '\\n')) });
  },
  hold() {
    const held = [];
    globalThis.gc();
    const before = process.memoryUsage().rss;
    let most = before;
    setInterval(() => (most = Math.max(most, process.memoryUsage().rss)), 10);
    const end = () => {
      writeSync(1, 'held ' + held.length + ' grown ' + (most - before) + '\\n');
      process.exit(0);
    };
    source(channel, { credit, settleWithinMs: 0 }).subscribe((message) => {
      held.push(message);
      if (held.length === credit) setTimeout(end, forMs);
    });
  },
};
scenarios[scenario]();
`;

const programs = new Map<string, Promise<ChildProgram>>();

function programOf(setup: string): Promise<ChildProgram> {
  let program = programs.get(setup);
  if (program === undefined) {
    program = childProgram(`${setup}\n${SCENARIOS}`);
    programs.set(setup, program);
  }
  return program;
}

/** The payloads that a process said it acked. */
function ackedBy({ said }: Child): Uint8Array[] {
  const lines = said.split('\n').filter((line) => line.startsWith('acked '));
  return lines.map((line) => new Uint8Array(Buffer.from(line.slice('acked '.length), 'base64')));
}

/**
 * Clients in processes of their own. `setup` is the text of a module that defines `source(channel, options)`, a flow of
 * bytes; it may import `sluice` and its entries.
 */
export function clientProcesses(setup: string): ProcVerbs {
  const start = async (scenario: keyof ProcVerbs, channel: string, options: object): Promise<Child> => {
    const program = await programOf(setup);
    const child = program.start(scenario, channel, JSON.stringify(options));
    const end = (): void => void child.process.kill('SIGKILL');
    process.once('exit', end);
    void child.ended.then(() => process.off('exit', end));
    return child;
  };
  return {
    async crash(channel, options) {
      const child = await start('crash', channel, options);
      const end = await child.ended;
      if (end !== 'SIGKILL') throw new Error(`The client ended with ${String(end)} and said: ${child.said}`);
      return ackedBy(child);
    },
    async terminate(channel, options) {
      const child = await start('terminate', channel, options);
      const end = await child.ended;
      return { exitCode: typeof end === 'number' ? end : 255, acked: ackedBy(child), said: child.said };
    },
    async hold(channel, options) {
      const child = await start('hold', channel, options);
      await child.ended;
      const [, count, grown] = /held (\d+) grown (-?\d+)/.exec(child.said) ?? [];
      if (Number(count) !== options.credit) throw new Error(`It held ${count} messages and said: ${child.said}`);
      return { grownBytes: Number(grown) };
    },
  };
}
