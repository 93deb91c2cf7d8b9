import { describe, expect, it } from 'vitest';
import { of } from 'rxjs';
import {
  batch,
  type BatchOptions,
  deadLetter,
  dedupe,
  each,
  fanout,
  flow,
  type Flow,
  type Message,
  payload,
  route,
  type Stage,
  through,
  unbatch,
} from 'sluice';
import { runStage, stageLaws } from '../helpers/stage.js';

/** Stages that answer for a batch as a whole, with what they keep of those given up. */
const BETWEEN: Readonly<Record<string, (dead: Message<number[]>[]) => Stage<number[], number[]>>> = {
  dedupe: () => dedupe({ by: ({ payload: all }) => all.join(), maxKeys: 10 }),
  'dedupe twice': () => (source) => flow(source, BETWEEN['dedupe']!([]), BETWEEN['dedupe']!([])),
  deadLetter: (dead) =>
    deadLetter({
      next: (letter) => {
        dead.push(letter);
        letter.ack();
      },
      error: () => undefined,
      complete: () => undefined,
    }),
  'a branch with a budget': () => route([{ name: 'all', when: () => true, to: (source) => source, budget: 2 }]),
  'several rules': () =>
    route(
      [
        { name: 'one', when: () => true, to: (source: Flow<number[]>) => source },
        { name: 'two', when: () => true, to: payload((all: number[]) => all) },
      ],
      { match: 'all' },
    ),
  fanout: () => fanout([(source: Flow<number[]>) => source]),
  'work that gives an Observable': () => each((all: number[]) => of(all)),
  through: () => through((all$) => all$),
};

const pairs = (source: Flow<number>): Flow<number> =>
  flow(
    source,
    batch({ size: 2, maxWaitMs: 10 }),
    payload((all) => all.map((n) => n * 10)),
    unbatch(),
  );

describe('unbatch', () => {
  stageLaws<number, number>(() => pairs, [1, 2, 3, 4, 5]);

  it('nacks what is no list, and goes on, whoever called it (law 5)', () => {
    const stage = (source: Flow<number>): Flow<unknown> =>
      flow(
        source,
        batch({ size: 2, maxWaitMs: 10 }),
        payload((all) => (all[0] === 1 ? ({ length: 2 } as unknown as number[]) : all)),
        unbatch(),
      );
    const run = runStage(stage, { values: [1, 2, 3], open: true });
    run.clock.advance(10);
    expect(run).toMatchObject({
      out: [3],
      log: ['1 dead HANDLER_FAILED', '2 dead HANDLER_FAILED', '3 ack'],
      end: 'open',
    });
  });

  it('gives each member of a batch its own settlement back', () => {
    const run = runStage(pairs, {
      values: [1, 2, 3, 4],
      sink: (message) => void (message.payload === 20 ? message.nack(new Error('no'), 'dead') : message.ack()),
    });
    expect(run.out).toEqual([10, 20, 30, 40]);
    expect(run.log).toEqual(['1 ack', '2 dead no', '3 ack', '4 ack']);
  });

  it.each(Object.entries(BETWEEN))('lets members behind %s fail alone, each in its own way', (name, between) => {
    const dead: Message<number[]>[] = [];
    const options: BatchOptions = { size: 4, maxWaitMs: 10 };
    const stage = (source: Flow<number>): Flow<number> =>
      flow(source, batch<number>(options), between(dead), unbatch());
    const run = runStage(stage, {
      values: [1, 2, 3, 4],
      open: true,
      sink: (message) => {
        if (message.payload === 2) message.nack(new Error('two'), 'dead');
        else if (message.payload === 4 && message.attempt === 1) message.nack(new Error('four'));
        else message.ack();
      },
    });
    run.clock.advance(1_000);
    const two = name === 'deadLetter' ? '2 ack dead letter' : '2 dead two';
    expect(run.log).toEqual(['1 ack', two, '3 ack', '4 requeue four', '4 ack']);
    expect(run.held).toEqual([]);
    expect(dead.map(({ id, payload: all }) => [id, all])).toEqual(name === 'deadLetter' ? [['1', [2]]] : []);
  });

  it('gives each member its own facts behind a stage that answers for the batch', () => {
    const between = dedupe<number[]>({ by: ({ id }) => id, maxKeys: 10 });
    const stage = (source: Flow<number>): Flow<number> =>
      flow(source, batch<number>({ size: 2, maxWaitMs: 10 }), between, unbatch());
    const run = runStage(stage, { values: [1, 2], sink: 'hold', open: true });
    const [first, second] = run.messages as [Message<number>, Message<number>];
    expect([first.id, second.id]).toEqual(['0', '1']);
    first.ack();
    expect([run.log, second.signal.aborted]).toEqual([[], false]);
    expect(first.ack()).toBe(false);
    run.source.lose(new Error('cut'));
    expect([second.signal.aborted, second.ack()]).toEqual([true, false]);
    expect(run.log).toEqual(['1 taken-back', '2 taken-back']);
  });

  it('splits any other list: acked when all were, an empty one at once', () => {
    const run = runStage(unbatch<string>(), { values: [['a', 'b'], []], sink: 'hold' });
    expect([run.out, run.log]).toEqual([['a', 'b'], [' ack empty'.trim()]]);
    run.messages[0]?.ack();
    expect(run.log.length).toBe(1);
    run.messages[1]?.ack();
    expect(run.log.at(-1)).toBe('a,b ack');
  });
});
