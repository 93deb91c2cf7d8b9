import { backoff, type Backoff, backoffLike } from '../connection/backoff.js';
import { checkAll } from '../connection/check-all.js';
import type { Link } from '../connection/define-link.js';
import { defineSource, SOURCE_RULES, type SourceOptions } from '../connection/define-source.js';
import type { Flow } from '../connection/flow.js';
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
} from '../connection/options.js';
import { SOURCE_ELSEWHERE } from '../connection/source-options.js';
import type { MqttConnection } from '../links/mqtt-connection.js';
import { wholeSeconds } from '../links/mqtt-message.js';
import { checkWill, type MqttWill, qos } from '../links/mqtt-options.js';
import { type MqttClaim, randomClientId } from '../links/mqtt-sessions.js';
import { filterFault, textFault } from '../links/mqtt-topic.js';
import type { MqttLink } from '../links/mqtt.js';
import { MAX_PAYLOAD_BYTES } from '../mappers/codec.js';
import { report } from '../observability/observe.js';
import { MqttReader, type MqttReading } from './mqtt-reader.js';

/**
 * Options of {@link mqttSource}.
 *
 * @see mqttSource
 */
export interface MqttSourceOptions extends SourceOptions {
  /** Topic filters: `+` is one level of a topic, `#` all that follow. */
  readonly topics: string | readonly string[];
  /** What a message is delivered with at most. With 0 it is lost at any fault. Default 1. */
  readonly qos?: 0 | 1;
  /** The members of a group share the messages: each gets its part (`$share/group/filter`). Default: it gets all. */
  readonly share?: string;
  /**
   * A drain takes this member out of its group for good: nothing new is given to it, what it was given already is worked off,
   * and its session ends. Otherwise that stays in the session and waits for it to come back. Needs `share`. Default: true
   * without a `clientId` on the link, as then no session is kept.
   */
  readonly leaveOnDrain?: boolean;
  /** Tells the source from others of the link: its session is `clientId.name`. Default: the link's `clientId` alone. */
  readonly name?: string;
  /**
   * How many messages the broker may have out unacknowledged, 1 to 65,535: in MQTT 5 it is told, in 3.1.1 reading stops
   * there. Default: the credit; 100 where that is an Observable.
   */
  readonly receiveMaximum?: number;
  /**
   * MQTT 5: how long the broker keeps the session of a source that is away, in whole seconds; `Infinity` for ever. Needs a link
   * with a `clientId`. Default with one, and qos 1: 86,400,000 ms, a day; otherwise nothing is kept.
   */
  readonly sessionExpiryMs?: number;
  /** MQTT 5: begins with a new session on subscribe, so without what an old one had kept. Default false. */
  readonly cleanStart?: boolean;
  /**
   * MQTT 5: whether messages that the broker retains come when the subscription is `new` (default), on `always` every
   * connection, or `never`. In 3.1.1 it is always.
   */
  readonly retained?: 'new' | 'always' | 'never';
  /** Largest payload. A longer one is refused with PAYLOAD_TOO_LARGE. Default 1 MiB. */
  readonly maxBytes?: number;
  /** How long a requeued message stays away, in milliseconds or as a schedule by its number of failures. Default `backoff()`. */
  readonly requeueDelayMs?: number | Backoff;
  /**
   * What the broker publishes when this source is gone without a goodbye. Its `delayMs` needs a link with a `clientId`. Default:
   * none.
   */
  readonly will?: MqttWill;
}

/** What the client calls it. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  ...SOURCE_ELSEWHERE,
  clean: 'cleanStart',
  rh: 'retained',
  sessionExpiryInterval: 'sessionExpiryMs',
  group: 'share',
  clientId: 'belongs to mqttLink',
};

const CREDIT = 100;
const DAY_MS = 86_400_000;
/** What a broker that is told no number has out at most, as a rule. */
const USUAL_WINDOW = 20;
const RETAIN_HANDLING = { always: 0, new: 1, never: 2 } as const;

