// Kafka against the bare client at the same guarantee: all replicas confirm, an idempotent producer, commits after handling.
import { Kafka, logLevel, type Consumer, type Message as KafkaMessage, type Producer } from 'kafkajs';
import { run, type Flow } from 'sluice';
import { kafkaLink, kafkaSink, kafkaSource, type KafkaSourceOptions } from 'sluice/kafka';
import { benchBroker } from './broker.js';
import { compare, type Contender, type Stopwatch } from './compare.js';
import { feed } from './feed.js';
import { compareLatency, sluiceWay, type Way } from './latency.js';
import { sized } from './settings.js';
import { STOPPED_BYTES, stoppedHandler } from './stopped.js';

const PARTITIONS = 4;
/** So many may be unconfirmed or unsettled. */
const WINDOW = 1_000;
/** So many may be handled and not committed: about what a fetch brings of a partition. */
const COMMIT_EVERY = 4_000;
/** So many come again at most after a crash of a source as it comes: its default credit, and what may be uncommitted. */
const REPEATED = 500 + 100;
/** What a topic takes in one batch by default, less what stands around the messages. */
const BATCH_BYTES = 1_000_000;
const SIZES = [256, 4_096];

const broker = await benchBroker('kafka');
const brokers = [broker.url];
const kafka = new Kafka({ brokers, logLevel: logLevel.NOTHING });
const admin = kafka.admin();
await admin.connect();
let names = 0;

