import type { Clock } from '../clock.js';
import { askedText } from '../connection/asked-text.js';
import { askedTls } from '../connection/asked-tls.js';
import type { LinkContext } from '../connection/define-link.js';
import { peerMissing } from '../connection/load-peer.js';
import { maybeExpired } from '../connection/maybe-expired.js';
import type { SluiceError } from '../errors.js';
import type { MqttClient, MqttConnack, MqttPublish } from './mqtt-client.js';
import { connectionFailed, disconnected, isUnreadRefusal, refusedUnread, refusedWithGoodbye } from './mqtt-errors.js';
import { MqttIds } from './mqtt-ids.js';
import { wholeSeconds } from './mqtt-message.js';
import type { MqttLinkOptions, MqttTls, MqttWill } from './mqtt-options.js';
import { MqttQuota } from './mqtt-quota.js';
import type { MqttClaim } from './mqtt-sessions.js';
import type { MqttTarget } from './mqtt-target.js';

/** How long a close may take before the socket is cut. */
const CLOSE_MS = 5_000;
/** Three of them are well below the 15 s in which a dead peer has to be found. @internal */
export const MQTT_HEARTBEAT_MS = 4_000;

/** An open connection to the broker. @internal */
export interface MqttConnection {
  readonly client: MqttClient;
  readonly plan: MqttSessionPlan;
  readonly clock: Clock;
  /** The broker still knew the session: what it kept comes now. */
  readonly isResumed: boolean;
  readonly server: NonNullable<MqttConnack['properties']>;
  readonly quota: MqttQuota;
  /** What the broker abbreviates, for as long as the connection lives: the next reader of it is told nothing of it again. */
  readonly aliases: Map<number, string>;
  /** This side has stopped to read, so the silence says nothing of the peer. */
  isHeld: boolean;
  /** The session is of no use any more: MQTT 5 ends it with the connection. */
  isLeft: boolean;
  /** The first message of a session that is resumed: it may come before anybody reads, and everything waits behind it. */
  early: { packet: MqttPublish; done: (error?: Error) => void } | undefined;
  /** It is of no use any more. */
  readonly lost: (error: unknown) => void;
  /** Answers the ping that is out, if there is one. */
  heard: (() => void) | undefined;
}

/** What one kind of connection of a link asks the broker for. @internal */
export interface MqttSessionPlan {
  readonly clientId: string;
  /** Forget what there was under this client identifier. */
  readonly cleanStart: boolean;
  /** MQTT 5: how long the session outlives its connection, in seconds. */
  readonly expirySeconds: number;
  readonly receiveMaximum: number | undefined;
  readonly will: MqttWill | undefined;
  /** The hold of a source on a session that is kept. */
  readonly claim: MqttClaim | undefined;
  /** What outlives a connection that sinks publish over. */
  readonly doubt?: MqttDoubt;
}

/** Messages of which one was refused in a way that the client cannot read, or never came to read. @internal */
export interface MqttDoubt {
  /** So many are sent alone over the next connection, to find out which. */
  suspects: number;
}

/** Says it, before each connection. @internal */
export type MqttPlanner = (clock: Clock) => MqttSessionPlan | PromiseLike<MqttSessionPlan>;

/** Connects and is let in, or rejects. @internal */
export async function openMqtt(
  options: MqttLinkOptions,
  target: MqttTarget,
  plan: MqttSessionPlan,
  context: LinkContext,
): Promise<MqttConnection> {
  const attempt = new AbortController();
  context.abandoned(() => attempt.abort());
  const { default: mqtt } = await import('mqtt').catch(peerMissing('mqtt', '^5.0.0'));
  const asked = {
    password: await askedText('mqttLink', 'password', options.password),
    tls: await askedTls('mqttLink tls', options.tls),
  };
  // Nobody would have the socket.
  attempt.signal.throwIfAborted();
  let client: MqttClient;
  try {
    client = mqtt.connect(clientOptions(options, target, plan, asked) as never) as unknown as MqttClient;
  } catch (error) {
    throw connectionFailed(error, false);
  }
  // Its own watch takes a reader that holds its breath for a dead peer; the link looks by itself. But a broker that wants to
  // hear from its clients more often than the link pings has to.
  client.onKeepaliveTimeout = () => client.sendPing();
  let connection: MqttConnection | undefined;
  let early: MqttConnection['early'];
  // Left to itself the client would acknowledge what comes before there is a reader.
  client.handleMessage = (packet, done) => {
    early = { packet, done };
    if (connection !== undefined) connection.early = early;
  };
  attempt.signal.addEventListener('abort', () => void client.end(true, {}));
  return new Promise<MqttConnection>((resolve, reject) => {
    let failure: SluiceError | undefined;
    let openedMs = 0;
    const isAsked = typeof options.password === 'function';
    const failed = (error: unknown): void => {
      // A broker that hangs up over one message takes its answer along where more of them are on their way.
      if (failure === undefined && plan.doubt?.suspects === 0) plan.doubt.suspects = connection?.quota.unanswered ?? 0;
      failure ??= connectionFailed(error, connection !== undefined);
      if (connection === undefined) {
        reject(failure);
        client.end(true, {});
      } else context.lost(maybeExpired(failure, isAsked, context.clock.elapsed() - openedMs));
    };
    client.on('error', (error: unknown) => {
      if (isUnreadRefusal(error)) doubt(client, plan.doubt, refusedUnread());
      failed(error);
    });
    // What has no code the client keeps to itself: a refused upgrade to WebSocket, for example.
    client.stream.on('error', failed);
    client.on('disconnect', ({ reasonCode = 0 }: { reasonCode?: number }) => {
      const refusal = refusedWithGoodbye(reasonCode);
      if (refusal !== undefined) doubt(client, plan.doubt, refusal);
      failed(disconnected(reasonCode));
    });
    client.on('close', () => failed(undefined));
    client.on('connect', (connack: MqttConnack) => {
      // Without it every acknowledgement waits for the next one of the other side.
      client.stream.setNoDelay?.(true);
      // Also a part of a packet: the answer to a ping stands behind a large message, however long that takes to come.
      client.stream.on('data', () => connection?.heard?.());
      openedMs = context.clock.elapsed();
      const server = connack.properties ?? {};
      const quota = new MqttQuota(server.receiveMaximum ?? 65_535, plan.doubt?.suspects);
      if (plan.doubt !== undefined) plan.doubt.suspects = 0;
      // A topic `constructor` is not abbreviated only because every object has one.
      if (client.topicAliasSend !== undefined)
        client.topicAliasSend.topicToAlias = Object.create(null) as Record<string, number>;
      connection = {
        client,
        plan,
        clock: context.clock,
        isResumed: connack.sessionPresent,
        server,
        quota,
        aliases: new Map(),
        isHeld: false,
        isLeft: false,
        early,
        lost: (error) => context.lost(error),
        heard: undefined,
      };
      resolve(connection);
    });
  });
}

