import { Duplex } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { virtualClock, type VirtualClock } from 'sluice/testing';
import { gatherWrites } from '../../src/links/amqp-gather.js';

/** What leaves a stream, one text for each write of it. */
function gathered(clock: VirtualClock, highWaterMark?: number): { stream: Duplex; left: string[] } {
  const left: string[] = [];
  const stream = new Duplex({
    ...(highWaterMark === undefined ? {} : { writableHighWaterMark: highWaterMark }),
    read: () => undefined,
    writev(chunks, done) {
      left.push(chunks.map(({ chunk }) => String(chunk)).join(' '));
      done();
    },
  });
  gatherWrites(stream, clock);
  return { stream, left };
}

describe('gatherWrites', () => {
  it('lets what is written in one turn leave together', async () => {
    const clock = virtualClock();
    const { stream, left } = gathered(clock);
    stream.write('a');
    stream.write('b');
    expect(left).toEqual([]);
    await clock.run(0);
    stream.write('c');
    await clock.run(0);
    expect(left).toEqual(['a b', 'c']);
  });

  it('says when enough waits, and when it has left', async () => {
    const clock = virtualClock();
    const { stream, left } = gathered(clock, 2);
    let drains = 0;
    stream.on('drain', () => (drains += 1));
    expect([stream.write('a'), stream.write('b')]).toEqual([true, false]);
    await clock.run(0);
    await new Promise(setImmediate);
    expect([left, drains]).toEqual([['a b'], 1]);
  });

  it('lets go of all at its end', async () => {
    const clock = virtualClock();
    const { stream, left } = gathered(clock);
    stream.write('a');
    stream.end('b');
    await clock.run(0);
    expect([left, stream.writableEnded]).toEqual([['a b'], true]);
  });
});
