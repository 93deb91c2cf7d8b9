import type { Clock } from '../clock.js';
import { checkAll } from '../connection/check-all.js';
import { defineSource, SOURCE_RULES, type SourceOptions } from '../connection/define-source.js';
import type { Flow } from '../connection/flow.js';
import { SOURCE_ELSEWHERE } from '../connection/source-options.js';
import { wait } from '../connection/wait.js';
import type { KafkaClient, KafkaConsumerPlan } from '../links/kafka-driver.js';
import { kafkaError, kafkaErrorType } from '../links/kafka-errors.js';
import { isTopicName, RETRY_HEADERS } from '../links/kafka-message.js';
import { within } from '../links/kafka-within.js';
import type { KafkaLink } from '../links/kafka.js';
import { MAX_PAYLOAD_BYTES } from '../mappers/codec.js';
import {
  called,
  checkArgument,
  checkOptions,
  configInvalid,
  either,
  flag,
  having,
  integer,
  numeric,
  oneOf,
  required,
  text,
} from '../options.js';
import { KafkaElsewhere, type KafkaRetryTopic } from './kafka-elsewhere.js';
import { KafkaReader } from './kafka-reader.js';
import { type KafkaFrom, KafkaStart, startFault } from './kafka-start.js';

/**
 * Options of {@link kafkaSource}.
 *
 * @see kafkaSource
 */
export interface KafkaSourceOptions extends SourceOptions {
  /** Names of topics, one or more; there are no patterns. */
  readonly topics: readonly string[];
  /** The consumer group, whose members share the partitions. */
  readonly group: string;
  /** Where a group begins that has committed nothing. Default `earliest`. */
  readonly from?: KafkaFrom;
  /** Begins at `from` also where the group has been further: each partition once per source. Default false. */
  readonly replay?: boolean;
  /**
   * The group is told positions only by a sink with a `transactionalId`, in the transaction that the results go out with: what
   * is read, changed and written happens once or not at all. Where it begins it is told by the source. Default false.
   */
  readonly transactional?: boolean;
  /** A message without a value has the payload `null` instead of no bytes. Default false. */
  readonly tombstones?: boolean;
  /** How many messages of one partition may be unsettled, 1 to 65,535. Default: the credit; 500 where that is an Observable. */
  readonly creditPerPartition?: number;
  /** A partition waits while so many messages lie behind its lowest unsettled one. Default 10,000. */
  readonly maxGap?: number;
  /**
   * The group is told of settled messages at the latest when so many have come together, or when reading would have to wait
   * for it where that is later; together with the credit the most that comes again after a crash, besides what was settled
   * out of order behind an unsettled message: less than `maxGap` of each partition. Default 100.
   */
  readonly commitEvery?: number;
  /** The same by time. Default 1,000 ms. */
  readonly commitIntervalMs?: number;
  /** How long a requeued message stays away, and its partition with it; doubles with each time. Default 1,000 ms. */
  readonly requeueDelayMs?: number;
  /** How far that doubles. Default 30,000 ms. */
  readonly maxRequeueDelayMs?: number;
  /** Requeued messages go there instead, to the first one after the first delivery, and are read from there. Default none. */
  readonly retryTopics?: readonly KafkaRetryTopic[];
  /** Dead messages go there, with the reason in their headers. Default: they are passed over. */
  readonly deadTopic?: string;
  /** The header with the message's id, where its producer wrote one; `false` for none. Default `x-message-id`. */
  readonly idHeader?: string | false;
  /**
   * How long messages may still settle when their partition is to be given to another member. Default 5,000 ms, at most half of
   * `sessionTimeoutMs`.
   */
  readonly revokeTimeoutMs?: number;
  /** A member that is silent for so long is out of its group. 1,000 to 1,800,000 ms, default 30,000 ms. */
  readonly sessionTimeoutMs?: number;
  /** How often a member says that it is there: 100 ms to a third of `sessionTimeoutMs`. Default a tenth of it. */
  readonly groupHeartbeatMs?: number;
  /** Longest the brokers wait for messages before they answer that there are none: 1 to 10,000 ms. Default 200 ms. */
  readonly maxWaitMs?: number;
  /** Largest payload. A longer one is refused with PAYLOAD_TOO_LARGE. Default 1 MiB. */
  readonly maxBytes?: number;
  /** Largest piece that is fetched of one partition, in bytes: 1,024 or more. Default 1 MiB. */
  readonly maxBytesPerPartition?: number;
  /**
   * How much may be fetched and wait, of all partitions, before those with something waiting are paused: bytes of keys,
   * values and headers, 1,024 or more. Default 16 MiB.
   */
  readonly maxBufferedBytes?: number;
}