/**
 * The messages of topics, as bytes. At-least-once with QoS 1: a message is acknowledged to the broker once it and all before
 * it are settled, because MQTT wants its acknowledgements in order. `requeue` brings a message again from this process
 * after `requeueDelayMs`, `dead` and `drop` acknowledge it: put `deadLetter` behind the source to keep what is dead. That stage
 * also gets what is longer than `maxBytes` and never enters the flow, with its first bytes; without it that is `dead`.
 *
 * With a `clientId` the broker keeps the session while the source is away, and what is unsettled when the connection is
 * lost comes again with `attempt` 2; settling the first copy touches nothing. Without one, what is sent while the source
 * is away is lost to it, which the event `session.volatile` says. A subscription that the broker refuses errors the flow with
 * AUTH_FAILED or CONFIG_INVALID. A session that was lost all the same is the event
 * `session.lost`. On unsubscribe what was not emitted stays with the broker.
 *
 * Up to the credit of messages are unsettled at once, and the connection stays alive however long they take. Each
 * subscription is a session of its own and gets every message; with `share` they compete. With QoS 0 everything is lost
 * that is in work when something fails.
 *
 * @example
 * import { decode, each, json } from 'sluice';
 * import { mqttLink, mqttSource } from 'sluice/mqtt';
 * const link = mqttLink({ url: 'mqtt://localhost', clientId: 'billing' });
 * mqttSource(link, { topics: 'orders/+', credit: 64 }).pipe(decode(json<Order>()), each(bill, { concurrency: 8 }));
 * @throws SluiceError `CONFIG_INVALID` for an option out of range
 * Source: MQTT 5.0, 4.3 (QoS), 4.6 (order), 4.8 (subscriptions), 4.9 (flow control); MQTT 3.1.1, 4.3 to 4.6.
 * @see mqttSink
 */
export function mqttSource(link: MqttLink, options: MqttSourceOptions): Flow<Uint8Array> {
  checkArgument('mqttSource', 'link', link, called('a link made with mqttLink', 'reading', 'writing', 'sessions'));
  const filters = checkSource(link, options);
  const { qos: asked = 1, retained = 'new', will } = options;
  const isPlain = link.protocolVersion === '3.1.1';
  const isKept = link.clientId !== undefined && asked === 1;
  const receiveMaximum = windowOf(options);
  const reading: MqttReading = {
    filters,
    subscribe: isPlain ? { qos: asked } : { qos: asked, rh: RETAIN_HANDLING[retained] },
    isPlain,
    window: isPlain ? Math.max(receiveMaximum, USUAL_WINDOW) : receiveMaximum,
    requeueDelay: delayOf(options.requeueDelayMs),
    maxBytes: options.maxBytes ?? MAX_PAYLOAD_BYTES,
    leaves: options.share !== undefined && (options.leaveOnDrain ?? !isKept),
  };

  const session = (): Link<MqttConnection> => {
    let claim: MqttClaim | undefined;
    return link.reading(
      async (clock) => {
        if (isKept) claim ??= link.sessions.claim(sessionName(link, options), filters.join('\n'));
        await claim?.free;
        return {
          clientId: claim?.clientId ?? randomClientId(clock),
          cleanStart: claim === undefined || (options.cleanStart === true && !claim.hasOpened),
          expirySeconds: isKept ? wholeSeconds(options.sessionExpiryMs ?? DAY_MS) : 0,
          receiveMaximum,
          will,
          claim,
        };
      },
      () => claim?.left(),
    );
  };
  return defineSource<Uint8Array, MqttConnection>(
    {
      connector: 'mqtt',
      link: session,
      credit: CREDIT,
      ...(asked === 0 ? { local: true } : {}),
      async open(context, connection) {
        const reader = new MqttReader(connection, context, reading);
        await reader.start();
        if (asked === 1) tellOfSession(connection);
        return reader;
      },
    },
    options,
  );
}

