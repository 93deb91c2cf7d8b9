import { expect, it } from 'vitest';
import type { ReaderContext } from 'sluice/connection';
import type { MqttConnection } from '../../src/links/mqtt-connection.js';
import { MqttReader, type MqttReading } from '../../src/sources/mqtt-reader.js';

it('waits for no answer behind a first message that was there before it and is more than may wait', async () => {
  const payload = new Uint8Array(1_100_000);
  let isHeld = true;
  const connection = {
    early: {
      packet: { topic: 'a', qos: 1, messageId: 1, payload, dup: false, retain: false },
      done: () => (isHeld = false),
    },
    server: {},
    aliases: new Map(),
    // It answers no SUBSCRIBE: that stands behind what is held.
    client: { on: () => undefined, subscribe: () => undefined, stream: { write: () => true } },
  } as unknown as MqttConnection;
  const offered: unknown[] = [];
  const context = {
    offer: (delivery: unknown) => offered.push(delivery) < 0,
    waiting: 1,
    waitingBytes: payload.byteLength,
  } as unknown as ReaderContext<Uint8Array>;
  const reading = { filters: ['a'], subscribe: { qos: 1 }, window: 20 } as unknown as MqttReading;
  const reader = new MqttReader(connection, context, reading);
  await reader.start();
  expect(offered).toHaveLength(1);
  expect(isHeld).toBe(true);
});
