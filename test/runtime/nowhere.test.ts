import { take } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { each, fanout, memoryBroker, memorySink, memorySource, route, run, topic, type Flow } from 'sluice';
import { defineSink } from 'sluice/connection';
import { codeOf } from '../helpers/stage.js';

function filled(...payloads: string[]): { broker: ReturnType<typeof memoryBroker>; flow: Flow<string> } {
  const broker = memoryBroker();
  for (const payload of payloads) broker.publish({ topic: 'in', payload });
  return { broker, flow: memorySource<string>(broker, { topic: 'in' }) };
}

describe('run without a sink', () => {
  it('ends once all work is done, and everything is settled', async () => {
    const { broker, flow } = filled('a', 'b');
    const seen: string[] = [];
    const running = run(
      flow.pipe(
        take(2),
        each(async (text) => void seen.push(await Promise.resolve(text))),
      ),
    );
    expect(await running.done).toMatchObject({ clean: true, unfinished: [] });
    expect(seen).toEqual(['a', 'b']);
    expect(broker.peek.depth('in')).toBe(0);
    expect(running.describe().nodes.map(({ kind }) => kind)).not.toContain('sink');
    expect(running.health().sinks).toEqual([]);
  });

  it('drains on stop: work that has begun is finished, the rest stays with the broker', async () => {
    const { broker, flow } = filled('a', 'b', 'c');
    const seen: string[] = [];
    let finish = (): void => undefined;
    const working = each((text: string) => {
      seen.push(text);
      return new Promise<void>((resolve) => (finish = resolve));
    });
    const running = run(flow.pipe(take(1), working), { name: 'store' });
    await expect.poll(() => seen).toEqual(['a']);
    const stopped = running.stop();
    finish();
    expect(await stopped).toMatchObject({ clean: true, unfinished: [] });
    expect(running.name).toBe('store');
    expect(broker.peek.depth('in')).toBe(2);
  });

  it('is over only when the sinks inside of the flow are closed', async () => {
    for (const inside of ['fanout', 'route'] as const) {
      const { flow } = filled('a');
      let hasClosed = false;
      const slow = defineSink<string>({
        connector: 'slow',
        maxUnconfirmed: 1,
        open: () => ({
          send: (sending) => sending.confirm(),
          close: async () => {
            await new Promise((resolve) => setImmediate(resolve));
            hasClosed = true;
          },
        }),
      });
      const closing =
        inside === 'fanout'
          ? flow.pipe(take(1), fanout([slow]))
          : flow.pipe(take(1), route([{ name: 'a', when: topic('in'), to: slow }]));
      await run(closing).done;
      expect(hasClosed, inside).toBe(true);
    }
  });

  it('gives back what comes out all the same, and fails with what to do', async () => {
    const { broker, flow } = filled('a', 'b');
    const running = run(flow.pipe(each((text) => text.length)) as unknown as Flow<never>, { name: 'lengths' });
    const error: unknown = await running.done.catch((reason: unknown) => reason);
    expect(codeOf(error)).toBe('CONFIG_INVALID');
    expect(String(error)).toContain('lengths: a message came out, but there is no sink that takes it; give run a sink');
    expect(broker.peek.depth('in')).toBe(2);
    const again: string[] = [];
    await run(
      flow.pipe(
        take(2),
        each((text) => void again.push(text)),
      ),
    ).done;
    expect(again.toSorted()).toEqual(['a', 'b']);
  });

  it('fails with the error of its flow', async () => {
    const { flow } = filled('a');
    const work = (): void => {
      throw new Error('no');
    };
    await expect(run(flow.pipe(each(work, { onError: 'fail' }))).done).rejects.toMatchObject({
      code: 'HANDLER_FAILED',
    });
  });

  it('takes a sink as well as none', async () => {
    const { broker, flow } = filled('a');
    await run(flow.pipe(take(1)), memorySink(broker, { topic: 'out' })).done;
    expect(broker.peek.depth('out')).toBe(1);
  });
});
