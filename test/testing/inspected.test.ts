import { describe, expect, it } from 'vitest';
import { SluiceError } from 'sluice';
import { inspected } from '../../src/testing/inspected.js';

describe('inspected', () => {
  it('shows texts, names, bytes and what is nested, once', () => {
    const loop: Record<string, unknown> = { name: 'deep', bytes: new TextEncoder().encode('in bytes') };
    loop['self'] = loop;
    const text = inspected([loop, new Map([['key', 'in a map']]), new Set(['in a set'])]);
    for (const part of ['deep', 'in bytes', 'in a map', 'in a set', 'self']) expect(text).toContain(part);
    expect(text.match(/deep/g)).toHaveLength(1);
  });

  it('shows of an error its text, its details and its cause', () => {
    const cause = Object.assign(new Error('underneath'), { password: 'hidden' });
    const text = inspected(new SluiceError('CONNECT_FAILED', 'no way', { cause, details: { user: 'me' } }));
    for (const part of ['no way', 'CONNECT_FAILED', 'me', 'underneath', 'hidden']) expect(text).toContain(part);
  });

  it('ends at its depth', () => {
    expect(inspected({ a: { b: { c: 'far' } } }, 2)).not.toContain('far');
  });
});
