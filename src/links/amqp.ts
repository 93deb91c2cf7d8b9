import type { Socket } from 'node:net';
import type { ChannelModel } from 'amqplib';
import { askedText } from '../connection/asked-text.js';
import { askedTls } from '../connection/asked-tls.js';
import { defineLink, type Link, type LinkContext } from '../connection/define-link.js';
import { peerMissing } from '../connection/load-peer.js';
import { insecureWarning } from '../connection/insecure-warning.js';
import { maybeExpired } from '../connection/maybe-expired.js';
import { SluiceError } from '../errors.js';
import { closeAmqp } from './amqp-close.js';
import { amqpError, amqpLost, isFarewell } from './amqp-errors.js';
import { type AmqpStream, gatherWrites } from './amqp-gather.js';
import { checkAmqpLink, type AmqpLinkOptions } from './amqp-options.js';
import type { AmqpTarget } from './amqp-target.js';
import type { AmqpTopology } from './amqp-topology.js';

export type { AmqpLinkOptions, AmqpTls } from './amqp-options.js';

/**
 * What a connection is for.
 *
 * @see AmqpLink
 */
export type AmqpRole = 'reading' | 'writing';

/**
 * One broker, for sources and sinks. Two connections: a broker that is short of memory stops reading from those that
 * publish, and acks must not wait behind that.
 *
 * @see amqpLink
 */
export interface AmqpLink {
  /** The connection that sources read and settle over. */
  readonly reading: Link<AmqpConnection>;
  /** The connection that sinks publish over. */
  readonly writing: Link<AmqpConnection>;
  /** All of them, where `connections` asked for more; the two above are the first. */
  readonly links: { readonly [role in AmqpRole]: readonly Link<AmqpConnection>[] };
  /** @internal */
  readonly topology: AmqpTopology;
  /** The connection for the next source or sink. @internal */
  take(role: AmqpRole): Link<AmqpConnection>;
}

/** An open connection to the broker. @internal */
export interface AmqpConnection {
  readonly model: ChannelModel;
  /** What the broker is short of, while it reads nothing that is published. */
  blockedFor: string | undefined;
  /** Told when that begins and ends: one listener at the client for all, who may be many. */
  readonly writers: Set<(blockedFor: string | undefined) => void>;
  /** Largest message that the broker takes, once it has said so: it ends the channel for one that is larger. */
  maxMessageBytes: number;
  /** It is of no use any more. */
  readonly lost: (error: unknown) => void;
  /**
   * What a channel ended for, as its user has to tell it: a refusal may only mean that the token has expired, where new ones
   * are asked for. Then the connection is opened anew.
   */
  readonly refused: (error: SluiceError) => SluiceError;
  /** Leaves no socket behind, whatever the broker does. */
  readonly close: () => Promise<void>;
}

/**
 * Connections to a RabbitMQ broker, AMQP 0-9-1, each of which opens with its first user, closes with its last and comes
 * back by itself. Every source and sink has a channel of its own on them, so a channel that the broker closes takes
 * nothing else with it.
 *
 * A dead peer is found by heartbeats, after two to three times `heartbeatMs`. A refused login, a vhost that is not there
 * and a declaration that does not agree with the broker's end the link and reach the flow's `error`; everything else is
 * tried again and seen on `status$` of `reading` and `writing`. The password is in no error.
 *
 * @example
 * import { amqpLink, amqpSource } from 'sluice/amqp';
 * const link = amqpLink({ url: 'amqp://localhost', topology: { queues: [{ name: 'orders' }] } });
 * amqpSource(link, { queue: 'orders' }).subscribe((message) => message.ack());
 * @throws SluiceError `CONFIG_INVALID` for an option out of range or a URL that is none
 * Errors: `AUTH_FAILED` for a login, a vhost or a certificate, `CONFIG_INVALID` for a declaration, `PEER_MISSING` where
 * `amqplib` is not installed, with what to type.
 * Source: AMQP 0-9-1 specification, 4.2.7 (heartbeats); RabbitMQ guide «Connections», «Memory alarms».
 * @see amqpSource
 * @see amqpSink
 */
