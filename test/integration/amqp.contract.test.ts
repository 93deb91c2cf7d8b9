import type { Channel } from 'amqplib';
import { backoff } from 'sluice';
import { amqpLink, amqpSink, amqpSource, type AmqpLink } from 'sluice/amqp';
import type { Bench, Features, Harness, Verb } from 'sluice/testing';
import { faultProxy } from 'sluice/testing-node';
import type { AmqpQueue } from 'sluice/amqp';
import type { Broker } from '../brokers/broker.js';
import { enoughMemory, shortOfMemory } from '../helpers/amqp-memory.js';
import { netOf } from '../helpers/net-of.js';
import { overAmqp } from '../helpers/over-amqp.js';
import { proven } from '../helpers/connector-record.js';
import { clientProcesses } from '../helpers/client-processes.js';
import { secureDefaults } from '../helpers/secure-defaults.js';
import { brokerSuite } from '../brokers/broker-suite.js';
import { rabbitmq, type Rabbitmq } from '../brokers/rabbitmq.js';

const MAX_BYTES = 1_048_576;
const WRONG = 'word-that-is-wrong';

const quorum: Features = {
  ack: 'manual',
  confirms: 'durable',
  flowControl: 'credit',
  headers: 'binary',
  authModes: ['password'],
  backlog: true,
  binary: true,
  byteCredit: true,
  deadLetter: true,
  deliveryCount: true,
  durableSubscription: true,
  fanOut: true,
  keyed: true,
  maxMessageBytes: MAX_BYTES,
  nackRequeue: true,
  nackDelay: 50,
  orderedSingleConsumer: true,
  persistent: true,
  peerDetectMs: 15_000,
  brokerControl: true,
  reconnects: true,
  stallDetectMs: 30_000,
  routingReport: true,
  tls: true,
  tokenRefresh: true,
};

const classic: Features = {
  ...quorum,
  deliveryCount: false,
  // Acks go to the queue's journal, which is written to disk after this time or when something is to be confirmed.
  lateSettlementsMs: 200,
};

let channels = 0;

const asked = <T>({ url }: Broker, work: (channel: Channel) => Promise<T>): Promise<T> =>
  overAmqp(url, async (connection) => work(await connection.createChannel()));

/** Evaluates something about a queue, which is `Q` in it. */
const aboutQueue = async ({ evaluate }: Rabbitmq, queue: string, expression: string): Promise<string> =>
  (await evaluate?.(
    `{ok, Q} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"/">>, queue, <<"${queue}">>)), ${expression}`,
  )) ?? '';

const order = (broker: Rabbitmq, queue: string, verb: 'suspend' | 'resume'): Promise<string> =>
  aboutQueue(broker, queue, `sys:${verb}(amqqueue:get_pid(Q))`);

/** The same source in a process of its own. */
const clientSetup = (url: string): string => `
import { amqpLink, amqpSource } from 'sluice/amqp';
const source = (queue, options) => amqpSource(amqpLink({ url: ${JSON.stringify(url)} }), { ...options, queue });
`;

