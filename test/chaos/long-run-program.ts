import { EventEmitter } from 'node:events';
import process from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';
import { fromAsyncIterable, observe, run, type Flow, type Message, type Sink } from 'sluice';
import { amqpLink, amqpSink, amqpSource, type AmqpLink } from 'sluice/amqp';
import { kafkaLink, kafkaSink, kafkaSource, type KafkaLink } from 'sluice/kafka';
import { mqttLink, mqttSink, mqttSource } from 'sluice/mqtt';
import { numbered, numberOf } from '../helpers/ledger.js';
import type { LongRunEnd, LongRunHeard, LongRunOrder, LongRunSample } from './long-run.js';

/** So far the writer may be ahead of the reader where nothing sets its pace. */
const AHEAD = 2_000;
const TICK_MS = 10;

const { over, url, channel, bytes, ms, pace, warmMs } = JSON.parse(process.argv[2] ?? '') as LongRunOrder;
const heard = watchListeners();
const held: Message<Uint8Array>[] = [];
const counts = { written: 0, writtenSum: 0, read: 0, readSum: 0, mostHeld: 0, again: 0 };
const lost: string[] = [];
let isWriting = true;
const fromMs = performance.now();
const elapsedMs = (): number => performance.now() - fromMs;

/** Everything at its default, and a link for each end. */
function ends(): { readonly source: Flow<Uint8Array>; readonly sink: Sink<Uint8Array> } {
  if (over === 'amqp') {
    const link = (): AmqpLink => amqpLink({ url, topology: { queues: [{ name: channel }] } });
    return {
      source: amqpSource(link(), { queue: channel }),
      sink: amqpSink(link(), { exchange: '', routingKey: channel }),
    };
  }
  if (over === 'mqtt')
    return {
      source: mqttSource(mqttLink({ url, clientId: channel }), { topics: channel }),
      sink: mqttSink(mqttLink({ url }), { topic: channel }),
    };
  const link = (): KafkaLink => kafkaLink({ brokers: [url], driver: over });
  return {
    source: kafkaSource(link(), { topics: [channel], group: channel }),
    sink: kafkaSink(link(), { topic: channel }),
  };
}

async function* payloads(): AsyncGenerator<Uint8Array> {
  while (elapsedMs() < ms) {
    const most = pace === undefined ? counts.read + AHEAD : (elapsedMs() / 1_000) * pace.written;
    if (counts.written >= most) {
      await pause(TICK_MS);
      continue;
    }
    counts.writtenSum += counts.written;
    yield numbered(counts.written++, bytes);
  }
}

function settle(count: number): void {
  for (const message of held.splice(0, count)) message.ack();
}

/** Clears away first what nobody holds any more: how long Node leaves that lying about says nothing. */
function sample(): LongRunSample {
  const { gc } = globalThis as { readonly gc?: () => void };
  // Buffers that the first one finds are free when the next one begins.
  gc?.();
  gc?.();
  const { user, system } = process.cpuUsage();
  return {
    ms: elapsedMs(),
    rssBytes: process.memoryUsage.rss(),
    workMs: (user + system) / 1_000,
    read: counts.read,
    sockets: process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length,
  };
}

function tell(what: 'sample' | 'heard' | 'end', said: LongRunSample | LongRunHeard | LongRunEnd): void {
  console.log(`${what} ${JSON.stringify(said)}`);
}

/** Counts the listeners of every emitter that is still in use. */
function watchListeners(): () => LongRunHeard {
  const known = new WeakSet<EventEmitter>();
  const emitters = new Set<WeakRef<EventEmitter>>();
  for (const name of ['on', 'addListener', 'prependListener'] as const) {
    const inner = EventEmitter.prototype[name];
    EventEmitter.prototype[name] = function (this: EventEmitter, ...args) {
      if (!known.has(this)) emitters.add(new WeakRef(this));
      known.add(this);
      return inner.apply(this, args);
    };
  }
  return () => {
    let listeners = 0;
    for (const ref of emitters) {
      const emitter = ref.deref();
      if (emitter === undefined) emitters.delete(ref);
      for (const event of emitter?.eventNames() ?? []) listeners += emitter?.listenerCount(event) ?? 0;
    }
    return { emitters: emitters.size, listeners };
  };
}

observe((event) => {
  if (event.type === 'status.changed' && event.to === 'reconnecting')
    lost.push(`${event.connector}: ${String(event.reason)}`);
});
const { source, sink } = ends();
const subscription = source.subscribe((message) => {
  counts.read += 1;
  counts.readSum += numberOf(message.payload);
  if (message.attempt > 1) counts.again += 1;
  held.push(message);
  counts.mostHeld = Math.max(counts.mostHeld, held.length);
  if (pace === undefined || !isWriting) settle(held.length);
});
const timers = [
  setInterval(() => {
    if (pace !== undefined && isWriting) settle((pace.read * TICK_MS) / 1_000);
  }, TICK_MS),
  setInterval(() => {
    if (isWriting) tell('sample', sample());
  }, 1_000),
  setTimeout(() => tell('heard', heard()), warmMs - 5_000),
  setTimeout(() => tell('heard', heard()), ms - 500),
];
await run(fromAsyncIterable(payloads(), { credit: 2_000 }), sink).done;
isWriting = false;
while (counts.read < counts.written) {
  settle(held.length);
  await pause(TICK_MS);
}
tell('end', { ...counts, lost });
for (const timer of timers) clearTimeout(timer);
subscription.unsubscribe();
