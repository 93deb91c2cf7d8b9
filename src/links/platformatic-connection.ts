import { isIP } from 'node:net';
import type * as Client from '@platformatic/kafka';
import { askedText } from '../connection/asked-text.js';
import { SluiceError } from '../errors.js';
import type { KafkaCluster, KafkaEvents } from './kafka-driver.js';
import type { KafkaSasl, KafkaTls } from './kafka-security.js';
import { unanswered } from './kafka-errors.js';

/** What the package exports. @internal */
export type Platformatic = typeof Client;

/** Where a broker listens. @internal */
export interface KafkaAddress {
  readonly host: string;
  readonly port: number;
}

/** Brokers end connections that are idle for long (`connections.max.idle.ms`): that is no loss. */
const IDLE_MS = 60_000;
const KEEP_ALIVE_MS = 10_000;
/** The client's own limit, which leaves a connection behind that is of no use: requests are timed here instead. */
const NEVER_MS = 2_147_483_647;
/** The client's own queue, where a request would wait unseen. */
const MANY = 10_000;

/**
 * One connection to a broker. It ends with the first request that is not answered in time, as nobody knows what else is
 * stuck in it.
 *
 * @internal
 */
export class PlatformaticConnection {
  private readonly raw: Client.Connection;
  private readonly cluster: KafkaCluster;
  private readonly events: KafkaEvents;
  /** Called once, when it is of no use any more. */
  private readonly gone: () => void;
  private heardMs = 0;
  private isOver = false;
  /** It is connected: a loss is one from now on. */
  private isReady = false;
  private cause: Error | undefined;
  /** It logs in anew: between the parts of a login a broker takes nothing else. */
  private login: Promise<void> | undefined;

  constructor(
    { Connection }: Platformatic,
    to: KafkaAddress,
    cluster: KafkaCluster,
    events: KafkaEvents,
    tls: KafkaTls | undefined,
    gone: () => void,
  ) {
    const { clientId, sasl, connectTimeoutMs } = cluster;
    this.cluster = cluster;
    this.events = events;
    this.gone = gone;
    this.raw = new Connection(clientId, {
      connectTimeout: connectTimeoutMs,
      requestTimeout: NEVER_MS,
      maxInflights: MANY,
      ...(tls === undefined ? {} : { tls: { ...tls } as NonNullable<Client.ConnectionOptions['tls']> }),
      // A name of TLS is never an address.
      ...(tls === undefined || tls.servername !== undefined || isIP(to.host) > 0 ? {} : { tlsServerName: to.host }),
      ...(sasl === undefined ? {} : { sasl: saslOf(sasl) }),
    });
    this.raw.on('error', (error) => (this.cause = error)).on('close', () => this.closed());
    this.raw.reauthenticate = () => this.logInAnew(Connection);
  }

  /** Resolves when it is logged in. */
  async open({ host, port }: KafkaAddress): Promise<void> {
    const { raw, cluster } = this;
    try {
      await raw.connect(host, port);
      if (this.isOver) throw new Error('The client is closed.');
    } catch (error) {
      this.destroy();
      throw error;
    }
    this.heardMs = cluster.clock.elapsed();
    this.isReady = true;
    raw.socket.setKeepAlive(true, KEEP_ALIVE_MS).on('data', () => {
      this.heardMs = cluster.clock.elapsed();
      this.events.alive();
    });
  }

  /** Gives the answer. With `extraMs` the broker may take its time. */
  ask<T>(request: (to: Client.Connection) => Promise<T>, extraMs = 0): Promise<T> {
    const { clock, requestTimeoutMs } = this.cluster;
    return new Promise((resolve, reject) => {
      const cancel = clock.timer(
        requestTimeoutMs + extraMs,
        () => {
          const error = unanswered();
          reject(error);
          this.lost(error);
        },
        true,
      );
      const asking = this.login === undefined ? request(this.raw) : this.login.then(() => request(this.raw));
      asking.finally(cancel).then(resolve, reject);
    });
  }

  /** Called by the client's timer before a login ends. */
  private logInAnew({ prototype }: Platformatic['Connection']): void {
    const { raw } = this;
    this.login = new Promise((resolve) => {
      const over = (): void => {
        raw.off('sasl:authentication:extended', over).off('close', over);
        this.login = undefined;
        resolve();
      };
      raw.on('sasl:authentication:extended', over).on('close', over);
    });
    prototype.reauthenticate.call(raw);
  }

  /** Nothing more is said of it. */
  leave(): void {
    this.isOver = true;
  }

  destroy(): void {
    this.isOver = true;
    this.gone();
    const { raw } = this;
    // Ends its timers; it says nothing of a socket that is still being connected.
    void raw.close();
    // Without an error the client would wait for it to connect.
    (raw.socket as typeof raw.socket | undefined)?.destroy(new Error('The client is closed.'));
  }

  private closed(): void {
    const isIdle = this.cluster.clock.elapsed() - this.heardMs >= IDLE_MS;
    if (this.isReady && !isIdle) {
      const text = `kafka: a connection to a broker ${this.cause === undefined ? 'was closed' : `failed: ${this.cause.message}`}.`;
      this.lost(new SluiceError('CONNECTION_LOST', text, { retriable: true, cause: this.cause }));
    } else this.destroy();
  }

  private lost(error: SluiceError): void {
    const isNews = !this.isOver;
    this.destroy();
    if (isNews) this.events.lost(error);
  }
}

function saslOf(sasl: KafkaSasl): Client.SASLOptions {
  if (sasl.mechanism === 'oauthbearer') return { mechanism: 'OAUTHBEARER', token: async () => sasl.token() };
  const { mechanism, username, password } = sasl;
  const asked = async (): Promise<string> => (await askedText('kafkaLink sasl', 'password', password)) ?? '';
  return {
    mechanism: mechanism.toUpperCase() as Client.SASLMechanismValue,
    username,
    password: typeof password === 'function' ? asked : password,
  };
}

/** A request of which the payload, or the answer, is made here and not by the client. @internal */
export function raw<T>(
  to: Client.Connection,
  { key, version }: { readonly key: number; readonly version: number },
  payload: () => Client.Writer,
  answer: Client.ResponseParser<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    to.send(key, version, payload, answer, true, true, (error, told) =>
      error === null ? resolve(told as T) : reject(error),
    );
  });
}