/** The client gives up the connection with the answer. Where only one message waits for one, that is the one that is refused. */
function doubt(client: MqttClient, memory: MqttDoubt | undefined, refusal: SluiceError): void {
  const [only, ...others] = Object.values(client.outgoing);
  if (memory !== undefined && others.length > 0) memory.suspects = others.length + 1;
  else only?.cb?.(refusal);
}

/** Asks the peer for a sign of life; anything it sends is one. While nothing is read it is only told that we live. @internal */
export function pingMqtt(connection: MqttConnection): Promise<void> {
  connection.client.sendPing();
  if (connection.isHeld) return Promise.resolve();
  return new Promise((resolve) => {
    connection.heard = () => {
      connection.heard = undefined;
      resolve();
    };
  });
}

/** Says goodbye, so that the broker publishes no will, and closes; or cuts what does not answer. @internal */
export function closeMqtt({ client, clock, isLeft }: MqttConnection): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.timer(CLOSE_MS, () => {
      client.stream.destroy();
      resolve();
    });
    // What still waits for an answer would keep the client from closing; who sent it sends it again.
    client.outgoing = {};
    client.end(!client.connected, isLeft ? { properties: { sessionExpiryInterval: 0 } } : {}, () => {
      cancel();
      resolve();
    });
  });
}

function clientOptions(
  options: MqttLinkOptions,
  target: MqttTarget,
  plan: MqttSessionPlan,
  { password, tls }: { readonly password: string | undefined; readonly tls: MqttTls | undefined },
): Record<string, unknown> {
  const {
    protocolVersion = '5',
    heartbeatMs = MQTT_HEARTBEAT_MS,
    connectTimeoutMs = 10_000,
    topicAliases = 0,
  } = options;
  const isFive = protocolVersion === '5';
  const { protocol, hostname, port, path } = target;
  return {
    ...tls,
    ...(target.isSecure ? { minVersion: 'TLSv1.2', rejectUnauthorized: true } : {}),
    ...(tls?.servername === undefined ? {} : { wsOptions: { servername: tls.servername } }),
    protocol,
    hostname,
    host: hostname,
    ...(port === undefined ? {} : { port }),
    ...(path === undefined ? {} : { path }),
    protocolVersion: isFive ? 5 : 4,
    clientId: plan.clientId,
    clean: plan.cleanStart,
    username: options.username ?? target.username,
    password: password ?? target.password,
    // The broker gives this side up after one and a half of it.
    keepalive: Math.ceil((heartbeatMs * 2) / 1_000),
    reschedulePings: false,
    timerVariant: 'native',
    connectTimeout: connectTimeoutMs,
    // The link opens a new client each time: this one would send again what the link sends again as well.
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    messageIdProvider: new MqttIds(),
    autoAssignTopicAlias: isFive && topicAliases > 0,
    ...(plan.will === undefined ? {} : { will: willOf(plan.will, isFive) }),
    ...(isFive ? { properties: connectProperties(plan, topicAliases) } : {}),
  };
}

function connectProperties(plan: MqttSessionPlan, topicAliases: number): Record<string, number> {
  return {
    sessionExpiryInterval: plan.expirySeconds,
    ...(plan.receiveMaximum === undefined ? {} : { receiveMaximum: plan.receiveMaximum }),
    ...(topicAliases === 0 ? {} : { topicAliasMaximum: topicAliases }),
  };
}

function willOf(will: MqttWill, isFive: boolean): Record<string, unknown> {
  const { topic, payload, qos = 1, retain = false, delayMs = 0, contentType } = will;
  const properties = {
    willDelayInterval: wholeSeconds(delayMs),
    ...(contentType === undefined ? {} : { contentType }),
  };
  return { topic, payload, qos, retain, ...(isFive ? { properties } : {}) };
}
