import { config } from 'rxjs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { observe, run, SluiceError, systemClock, type Message } from 'sluice';
import { virtualClock } from 'sluice/testing';
import { defineSource, type ReaderContext } from '../../src/connection/define-source.js';
import { withScope, type Scope, type SourceHandle } from '../../src/connection/scope.js';
import type { Outcome } from '../../src/message/settlement.js';
import { collect } from '../helpers/collect.js';
import { supplyOf } from '../helpers/supply-of.js';

describe('what a reader may rely on', () => {
  it('gets the settlement also of what it offered while it was opening', () => {
    const clock = virtualClock();
    const settled: [unknown, Outcome][] = [];
    const flow = defineSource<string>(
      {
        connector: 'eager',
        credit: 4,
        open(context) {
          expect(context.ready).toBe(false);
          context.offer({ payload: 'a', topic: 't', position: 1 });
          return {
            resume: () => undefined,
            settle: (position, outcome) => settled.push([position, outcome]),
            close: () => undefined,
          };
        },
      },
      { clock },
    );
    flow.subscribe((message) => message.ack());
    clock.advance(0);
    expect(settled).toEqual([[1, 'ack']]);
  });

  it('is refused where open gives none, as of plain JavaScript that forgot to return it', async () => {
    for (const given of [undefined, Promise.resolve(), {}, Promise.resolve({ resume: () => undefined })]) {
      const clock = virtualClock();
      const errors: unknown[] = [];
      const flow = defineSource<string>({ connector: 'eager', credit: 4, open: () => given as never }, { clock });
      flow.subscribe({ error: (error: unknown) => errors.push(error) });
      await clock.run(60_000);
      const told = expect.stringMatching(/what open gives.*expected a reader with resume, settle and close/) as string;
      expect(errors).toMatchObject([{ code: 'CONFIG_INVALID', message: told, details: { connector: 'eager' } }]);
    }
  });

  it('ends the flow with what is no delivery, as of plain JavaScript, however it is handed over (B31)', async () => {
    const sound = { payload: 'a', topic: 't' };
    const offers: readonly [(context: ReaderContext<string>) => unknown, string][] = [
      [(context) => context.offer(undefined as never), 'expected an object with payload and topic'],
      [(context) => context.offer({ payload: 'a' } as never), "'topic': expected a text"],
      [(context) => context.offer({ ...sound, headers: new Map() } as never), "'headers': expected an object"],
      [(context) => context.offerAs('a', {} as never), "'topic': expected a text"],
      [(context) => context.offerAs('a', undefined as never), 'expected an object with payload and topic'],
      [(context) => context.offerEach(supplyOf(['a']), {} as never), "'topic': expected a text"],
      [(context) => context.refuse(undefined as never, new SluiceError('DECODE_FAILED', 'no')), 'expected an object'],
    ];
    for (const [offer, fault] of offers) {
      const clock = virtualClock();
      const errors: unknown[] = [];
      const released: unknown[] = [];
      let opens = 0;
      const flow = defineSource<string>(
        {
          connector: 'rough',
          credit: 4,
          open(context) {
            opens += 1;
            const resume = (): void => {
              context.offer({ ...sound, position: 1 });
              offer(context);
            };
            return { resume, settle: () => undefined, close: () => undefined };
          },
        },
        { clock },
      );
      flow.subscribe({
        next: (message) => message.signal.addEventListener('abort', () => released.push(message.payload)),
        error: (error: unknown) => errors.push(error),
      });
      await clock.run(60_000);
      const told = expect.stringContaining(`what the reader of 'rough' offered: ${fault}`) as string;
      expect(errors).toMatchObject([{ code: 'CONFIG_INVALID', message: told, details: { connector: 'rough' } }]);
      expect([opens, released]).toEqual([1, ['a']]);
    }
  });

  it('may throw wherever it is called: the flow ends in order, and what it could not settle comes again', async () => {
    for (const hook of ['leave', 'stop', 'close', 'settle', 'resume', 'subscribed'] as const) {
      const clock = virtualClock();
      const told: string[] = [];
      onTestFinished(observe(({ type }) => void told.push(type)));
      let isSound = false;
      const thrown = (): never => {
        isSound = true;
        throw new Error(`no ${hook}`);
      };
      const asked: string[] = [];
      const on = (name: string, otherwise: () => void = () => undefined): (() => void) => {
        return () => {
          asked.push(name);
          if (name === hook && !isSound) thrown();
          otherwise();
        };
      };
      const seen: number[] = [];
      const flow = defineSource<string>(
        {
          connector: 'brittle',
          credit: 4,
          subscribed: () => on('subscribed'),
          open: (context) => ({
            resume: on('resume', () => {
              while (seen.length < 2 && context.ready) context.offer({ payload: 'a', topic: 't', position: 1 });
            }),
            settle: on('settle'),
            leave: () => {
              on('leave')();
              return false;
            },
            stop: on('stop'),
            close: on('close'),
          }),
        },
        { clock },
      );
      const sink = {
        next: (message: Message<string>) => {
          seen.push(message.attempt);
          expect(message.ack()).toBe(true);
        },
        complete: () => undefined,
        error: () => undefined,
      };
      const running = run(flow, sink, { clock });
      await clock.run(10_000);
      expect(seen).toEqual([1, 1]);
      const stopped = running.stop();
      await clock.run(100);
      expect(await stopped).toMatchObject({ clean: true });
      expect([asked.includes(hook), running.health().sources[0]?.status]).toEqual([true, 'closed']);
      if (hook !== 'close')
        expect(told).toContain(hook === 'settle' || hook === 'resume' ? 'connect.failed' : 'stage.failed');
      expect(clock.pendingTimers).toBe(0);
    }
  });

  it('never settles over one opening what came during another that was lost before it was done', async () => {
    const clock = virtualClock();
    const settled: [number, unknown][] = [];
    let opened = 0;
    const flow = defineSource<string>(
      {
        connector: 'eager',
        credit: 4,
        async open(context) {
          const number = (opened += 1);
          context.offer({ payload: `${number}`, topic: 't', position: number });
          if (number === 1) context.lost(new Error('closed in the middle of it'));
          return {
            resume: () => undefined,
            settle: (position) => settled.push([number, position]),
            close: () => undefined,
          };
        },
      },
      { clock },
    );
    const seen: string[] = [];
    flow.subscribe((message) => {
      seen.push(message.payload);
      message.ack();
    });
    await clock.run(60_000);
    expect([seen, settled]).toEqual([['2'], [[2, 2]]]);
  });

  it('can neither feed, end nor see the present connection once its own is lost', () => {
    const clock = virtualClock();
    const contexts: ReaderContext<string>[] = [];
    const settled: Outcome[] = [];
    const flow = defineSource<string>(
      {
        connector: 'pushed',
        credit: 2,
        open(context) {
          contexts.push(context);
          return {
            resume: () => undefined,
            settle: (_position, outcome) => void settled.push(outcome),
            close: () => undefined,
          };
        },
      },
      { clock, creditBytes: 10 },
    );
    const { messages, payloads } = collect(flow);
    clock.advance(0);
    const [former] = contexts as [ReaderContext<string>];
    former.lost(new Error('cut'));
    clock.advance(60_000);
    const present = contexts.at(-1) as ReaderContext<string>;
    const facts = { topic: 't', bytes: 6 };
    const reason = new SluiceError('PAYLOAD_TOO_LARGE', 'too long');
    const left = ['x'];
    expect([former.ready, former.free]).toEqual([false, 0]);
    expect(former.offer({ ...facts, payload: 'x' })).toBe(false);
    expect(former.offerAs('x', facts)).toBe(false);
    expect(former.refuse({ ...facts, payload: 'x' }, reason)).toBe(false);
    former.offerEach(supplyOf(left), facts);
    former.end();
    clock.advance(0);
    expect([contexts.length, left, payloads, settled, present.ready]).toEqual([2, ['x'], [], [], true]);
    for (const payload of ['a', 'b']) present.offerAs(payload, facts);
    former.takeBack(() => true, reason);
    expect([present.waiting, present.waitingBytes]).toEqual([1, 6]);
    expect([former.waiting, former.waitingBytes]).toEqual([0, 0]);
    expect([payloads, messages[0]?.ack()]).toEqual([['a'], true]);
    clock.advance(0);
    expect([payloads, settled]).toEqual([['a', 'b'], ['ack']]);
  });

  it('gets its turn also where the flows that ran before it have used it up', () => {
    const virtual = virtualClock();
    let nowMs = 0;
    const clock = { ...virtual, elapsed: () => (nowMs += 10) };
    const contexts = new Map<string, ReaderContext<string>>();
    const source = (name: string, resume: () => void) =>
      defineSource<string>(
        {
          connector: name,
          credit: 64,
          open(context) {
            contexts.set(name, context);
            return { resume, settle: () => undefined, close: () => undefined };
          },
        },
        { clock, settleWithinMs: 0 },
      );
    const busy = collect(source('busy', () => undefined));
    let isFirst = true;
    const later = collect(
      source('later', () => {
        // Its far side hands out to all of its members, and it is the other one's turn.
        for (let at = 0; isFirst && at < 64; at += 1) contexts.get('busy')?.offer({ payload: 'a', topic: 't' });
        isFirst = false;
        const { ready, offer } = contexts.get('later') as ReaderContext<string>;
        if (ready && later.payloads.length === 0) offer({ payload: 'b', topic: 't' });
      }),
    );
    virtual.advance(0);
    expect([busy.payloads.length, later.payloads]).toEqual([64, ['b']]);
  });

  it('offers a payload with the facts of many: what waits keeps its own, and comes again as it was', () => {
    const clock = virtualClock();
    const facts = { topic: 't', key: 'k' };
    const seen: unknown[] = [];
    const flow = defineSource<string>(
      {
        connector: 'values',
        credit: 1,
        local: true,
        open(context) {
          for (const payload of ['a', 'b']) context.offerAs(payload, facts);
          return { resume: () => context.end(), settle: () => undefined, close: () => undefined };
        },
      },
      { clock },
    );
    flow.subscribe((message) => {
      seen.push([message.payload, message.topic, message.key, message.attempt]);
      if (message.attempt === 1) message.nack('again');
      else message.ack();
    });
    clock.advance(0);
    expect(seen).toEqual([
      ['a', 't', 'k', 1],
      ['a', 't', 'k', 2],
      ['b', 't', 'k', 1],
      ['b', 't', 'k', 2],
    ]);
    expect(facts).toEqual({ topic: 't', key: 'k' });
  });

  it('has a supply asked for no more than the credit, and its end said for it', () => {
    const clock = virtualClock();
    const payloads = ['a', 'b', 'c'];
    const left: number[] = [];
    const held: Message<string>[] = [];
    let isOver = false;
    const flow = defineSource<string>(
      {
        connector: 'supplied',
        credit: 2,
        local: true,
        open(context) {
          const supply = supplyOf(payloads);
          return {
            resume: () => context.offerEach(supply, { topic: 't' }),
            settle: () => undefined,
            close: () => undefined,
          };
        },
      },
      { clock },
    );
    flow.subscribe({ next: (message) => held.push(message), complete: () => (isOver = true) });
    for (let turn = 0; turn < 4; turn += 1) {
      clock.advance(0);
      left.push(payloads.length);
      held[turn]?.ack();
    }
    expect(left).toEqual([1, 0, 0, 0]);
    expect(held.map(({ payload, topic }) => payload + topic)).toEqual(['at', 'bt', 'ct']);
    clock.advance(0);
    expect(isOver).toBe(true);
  });

  it('is not ready once it said that it has no more, so that a loop over ready ends', () => {
    const clock = virtualClock();
    const readiness: boolean[] = [];
    const flow = defineSource<string>(
      {
        connector: 'finite',
        credit: 4,
        open: (context) => ({
          resume() {
            readiness.push(context.ready);
            context.end();
            readiness.push(context.ready);
          },
          settle: () => undefined,
          close: () => undefined,
        }),
      },
      { clock },
    );
    flow.subscribe();
    clock.advance(0);
    expect(readiness).toEqual([true, false]);
  });

  it('is asked again after its end when something came back, and may then end a second time', () => {
    const clock = virtualClock();
    const queue = [1, 2];
    const flow = defineSource<number>(
      {
        connector: 'finite',
        credit: 4,
        open: (context: ReaderContext<number>) => ({
          resume() {
            while (context.ready && queue.length > 0) {
              const payload = queue.shift() as number;
              context.offer({ payload, topic: 't', position: payload });
            }
            if (queue.length === 0) context.end();
          },
          settle(position, outcome) {
            if (outcome !== 'requeue') return;
            queue.push(position as number);
            context.wake();
          },
          close: () => undefined,
        }),
      },
      { clock },
    );
    const seen: number[] = [];
    let completed = false;
    flow.subscribe({
      next(message) {
        seen.push(message.payload);
        if (seen.length === 1) message.nack(new Error('later'));
        else message.ack();
      },
      complete: () => (completed = true),
    });
    clock.advance(0);
    expect(seen).toEqual([1, 2, 1]);
    expect(completed).toBe(true);
  });

  it('hands what has no payload past the flow, to whoever keeps dead letters or else as dead', () => {
    const clock = virtualClock();
    const reason = new SluiceError('DECODE_FAILED', 'no number');
    const read = (scope: Partial<Scope>): { seen: unknown[]; settled: unknown[]; dead: number } => {
      const settled: unknown[] = [];
      const seen: unknown[] = [];
      const sources: SourceHandle[] = [];
      let sent = 0;
      const flow = defineSource<number>(
        {
          connector: 'mixed',
          credit: 4,
          open: (context) => ({
            resume() {
              while (context.ready && sent < 3) {
                sent += 1;
                if (sent === 2) context.refuse({ payload: 'x', topic: 't', position: sent, bytes: 1 }, reason);
                else context.offer({ payload: sent, topic: 't', position: sent });
              }
              if (sent === 3) context.end();
            },
            settle: (position, outcome) => settled.push([position, outcome]),
            close: () => undefined,
          }),
        },
        { clock },
      );
      withScope({ addSource: (source) => void sources.push(source), ...scope }, () =>
        flow.subscribe((message) => {
          seen.push(message.payload);
          message.ack();
        }),
      );
      clock.advance(0);
      return { seen, settled, dead: sources[0]!.counts.dead };
    };
    const kept: unknown[] = [];
    const given = read({});
    expect(given.seen).toEqual([1, 3]);
    expect(given.settled).toEqual([
      [1, 'ack'],
      [2, 'dead'],
      [3, 'ack'],
    ]);
    expect(given.dead).toBe(1);
    const taken = read({
      refused(message, why) {
        kept.push([message.payload, why.code]);
        message.ack();
      },
    });
    expect(taken.seen).toEqual([1, 3]);
    expect(taken.settled).toContainEqual([2, 'ack']);
    expect(kept).toEqual([['x', 'DECODE_FAILED']]);
    expect(taken.dead).toBe(0);
  });

  it('ends nothing for who unsubscribed while it was closing', async () => {
    const clock = virtualClock();
    let closed: () => void = () => undefined;
    const flow = defineSource<string>(
      {
        connector: 'slow to close',
        credit: 4,
        open: (context) => ({
          resume: () => context.end(),
          settle: () => undefined,
          close: () => new Promise<void>((resolve) => (closed = resolve)),
        }),
      },
      { clock },
    );
    const said: string[] = [];
    const former = config.onStoppedNotification;
    config.onStoppedNotification = ({ kind }) => void said.push(kind);
    const subscription = flow.subscribe({ complete: () => said.push('completed') });
    clock.advance(0);
    subscription.unsubscribe();
    closed();
    await clock.run(1);
    // RxJS tells of a signal after the end in a timer of its own.
    await new Promise<void>((resolve) => void systemClock.timer(1, resolve));
    config.onStoppedNotification = former;
    expect(said).toEqual([]);
  });
});
