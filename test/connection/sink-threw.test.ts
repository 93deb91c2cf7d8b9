import { describe, expect, it } from 'vitest';
import {
  deadLetter,
  deliver,
  fanout,
  observe,
  route,
  run,
  where,
  type Flow,
  type Sink,
  type SluiceError,
} from 'sluice';
import { testSource, virtualClock } from 'sluice/testing';
import { recordingSink } from '../helpers/branches.js';
import { collect } from '../helpers/collect.js';

const fails = (): never => {
  throw new Error('dead');
};

/** Everything that gives to a sink. */
const WAYS: Readonly<Record<string, (to: Sink<number>) => (flow: Flow<number>) => Flow<number>>> = {
  deliver: (to) => deliver(to),
  fanout: (to) => fanout([to]),
  route: (to) => route([{ name: 'all', when: () => true, to }]),
  deadLetter: (to) => (source) => where<number>(fails)(deadLetter<number>(to)(source)),
};

describe.each(['run', ...Object.keys(WAYS)])('a sink of %s that throws', (how) => {
  it.each(['before', 'after'])('%s it settled the message is reported, and goes on', (when) => {
    const clock = virtualClock();
    const failures: unknown[] = [];
    const stop = observe(
      (event) => event.type === 'stage.failed' && failures.push((event.reason as SluiceError).message),
    );
    const source = testSource<number>({ clock });
    const outcomes: string[] = [];
    source.events$.subscribe(({ type }) => outcomes.push(type));
    let throws = true;
    const sink: Sink<number> = {
      ...recordingSink<number>(),
      next(message) {
        if (when === 'after' || !throws) message.ack();
        if (throws) {
          throws = false;
          throw new Error('no');
        }
      },
    };
    const into = WAYS[how];
    if (into === undefined) run(source.flow, sink);
    else collect(into(sink)(source.flow), (message) => message.ack());
    source.offer(1);
    clock.advance(5_000);
    stop();
    expect(failures).toEqual([expect.stringMatching(/^The sink of .+ threw: no$/)]);
    expect(outcomes.filter((type) => type === 'ack')).toHaveLength(1);
    expect(source.unsettled).toEqual([]);
  });
});