/** A topic that nobody used before. */
async function topic(): Promise<string> {
  const name = `bench-${(names += 1)}`;
  await admin.createTopics({ waitForLeaders: false, topics: [{ topic: name, numPartitions: PARTITIONS }] });
  for (;;) {
    // A broker knows a new one, and leads it, only after a moment.
    const ends = await admin.fetchTopicOffsets(name).catch(() => []);
    if (ends.length === PARTITIONS) return name;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** How many messages were written to it. */
async function written(name: string): Promise<number> {
  const ends = await admin.fetchTopicOffsets(name);
  return ends.reduce((sum, { high }) => sum + Number(high), 0);
}

/** How many messages the group has said to be done with. */
async function committed(groupId: string, name: string): Promise<number> {
  const [told] = await admin.fetchOffsets({ groupId, topics: [name] });
  return (told?.partitions ?? []).reduce((sum, { offset }) => sum + Math.max(0, Number(offset)), 0);
}

async function producer(): Promise<Producer> {
  const made = kafka.producer({
    idempotent: true,
    createPartitioner:
      () =>
      ({ message }) =>
        message.partition ?? 0,
  });
  await made.connect();
  return made;
}

const filler = await producer();

/** Writes as many to each partition, a batch of each at a time. */
async function fill(name: string, value: Buffer, count: number): Promise<void> {
  const most = Math.floor(BATCH_BYTES / (value.length + 64)) * PARTITIONS;
  for (let at = 0; at < count; at += most) {
    const messages = Array.from({ length: Math.min(most, count - at) }, (_, i) => ({
      partition: i % PARTITIONS,
      value,
    }));
    await filler.send({ topic: name, messages });
  }
}

// --- publishing -------------------------------------------------------------------------------------------------------

function publishing(name: string, publish: (to: string) => Promise<void>): Contender {
  let to = '';
  return {
    name,
    async before() {
      if (to === '') to = await topic();
    },
    async run(watch) {
      const before = await written(to);
      watch.begin();
      await publish(to);
      watch.end();
      return (await written(to)) - before;
    },
  };
}

function outgoing(value: Buffer, count: number, partitionOf: (at: number) => number): KafkaMessage[] {
  return Array.from({ length: count }, (_, at) => ({
    partition: partitionOf(at),
    value,
    headers: { 'x-message-id': `m${at}` },
  }));
}

/** The fastest that was found: a window at a time, to one partition where it may be so large, otherwise to all. */
async function sendBatches(client: Producer, to: string, value: Buffer, count: number, size = WINDOW): Promise<void> {
  const isSmall = size * (value.length + 64) <= BATCH_BYTES;
  for (let at = 0; at < count; at += size) {
    const partitionOf = isSmall ? () => (at / size) % PARTITIONS : (one: number) => one % PARTITIONS;
    await client.send({ topic: to, messages: outgoing(value, size, partitionOf) });
  }
}

/** As usual: each message is sent for itself, and a window of them awaited. */
async function sendEach(client: Producer, to: string, value: Buffer, count: number): Promise<void> {
  let sent = 0;
  async function next(): Promise<void> {
    while (sent < count) {
      const [message] = outgoing(value, 1, () => sent % PARTITIONS);
      sent += 1;
      await client.send({ topic: to, messages: [message as KafkaMessage] });
    }
  }
  await Promise.all(Array.from({ length: WINDOW }, next));
}

for (const size of SIZES) {
  const payload = Buffer.alloc(size, 'x');
  const count = sized(size > 1_024 ? 20_000 : 80_000);
  const fewer = Math.ceil(count / 16);
  const client = await producer();
  const fed = feed<Uint8Array>(WINDOW * 2);
  const options = { maxUnconfirmed: WINDOW, maxBatch: WINDOW };
  const running = run(fed.flow, kafkaSink(kafkaLink({ brokers }), options));
  const ours = (of: number): Contender =>
    publishing('sluice', (to) => fed.give(of, (at) => ({ payload, topic: to, id: `m${at}` })));
  await compare(
    `publishing, confirmed, ${size} B`,
    count,
    ours(count),
    [
      publishing(`bare client, batches of ${WINDOW}`, (to) => sendBatches(client, to, payload, count)),
      {
        ...publishing('bare client, batches of 500', (to) => sendBatches(client, to, payload, count, 500)),
        informs: true,
      },
    ],
    { atLeast: 0.95 },
  );
  await compare(
    `publishing, confirmed, ${size} B, as usual`,
    fewer,
    ours(fewer),
    [publishing('bare client, a send each', (to) => sendEach(client, to, payload, fewer))],
    { atLeast: 1.15 },
  );
  fed.end();
  await running.done;
  await client.disconnect();
}

// --- consuming --------------------------------------------------------------------------------------------------------

/** Handles what is in a topic for a group. Resolves once the member has left it. */
type Consume = (from: string, group: string, handle: (bytes: Uint8Array | null) => boolean) => Promise<void>;

interface Open {
  readonly offset: number;
  isSettled: boolean;
}

/** Measured from the first message to the last one: to be let into a group takes longer than to read. */
function consuming(name: string, payload: Buffer, count: number, consume: Consume): Contender {
  let from = '';
  let groups = 0;
  return {
    name,
    async before() {
      if (from !== '') return;
      from = await topic();
      await fill(from, payload, count);
    },
    async run(watch: Stopwatch) {
      const group = `${from}-${(groups += 1)}`;
      let seen = 0;
      await consume(from, group, (bytes) => {
        if (seen === 0) watch.begin();
        if (bytes?.length === payload.length) seen += 1;
        if (seen < count) return false;
        watch.end();
        return true;
      });
      if (seen !== count) throw new Error(`${name}: ${seen} of ${count} messages came`);
      return committed(group, from);
    },
  };
}

const CONSUMER = { maxWaitTimeInMs: 200, maxBytesPerPartition: 1_048_576 };

async function until(consumer: Consumer, from: string, start: (done: () => void) => Promise<void>): Promise<void> {
  await consumer.connect();
  await consumer.subscribe({ topics: [from], fromBeginning: true });
  await new Promise<void>((resolve, reject) => {
    consumer.on('consumer.crash', ({ payload }) => reject(payload.error));
    start(resolve).catch(reject);
  });
  await consumer.stop();
  await consumer.disconnect();
}

/** The fastest use: whole batches, all partitions side by side, and a commit with each; its handler settles at once and in order. */
const batches: Consume = (from, groupId, handle) => {
  const consumer = kafka.consumer({ groupId, ...CONSUMER });
  return until(consumer, from, (done) =>
    consumer.run({
      partitionsConsumedConcurrently: PARTITIONS,
      autoCommit: false,
      async eachBatch({ batch }) {
        let isLast = false;
        for (const { value } of batch.messages) isLast = handle(value) || isLast;
        const offset = String(Number(batch.lastOffset()) + 1);
        await consumer.commitOffsets([{ topic: batch.topic, partition: batch.partition, offset }]);
        if (isLast) done();
      },
    }),
  );
};

/**
 * What it takes by hand to let handlers settle later and in any order: a bound of what is unsettled, the lowest settled
 * offset of each partition, and commits of that, one at a time, that reading waits for when too much is uncommitted.
 */
const tracked: Consume = (from, groupId, handle) => {
  const consumer = kafka.consumer({ groupId, ...CONSUMER });
  const logs = Array.from({ length: PARTITIONS }, (_, partition) => ({
    partition,
    head: 0,
    open: [] as Open[],
    at: -1,
  }));
  let unsettled = 0;
  let uncommitted = 0;
  let saving: Promise<void> | undefined;
  let waiting: (() => void)[] = [];

  function wake(): void {
    const woken = waiting;
    if (woken.length === 0) return;
    waiting = [];
    for (const go of woken) go();
  }

  async function save(): Promise<void> {
    const count = uncommitted;
    const offsets = logs
      .filter(({ at }) => at >= 0)
      .map(({ partition, at }) => ({ topic: from, partition, offset: String(at + 1) }));
    await consumer.commitOffsets(offsets);
    uncommitted -= count;
    saving = undefined;
    wake();
  }

  function settle(log: (typeof logs)[number], open: Open): void {
    if (open.isSettled) return;
    open.isSettled = true;
    unsettled -= 1;
    for (let next = log.open[log.head]; next?.isSettled === true; next = log.open[log.head]) {
      log.at = next.offset;
      log.head += 1;
      uncommitted += 1;
    }
    if (log.head > 1_000) (log.open.splice(0, log.head), (log.head = 0));
    if (uncommitted >= COMMIT_EVERY / 2) saving ??= save();
    wake();
  }

  return until(consumer, from, (done) =>
    consumer.run({
      partitionsConsumedConcurrently: PARTITIONS,
      autoCommit: false,
      eachBatchAutoResolve: false,
      async eachBatch({ batch, resolveOffset, heartbeat }) {
        const log = logs[batch.partition] as (typeof logs)[number];
        let isLast = false;
        for (const message of batch.messages) {
          while (unsettled >= WINDOW || uncommitted >= COMMIT_EVERY) {
            await new Promise<void>((resolve) => void waiting.push(resolve));
            await heartbeat();
          }
          const open = { offset: Number(message.offset), isSettled: false };
          log.open.push(open);
          unsettled += 1;
          isLast = handle(message.value) || isLast;
          settle(log, open);
        }
        resolveOffset(batch.lastOffset());
        if (!isLast) return;
        while (saving !== undefined) await saving;
        await save();
        done();
      },
    }),
  );
};

/** As usual: a message at a time, and as many that come again after a crash. */
const each: Consume = (from, groupId, handle) => {
  const consumer = kafka.consumer({ groupId, ...CONSUMER });
  return until(consumer, from, (done) =>
    consumer.run({
      partitionsConsumedConcurrently: PARTITIONS,
      autoCommitThreshold: REPEATED,
      async eachMessage({ message }) {
        if (handle(message.value)) setImmediate(done);
      },
    }),
  );
};

const sluice =
  (options: Partial<KafkaSourceOptions> & { readonly tombstones?: false }): Consume =>
  (from, group, handle) => {
    const link = kafkaLink({ brokers });
    const flow: Flow<Uint8Array> = kafkaSource(link, { topics: [from], group, ...options });
    return new Promise((resolve, reject) => {
      const subscription = flow.subscribe({
        next(message) {
          const isLast = handle(message.payload);
          message.ack();
          if (!isLast) return;
          subscription.unsubscribe();
          const closed = link.status$.subscribe((status) => {
            if (status !== 'closed') return;
            setImmediate(() => closed.unsubscribe());
            resolve();
          });
        },
        error: reject,
      });
    });
  };

for (const size of SIZES) {
  const payload = Buffer.alloc(size, 'x');
  // Enough that one collection of garbage more or less does not decide: half a second of reading.
  const count = sized(size > 1_024 ? 120_000 : 160_000);
  const fewer = sized(size > 1_024 ? 40_000 : 160_000);
  const ours = consuming('sluice', payload, count, sluice({ credit: WINDOW, commitEvery: COMMIT_EVERY }));
  await compare(
    `consuming, ${size} B`,
    count,
    ours,
    [
      consuming('bare client, batches, settled in any order', payload, count, tracked),
      { ...consuming('bare client, batches, settled at once', payload, count, batches), informs: true },
    ],
    { atLeast: 0.95 },
  );
  await compare(
    `consuming, ${size} B, as usual`,
    fewer,
    consuming('sluice, as it comes', payload, fewer, sluice({})),
    [consuming('bare client, eachMessage', payload, fewer, each)],
    {
      atLeast: 1.15,
    },
  );
}

// --- latency ----------------------------------------------------------------------------------------------------------

async function ourWay(take: (text: string) => void): Promise<Way> {
  const name = await topic();
  const link = kafkaLink({ brokers });
  return sluiceWay(
    kafkaSink(link, { topic: name, maxUnconfirmed: WINDOW }),
    kafkaSource(link, { topics: [name], group: name }),
    take,
  );
}

/** One send at a time, with all that came meanwhile: a send for each message would fall behind. */
async function bareWay(take: (text: string) => void): Promise<Way> {
  const name = await topic();
  const writer = await producer();
  const reader = kafka.consumer({ groupId: name, ...CONSUMER });
  await reader.connect();
  await reader.subscribe({ topics: [name], fromBeginning: true });
  await reader.run({
    autoCommitInterval: 1_000,
    partitionsConsumedConcurrently: PARTITIONS,
    async eachMessage({ message }) {
      take((message.value as Buffer).toString());
    },
  });
  let waiting: KafkaMessage[] = [];
  let sending: Promise<void> | undefined;
  let turns = 0;
  async function send(): Promise<void> {
    while (waiting.length > 0) {
      const messages = waiting;
      waiting = [];
      await writer.send({ topic: name, messages });
    }
    sending = undefined;
  }
  return {
    send(text) {
      waiting.push({ partition: (turns += 1) % PARTITIONS, value: text, headers: { 'x-message-id': `m${turns}` } });
      sending ??= Promise.resolve().then(send);
    },
    async close() {
      await sending;
      await writer.disconnect();
      await reader.disconnect();
    },
  };
}

await compareLatency(ourWay, bareWay);

// --- a handler that has stopped ---------------------------------------------------------------------------------------

const CREDIT = 500;
const OFFERED = sized(100_000);
await stoppedHandler({
  credit: CREDIT,
  offered: OFFERED,
  // Its default `maxBufferedBytes`.
  fetchedBytes: 16 * 1_048_576,
  async open() {
    const name = await topic();
    await fill(name, Buffer.alloc(STOPPED_BYTES, 'x'), OFFERED);
    return kafkaSource(kafkaLink({ brokers }), { topics: [name], group: name, credit: CREDIT });
  },
});

await filler.disconnect();
await admin.disconnect();
await broker.close();
process.exit();
