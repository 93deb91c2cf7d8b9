/**
 * Every code a {@link SluiceError} can carry. The list is closed: `docs/errors.md` has one entry per code with its cause
 * and what to do, and a test keeps both equal.
 */
export const ERROR_CODES = [
  'CONFIG_INVALID',
  'PEER_MISSING',
  'DECODE_FAILED',
  'ENCODE_FAILED',
  'SCHEMA_INVALID',
  'PAYLOAD_TOO_LARGE',
  'LIMIT_DEPTH',
  'LIMIT_KEYS',
  'LIMIT_NAME',
  'LIMIT_ITEMS',
  'LIMIT_NUMBER',
  'HANDLER_FAILED',
  'HANDLER_TIMEOUT',
  'BATCH_PARTIAL',
  'UNROUTED',
  'UNROUTABLE',
  'TOPIC_INVALID',
  'LOOP_DETECTED',
  'OVERFLOW',
  'SOURCE_FAILED',
  'SINK_CLOSED',
  'SINK_FAILED',
  'CONFIRM_TIMEOUT',
  'MESSAGE_SETTLED',
  'SETTLE_LOST',
  'ATTEMPTS_EXHAUSTED',
  'CONNECT_FAILED',
  'CONNECT_TIMEOUT',
  'CONNECTION_LOST',
  'AUTH_FAILED',
  'PROTOCOL_ERROR',
  'PEER_LOST',
  'STALLED',
  'DRAIN_TIMEOUT',
  'FILE_MISSING',
  'FILE_DENIED',
  'FILE_IS_DIRECTORY',
  'FILE_NOT_REGULAR',
  'FILE_LINK_LOOP',
  'FILE_OUTSIDE_ROOT',
  'FILE_TRUNCATED',
  'FILE_FULL',
  'FILE_FAILED',
  'OFFSET_INVALID',
] as const;

/** One of {@link ERROR_CODES}. */
export type ErrorCode = (typeof ERROR_CODES)[number];

/**
 * Facts beside the text: names, limits and positions. Never a payload, never a secret.
 *
 * @see SluiceError
 */
export type ErrorDetails = Readonly<Record<string, unknown>>;

/** What a {@link SluiceError} is made from besides its code and text. */
export interface SluiceErrorOptions {
  /** Whether trying the same thing again can succeed. Default: false. */
  readonly retriable?: boolean;
  /** Default: none, an empty object. */
  readonly details?: ErrorDetails;
  /** What was underneath, whatever was thrown. Default: none. */
  readonly cause?: unknown;
}

// Two copies of the package in one process still recognise each other's errors by this brand.
const BRAND = Symbol.for('sluice.error.v1');

/**
 * The one error type of the library. `code` says what happened, `retriable` whether another try can help, `details`
 * where, `cause` what was underneath.
 *
 * @example
 * import { isSluiceError } from 'sluice';
 * running.faults$.subscribe((fault) => {
 *   if (fault.type === 'message.nacked' && isSluiceError(fault.reason, 'DECODE_FAILED')) console.warn(fault.message.id);
 * });
 * @see isSluiceError
 */
export class SluiceError extends Error {
  readonly code: ErrorCode;
  readonly retriable: boolean;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, options: SluiceErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.retriable = options.retriable ?? false;
    this.details = options.details ?? {};
  }
}
Object.defineProperty(SluiceError.prototype, BRAND, { value: true });

/**
 * True for a {@link SluiceError}, also one from another copy of the package; with `code`, only for that code.
 *
 * @example
 * import { isSluiceError } from 'sluice';
 * isSluiceError(new Error('no')); // false
 * @see SluiceError
 */
export function isSluiceError(error: unknown, code?: ErrorCode): error is SluiceError {
  if (typeof error !== 'object' || error === null || !(BRAND in error)) return false;
  return code === undefined || (error as unknown as SluiceError).code === code;
}

/**
 * The error, with the connector that met it in its `details`, unless one is named there. One that cannot be changed, as a
 * connector may freeze the errors it hands out, is the `cause` of another like it.
 *
 * @internal
 */
export function metBy(connector: string, error: SluiceError): SluiceError {
  const { code, message, retriable } = error;
  if (error.details['connector'] !== undefined) return error;
  const details: ErrorDetails = { connector, ...error.details };
  return Reflect.set(error, 'details', details)
    ? error
    : new SluiceError(code, message, { retriable, details, cause: error });
}

/**
 * The error itself when it is a {@link SluiceError}, otherwise a new one of `code` that keeps it as `cause`. What was
 * thrown is never lost, also when it is not an Error.
 *
 * @internal
 */
export function toSluiceError(
  error: unknown,
  code: ErrorCode,
  message: string,
  options: Omit<SluiceErrorOptions, 'cause'> = {},
): SluiceError {
  if (isSluiceError(error)) return error;
  return new SluiceError(code, `${message}: ${textOf(error).slice(0, 200)}`, { ...options, cause: error });
}

/** Anything may be thrown, also what has no text, or a message that is none. */
function textOf(thrown: unknown): string {
  try {
    return String(thrown instanceof Error ? thrown.message : thrown);
  } catch {
    return `a thrown ${typeof thrown} without a text`;
  }
}