export function amqpLink(options: AmqpLinkOptions): AmqpLink {
  const target = checkAmqpLink(options);
  const { topology = {}, connections = 1, dangerouslyAllowPlainText } = options;
  const warn = insecureWarning('amqp');
  const way = { isSecure: target.protocol === 'amqps', hosts: [target.hostname], dangerouslyAllowPlainText };
  const link = (role: AmqpRole): Link<AmqpConnection> => {
    const dialled: Dialled = { farewells: 0 };
    return defineLink<AmqpConnection>(
      {
        connector: 'amqp',
        connect(context) {
          warn(way);
          return connect(options, target, role, dialled, context);
        },
        disconnect: ({ close }) => close(),
      },
      options,
    );
  };
  const pool = (role: AmqpRole): [Link<AmqpConnection>, ...Link<AmqpConnection>[]] => [
    link(role),
    ...Array.from({ length: connections - 1 }, () => link(role)),
  ];
  const links = { reading: pool('reading'), writing: pool('writing') };
  const taken = { reading: 0, writing: 0 };
  return {
    reading: links.reading[0],
    writing: links.writing[0],
    links,
    topology,
    take(role) {
      taken[role] += 1;
      return links[role][(taken[role] - 1) % connections] as Link<AmqpConnection>;
    },
  };
}

const FAREWELL = 'amqp could not connect: the broker said goodbye instead of opening the virtual host.';

/** What is known from earlier tries. */
interface Dialled {
  /** In a row. */
  farewells: number;
}

async function connect(
  { tls, name = 'sluice', connectTimeoutMs = 10_000, password }: AmqpLinkOptions,
  target: AmqpTarget,
  role: string,
  dialled: Dialled,
  context: LinkContext,
): Promise<AmqpConnection> {
  const { connect: dial } = await import('amqplib').catch(peerMissing('amqplib', '^2.0.0'));
  const attempt = new AbortController();
  context.abandoned(() => attempt.abort());
  const login = { ...target, password: (await askedText('amqpLink', 'password', password)) ?? target.password };
  const secured = await askedTls('amqpLink tls', tls);
  // A socket that is given a signal which has ended before connects all the same, and nobody would have it.
  attempt.signal.throwIfAborted();
  const settings = {
    ...secured,
    signal: attempt.signal,
    noDelay: true,
    keepAlive: true,
    timeout: connectTimeoutMs,
    clientProperties: { connection_name: `${name} ${role}` },
  };
  let model: ChannelModel;
  try {
    model = await (dial as (to: AmqpTarget, how: typeof settings) => Promise<ChannelModel>)(login, settings);
    dialled.farewells = 0;
  } catch (error) {
    dialled.farewells = isFarewell(error) ? dialled.farewells + 1 : 0;
    // A broker that was only stopping is not there the next time, or takes us.
    if (dialled.farewells === 1) throw new SluiceError('CONNECT_FAILED', FAREWELL, { retriable: true, cause: error });
    throw amqpError(error, 'amqp could not connect', 'CONNECT_FAILED');
  }
  const { stream } = model.connection as unknown as { readonly stream: AmqpStream & Socket };
  gatherWrites(stream, context.clock);
  const openedMs = context.clock.elapsed();
  const explained = (error: SluiceError): SluiceError =>
    maybeExpired(error, typeof password === 'function', context.clock.elapsed() - openedMs);
  let failure: unknown;
  const connection: AmqpConnection = {
    model,
    blockedFor: undefined,
    writers: new Set(),
    maxMessageBytes: Infinity,
    lost: (error) => context.lost(explained(amqpLost(failure ?? error, 'amqp connection closed'))),
    refused(error) {
      const told = explained(error);
      if (told !== error) context.lost(told);
      return told;
    },
    async close() {
      // The client only ends its half: a broker that does not read would keep the socket, and with it the process.
      if (await closeAmqp(model, context.clock)) stream.destroySoon();
      else stream.destroy(new Error('The broker did not answer that the connection is closed.'));
    },
  };
  // Without a listener the process would end; `close` always comes after it.
  model.on('error', (error) => (failure = error));
  model.on('close', connection.lost);
  const blocked = (blockedFor: string | undefined): void => {
    connection.blockedFor = blockedFor;
    for (const writer of [...connection.writers]) writer(blockedFor);
  };
  model.on('blocked', (reason: string) => blocked(reason));
  model.on('unblocked', () => blocked(undefined));
  return connection;
}
