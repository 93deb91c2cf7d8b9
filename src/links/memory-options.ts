import type { Clock } from '../clock.js';
import { type Backoff, backoffLike } from '../connection/backoff.js';
import { checkAll } from '../connection/check-all.js';
import {
  checkOptions,
  clockLike,
  configInvalid,
  either,
  integer,
  numeric,
  oneOf,
  text,
} from '../connection/options.js';

/**
 * What happens to a message that finds no room: the publisher is refused, the oldest waiting one or the new one is given
 * up and counted, or the publisher waits for its confirmation until there is room.
 *
 * @see MemoryTopicOptions
 */
export type MemoryOverflow = 'refuse' | 'drop-oldest' | 'drop-newest' | 'wait';

/**
 * How a topic of the in-memory broker behaves.
 *
 * @see memoryBroker
 */
export interface MemoryTopicOptions {
  /**
   * 1 to 1,024. Messages of one key go to one partition, and a partition is read by one consumer of a group at a time, so
   * their order holds however many consumers share the work. Default: none; every consumer takes the next message.
   */
  readonly partitions?: number;
  /** How many messages of each partition are kept for groups that begin later. Default 0. */
  readonly retainMessages?: number;
  /** How many messages may wait for one group. Default 1,000,000. */
  readonly maxMessages?: number;
  /** The same in bytes of binary and characters of text payloads. Default 256 MiB. */
  readonly maxBytes?: number;
  /** When either is reached. Default `wait`. */
  readonly overflow?: MemoryOverflow;
  /** Largest payload, in bytes of binary or characters of text. Default 1 MiB. */
  readonly maxPayloadBytes?: number;
  /** How long a requeued message stays away, in milliseconds or as a schedule by its number of failures. Default 0. */
  readonly requeueDelayMs?: number | Backoff;
  /** Where messages go that were nacked with `dead`. Default: nowhere; they are dropped and counted. */
  readonly deadLetterTopic?: string;
}

/** Options of {@link memoryBroker}: those of every topic, and of the broker itself. */
export interface MemoryBrokerOptions extends MemoryTopicOptions {
  /** What is different for a topic, by its name. Default: nothing. */
  readonly topics?: Readonly<Record<string, MemoryTopicOptions>>;
  /** How many topics there may be. Default 10,000. */
  readonly maxTopics?: number;
  /** Default: the clock in force at each moment. */
  readonly clock?: Clock;
}

/** A topic's options made whole. @internal */
export interface MemoryTopicSettings extends Required<Omit<MemoryTopicOptions, 'partitions' | 'deadLetterTopic'>> {
  readonly partitions: number | undefined;
  readonly deadLetterTopic: string | undefined;
}

const TOPIC_RULES = {
  partitions: integer(1, 1024),
  retainMessages: integer(0),
  maxMessages: integer(1),
  maxBytes: integer(1),
  overflow: oneOf('refuse', 'drop-oldest', 'drop-newest', 'wait'),
  maxPayloadBytes: integer(1),
  requeueDelayMs: either(numeric(0), backoffLike),
  deadLetterTopic: text,
};

const DEFAULTS: MemoryTopicSettings = {
  partitions: undefined,
  retainMessages: 0,
  maxMessages: 1_000_000,
  maxBytes: 256 * 1024 * 1024,
  overflow: 'wait',
  maxPayloadBytes: 1024 * 1024,
  requeueDelayMs: 0,
  deadLetterTopic: undefined,
};

/** Checks a broker's options, those of its topics included. @internal */
export function checkBrokerOptions(options: MemoryBrokerOptions): void {
  checkAll('memoryBroker', [
    () =>
      checkOptions<MemoryBrokerOptions>('memoryBroker', options, {
        ...TOPIC_RULES,
        topics: (value) =>
          typeof value === 'object' && value !== null ? undefined : 'expected an object by topic name',
        maxTopics: integer(1),
        clock: clockLike,
      }),
    () => {
      const checks = Object.entries(options.topics ?? {}).map(([name, own]) => (): void => {
        checkTopic(name, own);
      });
      checkAll('memoryBroker', checks);
    },
  ]);
}

function checkTopic(name: string, own: MemoryTopicOptions): void {
  checkOptions<MemoryTopicOptions>(`memoryBroker topic '${name}'`, own, TOPIC_RULES);
  if (own.deadLetterTopic === name)
    throw configInvalid(`memoryBroker topic '${name}'`, [`'deadLetterTopic' is the topic itself: name another one`]);
}

/** What holds for a topic: its own options before the broker's before the defaults. @internal */
export function settingsOf(name: string, options: MemoryBrokerOptions): MemoryTopicSettings {
  const own = Object.hasOwn(options.topics ?? {}, name) ? options.topics?.[name] : undefined;
  const settings = { ...DEFAULTS } as Record<string, unknown>;
  for (const key of Object.keys(TOPIC_RULES) as (keyof MemoryTopicOptions)[]) {
    settings[key] = own?.[key] ?? options[key] ?? settings[key];
  }
  return settings as unknown as MemoryTopicSettings;
}
