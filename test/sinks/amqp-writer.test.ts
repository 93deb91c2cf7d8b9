import { describe, expect, it } from 'vitest';
import type { WriterContext } from 'sluice/connection';
import type { AmqpSinkOptions } from 'sluice/amqp';
import type { AmqpConnection } from '../../src/links/amqp.js';
import { virtualClock } from 'sluice/testing';
import { AmqpWriter } from '../../src/sinks/amqp-writer.js';
import { fakeChannel } from '../helpers/amqp.js';
import { recorder } from '../helpers/message.js';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function open(options: Partial<AmqpSinkOptions> = {}, failing: Readonly<Record<string, unknown>> = {}) {
  const fake = fakeChannel(failing);
  const events: string[] = [];
  const model = {};
  const context = {
    clock: virtualClock(),
    resume: () => void events.push('resume'),
    blocked: (isBlocked: boolean) => void events.push(isBlocked ? 'blocked' : 'unblocked'),
    lost: ({ code }: { code: string }) => void events.push(`lost ${code}`),
  } as unknown as WriterContext;
  const connection = {
    model,
    blockedFor: undefined,
    writers: new Set(),
    maxMessageBytes: Infinity,
    refused: (error: unknown) => error,
  } as unknown as AmqpConnection;
  const block = (reason?: string): void => connection.writers.forEach((writer) => writer(reason));
  const writer = new AmqpWriter(fake.channel, connection, context, { exchange: 'x', ...options });
  const { message } = recorder();
  let sent = 0;
  const send = (payload: unknown = bytes('p'), topic = 'a.b'): boolean => {
    const at = (sent += 1);
    return writer.send({
      message: message(payload as Uint8Array, { topic }),
      confirm: () => void events.push(`${at} confirmed`),
      fail: (reason) => void events.push(`${at} ${(reason as { code: string }).code}`),
    });
  };
  return { ...fake, fake, events, connection, block, writer, send };
}

describe('the writer of an exchange', () => {
  it('publishes under the topic, a fixed key or one of the message, and confirms what the broker took', () => {
    const { send, told, confirms, events } = open();
    send();
    expect(told).toEqual([`publish 'x' a.b p`]);
    expect(events).toEqual([]);
    confirms[0]?.(null);
    expect(events).toEqual(['1 confirmed']);
    const fixed = open({ routingKey: 'k', exchange: '' });
    fixed.send();
    const made = open({ routingKey: ({ topic }) => topic.toUpperCase() });
    made.send();
    expect([fixed.told, made.told]).toEqual([[`publish '' k p`], [`publish 'x' A.B p`]]);
  });

  it('fails what came back as UNROUTABLE, and only that (SNK-06)', () => {
    const { send, fake, confirms, events } = open();
    send();
    send();
    fake.emit('return', { properties: { messageId: 'id-2' }, fields: { routingKey: 'a.b' } });
    confirms[0]?.(null);
    confirms[1]?.(null);
    expect(events).toEqual(['1 confirmed', '2 UNROUTABLE']);
  });

  it('fails what the broker refused, and leaves open what it never answered', () => {
    const { send, confirms, events, fake } = open();
    send();
    send();
    confirms[0]?.(new Error('message nacked'));
    confirms[1]?.(new Error('channel closed'));
    expect(events).toEqual(['1 SINK_FAILED']);
    fake.emit('close');
    expect(events).toEqual(['1 SINK_FAILED', 'lost CONNECTION_LOST']);
  });

  it('refuses here what is no bytes or too large, and keeps the channel (SNK-08, S03)', () => {
    const { send, told } = open({ maxBytes: 3 });
    expect(() => send('text')).toThrow(expect.objectContaining({ code: 'ENCODE_FAILED' }) as Error);
    expect(() => send(bytes('four'))).toThrow(expect.objectContaining({ code: 'PAYLOAD_TOO_LARGE' }) as Error);
    expect(send(bytes('abc'))).toBe(true);
    expect(told).toEqual([`publish 'x' a.b abc`]);
  });

  it('pauses while the socket is full, and while the broker is short of memory (SNK-04)', () => {
    const { send, fake, connection, block, events, writer } = open();
    fake.isWritable = false;
    expect(send()).toBe(false);
    fake.isWritable = true;
    fake.emit('drain');
    expect(events.splice(0)).toEqual(['resume']);
    block('low on memory');
    expect(send()).toBe(false);
    block();
    expect(send()).toBe(true);
    expect(events).toEqual(['blocked', 'unblocked', 'resume']);
    void writer.close();
    expect(connection.writers.size).toBe(0);
  });

  it('fails for good what the client cannot write', () => {
    const { send } = open({}, { publish: new TypeError(`Field 'routingKey' is the wrong type`) });
    expect(() => send()).toThrow(expect.objectContaining({ code: 'ENCODE_FAILED', retriable: false }) as Error);
  });

  it('leaves nothing behind when it is refused or lost', () => {
    const refused = open();
    expect(() => refused.writer.refused(new TypeError('no'))).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID' }) as Error,
    );
    const lost = open();
    lost.fake.emit('close');
    expect([refused.connection.writers.size, lost.connection.writers.size]).toEqual([0, 0]);
  });

  it('fails what is larger than the broker takes, and leaves the rest to the next channel (SNK-08)', () => {
    const { send, fake, confirms, events, writer } = open();
    writer.opened();
    for (const text of ['small', 'too large', 'last']) send(bytes(text));
    const told = 'PRECONDITION_FAILED - message size 9 is larger than configured max size 8';
    fake.emit('error', Object.assign(new Error(`Channel closed by server: 406 with message "${told}"`), { code: 406 }));
    for (const confirm of confirms) confirm(new Error('channel closed'));
    fake.emit('close');
    expect(events).toEqual(['2 PAYLOAD_TOO_LARGE', 'lost CONNECTION_LOST']);
    expect(() => send(bytes('too large'))).toThrow(expect.objectContaining({ code: 'PAYLOAD_TOO_LARGE' }) as Error);
  });

  it('does not wait for the answer of a broker that reads nothing', async () => {
    const { fake, writer, block } = open();
    fake.channel.close = () => new Promise(() => undefined);
    block('low on memory');
    await expect(writer.close()).resolves.toBeUndefined();
  });

  it('is lost when the channel closed, and what it had just taken is not failed', () => {
    const closed = Object.assign(new Error('Channel closed'), { name: 'IllegalOperationError' });
    const { send, events } = open({}, { publish: closed });
    expect(send()).toBe(false);
    expect(events).toEqual([]);
    const broken = open({}, { publish: new TypeError('headers too large') });
    expect(() => broken.send()).toThrow('headers too large');
  });

  it('closes once, and hears nothing after it', async () => {
    const { send, writer, told, confirms, events } = open();
    send();
    await writer.flush();
    await writer.close();
    await writer.close();
    confirms[0]?.(null);
    expect([told.slice(1), events]).toEqual([['wait', 'close'], []]);
  });
});
