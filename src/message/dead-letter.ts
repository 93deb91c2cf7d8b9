import { isSluiceError } from '../errors.js';
import { checkArgument, type OptionRule } from '../options.js';
import { type Envelope, isMessage } from './envelope.js';
import { headerText, HEADERS, type HeaderValue, type MessageHeaders } from './headers.js';
import type { Message } from './message.js';

/** Longest reason text that a dead letter carries. */
const MAX_REASON = 500;
const MESSAGE: OptionRule = (value) => (isMessage(value) ? undefined : 'expected a message');

/**
 * The headers of a message that is moved to the dead letters: its own, and beside them why it was given up, by which
 * stage, how often it had been delivered, and which topic it was first read from. A message that dies a second time keeps
 * its first topic. The reason is the error's text without control characters, at most 500 characters; never the payload.
 *
 * @example
 * import { deadLetterHeaders } from 'sluice/connection';
 * const headers = deadLetterHeaders(message, error, 'line 7');
 * @param message the message as it was read, before any stage changed its headers
 * @param reason what the message was nacked with
 * @param position where in its source it stood, as text
 * @throws SluiceError `CONFIG_INVALID` for what is no message
 * @see HEADERS
 */
export function deadLetterHeaders(message: Message<unknown>, reason: unknown, position?: string): MessageHeaders {
  checkArgument('deadLetterHeaders', 'message', message, MESSAGE);
  const { headers, topic, attempt } = message;
  const stage = (message as Envelope<unknown>).root.holder;
  const dead: Record<string, HeaderValue> = {
    ...headers,
    [HEADERS.deadReason]: textOf(reason),
    [HEADERS.deadCode]: codeOf(reason),
    [HEADERS.deadTopic]: headerText(headers, HEADERS.deadTopic) ?? topic,
    [HEADERS.deadAttempt]: String(attempt),
  };
  if (stage !== '') dead[HEADERS.deadStage] = stage;
  if (position !== undefined) dead[HEADERS.deadPosition] = position;
  return dead;
}

function codeOf(reason: unknown): string {
  if (isSluiceError(reason)) return reason.code;
  return reason instanceof Error ? reason.name : 'unknown';
}

function textOf(reason: unknown): string {
  const text = reason instanceof Error ? reason.message : typeof reason === 'string' ? reason : 'no reason given';
  // A header that carries a line break would be refused, or split, by the next protocol.
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  return text.slice(0, MAX_REASON).replace(/[\u0000-\u001f\u007f]+/g, ' ');
}
