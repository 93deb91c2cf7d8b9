import type { Clock } from '../clock.js';
import { defineSink, SINK_RULES, type SinkOptions, type Sending } from '../connection/define-sink.js';
import type { Sink } from '../connection/flow.js';
import { callable, checkOptions, configInvalid, integer, oneOf, required } from '../connection/options.js';
import type { Message } from '../message/message.js';
import { report } from '../observability/observe.js';
import { NO_DEADLINE } from './websocket-flow.js';
import { frameFault } from './websocket-frames.js';
import { Lane, type SlowPolicy } from './websocket-lane.js';
import type { ServedClient, WebSocketClient } from './websocket-server-client.js';
import { serverFrame } from './websocket-server-frame.js';
import type { WebSocketLimits } from './websocket.js';
import type { WebSocketData } from './websocket-wire.js';

/**
 * Options of {@link WebSocketServer.broadcast}.
 *
 * @see webSocketServer
 */
export interface WebSocketBroadcastOptions<P> extends SinkOptions {
  /**
   * What becomes of a client that does not keep up once its queue is full: it misses the oldest messages, gets only the
   * latest one per key, or is closed with 1013.
   */
  readonly overflow: SlowPolicy;
  /** Who gets a message; a throw counts as no, and is an event. Default: every client. Asked for each, so it has to be quick. */
  readonly to?: (client: WebSocketClient<P>, message: Message<WebSocketData>) => boolean;
  /** What `conflate` keeps the latest of. Default: the message's key, else its topic. */
  readonly keyOf?: (message: Message<WebSocketData>) => string;
  /** Messages that wait for one client. Default 1,024. */
  readonly maxQueuedPerClient?: number;
  /** Bytes that wait for one client, in its queue and its socket together. Default: the server's `maxBufferedBytes`. */
  readonly maxBufferedBytes?: number;
  /**
   * When a message is acked: once it stands in the queue of every client it is for (`queued`, the default), or once the
   * kernel took it for each of them that was not behind when it came (`sent`). Neither takes a `confirmTimeoutMs`: nothing of
   * `queued` is ever unconfirmed, and what some clients have of `sent` would go to all of them again.
   */
  readonly confirm?: 'queued' | 'sent';
}

/** Where a broadcast sends to. */
export interface BroadcastTo<P> {
  readonly served: Iterable<ServedClient<P>>;
  readonly limits: WebSocketLimits;
  readonly clock: Clock;
}

/** Counts down the clients that a message still has to leave for. */
class Leaving {
  private readonly sending: Sending<WebSocketData>;
  private open = 1;

  constructor(sending: Sending<WebSocketData>) {
    this.sending = sending;
  }

  add(): void {
    this.open += 1;
  }

  readonly done = (): void => {
    this.open -= 1;
    if (this.open === 0) this.sending.confirm();
  };
}

/** A throw counts as no: what fails for one client is nothing that others have to wait for, or get twice. */
function isWanted<P>(
  isFor: WebSocketBroadcastOptions<P>['to'],
  client: WebSocketClient<P>,
  message: Message<WebSocketData>,
): boolean {
  try {
    return isFor?.(client, message) !== false;
  } catch (reason) {
    report({ type: 'stage.failed', stage: 'websocket broadcast', reason });
    return false;
  }
}

/** A sink that sends each message to all clients it is for. @internal */
export function broadcastSink<P>(to: BroadcastTo<P>, options: WebSocketBroadcastOptions<P>): Sink<WebSocketData> {
  checkOptions<WebSocketBroadcastOptions<P>>('broadcast', options, {
    ...SINK_RULES,
    overflow: required(oneOf('drop-oldest', 'conflate', 'close')),
    to: callable,
    keyOf: callable,
    maxQueuedPerClient: integer(1),
    maxBufferedBytes: integer(1),
    confirm: oneOf('queued', 'sent'),
  });
  if ((options.confirmTimeoutMs ?? NO_DEADLINE) !== NO_DEADLINE) {
    const [kind, why] =
      options.confirm === 'sent'
        ? ['sent', 'would send to every client again what some have']
        : ['queued', 'has no effect, as a message is confirmed at once'];
    const cure = `leave it out: 'overflow' says what becomes of slow clients, and heartbeatMs of the server finds dead ones`;
    throw configInvalid('broadcast', [`'confirmTimeoutMs' with confirm: '${kind}' ${why}; ${cure}`]);
  }
  const { overflow, to: isFor, keyOf = (message) => message.key ?? message.topic, confirm = 'queued' } = options;
  const { maxQueuedPerClient = 1_024, maxBufferedBytes = to.limits.maxBufferedBytes } = options;
  const bounds = { policy: overflow, maxQueued: maxQueuedPerClient, maxBufferedBytes };
  // Goes with its client.
  const lanes = new WeakMap<ServedClient<P>, Lane>();

  function laneOf(served: ServedClient<P>): Lane {
    let lane = lanes.get(served);
    if (lane === undefined) lanes.set(served, (lane = new Lane(served.connection, served.client, bounds)));
    return lane;
  }

  /** Sends to all; returns how many bytes went to each. */
  function send(sending: Sending<WebSocketData>): number {
    const { message } = sending;
    const fault = frameFault(message.payload, to.limits.maxBytes);
    if (fault !== undefined) {
      sending.fail(fault, 'dead');
      return 0;
    }
    let frame: Uint8Array | undefined;
    let key: string | undefined;
    const leaving = confirm === 'sent' ? new Leaving(sending) : undefined;
    for (const served of to.served) {
      if (!isWanted(isFor, served.client, message)) continue;
      frame ??= serverFrame(message.payload);
      if (overflow === 'conflate') key ??= keyOf(message);
      const lane = laneOf(served);
      if (leaving === undefined || lane.isBehind) lane.put(frame, key);
      else {
        leaving.add();
        lane.put(frame, key, leaving.done);
      }
    }
    if (leaving === undefined) sending.confirm();
    else leaving.done();
    return frame?.byteLength ?? 0;
  }

  // What is sent in one turn leaves the process only after it: more than fits the queues would be dropped for clients that
  // keep up as well. So a burst is spread over turns.
  const turnBytes = Math.max(1, maxBufferedBytes >> 3);
  return defineSink<WebSocketData>(
    {
      connector: 'websocket broadcast',
      maxUnconfirmed: 256,
      open(context) {
        let sentBytes = 0;
        let sentCount = 0;
        let isOpen = true;
        const isSpent = (): boolean => sentBytes >= turnBytes || sentCount >= maxQueuedPerClient;
        const nextTurn = (): void => {
          sentBytes = sentCount = 0;
          if (isOpen) context.resume();
        };
        return {
          send(sending) {
            const wasSpent = isSpent();
            sentBytes += send(sending);
            sentCount += 1;
            if (!isSpent()) return true;
            if (!wasSpent) context.clock.yield(nextTurn);
            return false;
          },
          close: () => void (isOpen = false),
        };
      },
    },
    { ...options, clock: options.clock ?? to.clock, confirmTimeoutMs: NO_DEADLINE },
  );
}
