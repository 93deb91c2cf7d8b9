// Mosquitto against the bare client at the same guarantee: QoS 1 both ways, a PUBACK after handling, sessions that are kept.
import { connect, type IClientOptions, type IPublishPacket, type MqttClient } from 'mqtt';
import { run } from 'sluice';
import { mqttLink, mqttSink, mqttSource, type MqttLink } from 'sluice/mqtt';
import { benchBroker } from './broker.js';
import { compare, type Contender } from './compare.js';
import { feed } from './feed.js';
import { compareLatency, sluiceWay, type Way } from './latency.js';
import { sized } from './settings.js';
import { STOPPED_BYTES, stoppedHandler } from './stopped.js';

const COUNT = sized(40_000);
/** So many may be unconfirmed, or unacknowledged. */
const WINDOW = 500;
const SIZES = [256, 4_096];
const VERSIONS = ['5', '3.1.1'] as const;
type Version = (typeof VERSIONS)[number];

// It writes nothing down at each change, so that it is not the disk that is measured, and lets a window be out.
const broker = await benchBroker('mosquitto', ['autosave_on_changes false', `max_inflight_messages ${WINDOW}`]);
const { url } = broker;
let names = 0;
const fresh = (): string => `bench-${(names += 1)}`;

/** A client that has asked to be let in. */
function dial(version: Version, options: IClientOptions = {}): MqttClient {
  const properties = { sessionExpiryInterval: 3_600, receiveMaximum: WINDOW };
  const own: IClientOptions = version === '5' ? { protocolVersion: 5, properties } : { protocolVersion: 4 };
  const client = connect(url, { ...own, clientId: fresh(), reconnectPeriod: 0, ...options });
  // Without it each answer waits for the next packet.
  client.on('connect', () => void (client.stream as unknown as { setNoDelay(): void }).setNoDelay());
  return client;
}

const operator = dial('5');

/** The session of nobody, which keeps what comes for its topic. */
async function session(version: Version, topic: string): Promise<string> {
  const clientId = fresh();
  const client = dial(version, { clientId, clean: false });
  await client.subscribeAsync(topic, { qos: 1 });
  await client.endAsync();
  return clientId;
}

/** Takes all that a session still has, and ends it; gives how many that were. */
async function kept(version: Version, clientId: string, topic: string): Promise<number> {
  const last = `${topic}/last`;
  let count = 0;
  const client = dial(version, { clientId, clean: false });
  await new Promise<void>((resolve) => {
    client.on('message', (name) => {
      if (name === last) resolve();
      else count += 1;
    });
    operator.publish(last, 'last', { qos: 1 });
  });
  await client.endAsync();
  const properties = version === '5' ? { properties: { sessionExpiryInterval: 0 } } : {};
  const clean = dial(version, { clientId, clean: true, ...properties });
  await new Promise((resolve) => clean.once('connect', resolve));
  await clean.endAsync();
  return count;
}

const idOf = (version: Version, at: number, timeMs: number): { properties?: object } =>
  version === '5'
    ? { properties: { userProperties: { 'x-message-id': `m${at}`, 'x-message-time': String(timeMs) } } }
    : {};

/** Publishes with a window, and resolves when all is confirmed. */
function publishAll(
  client: MqttClient,
  version: Version,
  topic: string,
  payload: Buffer,
  { count = COUNT, window = WINDOW } = {},
): Promise<void> {
  return new Promise((resolve, reject) => {
    let sent = 0;
    let confirmed = 0;
    const answered = (error?: Error | null): void => {
      if (error !== undefined && error !== null) reject(error);
      confirmed += 1;
      if (confirmed === count) resolve();
      else fillUp();
    };
    function fillUp(): void {
      while (sent < count && sent - confirmed < window) {
        sent += 1;
        client.publish(topic, payload, { qos: 1, ...idOf(version, sent, Date.now()) }, answered);
      }
    }
    fillUp();
  });
}

// --- publishing -------------------------------------------------------------------------------------------------------

/** Counted by a session that is away meanwhile. */
function publishing(name: string, version: Version, publish: (topic: string) => Promise<void>): Contender {
  const topic = fresh();
  let counter = '';
  return {
    name,
    async before() {
      counter = await session(version, `${topic}/#`);
    },
    async run(watch) {
      await publish(topic);
      watch.end();
      return kept(version, counter, topic);
    },
  };
}

for (const version of VERSIONS)
  for (const size of SIZES) {
    const payload = Buffer.alloc(size, 'x');
    const client = dial(version);
    const fed = feed<Uint8Array>(WINDOW * 2);
    const link = mqttLink({ url, protocolVersion: version, clientId: fresh() });
    const running = run(fed.flow, mqttSink(link, { maxUnconfirmed: WINDOW }));
    const ours = (count: number): Contender =>
      publishing('sluice', version, (topic) => fed.give(count, (at) => ({ payload, topic, id: `m${at}` })));
    const title = `publishing, QoS 1, ${size} B, MQTT ${version}`;
    await compare(
      title,
      COUNT,
      ours(COUNT),
      [publishing(`bare client, window of ${WINDOW}`, version, (topic) => publishAll(client, version, topic, payload))],
      { atLeast: 0.95 },
    );
    const fewer = COUNT / 10;
    const awaited = { count: fewer, window: 1 };
    await compare(
      `${title}, as usual`,
      fewer,
      ours(fewer),
      [
        publishing('bare client, each awaited', version, (topic) =>
          publishAll(client, version, topic, payload, awaited),
        ),
      ],
      { atLeast: 1.15 },
    );
    fed.end();
    await running.done;
    await client.endAsync();
  }

// --- consuming --------------------------------------------------------------------------------------------------------

