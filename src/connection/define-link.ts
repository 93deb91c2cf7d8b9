import type { Observable } from 'rxjs';
import { currentClock, type Cancel, type Clock } from '../clock.js';
import { SluiceError } from '../errors.js';
import type { Status } from '../observability/status.js';
import { type Backoff, backoffLike } from './backoff.js';
import { called, checkArgument, clockLike, numeric, type OptionRule, someOptions } from './options.js';
import { quietly } from './quietly.js';
import { RECONNECT } from './reconnect.js';
import { StatusCell } from './status-cell.js';
import { Supervisor } from './supervisor.js';

/**
 * What a connector says of its connection.
 *
 * @see defineLink
 */
export interface LinkDefinition<C> {
  /** The connector's name, for status and errors. */
  readonly connector: string;
  /** Opens one connection, at once or later. `context.lost` ends it from then on. */
  connect(context: LinkContext): C | PromiseLike<C>;
  /** Closes it, within 30 s. Called once per connection, also when it is lost; has to bear that. */
  disconnect(connection: C): void | PromiseLike<void>;
  /** Nobody uses the link any more, and what was open is closed. The next user may have it opened again. */
  closed?(): void;
  /** Asks the far side for a sign of life; a throw loses the connection. Left out where the client finds a dead peer in time. */
  ping?(connection: C): PromiseLike<void>;
}

/**
 * What a connection gets from the kit.
 *
 * @see defineLink
 */
export interface LinkContext {
  readonly clock: Clock;
  /**
   * The connection is over. Errors that are not retriable end the link for good. What one has as `retryAfterMs` in its
   * details is waited besides, up to a minute.
   */
  lost(error: unknown): void;
  /** What is half open has to be dropped when the try is given up before `connect` resolved: `drop` is called then. */
  abandoned(drop: () => void): void;
  /** Something came in: the peer lives, no ping is due. */
  alive(): void;
}

/**
 * Options every link has.
 *
 * @see defineLink
 */
export interface LinkOptions {
  /**
   * Waits between tries to connect; after as many as its `tries`, where it has such, the link ends, and what uses it fails.
   * Default: 500 ms doubling to 4 s, full jitter, without end.
   */
  readonly reconnect?: Backoff;
  /** Longest a connect may take. Default 10,000 ms. */
  readonly connectTimeoutMs?: number;
  /** A ping after so much silence; two without an answer lose the link. Default 5,000 ms; 4,000 ms for MQTT. */
  readonly heartbeatMs?: number;
  /** Default: the clock in force. */
  readonly clock?: Clock;
}

/** The rules of {@link LinkOptions}, to be spread into those of a connector. */
export const LINK_RULES: { readonly [K in keyof LinkOptions]-?: OptionRule } = {
  reconnect: backoffLike,
  connectTimeoutMs: numeric(1),
  heartbeatMs: numeric(1),
  clock: clockLike,
};

/**
 * Who uses a link.
 *
 * @see Link
 */
export interface LinkUser {
  /** There is a connection now. */
  up?(): void;
  /** The connection is gone; the link is trying again. */
  down(error: SluiceError): void;
  /** It is gone for good. */
  fatal(error: SluiceError): void;
}

/**
 * One connection, shared: it opens with its first user, closes with its last and comes back by itself in between.
 *
 * @see defineLink
 */
export interface Link<C> {
  readonly connector: string;
  readonly status$: Observable<Status>;
  /** Counts a user until cancelled. With the last one the link closes, and what the cancel gives resolves once it is. */
  use(user: LinkUser): () => PromiseLike<void> | undefined;
  /** The connection that is there now, if there is one. Throws what ended the link for good. Only for users. */
  current(): { readonly connection: C } | undefined;
  /** The connection, now or as soon as there is one. Only for users. */
  connection(): C | PromiseLike<C>;
  /** Marks the link as working but not well, or well again. */
  degrade(degraded: boolean, reason?: unknown): void;
  /** The connection is not usable any more; opens another one. */
  renew(error: unknown): void;
}

interface Waiter<C> {
  readonly resolve: (connection: C) => void;
  readonly reject: (error: SluiceError) => void;
}

/**
 * Makes a link from how to connect and disconnect. The kit adds counting of users, reconnecting with jittered waits,
 * the ping of a silent peer, and a status that walks only legal steps.
 *
 * A failed connection never errors a flow: it is retried, and seen on `status$`. Only an error that is not retriable
 * (bad credentials, impossible options) ends the link and reaches its users' `fatal`.
 *
 * @example
 * import { connect } from 'amqplib';
 * import { defineLink } from 'sluice/connection';
 * const link = defineLink({ connector: 'amqp', connect: () => connect('amqp://localhost'), disconnect: (c) => c.close() });
 * @throws SluiceError `CONFIG_INVALID` for an option out of range, or a definition that lacks a function
 * @see defineSource
 * @see defineSink
 */