/** What the clients call it. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  ...SOURCE_ELSEWHERE,
  fromBeginning: `write from: 'earliest', which is the default, or 'latest'`,
  mode: 'from',
  autoCommit: 'messages that are settled are committed, by commitEvery and commitIntervalMs',
  autocommit: 'messages that are settled are committed, by commitEvery and commitIntervalMs',
  autoCommitThreshold: 'commitEvery',
  maxWaitTimeInMs: 'maxWaitMs',
  heartbeatInterval: 'groupHeartbeatMs',
  rebalanceTimeout: 'revokeTimeoutMs',
  partitionsConsumedConcurrently: 'concurrency is an option of each, behind the source',
  clientId: 'belongs to kafkaLink',
};

const CREDIT = 500;
const SESSION_MS = 30_000;
/** So much may come out of a compressed batch, however little may wait. */
const UNPACKED_BYTES = 16 * 1024 * 1024;
/** How long a topic that was just made may stay unknown. */
const UNKNOWN_MS = 3_000;

/**
 * The messages of topics, as bytes, for one member of a consumer group. At-least-once: the group is told a position in each
 * partition, and never one past an unsettled message. Messages settle in any order.
 *
 * `requeue` delivers the message again in place, and holds its partition back meanwhile, or sends it to a retry topic. `dead`
 * sends it to `deadTopic` with the reason in its headers; **without one it is passed over**. Either way the position
 * moves on once the topic has confirmed. `drop` acks. A message longer than `maxBytes` never enters the flow: it is `dead`, or goes
 * to the stage that keeps dead letters, with its first bytes.
 *
 * When the group shares its partitions out anew, those of this member get `revokeTimeoutMs` to settle; what then goes to
 * another member is taken back, and settling it touches nothing. Partitions that stay go on where they were. After a lost
 * connection everything from the last commit on comes again: at most what was unsettled, what was not committed, and what was settled out of
 * order behind an unsettled message.
 *
 * The flow errors with AUTH_FAILED when the login or a permission is refused, and with CONFIG_INVALID when a topic is not
 * there; on unsubscribe what was emitted
 * may settle, is committed, and the member leaves its group. `meta` is a `KafkaMeta`. `attempt` counts deliveries by this source.
 *
 * @example
 * import { decode, each, json } from 'sluice';
 * import { kafkaLink, kafkaSource } from 'sluice/kafka';
 * const link = kafkaLink({ brokers: ['localhost:9092'] });
 * kafkaSource(link, { topics: ['orders'], group: 'billing', credit: 64 }).pipe(
 *   decode(json<Order>()),
 *   each(bill, { concurrency: 8, lane: (message) => message.key }),
 * );
 * @throws SluiceError `CONFIG_INVALID` for an option out of range
 * Source: Apache Kafka protocol guide, «Group Membership API»; KIP-62 for session and rebalance timeouts.
 * @see kafkaSink
 */
export function kafkaSource(
  link: KafkaLink,
  options: KafkaSourceOptions & { readonly tombstones?: false },
): Flow<Uint8Array>;
export function kafkaSource(link: KafkaLink, options: KafkaSourceOptions): Flow<Uint8Array | null>;
export function kafkaSource(link: KafkaLink, options: KafkaSourceOptions): Flow<Uint8Array | null> {
  checkArgument('kafkaSource', 'link', link, called('a link made with kafkaLink', 'use', 'current'));
  check(options);
  const { topics, group, retryTopics = [], idHeader = 'x-message-id', credit = CREDIT } = options;
  const { from = 'earliest', replay = false, connectTimeoutMs = 10_000 } = options;
  const retryNames = new Set(retryTopics.map(({ topic }) => topic));
  const start = new KafkaStart(group, from, replay, retryNames);
  /** Members whose end nobody could wait for. */
  const former = new Set<string>();
  return defineSource<Uint8Array | null, KafkaClient>(
    {
      connector: 'kafka',
      link,
      credit: CREDIT,
      async open(context, client) {
        const { clock } = context;
        const id = idHeader === false ? undefined : idHeader;
        const plan = { retryTopics, deadTopic: options.deadTopic, idHeader: id, idempotent: true };
        const all = [...topics, ...retryNames];
        try {
          const written = options.deadTopic === undefined ? [] : [options.deadTopic];
          const met = async (topic: string): Promise<void> => start.met(topic, await known(client, topic, clock));
          await Promise.all([...all, ...written].map(met));
        } catch (error) {
          throw kafkaError(error, `kafka topics ${all.join(', ')}`);
        }
        const reader = new KafkaReader(context, {
          client,
          clock,
          former,
          group,
          transactional: options.transactional ?? false,
          start,
          elsewhere: new KafkaElsewhere(client, plan, clock),
          retryTopics: retryNames,
          idHeader: id,
          ownHeaders: id === undefined ? RETRY_HEADERS : [...RETRY_HEADERS, id],
          tombstones: options.tombstones ?? false,
          creditPerPartition: options.creditPerPartition ?? (typeof credit === 'number' ? Math.max(1, credit) : CREDIT),
          maxBytes: options.maxBytes ?? MAX_PAYLOAD_BYTES,
          maxGap: options.maxGap ?? 10_000,
          commitEvery: options.commitEvery ?? 100,
          commitIntervalMs: options.commitIntervalMs ?? 1_000,
          revokeTimeoutMs: revokeTimeoutOf(options),
          maxBufferedBytes: options.maxBufferedBytes ?? 16 * 1024 * 1024,
          requeueDelayMs: options.requeueDelayMs ?? 1_000,
          maxRequeueDelayMs: options.maxRequeueDelayMs ?? 30_000,
        });
        const replaced = [...former];
        try {
          reader.use(await client.consumer({ ...memberOf(options), topics: all, former: replaced }, reader));
        } catch (error) {
          throw kafkaError(error, `kafka group ${group}`);
        }
        // A group that waits for a slow member does not make this one start over. One that is lost is not waited for: it ends
        // before the next one begins, or both would be members.
        if (await within(clock, connectTimeoutMs / 2, reader.isAssigned))
          for (const member of replaced) former.delete(member);
        return reader;
      },
    },
    options,
  );
}

