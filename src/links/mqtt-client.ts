/** A PUBLISH as the client hands it over. @internal */
export interface MqttPublish {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
  readonly dup: boolean;
  readonly messageId?: number;
  readonly properties?: MqttProperties;
}

/** Properties of MQTT 5 that are read or written here. @internal */
export interface MqttProperties {
  readonly contentType?: string;
  readonly responseTopic?: string;
  readonly correlationData?: Uint8Array;
  readonly messageExpiryInterval?: number;
  readonly userProperties?: Readonly<Record<string, string | readonly string[]>>;
  readonly topicAlias?: number;
}

/** What the broker says of itself when it lets a client in. @internal */
export interface MqttConnack {
  readonly sessionPresent: boolean;
  readonly properties?: {
    readonly receiveMaximum?: number;
    readonly maximumQoS?: number;
    readonly retainAvailable?: boolean;
    readonly maximumPacketSize?: number;
    readonly sessionExpiryInterval?: number;
    readonly sharedSubscriptionAvailable?: boolean;
    readonly wildcardSubscriptionAvailable?: boolean;
  };
}

/** How a publish is to go out. @internal */
export interface MqttPublishOptions {
  readonly qos: 0 | 1;
  readonly retain: boolean;
  readonly properties?: MqttProperties;
}

/** How a filter is subscribed. @internal */
export interface MqttSubscribeOptions {
  readonly qos: 0 | 1;
  /** Retain handling: 0 always, 1 when the subscription is new, 2 never. */
  readonly rh?: 0 | 1 | 2;
}

/** What the client calls when it is told no, or when all is well. */
type Answer<T> = (error?: unknown, value?: T, packet?: { readonly granted?: readonly number[] }) => void;

/**
 * What is used of the client of the package `mqtt`. Written down here, so that the types of this library stand without
 * those of the package, which need the types of Node.
 *
 * @internal
 */
export interface MqttClient {
  readonly connected: boolean;
  readonly stream: MqttStream;
  /** What waits for an answer, by packet identifier. */
  outgoing: Record<number, { readonly cb?: Answer<unknown> }>;
  /** Called with each PUBLISH, one at a time: nothing else is read until `done` is called. An error means: send no PUBACK. */
  handleMessage: (packet: MqttPublish, done: (error?: Error) => void) => void;
  /** Called when the client's own watch heard no PINGRESP, again and again until it does. */
  onKeepaliveTimeout: () => void;
  /** How it abbreviates topics, where both sides want that. */
  topicAliasSend?: { topicToAlias: Record<string, number> };
  sendPing(): void;
  publish(topic: string, payload: Uint8Array, options: MqttPublishOptions, answer: Answer<unknown>): unknown;
  /** Not as an object by filter: it takes a filter `resubscribe` for an option, and numbers come first in one. */
  subscribe(filters: readonly string[], options: MqttSubscribeOptions, answer: Answer<unknown>): unknown;
  unsubscribe(filters: readonly string[], answer: Answer<unknown>): unknown;
  end(force: boolean, options: object, done?: () => void): unknown;
  on(event: string, listener: (...given: never[]) => void): unknown;
}

/** What the client reads from and writes to: a socket, or something like one. @internal */
export interface MqttStream {
  readonly writableNeedDrain?: boolean;
  /** Keeps what is written until as many calls of `uncork`. */
  cork(): void;
  uncork(): void;
  write(bytes: Uint8Array): boolean;
  destroy(): unknown;
  once(event: 'drain', listener: () => void): unknown;
  on(event: 'error' | 'data', listener: (given: unknown) => void): unknown;
  /** Missing in browsers, and on streams over a WebSocket. */
  setNoDelay?(isOn: boolean): unknown;
}
