// RabbitMQ against the bare client at the same guarantee: confirmed publishing, acks after handling, durable queues.
import { connect, type Channel, type ChannelModel, type ConfirmChannel, type ConsumeMessage } from 'amqplib';
import { Subject } from 'rxjs';
import { messages, run, type Message } from 'sluice';
import { amqpLink, amqpSink, amqpSource } from 'sluice/amqp';
import { benchBroker } from './broker.js';
import { compare, type Contender, thousands, verdict } from './compare.js';
import { feed } from './feed.js';
import { settings, sized } from './settings.js';

const COUNT = sized(40_000);
const WINDOW = 500;
const SIZES = [256, 4_096];

const broker = await benchBroker('rabbitmq');
const { url } = broker;
async function dial(): Promise<ChannelModel> {
  const connection = await connect(url, { noDelay: true });
  // The broker ends before some of them.
  connection.on('error', () => undefined);
  return connection;
}
const operator = await dial();
const admin = await operator.createConfirmChannel();
let queues = 0;

/** A durable queue that nobody used before. */
async function queue(): Promise<string> {
  const name = `bench ${(queues += 1)}`;
  await admin.assertQueue(name, { durable: true, arguments: { 'x-queue-type': 'classic' } });
  return name;
}

async function fill(name: string, payload: Buffer): Promise<void> {
  for (let at = 0; at < COUNT; at += 1) {
    if (!admin.sendToQueue(name, payload, { persistent: true })) await new Promise((go) => admin.once('drain', go));
  }
  await admin.waitForConfirms();
}

/** Takes the queue away; gives how many messages are in it. */
async function counted(name: string): Promise<number> {
  const { messageCount } = await admin.checkQueue(name);
  await admin.deleteQueue(name);
  return messageCount;
}

// --- publishing -------------------------------------------------------------------------------------------------------

function publishing(name: string, publish: (to: string) => Promise<void>): Contender {
  let to = '';
  return {
    name,
    async before() {
      to = await queue();
    },
    async run() {
      await publish(to);
      return (await admin.checkQueue(to)).messageCount;
    },
    after: () => counted(to),
  };
}

function bareWindow(channel: ConfirmChannel, payload: Buffer): (to: string) => Promise<void> {
  return (to) =>
    new Promise((resolve, reject) => {
      let sent = 0;
      let confirmed = 0;
      const answered = (error: unknown): void => {
        if (error !== null) reject(error as Error);
        confirmed += 1;
        if (confirmed === COUNT) resolve();
        else fillUp();
      };
      const fillUp = (): void => {
        while (sent < COUNT && sent - confirmed < WINDOW) {
          sent += 1;
          const properties = { persistent: true, mandatory: true, messageId: `m${sent}` };
          channel.publish('', to, payload, properties, answered);
        }
      };
      fillUp();
    });
}

for (const size of SIZES) {
  const payload = Buffer.alloc(size, 'x');
  const bare = await (await dial()).createConfirmChannel();
  const awaited = await (await dial()).createConfirmChannel();
  const fed = feed<Uint8Array>(WINDOW * 2);
  const running = run(fed.flow, amqpSink(amqpLink({ url }), { exchange: '', maxUnconfirmed: WINDOW }));
  await compare(
    `publishing, confirmed, ${size} B`,
    COUNT,
    publishing('sluice', (to) => fed.give(Array.from({ length: COUNT }, () => ({ payload, topic: to })))),
    [
      publishing(`bare client, window of ${WINDOW}`, bareWindow(bare, payload)),
      {
        ...publishing('bare client, batches of 100 awaited', async (to) => {
          for (let at = 0; at < COUNT; at += 100) {
            for (let one = 0; one < 100; one += 1)
              awaited.publish('', to, payload, { persistent: true, mandatory: true, messageId: `m${at + one}` });
            await awaited.waitForConfirms();
          }
        }),
        informs: true,
      },
    ],
    { atLeast: 0.95 },
  );
  fed.end();
  await running.done;
}

