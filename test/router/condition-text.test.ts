import { describe, expect, it } from 'vitest';
import {
  and,
  between,
  field,
  greaterThan,
  header,
  key,
  lessThan,
  not,
  oneOf,
  or,
  pattern,
  sequence,
  topic,
} from 'sluice';
import { conditionText } from '../../src/router/condition-text.js';

describe('conditionText', () => {
  it('tells every kind of condition in words', () => {
    const isBig = (): boolean => true;
    expect(
      conditionText(
        and(
          topic('orders/#'),
          or(header('type', 'a'), key(oneOf('1', '2', '3', '4', '5', '6'))),
          not(field('n', between(1, 2n))),
          isBig,
        ),
      ),
    ).toBe(
      `topic orders/# and (header type = 'a' or key in '1', '2', '3', '4', '5' and 1 more) and not (field n from 1 to 2n) and function isBig`,
    );
    expect(conditionText(field('a', greaterThan(1)))).toBe('field a > 1');
    expect(conditionText(field('a', lessThan('x'.repeat(40))))).toBe(`field a < '${'x'.repeat(32)}…'`);
    expect(conditionText(field('a'))).toBe('field a exists');
    expect(conditionText(field('a', pattern('^a$', { allowUserRegex: true })))).toBe('field a matches /^a$/');
    expect(conditionText(sequence(or(topic('a'), topic('b')), topic('c'), { withinMs: 5 }))).toBe(
      '(topic a or topic b), then topic c within 5 ms',
    );
  });
});