async function open(broker: Rabbitmq, type: NonNullable<AmqpQueue['type']>): Promise<Bench> {
  const proxy = await faultProxy({ port: broker.port });
  const names: string[] = [];
  const stalled: string[] = [];
  const unbound = new Set<string>();
  let password = 'guest';
  let isDenied = false;
  let isFull = false;
  const restart = async (): Promise<void> => {
    await broker.stop();
    await broker.start();
  };
  /** The password that was good until now is not any more. */
  const setPassword = async (next: string): Promise<void> => {
    await broker.evaluate?.(`rabbit_auth_backend_internal:change_password(<<"guest">>, <<"${next}">>, <<"test">>)`);
    password = next;
  };
  const free = async (): Promise<void> => {
    if (isFull) await enoughMemory(broker);
    isFull = false;
  };
  // A link of its own for each end, as two applications would have.
  const linkTo = (channel: string): AmqpLink =>
    amqpLink({
      url: broker.url.replace(`:${broker.port}`, `:${proxy.port}`),
      ...(broker.isOwn ? { password: async () => (isDenied ? WRONG : password) } : {}),
      topology: unbound.has(channel) ? {} : { queues: [{ name: channel, type }] },
      heartbeatMs: 1_000,
      connectTimeoutMs: 2_000,
      reconnect: backoff({ initialMs: 20, maxMs: 100, minMs: 5 }),
    });
  return {
    channel(hint = 'queue') {
      const name = `${hint} ${process.pid} ${(channels += 1)}`;
      names.push(name);
      return name;
    },
    source(queue, given) {
      const { group, ...options } = given;
      if (group !== undefined) throw new Error('There are no groups here, only readers of one queue.');
      return amqpSource(linkTo(queue), { requeueDelayMs: 50, stallTimeoutMs: 2_000, ...options, queue });
    },
    sink: (queue, options) => amqpSink(linkTo(queue), { ...options, exchange: '', routingKey: queue }),
    net: {
      ...netOf(proxy),
      async heal() {
        proxy.heal();
        for (const name of stalled.splice(0)) await order(broker, name, 'resume');
      },
      async stall() {
        // The process of the queue stands still; the connections of its clients go on.
        for (const name of names) await order(broker, name, 'suspend');
        stalled.push(...names);
      },
    },
    broker: {
      stop: () => broker.stop(),
      start: () => broker.start(),
      kill: () => broker.kill(),
      restart,
      // A queue that was just declared is known to no file yet that outlives a kill: the broker comes back without a classic
      // one, or with an empty quorum queue, confirmed or not. That takes a second, or minutes: one restart in order, and it is.
      async written() {
        if (type === 'quorum') await restart();
        else await broker.evaluate?.('mnesia:sync_log()');
      },
    },
    unbound() {
      const name = `nowhere ${process.pid} ${(channels += 1)}`;
      unbound.add(name);
      return name;
    },
    proc: clientProcesses(clientSetup(broker.url)),
    // Whom someone else's broker lets in is not known.
    ...(broker.isOwn
      ? {
          auth: {
            deny: () => void (isDenied = true),
            grant: () => void (isDenied = false),
            async expire() {
              await setPassword(`${password}'`);
              proxy.rst();
            },
          },
        }
      : {}),
    store: {
      async fill() {
        isFull = true;
        await shortOfMemory(broker);
      },
      free,
    },
    defaults: secureDefaults({
      maxBytes: MAX_BYTES,
      sink() {
        const name = `limit ${process.pid} ${(channels += 1)}`;
        names.push(name);
        return amqpSink(linkTo(name), { exchange: '', routingKey: name });
      },
      farLink: (word) => amqpLink({ url: `amqp://me:${word}@broker.example` }),
    }),
    peek: {
      opened: () => proxy.accepted,
      open: () => proxy.open,
      consumers: (queue) => asked(broker, async (channel) => (await channel.checkQueue(queue)).consumerCount),
      async unsettled(queue) {
        const counted =
          'proplists:get_value(messages_unacknowledged, rabbit_amqqueue:info(Q, [messages_unacknowledged]))';
        return Number(await aboutQueue(broker, queue, counted));
      },
      depth: (queue) => asked(broker, async (channel) => (await channel.checkQueue(queue)).messageCount),
    },
    async explain() {
      const { control, evaluate, log } = broker;
      // An order to a broker that does not answer ends by itself, after a minute.
      const said = async (answer?: Promise<string>): Promise<string> =>
        answer?.catch((error: unknown) => String(error)) ?? '';
      return [
        `passed on ${proxy.passed.up} bytes up and ${proxy.passed.down} down, ${proxy.open} connections of ${proxy.accepted} open`,
        await said(evaluate?.('rabbit_alarm:get_alarms()')),
        await said(control?.('list_queues', 'name', 'state', 'messages_ready', 'messages_unacknowledged', 'consumers')),
        (await log?.()) ?? '',
      ].join('\n');
    },
    async close() {
      await proxy.close();
      // The next case has it again, whatever this one ended with.
      if (broker.isOwn) await broker.start();
      await free();
      if (password !== 'guest') await setPassword('guest');
      await asked(broker, async (channel) => {
        for (const name of names) await channel.deleteQueue(name);
      });
    },
  };
}

// Someone else's broker is neither ended nor started.
const own = process.env['TEST_AMQP_URL'] === undefined;
const network: readonly Verb[] = [
  'sink',
  'net.cut',
  'net.refuse',
  'net.blackhole',
  'net.latency',
  'net.slice',
  'net.limit',
  'net.heal',
];
const ends: readonly Verb[] = own ? ['broker.stop', 'broker.start', 'broker.kill', 'broker.restart'] : [];

const orders: readonly Verb[] = own ? ['net.stall', 'peek.unsettled', 'auth.deny', 'auth.grant', 'auth.expire'] : [];
/** The alarm does not depend on the type of a queue either, and each order takes the broker's tool a second. */
const stores: readonly Verb[] = own ? ['store.fill', 'store.free'] : [];
const peeks: readonly Verb[] = ['peek.opened', 'peek.open', 'peek.depth', 'peek.consumers'];
const always: readonly Verb[] = ['unbound', 'defaults', 'proc.crash', 'proc.hold'];

const long = 'takes minutes: npm run chaos';
const once = 'does not depend on the type of the queue: see quorum queues';
const harnesses = [
  [
    'quorum',
    quorum,
    { 'CRD-08': 'a queue of this type tells its counts every 5 seconds only: see classic queues', 'RES-02': long },
  ],
  [
    'classic',
    classic,
    {
      'REC-01': once,
      'REC-05': once,
      'REC-11': once,
      'SHU-08': once,
      'SEC-01': once,
      'RES-01': once,
      'RES-02': once,
      'SNK-07': once,
    },
  ],
] as const;

// S2.35 and S2.36: the suite reads with the source and writes with the sink. S2.10: an ack goes to the broker when it is given and
// not before, what has none comes again (ACK-01, ACK-02, ACK-13, SHU-08). S2.38: restarts, kills, wrong credentials (REC-02,
// REC-03, REC-12); a queue that is not there is in amqp.test.ts.
brokerSuite('AMQP on RabbitMQ', rabbitmq, (broker) => {
  for (const [type, features, skips] of harnesses) {
    const harness: Harness = {
      name: `AMQP, ${type} queues`,
      clock: 'real',
      features,
      skips,
      can: [...network, ...ends, ...orders, ...always, ...(type === 'quorum' ? stores : []), ...peeks],
      secrets: [WRONG],
      maxMessages: 400,
      withinMs: 90_000,
      heartbeatMs: 1_000,
      reconnectMaxMs: 100,
      open: () => open(broker(), type),
    };
    proven(harness, { isRecorded: own });
  }
});
