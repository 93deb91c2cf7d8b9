import { bytesToSend } from '../connection/bytes-to-send.js';
import type { Link } from '../connection/define-link.js';
import type { Sending, Writer, WriterContext } from '../connection/define-sink.js';
import { isSluiceError, SluiceError } from '../errors.js';
import type { MqttProperties, MqttPublishOptions } from '../links/mqtt-client.js';
import type { MqttConnection } from '../links/mqtt-connection.js';
import { publishRefused } from '../links/mqtt-errors.js';
import { lostHeader, propertiesOf } from '../links/mqtt-message.js';
import type { QuotaUser } from '../links/mqtt-quota.js';
import { topicFault } from '../links/mqtt-topic.js';
import { configInvalid } from '../options.js';
import type { MqttSinkOptions } from './mqtt.js';

/** The options of a sink made whole. */
export interface MqttWriting {
  readonly isPlain: boolean;
  readonly qos: 0 | 1;
  readonly retain: Exclude<MqttSinkOptions['retain'], undefined>;
  readonly topic: MqttSinkOptions['topic'];
  readonly dropsHeaders: boolean;
  readonly expirySeconds: number | undefined;
  readonly maxBytes: number;
}

/** A message that is ready to go out. */
interface Out {
  readonly sending: Sending<Uint8Array>;
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly options: MqttPublishOptions;
}

/** So many unanswered messages are no stream yet: what comes then is written at once. @internal */
export const FEW = 8;
/** What a PUBLISH may need besides topic, payload and properties. */
const OVERHEAD_BYTES = 16;

/** Publishes over the connection of a link. @internal */
export class MqttWriter implements Writer<Uint8Array>, QuotaUser {
  private readonly connection: MqttConnection;
  private readonly context: WriterContext;
  private readonly link: Link<MqttConnection>;
  private readonly writing: MqttWriting;
  private readonly plain: { readonly [isRetained: string]: MqttPublishOptions };
  /** Ready, and has no place in what the broker allows. */
  private waiting: Out | undefined;
  /** Sent and not answered. */
  private open = 0;
  private isDraining = false;
  /** What is published goes out with the end of this turn. */
  private isCorked = false;
  private isOver = false;
  /** The last topic that was looked at and is one. */
  private checked: string | undefined;

  constructor(connection: MqttConnection, context: WriterContext, link: Link<MqttConnection>, writing: MqttWriting) {
    this.connection = connection;
    this.context = context;
    this.link = link;
    this.writing = writing;
    const { qos } = writing;
    this.plain = { true: { qos, retain: true }, false: { qos, retain: false } };
    const { maximumQoS = 2, retainAvailable = true } = connection.server;
    if (maximumQoS < qos)
      throw configInvalid('mqttSink', [`'qos': this broker takes QoS ${maximumQoS} only, choose that`]);
    if (!retainAvailable && writing.retain !== false)
      throw configInvalid('mqttSink', [`'retain': this broker keeps no retained messages, leave it out`]);
  }

  send(sending: Sending<Uint8Array>): boolean {
    const out = this.prepared(sending);
    const { quota, client } = this.connection;
    if (out.options.qos === 1) {
      if (!quota.hasRoom) {
        this.waiting = out;
        quota.wait(this);
        return false;
      }
      quota.take();
    }
    this.publish(out);
    if (client.stream.writableNeedDrain === true) {
      this.uncork();
      this.drain();
      return false;
    }
    return out.options.qos === 0 || quota.hasRoom || this.pause();
  }

  room(): void {
    const { waiting } = this;
    if (this.isOver) return;
    if (waiting !== undefined) {
      this.waiting = undefined;
      this.connection.quota.take();
      this.publish(waiting);
    }
    this.context.resume();
  }

  close(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.uncork();
    this.connection.quota.leave(this);
    // Nobody waits any more for what is out, but the broker and the client still do: another connection is clean.
    if (this.open > 0 && this.link.current()?.connection === this.connection) {
      const text = 'The connection is given up: the broker did not confirm what was sent over it.';
      this.link.renew(new SluiceError('CONNECTION_LOST', text, { retriable: true }));
    }
  }

  private pause(): boolean {
    this.connection.quota.wait(this);
    return false;
  }

  private drain(): void {
    if (this.isDraining) return;
    this.isDraining = true;
    this.connection.client.stream.once('drain', () => {
      this.isDraining = false;
      if (!this.isOver) this.context.resume();
    });
  }

  private publish(out: Out): void {
    const { sending, topic, payload, options } = out;
    this.open += 1;
    // With QoS 0 the client confirms what it has written: nothing may be held back behind that. Where few are on their way
    // there is hardly a write to be saved: waiting for others would only make a message late.
    if (options.qos === 1 && this.open > FEW) this.cork();
    this.connection.client.publish(topic, payload, options, (error) => this.answered(sending, options.qos, error));
  }

