import { defineSink, SINK_RULES, type SinkOptions } from '../connection/define-sink.js';
import { defineSource, SOURCE_RULES, type Overflow, type SourceOptions } from '../connection/define-source.js';
import type { Flow, Sink } from '../connection/flow.js';
import { callable, checkOptions, either, having, required, text } from '../connection/options.js';
import { SOURCE_ELSEWHERE } from '../connection/source-options.js';
import type { ChannelFrames } from './websocket-channels.js';
import type { WebSocketConnection, WebSocketFrame } from './websocket-connection.js';
import { frameReader, frameWriter } from './websocket-frames.js';
import type { WebSocketLimits, WebSocketLink } from './websocket.js';
import type { WebSocketData } from './websocket-wire.js';

/** Credit of a source whose user names none. */
const CREDIT = 64;

/** Messages of a sink that may be written and not yet taken by the kernel. */
const MAX_UNCONFIRMED = 256;
/**
 * A frame that the kernel does not take waits for a slow peer, and that may take as long as it wants; a dead one is found by
 * its silence.
 */
export const NO_DEADLINE = 0;

/**
 * Options of a source of WebSocket frames.
 *
 * @see webSocketSource
 */
export interface WebSocketSourceOptions extends SourceOptions {
  /** Default: that of the link. */
  readonly topic?: string;
}

/**
 * What a channel of a shared connection is.
 *
 * @see webSocket
 */
export interface WebSocketChannelOptions extends WebSocketSourceOptions, ChannelFrames {
  /** Which frames belong to it: a predicate, or the values that fields of a JSON frame have, one or several for each. */
  readonly match: ((frame: WebSocketFrame) => boolean) | WebSocketMatch;
  /** Channels with one key share one open frame. Default: the open frame itself, where it is a text. */
  readonly key?: string;
}

/**
 * Fields of a JSON frame and the values they have to have.
 *
 * @see webSocket
 */
export type WebSocketMatch = Readonly<Record<string, unknown>>;

/** Where frames come from and go to: a link that comes back, or one connection that does not. */
export type FrameWay =
  | { readonly link: WebSocketLink }
  | { readonly connection: WebSocketConnection; readonly limits: WebSocketLimits };

/** Given by a source; a channel adds what its frames are. */
interface Selection {
  readonly name: string;
  readonly match?: (frame: WebSocketFrame) => boolean;
  readonly want?: () => () => void;
}

/** A flow of the frames that come this way. @internal */
export function framesIn(
  way: FrameWay,
  options: WebSocketSourceOptions = {},
  selection?: Selection,
): Flow<WebSocketData> {
  if (selection === undefined) checkFramesIn(options);
  const { overflow, credit } = options;
  const limits = 'link' in way ? way.link.limits : way.limits;
  const pauses = 'link' in way ? way.link.pauses : way.connection.canPause;
  const reading = {
    topic: options.topic,
    match: selection?.match,
    maxBufferedBytes: overflow === undefined ? limits.maxBufferedBytes : undefined,
    closeAt:
      overflow === 'close'
        ? { messages: typeof credit === 'number' ? Math.max(1, credit) : CREDIT, bytes: limits.maxBufferedBytes }
        : undefined,
    endsWithConnection: !('link' in way),
  };
  return defineSource<WebSocketData, WebSocketConnection | undefined>(
    {
      connector: selection?.name ?? 'websocket',
      credit: CREDIT,
      local: true,
      needsOverflow: !pauses || overflow !== undefined,
      ...(overflow === undefined ? {} : { maxInboxBytes: limits.maxBufferedBytes }),
      ...('link' in way ? { link: way.link } : {}),
      ...(selection?.want === undefined ? {} : { subscribed: selection.want }),
      open: (context, connection) => frameReader(context, connection ?? connectionOf(way), reading),
    },
    // The connection is closed by the reader, which knows it; the kit could only give up the reader.
    overflow === 'close' ? { ...options, overflow: 'drop-newest' satisfies Overflow } : options,
  );
}

/** The sink of what goes this way. @internal */
export function framesOut(way: FrameWay, options: SinkOptions = {}): Sink<WebSocketData> {
  checkFramesOut(options);
  const { maxBytes } = 'link' in way ? way.link.limits : way.limits;
  const writing = { maxBytes, endsWithConnection: !('link' in way) };
  return defineSink<WebSocketData, WebSocketConnection | undefined>(
    {
      connector: 'websocket',
      maxUnconfirmed: MAX_UNCONFIRMED,
      ...('link' in way ? { link: way.link } : {}),
      open: (context, connection) => frameWriter(context, connection ?? connectionOf(way), writing),
    },
    { ...options, confirmTimeoutMs: options.confirmTimeoutMs ?? NO_DEADLINE },
  );
}

/** Refuses bad options of a source, of whatever they were given to. @internal */
export function checkFramesIn(options: WebSocketSourceOptions, to: string = 'webSocketSource'): void {
  checkOptions<WebSocketSourceOptions>(to, options, { ...SOURCE_RULES, topic: text }, SOURCE_ELSEWHERE);
}

/** The same of a sink. @internal */
export function checkFramesOut(options: SinkOptions, to: string = 'webSocketSink'): void {
  checkOptions<SinkOptions>(to, options, SINK_RULES);
}

function connectionOf(way: FrameWay): WebSocketConnection {
  if ('link' in way) throw new TypeError('a link brings its connection');
  return way.connection;
}

/** A flow of the frames of one channel, which is open while somebody subscribes it. @internal */
export function channelOf(link: WebSocketLink, options: WebSocketChannelOptions): Flow<WebSocketData> {
  const frame = either(text, having('byteLength'), callable);
  checkOptions<WebSocketChannelOptions>('channel', options, {
    ...SOURCE_RULES,
    topic: text,
    open: required(frame),
    close: frame,
    match: required(either(callable, having())),
    key: text,
  });
  const { open, close, match, key } = options;
  const frames = { open, close };
  const shared = key ?? (typeof open === 'string' ? open : Symbol('channel'));
  return framesIn({ link }, options, {
    name: 'websocket channel',
    match: typeof match === 'function' ? match : fieldsMatch(match),
    want: () => link.channels.want(shared, frames),
  });
}

function fieldsMatch(wanted: WebSocketMatch): (frame: WebSocketFrame) => boolean {
  const fields = Object.entries(wanted).map(([name, value]) => [name, Array.isArray(value) ? value : [value]] as const);
  return ({ json }) => {
    if (typeof json !== 'object' || json === null) return false;
    return fields.every(
      ([name, values]) => Object.hasOwn(json, name) && values.includes((json as WebSocketMatch)[name]),
    );
  };
}