// --- consuming --------------------------------------------------------------------------------------------------------

/** Reads and handles all that is in a queue. `consume` resolves once all was handled and nothing more comes. */
function consuming(name: string, payload: Buffer, consume: (from: string) => Promise<number>): Contender {
  let from = '';
  return {
    name,
    async before() {
      from = await queue();
      await fill(from, payload);
    },
    run: () => consume(from),
    async after() {
      const left = await counted(from);
      if (left > 0) throw new Error(`${name}: ${left} acks did not arrive`);
    },
  };
}

async function bareConsumer(
  from: string,
  handle: (message: ConsumeMessage, channel: Channel, last: boolean) => void,
): Promise<number> {
  const connection = await dial();
  const channel = await connection.createChannel();
  await channel.prefetch(WINDOW);
  let seen = 0;
  await new Promise<void>((resolve) => {
    void channel.consume(from, (message) => {
      if (message === null) return;
      seen += message.content.length > 0 ? 1 : 0;
      handle(message, channel, seen === COUNT);
      if (seen === COUNT) setImmediate(resolve);
    });
  });
  await channel.close();
  await connection.close();
  return seen;
}

const each = (from: string): Promise<number> => bareConsumer(from, (message, channel) => channel.ack(message));

/** What a careful user writes: one ack for all that came in a turn. */
function together(from: string): Promise<number> {
  let newest: ConsumeMessage | undefined;
  return bareConsumer(from, (message, channel) => {
    if (newest === undefined)
      setImmediate(() => {
        if (newest !== undefined) channel.ack(newest, true);
        newest = undefined;
      });
    newest = message;
  });
}

function sluiceConsumer(from: string): Promise<number> {
  const link = amqpLink({ url });
  return new Promise((resolve, reject) => {
    let seen = 0;
    const subscription = amqpSource(link, { queue: from, credit: WINDOW }).subscribe({
      next(message: Message<Uint8Array>) {
        seen += message.payload.length > 0 ? 1 : 0;
        message.ack();
        if (seen === COUNT) {
          subscription.unsubscribe();
          const closed = link.reading.status$.subscribe((status) => {
            if (status !== 'closed') return;
            setImmediate(() => closed.unsubscribe());
            resolve(seen);
          });
        }
      },
      error: reject,
    });
  });
}

for (const size of SIZES) {
  const payload = Buffer.alloc(size, 'x');
  const ours = consuming('sluice', payload, sluiceConsumer);
  await compare(
    `consuming, ${size} B`,
    COUNT,
    ours,
    [consuming(`bare client, acks of a turn together`, payload, together)],
    { atLeast: 0.95 },
  );
  await compare(`consuming, ${size} B, as usual`, COUNT, ours, [consuming('bare client, an ack each', payload, each)], {
    atLeast: 1.15,
  });
}

// --- latency ----------------------------------------------------------------------------------------------------------

const RATE_PER_MS = 1;
const PACED = sized(8_000);

/** Milliseconds from just before publishing to the handler, the 99th of a hundred. */
async function latency(send: (text: string) => void, arrived: (take: (text: string) => void) => void): Promise<number> {
  const tookMs: number[] = [];
  const all = new Promise<void>((resolve) =>
    arrived((text) => {
      tookMs.push(performance.now() - Number(text));
      if (tookMs.length === PACED) resolve();
    }),
  );
  let sent = 0;
  const fromMs = performance.now();
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      const due = Math.min(PACED, Math.floor((performance.now() - fromMs) * RATE_PER_MS));
      while (sent < due) {
        sent += 1;
        send(String(performance.now()).padEnd(256));
      }
      if (sent < PACED) return;
      clearInterval(timer);
      resolve();
    }, 1);
  });
  await all;
  return tookMs.sort((a, b) => a - b)[Math.floor(PACED * 0.99)] as number;
}