  /** The client takes a turn for each answer, and one write for the message that is sent upon it: those of a read go together. */
  private cork(): void {
    if (this.isCorked) return;
    this.isCorked = true;
    this.connection.client.stream.cork();
    this.context.clock.yield(() => this.uncork());
  }

  private uncork(): void {
    if (!this.isCorked) return;
    this.isCorked = false;
    this.connection.client.stream.uncork();
  }

  private answered(sending: Sending<Uint8Array>, qos: 0 | 1, error: unknown): void {
    const isConfirmed = error === undefined || error === null;
    const { code } = (error ?? {}) as { readonly code?: unknown };
    const refusal = isSluiceError(error) ? error : typeof code === 'number' ? publishRefused(code) : undefined;
    // Without a code it is the end of the connection that speaks; the kit sends it again over the next one.
    if (!isConfirmed && refusal === undefined) return;
    this.open -= 1;
    // First, so that what is sent next finds the place.
    if (qos === 1) this.connection.quota.give();
    if (this.isOver) return;
    if (isConfirmed) sending.confirm();
    else sending.fail(refusal);
  }

  private prepared(sending: Sending<Uint8Array>): Out {
    const { message } = sending;
    const { topic = message.topic, retain, maxBytes } = this.writing;
    const payload = bytesToSend('mqttSink', message.payload, maxBytes);
    const to = typeof topic === 'function' ? topic(message) : topic;
    if (to !== this.checked) this.check(to);
    const isRetained = typeof retain === 'function' ? retain(message) : retain;
    const options = this.optionsOf(sending, isRetained);
    this.checkSize(to, payload, options.properties);
    return { sending, topic: to, payload: ownBytes(payload), options };
  }

  private check(topic: unknown): void {
    const fault = typeof topic === 'string' ? topicFault(topic) : 'it is no text';
    if (fault === undefined) this.checked = topic as string;
    else throw new SluiceError('TOPIC_INVALID', `mqttSink cannot publish to this topic: ${fault}.`);
  }

  private optionsOf({ message }: Sending<Uint8Array>, isRetained: boolean): MqttPublishOptions {
    const { isPlain, qos, expirySeconds, dropsHeaders } = this.writing;
    if (!isPlain) return { qos, retain: isRetained, properties: propertiesOf(message, expirySeconds) };
    const lost = dropsHeaders ? undefined : lostHeader(message.headers);
    if (lost === undefined) return this.plain[String(isRetained)] as MqttPublishOptions;
    throw new SluiceError(
      'ENCODE_FAILED',
      `MQTT 3.1.1 has no place for the header '${lost.slice(0, 64)}': use protocolVersion '5', or headers: 'drop'.`,
    );
  }

  /** A broker ends the connection for a packet that is larger than it said. */
  private checkSize(topic: string, payload: Uint8Array, properties: MqttProperties | undefined): void {
    const { maximumPacketSize } = this.connection.server;
    if (maximumPacketSize === undefined) return;
    const sizeBy = (length: (text: string) => number): number =>
      OVERHEAD_BYTES + length(topic) + payload.byteLength + sizeOf(properties, length);
    if (sizeBy(atMost) <= maximumPacketSize) return;
    const size = sizeBy(exactly);
    if (size <= maximumPacketSize) return;
    const text = `The broker takes packets of at most ${maximumPacketSize} bytes, this one may have ${size}.`;
    throw new SluiceError('PAYLOAD_TOO_LARGE', text);
  }
}

const encoder = new TextEncoder();
/** Bytes of a text in UTF-8: a bound that costs nothing, and what it is. */
const atMost = (text: string): number => text.length * 3;
const exactly = (text: string): number => encoder.encode(text).length;

/** An upper bound of what the properties need. */
function sizeOf(properties: MqttProperties | undefined, length: (text: string) => number): number {
  if (properties === undefined) return 0;
  let size = 32 + (properties.correlationData?.byteLength ?? 0);
  for (const text of [properties.contentType, properties.responseTopic]) size += length(text ?? '');
  for (const [name, value] of Object.entries(properties.userProperties ?? {}))
    for (const one of [value].flat()) size += 5 + length(name) + length(one);
  return size;
}

/** The client keeps a copy of what is behind the bytes, all of it: so they must be alone there. */
function ownBytes(payload: Uint8Array): Uint8Array {
  const { Buffer } = globalThis as {
    Buffer?: { from(bytes: ArrayBufferLike, at: number, length: number): Uint8Array };
  };
  if (Buffer !== undefined) return Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  return payload.byteLength === payload.buffer.byteLength ? payload : payload.slice();
}
