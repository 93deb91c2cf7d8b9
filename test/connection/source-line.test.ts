import { describe, expect, it } from 'vitest';
import { backoff, SluiceError, type Message, type Status } from 'sluice';
import { defineLink, defineSource, type LinkContext, type ReaderContext } from 'sluice/connection';
import { virtualClock } from 'sluice/testing';
import { withScope, type SourceHandle } from '../../src/connection/scope.js';

/** A source over a link, fed by hand. `closing` is how long the link takes to close. */
function rig({ local = true, closing = 0, onNext = (): void => undefined } = {}) {
  const clock = virtualClock();
  const reconnect = backoff({ initialMs: 100, maxMs: 100, jitter: 'none' });
  const statuses: Status[] = [];
  const linkStatuses: Status[] = [];
  const seen: Message<string>[] = [];
  const ends: string[] = [];
  let connects = 0;
  let linkContext: LinkContext | undefined;
  let context: ReaderContext<string> | undefined;
  let handle: SourceHandle | undefined;
  const link = defineLink<number>(
    {
      connector: 'rig',
      connect(given) {
        linkContext = given;
        return (connects += 1);
      },
      disconnect: () => new Promise<void>((resolve) => void clock.timer(closing, resolve)),
    },
    { clock, reconnect },
  );
  link.status$.subscribe((status) => linkStatuses.push(status));
  const flow = defineSource<string, number>(
    {
      connector: 'rig',
      link,
      credit: 2,
      ...(local ? { local } : {}),
      open(given) {
        context = given;
        return { resume: () => undefined, settle: () => undefined, close: () => undefined };
      },
    },
    { clock, reconnect, closeTimeoutMs: 10_000 },
  );
  const subscription = withScope({ addSource: (source) => void (handle = source) }, () =>
    flow.subscribe({
      next: (message) => {
        seen.push(message);
        onNext();
      },
      error: (error: unknown) => ends.push((error as SluiceError).code),
      complete: () => ends.push('complete'),
    }),
  );
  handle?.status$.subscribe((status) => statuses.push(status));
  return {
    clock,
    statuses,
    linkStatuses,
    seen,
    ends,
    subscription,
    drain: () => handle?.drain(),
    offer: (payload: string) => context?.offer({ payload, topic: 't', position: payload }),
    cut: (error: Error = new Error('cut')) => linkContext?.lost(error),
    lose: (error: Error) => context?.lost(error),
    connects: () => connects,
  };
}

async function holding(options: Parameters<typeof rig>[0] = {}): Promise<ReturnType<typeof rig>> {
  const made = rig(options);
  await made.clock.run(1);
  made.offer('a');
  return made;
}

describe('the line of a source whose subscriber is gone', () => {
  it('stays open until what is held is settled (law 6)', async () => {
    const { clock, subscription, statuses, linkStatuses, seen } = await holding();
    subscription.unsubscribe();
    await clock.run(5_000);
    expect([statuses.at(-1), linkStatuses.at(-1)]).toEqual(['connected', 'connected']);
    seen[0]?.ack();
    await clock.run(1);
    expect([statuses.at(-1), linkStatuses.at(-1)]).toEqual(['closed', 'closed']);
  });

  it('ends with the loss of the link, while what is held may still settle', async () => {
    const { clock, subscription, cut, connects, statuses, linkStatuses, seen } = await holding();
    subscription.unsubscribe();
    cut();
    await clock.run(5_000);
    expect(connects()).toBe(1);
    expect([statuses.at(-1), linkStatuses.at(-1)]).toEqual(['closed', 'closed']);
    expect(seen[0]?.signal.aborted).toBe(false);
    expect(seen[0]?.ack()).toBe(true);
    await clock.run(1);
    expect(clock.pendingTimers).toBe(0);
  });

  it('ends at once where the link was lost before', async () => {
    const { clock, subscription, cut, connects, seen } = await holding();
    cut();
    subscription.unsubscribe();
    await clock.run(5_000);
    expect(connects()).toBe(1);
    expect(seen[0]?.ack()).toBe(true);
    await clock.run(1);
    expect(clock.pendingTimers).toBe(0);
  });

  it('takes back what is not settled closeTimeoutMs after it', async () => {
    const { clock, subscription, cut, seen } = await holding();
    subscription.unsubscribe();
    cut();
    await clock.run(10_000);
    expect(seen[0]?.signal.aborted).toBe(true);
    expect(seen[0]?.ack()).toBe(false);
    expect(clock.pendingTimers).toBe(0);
  });

  it('ends at once where the far side has to hear of settlements, and takes back what is held', async () => {
    const { clock, subscription, cut, connects, seen } = await holding({ local: false });
    subscription.unsubscribe();
    cut();
    expect(seen[0]?.ack()).toBe(false);
    await clock.run(5_000);
    expect(connects()).toBe(1);
    expect(clock.pendingTimers).toBe(0);
  });

  it('ends at once where it is gone, and the link lost, before it has returned', async () => {
    const cuts: (() => void)[] = [];
    const made = await holding({ local: false, onNext: () => cuts.forEach((cut) => cut()) });
    made.seen[0]?.ack();
    await made.clock.run(1);
    cuts.push(
      () => made.subscription.unsubscribe(),
      () => made.lose(new Error('cut')),
    );
    made.offer('b');
    await made.clock.run(50);
    expect(made.statuses.slice(-2)).toEqual(['closing', 'closed']);
    expect(made.clock.pendingTimers).toBe(0);
  });

  it('ends where the loss is one that no other try would mend', async () => {
    const { clock, subscription, lose, statuses, ends } = await holding({ local: false });
    subscription.unsubscribe();
    expect(() => lose(new SluiceError('AUTH_FAILED', 'no'))).not.toThrow();
    await clock.run(1);
    expect(statuses.at(-1)).toBe('closed');
    expect(ends).toEqual([]);
  });
});

describe('the line of a source that is drained', () => {
  it('ends with the loss of the link; what came before is still worked off', async () => {
    const { clock, drain, cut, offer, connects, seen, ends } = await holding();
    for (const payload of ['b', 'c']) offer(payload);
    drain();
    cut();
    await clock.run(1_000);
    expect(connects()).toBe(1);
    seen.slice(0, 2).forEach((message) => message.ack());
    await clock.run(1);
    seen[2]?.ack();
    await clock.run(1);
    expect(seen.map(({ payload }) => payload)).toEqual(['a', 'b', 'c']);
    expect(ends).toEqual(['complete']);
    expect(clock.pendingTimers).toBe(0);
  });

  it('completes after its link is closed, also where that has begun before', async () => {
    const { clock, drain, offer, lose, linkStatuses, seen, ends } = await holding({ closing: 3_000 });
    offer('b');
    drain();
    lose(new Error('cut'));
    expect(linkStatuses.at(-1)).toBe('closing');
    seen.forEach((message) => message.ack());
    await clock.run(2_999);
    expect(ends).toEqual([]);
    await clock.run(1);
    expect([linkStatuses.at(-1), ends]).toEqual(['closed', ['complete']]);
  });
});
