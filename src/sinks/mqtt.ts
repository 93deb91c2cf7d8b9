import { checkAll } from '../connection/check-all.js';
import { defineSink, SINK_RULES, type SinkOptions } from '../connection/define-sink.js';
import type { Sink } from '../connection/flow.js';
import {
  callable,
  called,
  checkArgument,
  checkOptions,
  configInvalid,
  either,
  flag,
  integer,
  numeric,
  oneOf,
} from '../connection/options.js';
import type { MqttConnection } from '../links/mqtt-connection.js';
import { wholeSeconds } from '../links/mqtt-message.js';
import { qos, topic } from '../links/mqtt-options.js';
import type { MqttLink } from '../links/mqtt.js';
import { MAX_PAYLOAD_BYTES } from '../mappers/codec.js';
import type { Message } from '../message/message.js';
import { MqttWriter } from './mqtt-writer.js';

/**
 * Options of {@link mqttSink}.
 *
 * @see mqttSink
 */
export interface MqttSinkOptions extends SinkOptions {
  /** Where to publish to. Default: the message's topic. */
  readonly topic?: string | ((message: Message<Uint8Array>) => string);
  /** With 0 confirmed only means written to the socket. Default 1. */
  readonly qos?: 0 | 1;
  /** Whether the broker keeps the message as the last of its topic. Default false. */
  readonly retain?: boolean | ((message: Message<Uint8Array>) => boolean);
  /** MQTT 5: how long the broker keeps a message for who is away; whole seconds. Default: as long as it takes. */
  readonly messageExpiryMs?: number;
  /** What becomes of a message with headers over MQTT 3.1.1, which has none: `refuse` it (default), or `drop` the headers. */
  readonly headers?: 'refuse' | 'drop';
  /** Largest payload. Default 1 MiB. What the broker says that it takes at most holds as well. */
  readonly maxBytes?: number;
}

/** What the client calls it. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  messageExpiryInterval: 'messageExpiryMs',
  will: 'belongs to mqttLink',
  clientId: 'belongs to mqttLink',
};

/**
 * Publishes bytes, with QoS 1. Confirmed means: the broker has the message and will deliver it to whoever is subscribed now,
 * also to kept sessions that are away, as far as its queues go. It does not mean that somebody is subscribed. Then the
 * message is acked.
 *
 * A message that the broker refuses fails with what its reason code means, by `onError`: SINK_FAILED, TOPIC_INVALID,
 * PAYLOAD_TOO_LARGE, AUTH_FAILED; MQTT 3.1.1 has no such code, so
 * there a broker that refuses confirms all the same. What was not confirmed when the connection was lost is sent again
 * with the same id, so it may be delivered twice. At most `maxUnconfirmed` (200) are out, fewer where the broker allows
 * fewer (Receive Maximum), for all sinks of a link together.
 *
 * Id, time, key and headers travel as user properties, content type, response topic and correlation data as what they are.
 *
 * @example
 * import { encode, json, run } from 'sluice';
 * import { mqttLink, mqttSink } from 'sluice/mqtt';
 * run(bills.pipe(encode(json())), mqttSink(mqttLink({ url: 'mqtt://localhost' }), { topic: 'bills' }));
 * @throws SluiceError `CONFIG_INVALID` for an option out of range
 * Source: MQTT 5.0, 3.3 (PUBLISH), 3.4.2 (reason codes), 4.9 (flow control).
 * @see mqttSource
 */
export function mqttSink(link: MqttLink, options: MqttSinkOptions = {}): Sink<Uint8Array> {
  checkArgument('mqttSink', 'link', link, called('a link made with mqttLink', 'reading', 'writing', 'sessions'));
  const isPlain = link.protocolVersion === '3.1.1';
  checkAll('mqttSink', [
    () =>
      checkOptions<MqttSinkOptions>(
        'mqttSink',
        options,
        {
          ...SINK_RULES,
          topic: either(topic, callable),
          qos,
          retain: either(flag, callable),
          messageExpiryMs: numeric(1),
          headers: oneOf('refuse', 'drop'),
          maxBytes: integer(1),
        },
        ELSEWHERE,
      ),
    () => checkTogether(isPlain, options),
  ]);
  const { qos: asked = 1, retain = false, headers = 'refuse', messageExpiryMs } = options;
  const settings = {
    isPlain,
    qos: asked,
    retain,
    topic: options.topic,
    dropsHeaders: headers === 'drop',
    expirySeconds: messageExpiryMs === undefined ? undefined : wholeSeconds(messageExpiryMs),
    maxBytes: options.maxBytes ?? MAX_PAYLOAD_BYTES,
  };
  return defineSink<Uint8Array, MqttConnection>(
    {
      connector: 'mqtt',
      link: link.writing,
      maxUnconfirmed: 200,
      open: (context, connection) => new MqttWriter(connection, context, link.writing, settings),
    },
    options,
  );
}

function checkTogether(isPlain: boolean, { messageExpiryMs, headers }: MqttSinkOptions): void {
  const faults: string[] = [];
  if (isPlain && messageExpiryMs !== undefined) faults.push(`'messageExpiryMs' needs protocolVersion '5'`);
  if (!isPlain && headers !== undefined) faults.push(`'headers' is for protocolVersion '3.1.1': 5 has headers`);
  if (faults.length > 0) throw configInvalid('mqttSink', faults);
}
