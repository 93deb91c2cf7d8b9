import { connect as connectPlain, isIP, Socket } from 'node:net';
import { connect as connectSecure, type ConnectionOptions } from 'node:tls';
import type { ISocketFactory } from 'kafkajs';
import type { Clock } from '../clock.js';
import { SluiceError } from '../errors.js';
import type { KafkaEvents } from './kafka-driver.js';

/** Brokers end connections that are idle for long (`connections.max.idle.ms`): that is no loss. */
const IDLE_MS = 60_000;
const KEEP_ALIVE_MS = 10_000;

/**
 * The sockets of one client of kafkajs, which itself hides when one ends and opens another one behind its back: a member of
 * a group then goes on as if nothing had happened, with messages that somebody else may have by now.
 *
 * @internal
 */
export class KafkaJsSockets {
  readonly clock: Clock;
  private readonly events: KafkaEvents;
  private readonly open = new Set<Socket>();
  private isOver = false;
  private isReady = false;

  constructor(clock: Clock, events: KafkaEvents) {
    this.clock = clock;
    this.events = events;
  }

  readonly factory: ISocketFactory = ({ host, port, ssl, onConnect }) => {
    if (this.isOver) return gone(new Socket().destroy(new Error('The client is closed.')));
    const name = isIP(host) === 0 ? { servername: host } : {};
    let socket: Socket;
    try {
      socket = (ssl as ConnectionOptions | undefined)
        ? connectSecure({ host, port, ...name, ...ssl }, onConnect)
        : connectPlain({ host, port }, onConnect);
    } catch (error) {
      // Of what is thrown, as for a key that does not fit, the client keeps the text only.
      return gone(new Socket().destroy(error as Error));
    }
    this.watch(socket);
    return socket;
  };

  /** The client is connected: a loss is one from now on. Until then the client tries itself, and knows the reason. */
  ready(): void {
    this.isReady = true;
  }

  /** Nothing more is said; the client finishes by itself. */
  leave(): void {
    this.isOver = true;
  }

  /** Ends all of them, and those that the client still wants. */
  destroy(): void {
    this.isOver = true;
    // Without an error the client would not notice, and wait for answers.
    for (const socket of this.open) socket.destroy(new Error('The client is closed.'));
  }

  /**
   * The client keeps a half of an answer when its connection breaks, and takes the first bytes of the next one for the rest
   * of it. What it throws then, nobody could catch: here it is the end of that connection.
   */
  private guard(socket: Socket): void {
    const on = socket.on.bind(socket) as (event: string, listener: (...told: never[]) => void) => Socket;
    socket.on = ((event: string, listener: (data: Uint8Array) => void) => {
      if (event !== 'data') return on(event, listener);
      return on(event, (data: Uint8Array) => {
        try {
          listener(data);
        } catch (cause) {
          socket.destroy(new Error('What came is no answer.', { cause }));
        }
      });
    }) as typeof socket.on;
  }

  private watch(socket: Socket): void {
    const { clock, events } = this;
    this.guard(socket);
    let heardMs = clock.elapsed();
    socket.setNoDelay(true).setKeepAlive(true, KEEP_ALIVE_MS);
    const lost = (cause?: Error): void => {
      if (this.isOver || !this.isReady || socket.writableEnded || clock.elapsed() - heardMs >= IDLE_MS) return;
      const text = `kafka: a connection to a broker ${cause === undefined ? 'was closed' : `failed: ${cause.message}`}.`;
      events.lost(new SluiceError('CONNECTION_LOST', text, { retriable: true, cause }));
    };
    const opened = (): void => {
      heardMs = clock.elapsed();
      socket.on('end', () => lost()).on('error', lost);
    };
    this.open.add(socket);
    socket
      .on('connect', opened)
      .on('data', () => {
        heardMs = clock.elapsed();
        events.alive();
      })
      .on('close', () => void this.open.delete(gone(socket)));
  }
}

/**
 * The client ends its sockets again with each further try. Node defers an `unref` without a connection until there is one, which
 * leaves a listener behind each time.
 */
function gone(socket: Socket): Socket {
  socket.unref = () => socket;
  return socket;
}