async function ourLatency(): Promise<number> {
  const name = await queue();
  const link = amqpLink({ url });
  const sent = new Subject<Uint8Array>();
  const running = run(
    sent.pipe(messages({ overflow: 'close', credit: PACED })),
    amqpSink(link, { exchange: '', routingKey: name, maxUnconfirmed: WINDOW }),
  );
  const source = amqpSource(link, { queue: name, credit: WINDOW });
  let take: (text: string) => void = () => undefined;
  const subscription = source.subscribe((message) => {
    take(Buffer.from(message.payload).toString());
    message.ack();
  });
  // Both ends are connected, as those of the bare client are.
  await new Promise<void>((resolve) => {
    take = () => resolve();
    sent.next(Buffer.from('first'));
  });
  const p99 = await latency(
    (text) => sent.next(Buffer.from(text)),
    (handler) => (take = handler),
  );
  sent.complete();
  await running.done;
  subscription.unsubscribe();
  await admin.deleteQueue(name);
  return p99;
}

async function bareLatency(): Promise<number> {
  const name = await queue();
  const writer = await (await dial()).createConfirmChannel();
  const connection = await dial();
  const reader = await connection.createChannel();
  await reader.prefetch(WINDOW);
  let take: (text: string) => void = () => undefined;
  await reader.consume(name, (message) => {
    if (message === null) return;
    take(message.content.toString());
    reader.ack(message);
  });
  const properties = { persistent: true, mandatory: true, messageId: 'm' };
  const p99 = await latency(
    (text) => void writer.publish('', name, Buffer.from(text), properties, () => undefined),
    (handler) => (take = handler),
  );
  await reader.close();
  await writer.waitForConfirms();
  await admin.deleteQueue(name);
  return p99;
}

const LATENCY = 'latency, 99th of a hundred, 256 B at 1,000/s';
if (settings.only === undefined || LATENCY.includes(settings.only)) {
  const ratios: number[] = [];
  const own: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < Math.min(settings.rounds, 7); round += 1) {
    const [a, b] = round % 2 === 0 ? [await ourLatency(), await bareLatency()] : [0, await bareLatency()];
    own.push(a === 0 ? await ourLatency() : a);
    theirs.push(b);
    ratios.push((own.at(-1) as number) / b);
  }
  const middle = (list: number[]): number => [...list].sort((a, b) => a - b)[list.length >> 1] as number;
  console.log(`\n${LATENCY}: ours ${middle(own).toFixed(2)} ms, bare client ${middle(theirs).toFixed(2)} ms`);
  const ratio = middle(ratios);
  verdict({ title: LATENCY, met: ratio <= 1.1, seen: `× ${ratio.toFixed(2)}`, wanted: '≤ × 1.10' });
}

// --- a handler that has stopped ----------------------------------------------------------------------------------------

const STOPPED = 'memory with a handler that has stopped, 1 KiB';
if (settings.only === undefined || STOPPED.includes(settings.only)) {
  const CREDIT = 200;
  const BOUND = CREDIT * 1_024 + 64 * 1_048_576;
  const name = await queue();
  await fill(name, Buffer.alloc(1_024, 'x'));
  globalThis.gc?.();
  const before = process.memoryUsage().rss;
  const held: unknown[] = [];
  const subscription = amqpSource(amqpLink({ url }), { queue: name, credit: CREDIT }).subscribe((message) => {
    held.push(message);
  });
  let most = 0;
  for (let second = 0; second < (settings.quick ? 5 : 20); second += 1) {
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    most = Math.max(most, process.memoryUsage().rss - before);
  }
  console.log(`\n${STOPPED}: ${held.length} of ${thousands(COUNT)} held, ${thousands(most / 1_024)} KiB more at most`);
  const met = held.length === CREDIT && most <= BOUND;
  verdict({
    title: STOPPED,
    met,
    seen: `${thousands(most / 1_048_576)} MiB`,
    wanted: `${thousands(BOUND / 1_048_576)} MiB`,
  });
  subscription.unsubscribe();
}

await operator.close();
await broker.close();
process.exit();