/** Resolves once all was handled, and the connection is closed in order. */
type Consume = (
  version: Version,
  clientId: string,
  topic: string,
  handle: (bytes: Uint8Array) => boolean,
) => Promise<void>;

/** Measured from the first message to the last one. */
function consuming(name: string, version: Version, payload: Buffer, consume: Consume): Contender {
  const topic = fresh();
  let clientId = '';
  return {
    name,
    async before() {
      clientId = await session(version, `${topic}/#`);
      await publishAll(operator, '3.1.1', topic, payload);
    },
    async run(watch) {
      let seen = 0;
      await consume(version, clientId, `${topic}/#`, (bytes) => {
        if (seen === 0) watch.begin();
        if (bytes.length === payload.length) seen += 1;
        if (seen < COUNT) return false;
        watch.end();
        return true;
      });
      return seen;
    },
    async after() {
      const left = await kept(version, clientId, topic);
      if (left > 0) throw new Error(`${name}: ${left} acknowledgements did not arrive`);
    },
  };
}

type Pump = (packet: IPublishPacket, done: (error?: Error) => void) => void;

function bare(pump: (client: MqttClient, handle: (bytes: Uint8Array) => void) => Pump): Consume {
  return async (version, clientId, _topic, handle) => {
    const client = dial(version, { clientId, clean: false });
    await new Promise<void>((resolve) => {
      client.handleMessage = pump(client, (bytes) => {
        if (handle(bytes)) setImmediate(resolve);
      }) as MqttClient['handleMessage'];
    });
    await client.endAsync();
  };
}

/** What a careful user writes: a PUBACK of its own, after handling and in order, those of a turn in one write. */
const together = bare((client, handle) => {
  const later = new Error('acknowledged later');
  let ids: number[] = [];
  function flush(): void {
    const bytes = Buffer.allocUnsafe(ids.length * 4);
    for (let at = 0; at < ids.length; at += 1) bytes.writeUInt32BE(0x4002_0000 | (ids[at] as number), at * 4);
    ids = [];
    client.stream.write(bytes);
  }
  return ({ payload, messageId }, done) => {
    // Asked for before handling: the last message ends the run in an immediate of its own, and that is to come behind.
    if (ids.length === 0) setImmediate(flush);
    ids.push(messageId as number);
    handle(payload as Buffer);
    done(later);
  };
});

/** The client sends a PUBACK when the handler says that it is done. */
const each = bare((_client, handle) => ({ payload }, done) => {
  handle(payload as Buffer);
  done();
});

const sluice: Consume = async (version, clientId, topic, handle) => {
  const made = mqttLink({ url, protocolVersion: version, clientId });
  let tellClosed: () => void = () => undefined;
  const isClosed = new Promise<void>((resolve) => (tellClosed = resolve));
  const link: MqttLink = {
    ...made,
    reading: (plan, closed) =>
      made.reading(plan, () => {
        closed();
        tellClosed();
      }),
  };
  let handled: () => void = () => undefined;
  const all = new Promise<void>((resolve) => (handled = resolve));
  const running = run(mqttSource(link, { topics: topic, credit: WINDOW, receiveMaximum: WINDOW }), {
    next(message) {
      const isLast = handle(message.payload);
      message.ack();
      if (isLast) handled();
    },
    error: () => undefined,
    complete: () => undefined,
  });
  await Promise.race([all, running.done]);
  await running.stop();
  // Whoever takes the session over before that cuts the acknowledgements off.
  await isClosed;
};

for (const version of VERSIONS)
  for (const size of SIZES) {
    const payload = Buffer.alloc(size, 'x');
    const title = `consuming, QoS 1, ${size} B, MQTT ${version}`;
    const ours = consuming('sluice', version, payload, sluice);
    const tuned = consuming('bare client, PUBACKs of a turn together', version, payload, together);
    const usual = consuming('bare client, a PUBACK each', version, payload, each);
    await compare(title, COUNT, ours, [tuned], { atLeast: 0.95 });
    await compare(`${title}, as usual`, COUNT, ours, [usual], { atLeast: 1.15 });
  }

// --- latency ----------------------------------------------------------------------------------------------------------

for (const version of VERSIONS) {
  const ours = async (take: (text: string) => void): Promise<Way> => {
    const topic = fresh();
    const link = mqttLink({ url, protocolVersion: version, clientId: fresh() });
    const source = mqttSource(link, { topics: topic, credit: WINDOW, receiveMaximum: WINDOW });
    return sluiceWay(mqttSink(link, { topic, maxUnconfirmed: WINDOW }), source, take);
  };
  const theirs = async (take: (text: string) => void): Promise<Way> => {
    const topic = fresh();
    const [writer, reader] = [dial(version), dial(version)];
    reader.on('message', (_topic, payload) => take(payload.toString()));
    await reader.subscribeAsync(topic, { qos: 1 });
    return {
      send: (text) => void writer.publish(topic, text, { qos: 1, ...idOf(version, 0, Date.now()) }),
      close: async () => void (await Promise.all([writer.endAsync(), reader.endAsync()])),
    };
  };
  await compareLatency(ours, theirs, `, MQTT ${version}`);
}

// --- a handler that has stopped ---------------------------------------------------------------------------------------

for (const version of VERSIONS)
  await stoppedHandler({
    at: `, MQTT ${version}`,
    credit: 100,
    offered: COUNT,
    // What waits without credit before nothing more is read.
    fetchedBytes: 1_048_576,
    async open() {
      const topic = fresh();
      const clientId = await session(version, topic);
      await publishAll(operator, '3.1.1', topic, Buffer.alloc(STOPPED_BYTES, 'x'));
      return mqttSource(mqttLink({ url, protocolVersion: version, clientId }), { topics: topic, credit: 100 });
    },
  });

await operator.endAsync();
await broker.close();
process.exit();