/** How many partitions it has. Rejects when there is no such topic; one that was just made is not known everywhere at once. */
async function known(client: KafkaClient, topic: string, clock: Clock): Promise<number> {
  const untilMs = clock.elapsed() + UNKNOWN_MS;
  for (;;) {
    try {
      return await client.partitions(topic);
    } catch (error) {
      if (clock.elapsed() >= untilMs || kafkaErrorType(error) !== 'UNKNOWN_TOPIC_OR_PARTITION') throw error;
    }
    await wait(clock, 300);
  }
}

/** While it waits a member does not say that it is there. */
function revokeTimeoutOf({ revokeTimeoutMs, sessionTimeoutMs = SESSION_MS }: KafkaSourceOptions): number {
  return revokeTimeoutMs ?? Math.min(5_000, sessionTimeoutMs / 2);
}

function memberOf(options: KafkaSourceOptions): Omit<KafkaConsumerPlan, 'topics' | 'former'> {
  const { group, sessionTimeoutMs = SESSION_MS, maxBytesPerPartition = 1024 * 1024 } = options;
  const { maxBytes = 0, maxBufferedBytes = 0 } = options;
  return {
    group,
    sessionTimeoutMs,
    heartbeatMs: options.groupHeartbeatMs ?? Math.floor(sessionTimeoutMs / 10),
    rebalanceTimeoutMs: Math.max(sessionTimeoutMs, 2 * revokeTimeoutOf(options)),
    maxWaitMs: options.maxWaitMs ?? 200,
    maxBytesPerPartition,
    maxBytes: Math.max(maxBytesPerPartition, 8 * 1024 * 1024),
    maxUnpackedBytes: Math.max(UNPACKED_BYTES, maxBytes, maxBufferedBytes),
  };
}

function check(options: KafkaSourceOptions): void {
  const topic = (value: unknown): string | undefined =>
    isTopicName(value) ? undefined : 'expected the name of a topic: letters, digits, dots, dashes, underscores';
  const topics = (value: unknown): string | undefined =>
    Array.isArray(value) && value.length > 0 && value.every(isTopicName)
      ? undefined
      : 'expected an array of names of topics: letters, digits, dots, dashes, underscores';
  const retries = (value: unknown): string | undefined =>
    Array.isArray(value) &&
    value.every(
      (one: Partial<KafkaRetryTopic> | null) => one !== null && isTopicName(one.topic) && Number(one.delayMs) >= 0,
    )
      ? undefined
      : 'expected an array of { topic, delayMs }';
  checkAll('kafkaSource', [
    () =>
      checkOptions<KafkaSourceOptions>(
        'kafkaSource',
        options,
        {
          ...SOURCE_RULES,
          topics: required(topics),
          group: required(text),
          from: either(oneOf('earliest', 'latest'), having('timeMs'), having('offsets')),
          replay: flag,
          transactional: flag,
          tombstones: flag,
          creditPerPartition: integer(1, 65_535),
          maxGap: integer(1),
          commitEvery: integer(1),
          commitIntervalMs: numeric(1),
          requeueDelayMs: numeric(0),
          maxRequeueDelayMs: numeric(0),
          retryTopics: retries,
          deadTopic: topic,
          idHeader: (value) => (value === false ? undefined : text(value)),
          revokeTimeoutMs: numeric(0),
          sessionTimeoutMs: integer(1_000, 1_800_000),
          groupHeartbeatMs: integer(100),
          maxWaitMs: integer(1, 10_000),
          maxBytes: integer(1),
          maxBytesPerPartition: integer(1_024),
          maxBufferedBytes: integer(1_024),
        },
        ELSEWHERE,
      ),
    () => checkTogether(options),
  ]);
}

function checkTogether(options: KafkaSourceOptions): void {
  const { sessionTimeoutMs = SESSION_MS, revokeTimeoutMs = 0, groupHeartbeatMs = 0 } = options;
  const faults: string[] = [];
  const wrong = startFault(options.from ?? 'earliest', options.topics);
  if (wrong !== undefined) faults.push(wrong);
  if (revokeTimeoutMs > sessionTimeoutMs / 2)
    faults.push(`'revokeTimeoutMs': expected at most half of sessionTimeoutMs, got ${revokeTimeoutMs}`);
  if (groupHeartbeatMs > sessionTimeoutMs / 3)
    faults.push(`'groupHeartbeatMs': expected at most a third of sessionTimeoutMs, got ${groupHeartbeatMs}`);
  if (faults.length > 0) throw configInvalid('kafkaSource', faults);
}
