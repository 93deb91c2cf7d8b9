import { describe, expect, it } from 'vitest';
import { notLater } from '../../src/connection/not-later.js';

describe('notLater', () => {
  it('gives what is there, and refuses a promise, whatever becomes of that', () => {
    expect([notLater('a', 'It', 'Wait.'), notLater(1, 'It', 'Wait.')]).toEqual(['a', 1]);
    const late = Promise.reject(new Error('no'));
    expect(() => notLater(late, 'It', 'Wait.')).toThrow('It gave a promise, and has to answer at once. Wait.');
  });
});
