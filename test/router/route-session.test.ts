import fc from 'fast-check';
import { Observable, take } from 'rxjs';
import { describe, expect, it } from 'vitest';
import {
  each,
  fork,
  payload,
  route,
  where,
  type BranchOverflow,
  type Message,
  type Rule,
  type Sink,
  type Stage,
  type When,
} from 'sluice';
import { testSource, virtualClock, type VirtualClock } from 'sluice/testing';
import type { Envelope } from '../../src/message/envelope.js';
import { refusal, conditions } from '../helpers/rules.js';
import { runs } from '../helpers/runs.js';

interface Body {
  readonly topic: string;
  readonly f: string;
  readonly g: { readonly h: string };
}

type Behaviour =
  | 'pass'
  | 'drop'
  | 'slow'
  | 'throw'
  | 'error'
  | 'leave'
  | 'split'
  | 'nack'
  | 'sink'
  | 'bad sink'
  | 'held';

/** Branches as users write them, good and bad. `turn` makes some act up only now and then. */
function branch(behaviour: Behaviour, turn: number, clock: VirtualClock): Stage<Body, unknown> | Sink<Body> {
  let count = 0;
  const isTurn = (): boolean => (count += 1) % turn === 0;
  const settleLater = (message: Message<Body>): void => void clock.timer(3, () => message.ack());
  const sink = (next: (message: Message<Body>) => void): Sink<Body> => ({
    next,
    error: () => undefined,
    complete: () => undefined,
  });
  switch (behaviour) {
    case 'pass':
      return (source) => source;
    case 'drop':
      return where(() => !isTurn());
    case 'slow':
      return each(
        (body) =>
          new Observable((output) =>
            clock.timer(2, () => {
              output.next(body);
              output.complete();
            }),
          ),
        {
          concurrency: turn,
          clock,
        },
      );
    case 'throw':
      return payload((body) => {
        if (isTurn()) throw new Error('no');
        return body;
      });
    case 'error':
      return (source) =>
        new Observable((output) =>
          source.subscribe({
            next(message) {
              if (isTurn()) output.error(new Error('broken'));
              // What it keeps to itself is in its hands when it breaks.
              else if (count % 2 === 0) output.next(message);
              else settleLater(message);
            },
            complete: () => output.complete(),
          }),
        );
    case 'leave':
      return (source) => source.pipe(take(turn));
    case 'split':
      return (source) =>
        new Observable((output) =>
          source.subscribe({
            next: (message) => fork(message, turn).forEach((part) => output.next(part)),
            complete: () => output.complete(),
          }),
        );
    case 'nack':
      return sink((message) => void message.nack(new Error('refused'), isTurn() ? 'requeue' : 'drop'));
    case 'sink':
      return sink(settleLater);
    case 'bad sink':
      return sink((message) => {
        if (isTurn()) throw new Error('no');
        message.ack();
      });
    case 'held':
      return (source) =>
        new Observable((output) =>
          source.subscribe({
            next: (message) => void clock.timer(2, () => output.next(message)),
            complete: () => void clock.timer(3, () => output.complete()),
          }),
        );
  }
}

const behaviours: Behaviour[] = [
  'pass',
  'drop',
  'slow',
  'throw',
  'error',
  'leave',
  'split',
  'nack',
  'sink',
  'bad sink',
  'held',
];
const behaviour = fc.record({
  behaviour: fc.constantFrom(...behaviours),
  turn: fc.integer({ min: 1, max: 3 }),
  budget: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
  overflow: fc.constantFrom<BranchOverflow>('wait', 'drop-oldest', 'drop-newest', 'conflate', 'fail'),
});
const word = fc.constantFrom('x', 'y', 'z');
const body = fc.record({
  topic: fc.constantFrom('a', 'b', 'a/b', 'a/b/c', 'b/c', '$a/b'),
  f: word,
  g: fc.record({ h: word }),
});

describe('a router with any rules and any branches', () => {
  it('settles each message of each delivery exactly once and gives all credit back', () => {
    let routed = 0;
    fc.assert(
      fc.property(
        fc.array(fc.tuple(conditions(2), behaviour), { maxLength: 6 }),
        fc.constantFrom('first' as const, 'all' as const),
        fc.oneof(fc.constantFrom('dead' as const, 'drop' as const), behaviour),
        fc.array(body, { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 1, max: 4 }),
        fc.boolean(),
        (whens, match, otherwise, bodies, credit, ends) => {
          const clock = virtualClock();
          const rules: Rule<Body>[] = whens.map(([when, { behaviour: kind, turn, budget, overflow }], at) => ({
            name: `r${at}`,
            when: when as When<Body>,
            to: branch(kind, turn, clock),
            ...(budget === undefined ? {} : { budget, overflow }),
          }));
          fc.pre(match === 'all' || refusal(rules) === 'accepted');
          const source = testSource<Body>({
            clock,
            credit,
            maxAttempts: 3,
            topic: ({ topic }) => topic,
            settleWithinMs: 0,
          });
          let peak = 0;
          let isOver = false;
          const settlements: string[] = [];
          source.events$.subscribe(({ type }) => {
            peak = Math.max(peak, source.unsettled.length);
            if (type !== 'waiting') settlements.push(type);
          });
          source.flow
            .pipe(
              route(rules, {
                match,
                clock,
                otherwise:
                  typeof otherwise === 'string' ? otherwise : branch(otherwise.behaviour, otherwise.turn, clock),
              }),
            )
            .subscribe({
              next: (message) => void clock.timer(1, () => message.ack()),
              error: () => expect.unreachable('a branch ended the flow'),
              complete: () => (isOver = true),
            });
          for (const each of bodies) source.offer(each);
          if (ends) source.end();
          clock.advance(3_600_000);
          expect(source.unsettled.map(({ message }) => (message as Envelope<Body> | undefined)?.root.holder)).toEqual(
            [],
          );
          expect(source.queued).toEqual([]);
          expect(isOver).toBe(ends);
          expect(peak).toBeLessThanOrEqual(credit);
          const delivered = settlements.filter((type) => type === 'delivered').length;
          expect(settlements.length).toBe(delivered * 2);
          routed += delivered;
        },
      ),
      // The same 500 routers each time; SEED tries others.
      { numRuns: runs(500), seed: Number(process.env['SEED'] ?? 7) },
    );
    expect(routed).toBeGreaterThan(2 * runs(500));
  });
});
