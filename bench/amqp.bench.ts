// RabbitMQ against the bare client at the same guarantee: confirmed publishing, acks after handling, durable queues.
import { connect, type Channel, type ChannelModel, type ConfirmChannel, type ConsumeMessage } from 'amqplib';
import { run, type Message } from 'sluice';
import { amqpLink, amqpSink, amqpSource } from 'sluice/amqp';
import { benchBroker } from './broker.js';
import { compare, type Contender } from './compare.js';
import { feed } from './feed.js';
import { compareLatency, sluiceWay, type Way } from './latency.js';
import { sized } from './settings.js';
import { STOPPED_BYTES, stoppedHandler } from './stopped.js';

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
    publishing('sluice', (to) => fed.give(COUNT, (at) => ({ payload, topic: to, id: `m${at}` }))),
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

/** What a careful user writes: one ack for all that came in a turn… */
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

/** … and one who measured it: an ack for so many, or for what there is after two milliseconds. */
function byCount(from: string): Promise<number> {
  let newest: ConsumeMessage | undefined;
  let count = 0;
  let timer: NodeJS.Timeout | undefined;
  return bareConsumer(from, (message, channel, last) => {
    const tell = (): void => {
      clearTimeout(timer);
      timer = undefined;
      count = 0;
      if (newest !== undefined) channel.ack(newest, true);
      newest = undefined;
    };
    newest = message;
    count += 1;
    if (count === 50 || last) tell();
    else timer ??= setTimeout(tell, 2);
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
    [
      consuming('bare client, acks of a turn together', payload, together),
      consuming('bare client, an ack for 50 or after 2 ms', payload, byCount),
    ],
    { atLeast: 0.95 },
  );
  await compare(`consuming, ${size} B, as usual`, COUNT, ours, [consuming('bare client, an ack each', payload, each)], {
    atLeast: 1.15,
  });
}

// --- latency ----------------------------------------------------------------------------------------------------------

async function ourWay(take: (text: string) => void): Promise<Way> {
  const name = await queue();
  const link = amqpLink({ url });
  const way = sluiceWay(
    amqpSink(link, { exchange: '', routingKey: name, maxUnconfirmed: WINDOW }),
    amqpSource(link, { queue: name, credit: WINDOW }),
    take,
  );
  return { ...way, close: () => way.close().then(() => void admin.deleteQueue(name)) };
}

async function bareWay(take: (text: string) => void): Promise<Way> {
  const name = await queue();
  const writing = await dial();
  const writer = await writing.createConfirmChannel();
  const reading = await dial();
  const reader = await reading.createChannel();
  await reader.prefetch(WINDOW);
  await reader.consume(name, (message) => {
    if (message === null) return;
    take(message.content.toString());
    reader.ack(message);
  });
  const properties = { persistent: true, mandatory: true, messageId: 'm' };
  return {
    send: (text) => void writer.publish('', name, Buffer.from(text), properties, () => undefined),
    async close() {
      await reader.close();
      await writer.waitForConfirms();
      await Promise.all([reading.close(), writing.close()]);
      await admin.deleteQueue(name);
    },
  };
}

await compareLatency(ourWay, bareWay);

// --- a handler that has stopped ----------------------------------------------------------------------------------------

const CREDIT = 200;
await stoppedHandler({
  credit: CREDIT,
  offered: COUNT,
  fetchedBytes: 0,
  async open() {
    const name = await queue();
    await fill(name, Buffer.alloc(STOPPED_BYTES, 'x'));
    return amqpSource(amqpLink({ url }), { queue: name, credit: CREDIT });
  },
});

await operator.close();
await broker.close();
process.exit();
