import { trustCure } from '../connection/trust-cure.js';
import type { ErrorCode } from '../errors.js';
import { isSluiceError, SluiceError } from '../errors.js';

/** What the protocol's error codes mean to us. What is not listed is tried again. */
const MEANINGS: Readonly<Record<string, ErrorCode>> = {
  SASL_AUTHENTICATION_FAILED: 'AUTH_FAILED',
  UNSUPPORTED_SASL_MECHANISM: 'AUTH_FAILED',
  TOPIC_AUTHORIZATION_FAILED: 'AUTH_FAILED',
  GROUP_AUTHORIZATION_FAILED: 'AUTH_FAILED',
  CLUSTER_AUTHORIZATION_FAILED: 'AUTH_FAILED',
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: 'AUTH_FAILED',
  UNKNOWN_TOPIC_OR_PARTITION: 'CONFIG_INVALID',
  INVALID_TOPIC_EXCEPTION: 'CONFIG_INVALID',
  INVALID_GROUP_ID: 'CONFIG_INVALID',
  INCONSISTENT_GROUP_PROTOCOL: 'CONFIG_INVALID',
  INVALID_SESSION_TIMEOUT: 'CONFIG_INVALID',
  INVALID_REQUIRED_ACKS: 'CONFIG_INVALID',
  INVALID_CONFIG: 'CONFIG_INVALID',
  UNSUPPORTED_VERSION: 'PROTOCOL_ERROR',
  UNSUPPORTED_FOR_MESSAGE_FORMAT: 'PROTOCOL_ERROR',
  MESSAGE_TOO_LARGE: 'PAYLOAD_TOO_LARGE',
  RECORD_LIST_TOO_LARGE: 'PAYLOAD_TOO_LARGE',
  INVALID_RECORD: 'SINK_FAILED',
  INVALID_TIMESTAMP: 'SINK_FAILED',
};

const FENCED = ': where it comes again and again, give each running sink a transactionalId of its own';

/** What to do, where what the broker says does not tell. */
const CURES: Readonly<Record<string, string>> = {
  INVALID_PRODUCER_EPOCH: FENCED,
  PRODUCER_FENCED: FENCED,
  UNKNOWN_TOPIC_OR_PARTITION: ': create the topic, or set autoCreateTopics of the link',
  UNSUPPORTED_SASL_MECHANISM: `: choose another 'mechanism' of sasl`,
  INCONSISTENT_GROUP_PROTOCOL: ': choose another group, others read in this one in another way',
  INVALID_SESSION_TIMEOUT: ': choose sessionTimeoutMs as group.min.session.timeout.ms and its max allow',
  MESSAGE_TOO_LARGE: ': choose a smaller maxBytes, or a larger max.message.bytes of the topic',
  RECORD_LIST_TOO_LARGE: ': choose a smaller maxBatchBytes, or a larger max.message.bytes of the topic',
};

/** What clients say of themselves in their errors. */
interface ClientError {
  readonly name?: string;
  readonly message?: string;
  /** kafkajs: the protocol's name of the error. */
  readonly type?: string;
  /** @platformatic/kafka: the same. */
  readonly apiId?: string;
  readonly code?: unknown;
  readonly cause?: unknown;
  readonly errors?: readonly unknown[];
}

/**
 * What a client said, as an error of ours; whether trying again can help is known from the protocol's code.
 *
 * Source: Apache Kafka protocol guide, «Error Codes».
 *
 * @param otherwise the code of what is not known and tried again
 * @internal
 */
export function kafkaError(error: unknown, what: string, otherwise: ErrorCode = 'CONNECTION_LOST'): SluiceError {
  if (isSluiceError(error)) return error;
  const found = innermost(error);
  // Of ours, and wrapped by a client that it went through.
  if (isSluiceError(found.error)) return found.error;
  const { name = '', message = 'closed' } = found.error;
  const said = `${what}: ${message.slice(0, 200)}${CURES[found.type ?? ''] ?? ''}`;
  const details = found.type === undefined ? {} : { type: found.type };
  const told = { cause: error, details };
  if (found.type !== undefined && found.type in MEANINGS)
    return new SluiceError(MEANINGS[found.type] as ErrorCode, said, told);
  const { code } = found.error;
  const cure = trustCure(code);
  if (cure !== undefined) return new SluiceError('AUTH_FAILED', `${said}; ${cure}`, told);
  if (name === 'KafkaJSSASLAuthenticationError') return new SluiceError('AUTH_FAILED', said, told);
  // A compression that the client does not know, and would not know the next time either.
  if (name === 'KafkaJSNotImplemented' || code === 'PLT_KFK_UNSUPPORTED_COMPRESSION')
    return new SluiceError('PROTOCOL_ERROR', said, told);
  const retriable = { ...told, retriable: true };
  if (name === 'KafkaJSRequestTimeoutError') return new SluiceError('PEER_LOST', said, retriable);
  return new SluiceError(otherwise, said, retriable);
}

/** The protocol's name of what is at the bottom of an error, where it has one. @internal */
export function kafkaErrorType(error: unknown): string | undefined {
  return innermost(error).type;
}

function innermost(error: unknown): { readonly error: ClientError; readonly type: string | undefined } {
  let at = (error ?? {}) as ClientError;
  // Retries, aggregates and wrappers of wrappers; no chain is that long.
  for (let depth = 0; depth < 8; depth += 1) {
    const type = at.type ?? at.apiId;
    if (typeof type === 'string') return { error: at, type };
    const inner = toldBy(at.errors) ?? at.cause;
    if (typeof inner !== 'object' || inner === null) break;
    at = inner;
  }
  return { error: at, type: undefined };
}

/**
 * Of several the one to go by. @platformatic/kafka puts first what a broker says of single records, under a code that means
 * nothing; that of their batch comes behind it.
 */
function toldBy(errors: readonly unknown[] = []): unknown {
  return errors.find((error) => (error as ClientError | null)?.apiId !== 'UNKNOWN_SERVER_ERROR') ?? errors[0];
}

/** What a connection is lost for whose broker did not answer a request in time. @internal */
export function unanswered(): SluiceError {
  const text = 'kafka: a request was not answered in time (requestTimeoutMs).';
  return new SluiceError('PEER_LOST', text, { retriable: true });
}
