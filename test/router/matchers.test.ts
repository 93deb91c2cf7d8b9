import { describe, expect, it } from 'vitest';
import {
  and,
  between,
  equals,
  exists,
  field,
  greaterThan,
  header,
  key,
  lessThan,
  not,
  oneOf,
  or,
  topic,
  type Condition,
  type Message,
} from 'sluice';
import { compileCondition } from '../../src/router/compile-condition.js';
import { recorder, type MessageFields } from '../helpers/message.js';

const { message } = recorder();

function matches(condition: Condition<never>, payload: unknown, fields: MessageFields = {}): boolean {
  return compileCondition(condition)(message(payload, fields));
}

class Trade {
  readonly symbol = 'A';
  get total(): number {
    return 7;
  }
}

describe('matchers', () => {
  it.each<[string, Condition<never>, unknown, MessageFields, boolean]>([
    ['topic', topic('a/+'), 0, { topic: 'a/b' }, true],
    ['topic with amqp syntax', topic('a.#', { syntax: 'amqp' }), 0, { topic: 'a' }, true],
    ['topic as plain data, mqtt by default', { kind: 'topic', pattern: 'a/+' }, 0, { topic: 'a/b' }, true],
    ['header by any case', header('Type', 'trade'), 0, { headers: { type: 'trade' } }, true],
    ['header in bytes', header('type', 'trade'), 0, { headers: { type: new TextEncoder().encode('trade') } }, true],
    ['header that is there', header('type'), 0, { headers: { type: '' } }, true],
    ['header that is not', header('type'), 0, {}, false],
    ['key', key('k'), 0, { key: 'k' }, true],
    ['key that is there', key(), 0, {}, false],
    ['field', field('symbol', 'A'), { symbol: 'A' }, {}, true],
    ['field of another type', field('total', '1'), { total: 1 }, {}, false],
    ['field down a path', field('items.0.price', 5), { items: [{ price: 5 }] }, {}, true],
    ['field of no object', field('a.b', exists()), { a: 'text' }, {}, false],
    ['field of null', field('a.b', exists()), null, {}, false],
    ['field that is null', field('a', null), { a: null }, {}, true],
    ['field that is null exists', field('a'), { a: null }, {}, true],
    ['getter of a class', field('total', greaterThan(6)), new Trade(), {}, true],
    ['method is no field', field('toString'), {}, {}, false],
    ['oneOf', field('a', oneOf(1, 'b', true)), { a: true }, {}, true],
    ['equals', field('a', equals(1n)), { a: 1n }, {}, true],
    ['bigint is not number', field('a', equals(1n)), { a: 1 }, {}, false],
    ['between includes its ends', field('a', between(1, 2)), { a: 2 }, {}, true],
    ['between includes its lower end', field('a', between(1, 2)), { a: 1 }, {}, true],
    ['above between', field('a', between(1, 2)), { a: 2.1 }, {}, false],
    ['text is not between numbers', field('a', between(1, 2)), { a: '1.5' }, {}, false],
    ['between of text', field('a', between('b', 'd')), { a: 'c' }, {}, true],
    ['below between', field('a', between(1, 2)), { a: 0.9 }, {}, false],
    ['greaterThan excludes its bound', field('a', greaterThan(1)), { a: 1 }, {}, false],
    ['bigint against number', field('a', greaterThan(1)), { a: 2n }, {}, true],
    ['text is not compared with a number', field('a', greaterThan(1)), { a: '2' }, {}, false],
    ['lessThan', field('a', lessThan(1)), { a: 0 }, {}, true],
    ['lessThan excludes its bound', field('a', lessThan(1)), { a: 1 }, {}, false],
    ['text is not below a number', field('a', lessThan(1)), { a: '0' }, {}, false],
    ['a number is not compared with text', field('a', greaterThan('1')), { a: 5 }, {}, false],
    ['NaN is below nothing', field('a', lessThan(1)), { a: NaN }, {}, false],
    ['and', and(topic('a'), field('b', 1)), { b: 1 }, { topic: 'a' }, true],
    ['and that fails', and(topic('a'), field('b', 1)), { b: 2 }, { topic: 'a' }, false],
    ['or', or(topic('x'), field('b', 1)), { b: 1 }, {}, true],
    ['not', not(topic('x')), 0, { topic: 'x' }, false],
    ['function', and((m: Message<unknown>) => m.attempt > 1), 0, { attempt: 2 }, true],
  ])('%s', (_, condition, payload, fields, expected) => {
    expect(matches(condition, payload, fields)).toBe(expected);
  });

  it('survives a trip through JSON, so rules can be kept as text', () => {
    const condition = and(topic('a/+'), field('b', oneOf(1, 2)), not(header('test')));
    expect(matches(JSON.parse(JSON.stringify(condition)) as Condition<never>, { b: 2 }, { topic: 'a/x' })).toBe(true);
  });
});