/** Checks the options; gives the filters as the broker gets them. */
function checkSource(link: MqttLink, options: MqttSourceOptions): string[] {
  checkAll('mqttSource', [
    () =>
      checkOptions<MqttSourceOptions>(
        'mqttSource',
        options,
        {
          ...SOURCE_RULES,
          topics: required(filtersRule),
          qos,
          share: level,
          leaveOnDrain: flag,
          name: level,
          receiveMaximum: integer(1, 65_535),
          sessionExpiryMs: numeric(0),
          cleanStart: flag,
          retained: oneOf('new', 'always', 'never'),
          maxBytes: integer(1),
          requeueDelayMs: either(numeric(0), backoffLike),
          will: having(),
        },
        ELSEWHERE,
      ),
    () => checkWill('mqttSource will', options.will, link.protocolVersion === '5'),
    () => checkTogether(link, options),
  ]);
  const topics = [options.topics].flat();
  return options.share === undefined ? topics : topics.map((filter) => `$share/${options.share}/${filter}`);
}

function checkTogether({ protocolVersion, clientId }: MqttLink, options: MqttSourceOptions): void {
  const isFive = protocolVersion === '5';
  const given = (name: keyof MqttSourceOptions): boolean => options[name] !== undefined;
  const faults: string[] = [];
  for (const name of ['sessionExpiryMs', 'cleanStart', 'retained'] as const)
    if (given(name) && !isFive) faults.push(`'${name}' needs protocolVersion '5'`);
  for (const name of ['name', 'sessionExpiryMs', 'cleanStart'] as const)
    if (given(name) && clientId === undefined)
      faults.push(`'${name}' needs a link with a clientId: no session is kept without one`);
  const isKept = clientId !== undefined && options.qos !== 0;
  if ((options.will?.delayMs ?? 0) > 0 && !isKept)
    faults.push(`'will.delayMs' needs a link with a clientId, and qos 1: no session is kept that could come back`);
  if (given('leaveOnDrain') && !given('share')) faults.push(`'leaveOnDrain' needs 'share': there is no group to leave`);
  if (faults.length > 0) throw configInvalid('mqttSource', faults);
}

function filtersRule(value: unknown): string | undefined {
  const filters: unknown[] = [value].flat();
  if (filters.length === 0) return 'expected at least one topic filter';
  for (const filter of filters) {
    if (typeof filter !== 'string') return 'expected a topic filter, or an array of them';
    const fault = filterFault(filter);
    if (fault !== undefined) return `expected topic filters, but of one ${fault}`;
    if (filter.startsWith('$share/')) return `expected topic filters without $share/, which is the option 'share'`;
  }
  return undefined;
}

/** The name of a group, or a part of a client identifier. */
function level(value: unknown): string | undefined {
  const isOne = typeof value === 'string' && /^[^/+#]+$/.test(value) && textFault(value) === undefined;
  return isOne ? undefined : 'expected a name without / + and #';
}

function sessionName(link: MqttLink, { name }: MqttSourceOptions): string {
  const { clientId = '' } = link;
  return name === undefined ? clientId : `${clientId}.${name}`;
}

function windowOf({ receiveMaximum, credit = CREDIT }: MqttSourceOptions): number {
  if (receiveMaximum !== undefined) return receiveMaximum;
  // 0 would be refused by the protocol; what comes all the same waits in the inbox.
  return typeof credit === 'number' ? Math.max(1, credit) : CREDIT;
}

function delayOf(delay: number | Backoff = backoff()): Backoff {
  return typeof delay === 'number' ? backoff({ initialMs: delay, maxMs: delay, jitter: 'none' }) : delay;
}

/** What the broker will not keep, or has not kept, is said aloud. */
function tellOfSession({ plan, server, isResumed }: MqttConnection): void {
  const { claim, clientId: name, expirySeconds } = plan;
  const { sessionExpiryInterval = expirySeconds } = server;
  if (claim === undefined || (expirySeconds > 0 && sessionExpiryInterval === 0)) {
    const reason = claim === undefined ? 'the link has no clientId' : 'the broker keeps no sessions';
    report({ type: 'session.volatile', connector: 'mqtt', name, reason });
  } else if (claim.hasOpened && !isResumed) report({ type: 'session.lost', connector: 'mqtt', name });
  if (claim !== undefined) claim.hasOpened = true;
}
