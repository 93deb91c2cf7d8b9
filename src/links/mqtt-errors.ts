import { trustCure } from '../connection/trust-cure.js';
import { isSluiceError, SluiceError, type ErrorCode } from '../errors.js';
import { upgradeRefused } from './websocket-errors.js';

/** What a reason code means where trying again does not change it. Source: MQTT 5.0, 2.4. */
const FINAL: Readonly<Record<number, readonly [code: ErrorCode, meaning: string]>> = {
  0x84: ['CONFIG_INVALID', 'it does not speak this version of the protocol (protocolVersion)'],
  0x85: ['CONFIG_INVALID', 'the client identifier is not valid there (clientId)'],
  0x86: ['AUTH_FAILED', 'the user name or the password is wrong'],
  0x87: ['AUTH_FAILED', 'it is not allowed'],
  0x8a: ['AUTH_FAILED', 'this client is banned'],
  0x8c: ['AUTH_FAILED', 'it does not authenticate in this way'],
  0x8e: ['CONFIG_INVALID', 'another client connected with the same client identifier (clientId)'],
  0x8f: ['CONFIG_INVALID', 'the topic filter is not valid there'],
  0x90: ['TOPIC_INVALID', 'the topic is not valid there'],
  0x95: ['PAYLOAD_TOO_LARGE', 'the message is larger than it takes'],
  0x99: ['SINK_FAILED', 'the payload is not of the format it was said to be'],
  0x9a: ['CONFIG_INVALID', 'it keeps no retained messages (retain)'],
  0x9b: ['CONFIG_INVALID', 'it does not offer this QoS (qos)'],
  0x9d: ['CONNECT_FAILED', 'it moved to another address'],
  0x9e: ['CONFIG_INVALID', 'it has no shared subscriptions (share)'],
  0xa2: ['CONFIG_INVALID', 'it has no wildcards in subscriptions (topics)'],
};

/** The return codes of a CONNACK of MQTT 3.1.1 as reason codes of MQTT 5. */
const REFUSALS: Readonly<Record<number, number>> = { 1: 0x84, 2: 0x85, 3: 0x88, 4: 0x86, 5: 0x87 };

/** Reason codes that a broker gives before it hangs up for a reason of its own. */
const SHUTTING_DOWN = 0x8b;
/** Those for which it hangs up over one message: its topic, its size, its payload. */
const OVER_A_MESSAGE: ReadonlySet<number> = new Set([0x90, 0x95, 0x99]);

/**
 * What the broker said with a reason code, as an error of ours; whether trying again can help is known from it.
 *
 * @param code what an unknown reason is reported as
 * @internal
 */
export function reasonError(reason: number, what: string, code: ErrorCode): SluiceError {
  const known = FINAL[reason];
  const details = { reasonCode: reason };
  const shown = `0x${reason.toString(16).padStart(2, '0')}`;
  if (known === undefined)
    return new SluiceError(code, `${what}: the broker answered ${shown}.`, { details, retriable: true });
  return new SluiceError(known[0], `${what}: ${known[1]} (${shown}).`, { details });
}

/** The broker did not let the client in. @internal */
export function connectRefused(code: number): SluiceError {
  return reasonError(REFUSALS[code] ?? code, 'The broker refused the connection', 'CONNECT_FAILED');
}

/** The broker did not take the subscription. MQTT 3.1.1 knows no reason but 0x80. @internal */
export function subscribeRefused(reason: number, filter: string, isPlain: boolean): SluiceError {
  const what = `The broker refused the subscription of '${filter}'`;
  if (!isPlain) return reasonError(reason, what, 'CONNECT_FAILED');
  const guess = filter.startsWith('$share/')
    ? 'it is not allowed, or the broker has no shared subscriptions (share)'
    : 'most likely it is not allowed';
  return new SluiceError('AUTH_FAILED', `${what}. MQTT 3.1.1 gives no reason: ${guess}.`, {
    details: { reasonCode: reason },
  });
}

/** The broker took the message and refused it. @internal */
export function publishRefused(reason: number): SluiceError {
  return reasonError(reason, 'The broker refused a message', 'SINK_FAILED');
}

/** The refusal of a message, where that is what the broker says goodbye for. @internal */
export function refusedWithGoodbye(reason: number): SluiceError | undefined {
  return OVER_A_MESSAGE.has(reason) ? publishRefused(reason) : undefined;
}

/**
 * The broker answered a message with a reason that MQTT 5 does not have there, for which the client gives the connection up.
 *
 * Source: MQTT 5.0, 3.4.2.1 (PUBACK Reason Code).
 *
 * @internal
 */
export function isUnreadRefusal(error: unknown): boolean {
  return error instanceof Error && error.message === 'Invalid puback reason code';
}

/** The message that it was. @internal */
export function refusedUnread(): SluiceError {
  const text =
    'The broker refused a message with a reason that MQTT does not have there. Mosquitto does so with what is larger than its message_size_limit: set maxBytes to that.';
  return new SluiceError('SINK_FAILED', text);
}

/** The broker said goodbye. @internal */
export function disconnected(reason: number): SluiceError {
  if (reason === SHUTTING_DOWN || reason === 0)
    return new SluiceError('CONNECTION_LOST', 'The broker shuts down.', { retriable: true });
  const refusal = refusedWithGoodbye(reason);
  // The connection is not at fault, nor are the other messages.
  if (refusal !== undefined)
    return new SluiceError('CONNECTION_LOST', refusal.message, { retriable: true, details: refusal.details });
  return reasonError(reason, 'The broker ended the connection', 'CONNECTION_LOST');
}

/**
 * What went wrong with the connection itself.
 *
 * @param isOpen whether it had been open
 * @internal
 */
export function connectionFailed(error: unknown, isOpen: boolean): SluiceError {
  if (isSluiceError(error)) return error;
  const { code, message = 'closed' } = (error ?? {}) as { readonly code?: unknown; readonly message?: string };
  // Where a name has several addresses and none answers, the text is empty; that of TLS says where in its sources it was.
  const said = message === '' || message.includes(':error:') ? String(code) : message.slice(0, 200);
  // What the broker answered comes with the number of it; once open, so does what the client found wrong by itself.
  if (typeof code === 'number' && !isOpen) return connectRefused(code);
  const status = /^Unexpected server response: (\d{3})$/.exec(said)?.[1];
  if (status !== undefined) return upgradeRefused(Number(status));
  const cure = trustCure(code);
  if (cure !== undefined) {
    const text = `mqtt could not connect: ${said}; ${cure}`;
    return new SluiceError('AUTH_FAILED', text, { details: { code }, cause: error });
  }
  if (!isOpen) {
    return new SluiceError('CONNECT_FAILED', `mqtt could not connect: ${said}`, { retriable: true, cause: error });
  }
  const isSystems = typeof code === 'string' || error === undefined;
  return new SluiceError(isSystems ? 'CONNECTION_LOST' : 'PROTOCOL_ERROR', `mqtt connection failed: ${said}`, {
    retriable: true,
    cause: error,
  });
}
