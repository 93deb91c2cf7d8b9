import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { IN_DOCKER } from '../brokers/composed.js';
import { kafkaVerbs } from './kafka-verbs.js';

const needsListener = (verb: string): boolean => /^(net|auth|peek)\./.test(verb);

it('promises in Docker only what compose.yaml has a listener for, and says why', async () => {
  const { can, lacks } = kafkaVerbs(IN_DOCKER, true, true);
  const file = await readFile(new URL('../../compose.yaml', import.meta.url), 'utf8');
  const [, listeners = ''] = /KAFKA_LISTENERS: (.*)/.exec(file) ?? [];
  // One for clients, one for the broker itself: whoever adds another one promises more.
  expect(listeners.match(/\w+(?=:\/\/)/g)).toEqual(['OUTSIDE', 'INSIDE', 'CONTROLLER']);
  expect(file).toContain('OUTSIDE:PLAINTEXT');
  expect(can.filter(needsListener)).toEqual([]);
  expect(can).toContain('broker.kill');
  expect(lacks).toContain('compose.yaml has no listener');
});

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
