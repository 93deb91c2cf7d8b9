import { expect, it } from 'vitest';
import { each, field, route, type Message, type Rule, type Stage } from 'sluice';
import { recorder } from '../helpers/message.js';

interface Call {
  readonly area: string;
  readonly type: string;
  readonly n: number;
}

/** A map from the type of a message to its handler, as rules. */
function byType(handlers: Readonly<Record<string, (call: Call) => string>>): Stage<Call, string> {
  const rules = Object.entries(handlers).map(([type, handler]): Rule<Call, string> => ({
    name: type,
    when: field('type', type),
    to: each(handler),
  }));
  return route(rules);
}

it('gives each type of message to its handler, through a handler that knows the areas (S4.87, S4.88, S4.89)', () => {
  const { flow, settled } = recorder();
  let stored = 0;
  const store = byType({
    get: () => `got ${stored}`,
    update: ({ n }) => `set ${(stored = n)}`,
  });
  const audit = byType({ get: ({ n }) => `audit ${n}` });
  const all = route<Call, Rule<Call, string>[]>([
    { name: 'store', when: field('area', 'store'), to: store },
    { name: 'audit', when: field('area', 'audit'), to: audit },
  ]);
  const calls: Call[] = [
    { area: 'store', type: 'update', n: 7 },
    { area: 'audit', type: 'get', n: 1 },
    { area: 'store', type: 'get', n: 0 },
    { area: 'audit', type: 'update', n: 2 },
    { area: 'none', type: 'get', n: 0 },
  ];
  const out: string[] = [];
  flow(calls)
    .pipe(all)
    .subscribe((message: Message<string>) => {
      out.push(message.payload);
      message.ack();
    });
  expect(out).toEqual(['set 7', 'audit 1', 'got 7']);
  expect(settled.map(({ outcome, code }) => code ?? outcome)).toEqual(['ack', 'ack', 'ack', 'UNROUTED', 'UNROUTED']);
});
