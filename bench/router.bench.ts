// Exact rules: what a message costs must not grow with their number.
import { filter, Subject } from 'rxjs';
import {
  equals,
  field,
  type Flow,
  header,
  key,
  type Message,
  payload,
  route,
  type Rule,
  type Sink,
  topic,
} from 'sluice';
import type { Delivery } from 'sluice/connection';
import { compare, type Contender, thousands } from './compare.js';
import { feed } from './feed.js';
import { settings, sized } from './settings.js';

interface Quote {
  readonly symbol: string;
  readonly price: number;
}
type Kind = 'topic' | 'field' | 'header' | 'key';
type Way = 'one stage for all' | 'a stage each' | 'one sink for all' | 'a sink each';

const COUNT = sized(200_000);
const WORST = 1 / 1.5;

let state = 1;
/** Uniform and without a pattern that a processor could guess. */
function random(below: number): number {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % below;
}

/** All of one length: texts of two characters are unique in the engine, and found without being compared. */
const nameOf = (rule: number): string => `S${String(rule).padStart(5, '0')}`;

function deliveriesFor(rules: number): Delivery<Quote>[] {
  return Array.from({ length: COUNT }, (_, price) => {
    const name = nameOf(random(rules));
    // Each its own text, as if it had just been read.
    const own = (): string => `${name[0] ?? ''}${name.slice(1)}`;
    return { payload: { symbol: own(), price }, topic: own(), key: own(), headers: { type: own() } };
  });
}

const whens = {
  topic: (name: string) => topic(name),
  field: (name: string) => field('symbol', equals(name)),
  header: (name: string) => header('type', name),
  key: (name: string) => key(name),
};

function ackingSink(): Sink<Quote> {
  return { next: (message) => void message.ack(), error: () => undefined, complete: () => undefined };
}

/** A router with so many rules that stays subscribed: a run is messages only. */
function router(
  name: string,
  kind: Kind,
  rules: number,
  way: Way,
  informs = false,
  deliveries = deliveriesFor(rules),
): Contender {
  const stage = payload((quote: Quote) => quote);
  const sink = ackingSink();
  const to = {
    'one stage for all': () => stage,
    'a stage each': () => payload((quote: Quote) => quote),
    'one sink for all': () => sink,
    'a sink each': ackingSink,
  }[way];
  const list: Rule<Quote, Quote>[] = Array.from({ length: rules }, (_, at) => ({
    name: nameOf(at),
    when: whens[kind](nameOf(at)) as never,
    to: to() as never,
  }));
  const quotes = feed<Quote>();
  let seen = 0;
  let unrouted = 0;
  const routed = route<Quote, Rule<Quote, Quote>[], Quote>(list, {
    otherwise: { next: (m: Message<Quote>) => void ((unrouted += 1), m.ack()), error: () => {}, complete: () => {} },
  })(quotes.flow) as Flow<Quote>;
  routed.subscribe((message) => {
    seen += 1;
    message.ack();
  });
  return {
    name,
    informs,
    async run() {
      seen = 0;
      unrouted = 0;
      await quotes.give(deliveries.length, (at) => deliveries[at] as Delivery<Quote>);
      // What a sink took it settled, and the feed waited for that.
      return way.includes('sink') ? deliveries.length - unrouted : seen;
    },
  };
}

/** What a Map alone costs, with a state per rule that each message touches. */
function map(rules: number): Contender {
  const deliveries = deliveriesFor(rules);
  const states = new Map(
    Array.from({ length: rules }, (_, at) => [nameOf(at), { count: 0, last: undefined as unknown }]),
  );
  return {
    name: `a Map of ${thousands(rules)} counters`,
    informs: true,
    run() {
      let seen = 0;
      for (const delivery of deliveries) {
        const found = states.get(delivery.topic);
        if (found === undefined) continue;
        found.count += 1;
        found.last = delivery;
        seen += 1;
      }
      return seen;
    },
  };
}

function subjects(rules: number, deliveries = deliveriesFor(rules)): Contender {
  let seen = 0;
  const table = new Map<string, Subject<unknown>>();
  for (let at = 0; at < rules; at += 1) {
    const subject = new Subject<unknown>();
    subject.subscribe(() => void (seen += 1));
    table.set(nameOf(at), subject);
  }
  return {
    name: `a Map of ${thousands(rules)} Subjects`,
    informs: true,
    run() {
      seen = 0;
      for (const delivery of deliveries) table.get(delivery.topic)?.next(delivery);
      return seen;
    },
  };
}

/** What RxJS users write first: every branch looks at every message. */
function filters(rules: number, deliveries: readonly Delivery<Quote>[]): Contender {
  const shared = new Subject<Delivery<Quote>>();
  let seen = 0;
  for (let at = 0; at < rules; at += 1)
    shared.pipe(filter((delivery) => delivery.topic === nameOf(at))).subscribe(() => void (seen += 1));
  return {
    name: 'share and filter, no settlement',
    run() {
      seen = 0;
      for (const delivery of deliveries) shared.next(delivery);
      return seen;
    },
  };
}

for (const kind of ['topic', 'field', 'header', 'key'] as const) {
  await compare(
    `${kind}: 10,000 rules against 10, one sink for all`,
    COUNT,
    router('10,000 rules', kind, 10_000, 'one sink for all'),
    [
      router('10 rules', kind, 10, 'one sink for all'),
      router('1,000 rules', kind, 1_000, 'one sink for all', true),
      ...(kind === 'topic' ? [router('100,000 rules', kind, 100_000, 'one sink for all', true)] : []),
    ],
    { atLeast: WORST },
  );
}
for (const way of ['a sink each', 'one stage for all', 'a stage each'] as const) {
  await compare(
    `${way}: 10,000 rules against 10`,
    COUNT,
    router('10,000 rules', 'topic', 10_000, way),
    [router('10 rules', 'topic', 10, way)],
    { atLeast: WORST },
  );
}
await compare('memory alone: a counter each, 10,000 against 10', COUNT, map(10_000), [map(10)]);
await compare('memory alone: a Subject each, 10,000 against 10', COUNT, subjects(10_000), [subjects(10)]);

const few = deliveriesFor(1_000).slice(0, 10_000);
await compare(
  '1,000 rules against what RxJS users write',
  few.length,
  router('sluice route, acked', 'topic', 1_000, 'a stage each', false, few),
  [filters(1_000, few), { ...subjects(1_000, few), informs: true }],
  { atLeast: 1 },
);
