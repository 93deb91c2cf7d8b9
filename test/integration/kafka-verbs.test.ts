import { expect, it } from 'vitest';
import { kafkaVerbs } from './kafka-verbs.js';

const needsListener = (verb: string): boolean => /^(net|auth|peek)\./.test(verb);

it('promises all of it where the tests have a cluster of their own, and no login without certificates', () => {
  const all = kafkaVerbs('installed', true, true);
  expect(all.lacks).toBeUndefined();
  expect(all.can.filter(needsListener)).toHaveLength(12);
  const without = kafkaVerbs('installed', true, false);
  expect(all.can.filter((verb) => !without.can.includes(verb))).toEqual(['auth.deny', 'auth.grant']);
  expect(without.lacks).toContain('openssl');
});

it('promises nothing of a broker that is not to be hurt', () => {
  expect(kafkaVerbs('the mock cluster of kcat', false, true)).toMatchObject({ can: [], lacks: /neither ended/ });
});
