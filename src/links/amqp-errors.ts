import { trustCure } from '../connection/trust-cure.js';
import { isSluiceError, SluiceError, type ErrorCode } from '../errors.js';

/** Reply codes of AMQP 0-9-1 (section 1.2, `reply-code`) that trying again does not change. */
const ACCESS_REFUSED = 403;
const NOT_FOUND = 404;
const PRECONDITION_FAILED = 406;
const NOT_ALLOWED = 530;

/** What the client says of bytes that are no frame of AMQP. */
const UNREAD =
  /^(Invalid frame|Frame size \d+ exceeds|Unknown frame type|Unexpected type tag|Frame on unknown channel)/;

/** What to do, by what the broker says. */
const CURES: readonly (readonly [said: RegExp, cure: string])[] = [
  [/login was refused/i, 'correct username and password; it takes guest from its own machine only'],
  [/no (queue|exchange) '/, 'declare it in the topology of the link, or correct its name'],
  [/of queue type rabbit_stream_queue/, 'that is a stream, which cannot be read here: name a quorum or classic queue'],
  [/inequivalent arg/, 'declare it as the broker has it, or delete it there'],
];

/**
 * What the client said while something was opened, as an error of ours; whether trying again can help is known from its
 * reply code.
 *
 * @param otherwise the code of what can be tried again
 * @internal
 */
export function amqpError(error: unknown, what: string, otherwise: ErrorCode = 'CONNECTION_LOST'): SluiceError {
  if (isSluiceError(error)) return error;
  const { code, message = 'closed' } = (error ?? {}) as { code?: unknown; message?: string };
  const todo = CURES.find(([known]) => known.test(message))?.[1];
  const said = `${what}: ${message.slice(0, 200)}${todo === undefined ? '' : `; ${todo}`}`;
  const told = { cause: error, details: typeof code === 'number' || typeof code === 'string' ? { code } : {} };
  if (/heartbeat timeout/i.test(message)) return new SluiceError('PEER_LOST', said, { ...told, retriable: true });
  if (isFarewell(error))
    return new SluiceError(
      'AUTH_FAILED',
      `${what}: the broker refused the virtual host: it is not there, or not for this user.`,
      told,
    );
  // The client itself refuses what cannot be written: a name that is too long, an argument of a kind that AMQP has not.
  if (error instanceof TypeError || error instanceof RangeError) return new SluiceError('CONFIG_INVALID', said, told);
  const cure = trustCure(code);
  if (cure !== undefined) return new SluiceError('AUTH_FAILED', `${said}; ${cure}`, told);
  const reply = replyCode(code, message);
  // Somebody else reads it, perhaps this process before it lost its connection: they go.
  const isTaken = reply === ACCESS_REFUSED && /exclusive use/i.test(message);
  if ((reply === ACCESS_REFUSED && !isTaken) || reply === NOT_ALLOWED)
    return new SluiceError('AUTH_FAILED', said, told);
  // A broker that comes back serves clients before all of its queues are up.
  const isNotYetUp = reply === NOT_FOUND && /is down or inaccessible|process is stopped/i.test(message);
  if ((reply === NOT_FOUND && !isNotYetUp) || reply === PRECONDITION_FAILED)
    return new SluiceError('CONFIG_INVALID', said, told);
  return new SluiceError(otherwise, said, { ...told, retriable: true });
}

/**
 * The broker closed the connection where it should have opened the virtual host: there is none, it is not for this user,
 * or the broker is just stopping. The client shows only which frame came, not what it says.
 *
 * @internal
 */
export function isFarewell(error: unknown): boolean {
  return error instanceof Error && error.message.includes('got <ConnectionClose');
}

/**
 * The same for what worked until now: something that is gone, or was settled twice, is put right by opening again. Only
 * a permission that was taken away is not, nor a message that the client cannot read: it would come again each time.
 *
 * @internal
 */
export function amqpLost(error: unknown, what: string): SluiceError {
  if (isTooDeep(error)) {
    const text = `${what}: the headers of a message are nested deeper than the client can read: take it out of its queue.`;
    return new SluiceError('PROTOCOL_ERROR', text, { cause: error });
  }
  const told = amqpError(error, what);
  const isUnread = UNREAD.test((error as Error | undefined)?.message ?? '');
  if (told.code !== 'CONFIG_INVALID' && !isUnread) return told;
  const code = isUnread ? 'PROTOCOL_ERROR' : 'CONNECTION_LOST';
  return new SluiceError(code, told.message, { cause: error, details: told.details, retriable: true });
}

/** The client reads a table in a table by calling itself. */
function isTooDeep(error: unknown): boolean {
  return error instanceof RangeError && error.message.includes('call stack');
}

/** The largest message that the broker takes, where that is what it closed a channel for. @internal */
export function sizeLimit(error: unknown): number | undefined {
  const { message = '' } = (error ?? {}) as { message?: string };
  const [, limit] = /message size \d+ is larger than (?:configured )?max size (\d+)/.exec(message) ?? [];
  return limit === undefined ? undefined : Number(limit);
}

/** As a number, or only in the sentence: the client writes `403 (ACCESS-REFUSED)`. */
function replyCode(code: unknown, message: string): number | undefined {
  if (typeof code === 'number') return code;
  const [, told] = /\b(\d{3}) \([A-Z-]+\)/.exec(message) ?? [];
  return told === undefined ? undefined : Number(told);
}
