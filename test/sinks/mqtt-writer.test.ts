import { describe, expect, it } from 'vitest';
import type { Sending, WriterContext } from 'sluice/connection';
import { virtualClock } from 'sluice/testing';
import type { Link } from '../../src/connection/define-link.js';
import type { MqttConnection } from '../../src/links/mqtt-connection.js';
import { MqttQuota } from '../../src/links/mqtt-quota.js';
import { FEW, MqttWriter } from '../../src/sinks/mqtt-writer.js';
import { recorder } from '../helpers/message.js';

/** As many as are written at once. */
const few = Array.from({ length: FEW }, (_, at) => String(at));

/** A writer, and what it did with its connection in order. */
function rig(qos: 0 | 1 = 1) {
  const told: string[] = [];
  const clock = virtualClock();
  let needsDrain = false;
  let drained: () => void = () => undefined;
  let answer: () => void = () => undefined;
  const connection = {
    clock,
    server: {},
    quota: new MqttQuota(20),
    client: {
      publish(_topic: string, payload: Uint8Array, _options: object, answered: () => void) {
        told.push(new TextDecoder().decode(payload));
        answer = answered;
      },
      stream: {
        get writableNeedDrain() {
          return needsDrain;
        },
        cork: () => void told.push('cork'),
        uncork: () => void told.push('uncork'),
        once: (_event: string, listener: () => void) => void (drained = listener),
      },
    },
  } as unknown as MqttConnection;
  const context = { clock, resume: () => void told.push('resume') } as unknown as WriterContext;
  const writing = {
    isPlain: true,
    qos,
    retain: false,
    topic: undefined,
    dropsHeaders: false,
    expirySeconds: undefined,
    maxBytes: 100,
  } as const;
  const link = { current: () => undefined } as unknown as Link<MqttConnection>;
  const writer = new MqttWriter(connection, context, link, writing);
  const { message } = recorder();
  const sending = (text: string, topic: string): Sending<Uint8Array> => ({
    message: message(new TextEncoder().encode(text), { topic }),
    confirm: () => undefined,
    fail: (reason) => void told.push(`failed ${String(reason)}`),
  });
  const send = (text: string, topic = 'a'): boolean => writer.send(sending(text, topic));
  return {
    writer,
    clock,
    told,
    send,
    /** Sends {@link few}; gives what became of them, and forgets it. */
    sendFew(): string[] {
      for (const text of few) send(text);
      return told.splice(0);
    },
    fill: () => (needsDrain = true),
    /** The broker confirms what was sent last. */
    answer: () => answer(),
    drain() {
      needsDrain = false;
      drained();
    },
  };
}

describe('the writer of MQTT', () => {
  it('writes messages at once while few are on their way, and what comes behind them in one turn in one piece', async () => {
    const { send, sendFew, clock, told } = rig();
    expect(sendFew()).toEqual(few);
    expect([send('a'), send('b')]).toEqual([true, true]);
    expect(told).toEqual(['cork', 'a', 'b']);
    await clock.run(0);
    send('c');
    await clock.run(0);
    expect(told).toEqual(['cork', 'a', 'b', 'uncork', 'cork', 'c', 'uncork']);
  });

  it('writes one at once again when one before it is answered', async () => {
    const { send, sendFew, clock, told, answer } = rig();
    sendFew();
    answer();
    send('a');
    await clock.run(0);
    expect(told).toEqual(['a']);
  });

  it('writes at once what is enough, waits until it is out, and goes on', async () => {
    const { send, sendFew, clock, told, fill, drain } = rig();
    sendFew();
    fill();
    expect(send('a')).toBe(false);
    expect(told).toEqual(['cork', 'a', 'uncork']);
    await clock.run(0);
    drain();
    expect(told).toEqual(['cork', 'a', 'uncork', 'resume']);
  });

  it('holds nothing back with QoS 0, where written is all that confirmed means', () => {
    const { send, told } = rig(0);
    expect(send('a')).toBe(true);
    expect(told).toEqual(['a']);
  });

  it('refuses a topic that is none with the first message too: the broker would end the connection for it', () => {
    const { send, told } = rig();
    expect(() => send('a', '')).toThrow(expect.objectContaining({ code: 'TOPIC_INVALID' }) as Error);
    expect(told).toEqual([]);
  });

  it('holds nothing back when it is closed', () => {
    const { writer, send, sendFew, told } = rig();
    sendFew();
    send('a');
    writer.close();
    writer.close();
    expect(told).toEqual(['cork', 'a', 'uncork']);
  });
});
