import type { ReaderContext, Reader } from '../connection/define-source.js';
import type { Writer, WriterContext } from '../connection/define-sink.js';
import { SluiceError } from '../errors.js';
import { loneSurrogateAt } from '../mappers/utf8.js';
import type { FrameReceiver, WebSocketConnection, WebSocketFrame } from './websocket-connection.js';
import type { WebSocketData } from './websocket-wire.js';

/**
 * Where a message of a plain WebSocket came from.
 *
 * @see webSocketSource
 */
export interface WebSocketMeta {
  /** The subprotocol that was agreed on, empty when none was. */
  readonly protocol: string;
}

/** How frames are read. */
export interface ReadFrames {
  readonly topic?: string | undefined;
  readonly match?: ((frame: WebSocketFrame) => boolean) | undefined;
  /** What may wait before the peer is made to wait; `undefined` where something is given up instead. */
  readonly maxBufferedBytes: number | undefined;
  /** The end of the connection is the end of the flow: it will not come back. */
  readonly endsWithConnection: boolean;
  /** Gives the connection up when so much waits for credit. */
  readonly closeAt?: { readonly messages: number; readonly bytes: number } | undefined;
}

/** How frames are written. */
export interface WriteFrames {
  readonly maxBytes: number;
  /** The end of the connection is the end of the sink: it will not come back. */
  readonly endsWithConnection: boolean;
}

/** A message weighs at least this much, so that a flood of empty ones is bounded too. */
const LEAST_BYTES = 64;

/**
 * Reads frames as messages. They are read ahead of the credit up to a bound, so that the peer's pings behind them are
 * answered; at the bound reading stops and the network makes the peer wait.
 *
 * @internal
 */
export function frameReader(
  context: ReaderContext<WebSocketData>,
  connection: WebSocketConnection,
  options: ReadFrames,
): Reader {
  const topic = options.topic ?? connection.topic;
  const meta: WebSocketMeta = { protocol: connection.protocol };
  const { maxBufferedBytes, closeAt, endsWithConnection } = options;
  let stopped = false;

  const receiver: FrameReceiver = {
    match: options.match,
    take(payload, size) {
      if (closeAt !== undefined && (context.waiting >= closeAt.messages || context.waitingBytes >= closeAt.bytes)) {
        connection.fail(overflowed(context.waiting));
        return;
      }
      if (context.offer({ payload, topic, meta, bytes: Math.max(size, LEAST_BYTES) })) return;
      if (maxBufferedBytes !== undefined && context.waitingBytes >= maxBufferedBytes) connection.hold(receiver);
    },
    ended() {
      if (endsWithConnection) context.end();
    },
  };
  const isOver = (): boolean => endsWithConnection && (stopped || !connection.isOpen);
  connection.attach(receiver);
  return {
    resume() {
      if (isOver()) context.end();
      else connection.release(receiver);
    },
    peek() {
      if (isOver()) context.end();
    },
    settle: () => undefined,
    stop() {
      stopped = true;
      connection.detach(receiver);
    },
    close: () => connection.detach(receiver),
  };
}

function overflowed(waiting: number): SluiceError {
  const text = `${waiting} messages wait for credit and one more came (overflow: 'close').`;
  return new SluiceError('OVERFLOW', text, { retriable: true, details: { connector: 'websocket' } });
}

/**
 * Writes messages as frames; each is confirmed when the kernel took it, which says nothing about the peer.
 *
 * @internal
 */
export function frameWriter(
  context: WriterContext,
  connection: WebSocketConnection,
  options: WriteFrames,
): Writer<WebSocketData> {
  const { maxBytes, endsWithConnection } = options;
  const gone = new SluiceError('CONNECTION_LOST', 'The client is gone.', { details: { connector: 'websocket' } });
  if (endsWithConnection && !connection.isUsable) throw gone;
  /** Frames that neither the kernel has nor a lost connection has given back. */
  let unwritten = 0;
  const leave = [
    connection.onWritable(() => context.resume()),
    ...(endsWithConnection ? [connection.onClosed(() => context.lost(gone))] : []),
  ];
  return {
    send(sending) {
      const { payload } = sending.message;
      const fault = frameFault(payload, maxBytes);
      if (fault !== undefined) {
        sending.fail(fault, 'dead');
        return true;
      }
      // A failed write is followed by the loss of the connection: the message then goes out over the next one.
      unwritten += 1;
      return connection.send(payload, (error) => {
        unwritten -= 1;
        if (error === undefined || error === null) sending.confirm();
      });
    },
    close() {
      for (const cancel of leave) cancel();
      // What is sent again over the same connection would come twice.
      if (unwritten > 0 && connection.isUsable) connection.fail(stuck());
    },
  };
}

function stuck(): SluiceError {
  const text = 'The connection is given up: the network did not take what was sent over it.';
  return new SluiceError('CONNECTION_LOST', text, { retriable: true, details: { connector: 'websocket' } });
}

/** What keeps a payload from being a frame. @internal */
export function frameFault(payload: unknown, maxBytes: number): SluiceError | undefined {
  const isText = typeof payload === 'string';
  if (!isText && !(payload instanceof Uint8Array)) {
    return new SluiceError('ENCODE_FAILED', 'A WebSocket frame is a text or a Uint8Array: encode the payload before.');
  }
  const half = isText ? loneSurrogateAt(payload) : -1;
  if (half !== -1) {
    const text = `The text has half a surrogate pair at character ${half}: it has no UTF-8 form, so another text would be sent.`;
    return new SluiceError('ENCODE_FAILED', text);
  }
  const bytes = isText ? utf8Bytes(payload, maxBytes) : payload.byteLength;
  if (bytes <= maxBytes) return undefined;
  return new SluiceError('PAYLOAD_TOO_LARGE', `The message has more than ${maxBytes} bytes (maxBytes).`, {
    details: { connector: 'websocket', maxBytes },
  });
}

/** The payload, where it is a frame. @throws SluiceError `ENCODE_FAILED`, `PAYLOAD_TOO_LARGE` @internal */
export function checkedFrame(payload: WebSocketData, maxBytes: number): WebSocketData {
  const fault = frameFault(payload, maxBytes);
  if (fault !== undefined) throw fault;
  return payload;
}

const encoder = new TextEncoder();

/** Encoded only where the length in characters cannot decide. */
function utf8Bytes(text: string, maxBytes: number): number {
  if (text.length * 3 <= maxBytes || text.length > maxBytes) return text.length;
  return encoder.encode(text).byteLength;
}
