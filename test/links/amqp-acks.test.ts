import { describe, expect, it } from 'vitest';
import { virtualClock } from 'sluice/testing';
import { AmqpAcks } from '../../src/links/amqp-acks.js';
import { fakeChannel } from '../helpers/amqp.js';

describe('acks of a channel', () => {
  const open = (prefetch: number, handedOut = 0) => {
    const clock = virtualClock();
    const { channel, told } = fakeChannel();
    const acks = new AmqpAcks(channel, clock, prefetch);
    for (let tag = 1; tag <= handedOut; tag += 1) acks.delivered(tag);
    return { clock, told, acks };
  };
  /** The broker waits for every ack. */
  const openFull = () => open(1, 6);

  it('are told of one turn in one frame, up to the first that is not settled', () => {
    const { acks, clock, told } = openFull();
    for (const tag of [1, 2, 3, 5]) acks.ack(tag);
    expect(told).toEqual([]);
    clock.advance(0);
    expect(told).toEqual(['ack 5', 'ack 3+']);
    acks.ack(4);
    clock.advance(0);
    acks.ack(6);
    clock.advance(0);
    expect(told.slice(2)).toEqual(['ack 4', 'ack 6']);
  });

  it('never cover a delivery that is not settled, whatever the order', () => {
    const { acks, clock, told } = openFull();
    acks.ack(3);
    acks.ack(2);
    clock.advance(0);
    expect(told).toEqual(['ack 3', 'ack 2']);
    acks.ack(1);
    acks.ack(4);
    clock.advance(0);
    expect(told.slice(2)).toEqual(['ack 4+']);
  });

  it('go round what was nacked, which is told at once', () => {
    const { acks, clock, told } = openFull();
    acks.ack(1);
    acks.nack(2, true);
    acks.nack(3, false);
    acks.ack(4);
    clock.advance(0);
    expect(told).toEqual(['nack 2 requeue', 'nack 3 dead', 'ack 4+']);
  });

  it('are held for 2 ms while the broker has half of its prefetch left', () => {
    const { acks, clock, told } = open(8);
    for (const tag of [1, 2]) {
      acks.delivered(tag);
      acks.ack(tag);
      clock.advance(0.5);
    }
    acks.delivered(3);
    acks.ack(3);
    clock.advance(0.9);
    expect(told).toEqual([]);
    clock.advance(0.1);
    expect(told).toEqual(['ack 3+']);
    acks.delivered(4);
    acks.ack(4);
    clock.advance(1.9);
    expect(told).toHaveLength(1);
    clock.advance(0.1);
    expect(told.slice(1)).toEqual(['ack 4']);
  });

  it('are told at the end of the turn once the broker has less than that, also those that were held', () => {
    const { acks, clock, told } = open(8);
    acks.delivered(1);
    acks.ack(1);
    // Three are at work, so that with the two of which it knows nothing yet five are out.
    for (const tag of [2, 3, 4, 5]) acks.delivered(tag);
    acks.ack(2);
    expect(told).toEqual([]);
    clock.advance(0);
    expect(told).toEqual(['ack 2+']);
    // What was asked for before finds nothing to tell.
    clock.advance(2);
    expect(told).toHaveLength(1);
  });

  it('are told before the channel is closed, and never after it is gone', () => {
    const { acks, clock, told } = openFull();
    acks.ack(1);
    acks.flush();
    acks.ack(2);
    acks.end();
    acks.ack(3);
    acks.nack(4, true);
    acks.flush();
    clock.advance(0);
    expect(told).toEqual(['ack 1']);
  });
});
