import { expect, it } from 'vitest';
import { Listeners } from '../../src/connection/listeners.js';

it('tells each listener until it is cancelled, also when one cancels itself meanwhile', () => {
  const listeners = new Listeners();
  const told: string[] = [];
  const cancel = listeners.add(() => {
    told.push('once');
    cancel();
  });
  const both = (): void => void told.push('always');
  listeners.add(both);
  listeners.add(both);
  listeners.tell();
  listeners.tell();
  expect(told).toEqual(['once', 'always', 'always', 'always', 'always']);
  listeners.clear();
  listeners.tell();
  expect(told).toHaveLength(5);
});
