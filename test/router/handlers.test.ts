import { expect, it } from 'vitest';
import { each, field, route, type Message, type Rule, type Stage } from 'sluice';
import { recorder } from '../helpers/message.js';

/** What a message may be, told by its type: the payload of one type is not that of another. */
type StoreCall =
  | { readonly area: 'store'; readonly type: 'get' }
  | { readonly area: 'store'; readonly type: 'update'; readonly n: number };
interface AuditCall {
  readonly area: 'audit';
  readonly type: 'log';
  readonly text: string;
}
type Call = StoreCall | AuditCall;

/** One handler for each type of a union, which gets the messages of that type. */
type Handlers<C extends { readonly type: string }> = {
  readonly [T in C['type']]: (call: Extract<C, { readonly type: T }>) => string;
};

/** A map from the type of a message to its handler, as rules. */
function byType<C extends { readonly type: string }>(handlers: Handlers<C>): Stage<C, string> {
  const all = Object.entries(handlers) as [string, (call: C) => string][];
  return route(
    all.map(([type, handler]): Rule<C, string> => ({ name: type, when: field('type', type), to: each(handler) })),
  );
}

let stored = 0;
const storing: Handlers<StoreCall> = {
  get: () => `got ${stored}`,
  update: ({ n }) => `set ${(stored = n)}`,
};
const auditing: Handlers<AuditCall> = { log: ({ text }) => `logged ${text}` };

/** The areas, each with its handlers. */
const all = route<Call, Rule<Call, string>[]>([
  { name: 'store', when: field('area', 'store'), to: byType(storing) as Stage<Call, string> },
  { name: 'audit', when: field('area', 'audit'), to: byType(auditing) as Stage<Call, string> },
]);

/** What comes out for these, and how each is settled. */
function handled(...calls: readonly Call[]): { readonly out: string[]; readonly settled: string[] } {
  const { flow, settled } = recorder();
  const out: string[] = [];
  flow(calls)
    .pipe(all)
    .subscribe((message: Message<string>) => {
      out.push(message.payload);
      message.ack();
    });
  return { out, settled: settled.map(({ outcome, code }) => code ?? outcome) };
}

it('gives each type of message to its handler, through a handler that knows the areas (S4.57, S4.59, S4.63, S4.72, S4.87, S4.88, S4.89)', () => {
  const { out, settled } = handled(
    { area: 'store', type: 'update', n: 7 },
    { area: 'audit', type: 'log', text: 'one' },
    { area: 'store', type: 'get' },
  );
  expect(out).toEqual(['set 7', 'logged one', 'got 7']);
  expect(settled).toEqual(['ack', 'ack', 'ack']);
});

it('compiles with a handler for every type and for no other, and nacks what comes without one (S4.90)', () => {
  // @ts-expect-error -- nobody handles an update
  byType<StoreCall>({ get: storing.get });
  // @ts-expect-error -- no message has this type
  byType<StoreCall>({ ...storing, remove: () => '' });
  // @ts-expect-error -- a get has no number
  byType<StoreCall>({ ...storing, get: ({ n }) => `got ${n}` });
  // As they may come from outside.
  const unknown = [
    { area: 'audit', type: 'update', n: 2 },
    { area: 'none', type: 'get' },
  ] as unknown as Call[];
  expect(handled(...unknown, { area: 'audit', type: 'log', text: 'two' })).toEqual({
    out: ['logged two'],
    settled: ['UNROUTED', 'UNROUTED', 'ack'],
  });
});

it('has handlers that are functions and need no flow to be tried (S4.81)', () => {
  expect(storing.update({ area: 'store', type: 'update', n: 3 })).toBe('set 3');
  expect(storing.get({ area: 'store', type: 'get' })).toBe('got 3');
});
