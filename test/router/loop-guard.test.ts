import { Subject } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { HEADERS, headerText, loopGuard, memoryBroker, memorySink, memorySource, run, type Message } from 'sluice';
import { marbles } from '../helpers/marbles.js';
import { settling } from '../helpers/branches.js';
import { recorder, type MessageFields } from '../helpers/message.js';

function pass(maxHops: number | undefined, fields: MessageFields) {
  const { message, log, open } = recorder();
  const source = new Subject<Message<string>>();
  const out: Message<string>[] = [];
  source.pipe(loopGuard(maxHops === undefined ? {} : { maxHops })).subscribe((each) => out.push(each));
  source.next(message('a', fields));
  return { out, log, open, hops: out.map(({ headers }) => headerText(headers, HEADERS.hops)) };
}

describe('loopGuard', () => {
  it('counts hops in a header and keeps everything else, settlement included (S24)', () => {
    const { out, hops, log } = pass(undefined, { topic: 't', key: 'k', headers: { type: 'x' } });
    expect(hops).toEqual(['1']);
    expect(out[0]).toMatchObject({ topic: 't', key: 'k', headers: { type: 'x' } });
    expect(settling(out[0] as Message<string>)).toBe('a');
    expect(log).toEqual(['a ack']);
  });

  it.each([
    ['15', undefined, '16'],
    ['2', 3, '3'],
    [new TextEncoder().encode('1'), 3, '2'],
  ] as const)('lets %s hops pass', (before, maxHops, after) => {
    expect(pass(maxHops, { headers: { 'x-hops': before } }).hops).toEqual([after]);
  });

  it.each([
    ['16', undefined],
    ['3', 3],
    ['none', 3],
    ['-5', 3],
    ['1e3', 16],
  ] as const)('nacks %s hops as dead with LOOP_DETECTED (B30, S24)', (before, maxHops) => {
    const { hops, log, open } = pass(maxHops, { headers: { 'X-Hops': before } });
    expect(hops).toEqual([]);
    expect(log).toEqual(['a dead LOOP_DETECTED']);
    expect(open).toEqual([]);
  });

  it('ends a flow that feeds itself', async () => {
    const broker = memoryBroker();
    const turns: string[] = [];
    const flow = memorySource<string>(broker, { topic: 'loop' }).pipe(loopGuard({ maxHops: 3 }));
    const sink = memorySink<string>(broker, { topic: 'loop' });
    const running = run(flow, {
      ...sink,
      next: (message) => {
        turns.push(message.payload);
        sink.next(message);
      },
    });
    const faults: unknown[] = [];
    running.faults$.subscribe((fault) => faults.push(fault));
    broker.publish({ topic: 'loop', payload: 'round' });
    await expect.poll(() => faults).toMatchObject([{ type: 'message.nacked', reason: { code: 'LOOP_DETECTED' } }]);
    expect(turns).toEqual(['round', 'round', 'round']);
    await running.stop();
  });

  it(
    'passes errors and completion on',
    marbles((m) => {
      m.expect(m.cold<Message<string>>('-|').pipe(loopGuard())).toBeObservable('-|');
      m.expect(m.cold<Message<string>>('-#').pipe(loopGuard())).toBeObservable('-#');
    }),
  );

  it('refuses a limit below 1', () => {
    expect(() => loopGuard({ maxHops: 0 })).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  });
});
