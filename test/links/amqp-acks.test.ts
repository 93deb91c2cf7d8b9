import { describe, expect, it } from 'vitest';
import { virtualClock } from 'sluice/testing';
import { AmqpAcks } from '../../src/links/amqp-acks.js';
import { fakeChannel } from '../helpers/amqp.js';

describe('acks of a channel', () => {
  const open = () => {
    const clock = virtualClock();
    const { channel, told } = fakeChannel();
    return { clock, told, acks: new AmqpAcks(channel, clock) };
  };

  it('are told of one turn in one frame, up to the first that is not settled', () => {
    const { acks, clock, told } = open();
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
    const { acks, clock, told } = open();
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
    const { acks, clock, told } = open();
    acks.ack(1);
    acks.nack(2, true);
    acks.nack(3, false);
    acks.ack(4);
    clock.advance(0);
    expect(told).toEqual(['nack 2 requeue', 'nack 3 dead', 'ack 4+']);
  });

  it('are told before the channel is closed, and never after it is gone', () => {
    const { acks, clock, told } = open();
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
