import { describe, expect, it } from 'vitest';
import { jsonPointer } from '../../src/mappers/json-pointer.js';

describe('jsonPointer', () => {
  it('joins the parts and escapes what has a meaning', () => {
    expect(jsonPointer(['a', 0, 'b/c', '~', Symbol('s')])).toBe('/a/0/b~1c/~0/Symbol(s)');
    expect(jsonPointer([])).toBe('the root');
    expect(jsonPointer([''])).toBe('/');
  });

  it('prints nothing that moves the cursor, and never more than a line', () => {
    expect(jsonPointer(['a\n\u001b[2J', '\u202e'])).toBe('/a\\u000a\\u001b[2J/\\u202e');
    expect(jsonPointer(['x'.repeat(119)])).toBe(`/${'x'.repeat(119)}`);
    expect(jsonPointer(['x'.repeat(120)])).toBe(`/${'x'.repeat(119)}…`);
    expect(jsonPointer(['x'.repeat(1_000_000)]).length).toBeLessThan(130);
    expect(jsonPointer(Array.from({ length: 100_000 }, () => '\n')).length).toBeLessThan(130);
  });
});
