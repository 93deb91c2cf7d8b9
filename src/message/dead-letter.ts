import { isSluiceError } from '../errors.js';
import { checkArgument, type OptionRule } from '../options.js';
import { type Envelope, isMessage } from './envelope.js';
import { headerText, HEADERS, type HeaderValue, type MessageHeaders } from './headers.js';
import type { Message } from './message.js';

/** Longest reason text that a dead letter carries. */
const MAX_REASON = 500;
/** How far causes are followed. */
const MAX_CAUSES = 5;
const MESSAGE: OptionRule = (value) => (isMessage(value) ? undefined : 'expected a message');

/**
 * The headers of a message that is moved to the dead letters: its own, and beside them why it was given up, by which
 * stage, how often it had been delivered, and which topic it was first read from. A message that dies a second time keeps
 * its first topic. The reason is the text of the error and of its causes, each with its own code or name, without control
 * characters, at most 500 characters. Logins and what looks like a secret are taken out of it, and what `JSON.parse` quotes
 * of a payload; what else an error of your own says is kept.
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
  return (reason instanceof Error ? field(reason, 'name') : undefined) ?? 'unknown';
}

/** A stage says only that it failed: why is what its work threw, one or several causes down. */
function textOf(reason: unknown): string {
  let text = messageOf(reason) ?? 'no reason given';
  let cause = causeOf(reason);
  for (let depth = 0; cause !== undefined && depth < MAX_CAUSES; depth += 1) {
    const known = text;
    const more = [labelOf(cause), messageOf(cause)].filter((part) => part !== undefined && !known.includes(part));
    if (more.length > 0) text += ` Caused by ${more.join(': ')}`;
    cause = causeOf(cause);
  }
  return printable(text);
}

/** At most as much as matters, so that nothing below has to go through a text without end. */
function messageOf(reason: unknown): string | undefined {
  const text = typeof reason === 'string' ? reason : field(reason, 'message');
  return text === undefined || text === '' ? undefined : withoutSecrets(text.slice(0, 2 * MAX_REASON));
}

/** The system's or the user's own code, otherwise the kind of error where it says more than that it is one. */
function labelOf(cause: unknown): string | undefined {
  const label = field(cause, 'code') ?? field(cause, 'name');
  return label === undefined || label === '' || label === 'Error' ? undefined : withoutSecrets(label.slice(0, 100));
}

function causeOf(reason: unknown): unknown {
  return typeof reason === 'object' && reason !== null ? (reason as { cause?: unknown }).cause : undefined;
}

function field(value: unknown, name: 'code' | 'message' | 'name'): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const text = (value as Readonly<Record<string, unknown>>)[name];
  return typeof text === 'string' ? text : undefined;
}

/** Clients put the address they connect to into their errors, login included, and `JSON.parse` what it was given. */
function withoutSecrets(text: string): string {
  return text
    .replace(/:\/\/[^\s/@]+@/g, '://***@')
    .replace(/\b(authorization["']?\s*[=:]\s*["']?|bearer )(?:(?:basic|bearer) )?[^\s,;"']+/gi, '$1***')
    .replace(
      /\b(pass(?:word|wd|phrase)?|pwd|secret|token|api[-_]?key)(["']?\s*[=:]\s*)("[^"]*"|'[^']*'|[^\s,;&]+)/gi,
      '$1$2***',
    )
    .replace(/(?:, )?(?:\.\.\.)?".*" is not valid JSON$/s, ' in JSON');
}

function printable(text: string): string {
  return (
    text
      .slice(0, MAX_REASON)
      // A header that carries a line break would be refused, or split, by the next protocol.
      // eslint-disable-next-line no-control-regex -- control characters are what is looked for
      .replace(/[\u0000-\u001f\u007f-\u009f\p{Noncharacter_Code_Point}]+/gu, ' ')
      // Half a surrogate pair, as the cut may leave it, has no bytes in UTF-8.
      .replace(/\p{Cs}/gu, '')
  );
}
