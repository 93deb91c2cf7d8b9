import { describe, expect, it } from 'vitest';
import { tapMessage } from 'sluice';
import { runStage, stageLaws } from '../helpers/stage.js';

describe('tapMessage', () => {
  stageLaws<number, number>(() => tapMessage(() => undefined), [1, 2, 3]);

  it('shows each message and nacks as dead what it throws on (ACK-06)', () => {
    const seen: string[] = [];
    const run = runStage(
      tapMessage<number>(({ payload, topic }) => {
        if (payload === 2) throw new Error('no');
        seen.push(`${topic} ${payload}`);
      }),
      { values: [1, 2, 3] },
    );
    expect([seen, run.out]).toEqual([
      ['test 1', 'test 3'],
      [1, 3],
    ]);
    expect(run.log).toEqual(['1 ack', '2 dead HANDLER_FAILED', '3 ack']);
  });
});
