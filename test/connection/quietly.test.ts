import { describe, expect, it, onTestFinished } from 'vitest';
import { observe, type SluiceEvent } from 'sluice';
import { quietly } from '../../src/connection/quietly.js';

describe('quietly', () => {
  it('gives what the work gives, and reports what it throws', () => {
    const told: SluiceEvent[] = [];
    onTestFinished(observe((event) => void told.push(event)));
    expect(quietly('rig', () => 1)).toBe(1);
    const reason = new Error('no');
    const thrown = quietly('rig', (): number => {
      throw reason;
    });
    expect([thrown, told]).toEqual([undefined, [{ type: 'stage.failed', stage: 'rig', reason }]]);
  });
});