export function defineLink<C>(definition: LinkDefinition<C>, options: LinkOptions = {}): Link<C> {
  const rule = called('a definition with connector, connect and disconnect', 'connector', 'connect', 'disconnect');
  checkArgument('defineLink', 'definition', definition, rule);
  checkArgument('defineLink', 'options', options, someOptions);
  const { connector } = definition;
  const { reconnect = RECONNECT, connectTimeoutMs = 10_000, heartbeatMs = 5_000 } = options;
  const status = new StatusCell(connector);
  const users = new Set<LinkUser>();
  let waiters: Waiter<C>[] = [];
  let open: { readonly connection: C } | undefined;
  let supervisor: Supervisor<C> | undefined;
  let loseCurrent: ((error: unknown, immediately?: boolean) => void) | undefined;
  let stopHeartbeat: Cancel | undefined;
  let ended: SluiceError | undefined;
  let closing: PromiseLike<void> | undefined;

  function start(): void {
    const clock = options.clock ?? currentClock();
    let heardMs = clock.elapsed();
    supervisor = new Supervisor<C>({
      clock,
      backoff: reconnect,
      connectTimeoutMs,
      status,
      open(lost, abandoned) {
        loseCurrent = lost;
        return definition.connect({ clock, lost, abandoned, alive: () => void (heardMs = clock.elapsed()) });
      },
      close: (connection) => definition.disconnect(connection),
      up(connection) {
        open = { connection };
        heardMs = clock.elapsed();
        if (definition.ping !== undefined) stopHeartbeat = heartbeat(clock, connection, () => heardMs);
        const served = waiters;
        waiters = [];
        for (const waiter of served) waiter.resolve(connection);
        for (const user of [...users]) user.up?.();
      },
      down(error) {
        closed();
        for (const user of [...users]) user.down(error as SluiceError);
      },
      fatal(error) {
        ended = error;
        for (const waiter of waiters.splice(0)) waiter.reject(error);
        for (const user of [...users]) user.fatal(error);
      },
    });
    ended = undefined;
    supervisor.start();
  }

  function closed(): void {
    open = undefined;
    stopHeartbeat?.();
    stopHeartbeat = undefined;
  }

  function left(): void {
    quietly(connector, () => definition.closed?.());
  }

  // Two unanswered pings in a row: with the default of 5 s a silent peer is lost after at most 15 s.
  function heartbeat(clock: Clock, connection: C, heard: () => number): Cancel {
    let cancel: Cancel | undefined;
    let missed = 0;
    let answered = true;
    const beat = (): void => {
      if (!answered && clock.elapsed() - heard() >= heartbeatMs) missed += 1;
      else missed = 0;
      if (missed > 0) status.to('degraded');
      else if (status.value === 'degraded') status.to('connected');
      if (missed >= 2) {
        loseCurrent?.(
          new SluiceError(
            'PEER_LOST',
            `The peer of ${connector} did not answer for ${heartbeatMs * 2} ms (heartbeatMs).`,
            {
              retriable: true,
            },
          ),
        );
        return;
      }
      if (answered) {
        answered = false;
        const seen = (): void => {
          answered = true;
        };
        try {
          definition.ping?.(connection).then(seen, () => undefined);
        } catch (error) {
          loseCurrent?.(error);
          return;
        }
      }
      cancel = clock.timer(heartbeatMs, beat, true);
    };
    cancel = clock.timer(heartbeatMs, beat, true);
    return () => cancel?.();
  }

  return {
    connector,
    status$: status.status$,
    use(user) {
      users.add(user);
      if (users.size === 1 && closing === undefined) start();
      let released = false;
      return () => {
        if (released) return undefined;
        released = true;
        users.delete(user);
        if (users.size > 0) return undefined;
        closed();
        // Whoever comes while it still closes waits for that, and so does who leaves again meanwhile: two connections at once
        // would break the walk of its status.
        closing ??= supervisor?.stop()?.then(() => {
          closing = undefined;
          left();
          if (users.size > 0) start();
        });
        if (closing === undefined) left();
        return closing;
      };
    },
    current() {
      if (ended !== undefined) throw ended;
      return open;
    },
    connection() {
      if (open !== undefined) return open.connection;
      if (ended !== undefined) throw ended;
      return new Promise<C>((resolve, reject) => waiters.push({ resolve, reject }));
    },
    degrade(degraded, reason) {
      if (open !== undefined) status.to(degraded ? 'degraded' : 'connected', reason);
    },
    renew: (error) => loseCurrent?.(error),
  };
}
