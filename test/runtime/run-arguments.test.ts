import { EMPTY } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { runArguments } from '../../src/runtime/run-arguments.js';

const sink = { next: () => undefined, error: () => undefined, complete: () => undefined };

describe('what run is called with', () => {
  it('tells a sink from options by its next', () => {
    expect(runArguments(EMPTY)).toEqual({ into: undefined, options: {} });
    expect(runArguments(EMPTY, { name: 'a' })).toEqual({ into: undefined, options: { name: 'a' } });
    expect(runArguments(EMPTY, sink)).toEqual({ into: sink, options: {} });
    expect(runArguments(EMPTY, sink, { name: 'a' })).toEqual({ into: sink, options: { name: 'a' } });
  });

  it('refuses half a sink, and options that there are not', () => {
    for (const wrong of [{ next: () => undefined }, { complete: () => undefined }, { nmae: 'a' }, 'sink', null]) {
      expect(() => runArguments(EMPTY, wrong as never)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
    }
  });
});
