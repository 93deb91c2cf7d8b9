import { describe, expect, it } from 'vitest';
import { SluiceError } from 'sluice';
import { kafkaError, kafkaErrorType } from '../../src/links/kafka-errors.js';

const said = (message: string, fields: object = {}): Error => Object.assign(new Error(message), fields);
const wrapped = (cause: Error): Error =>
  said('retries exceeded', { name: 'KafkaJSNumberOfRetriesExceeded', cause: said('again', { cause }) });

describe('kafkaError', () => {
  it.each([
    ['a reset', said('read ECONNRESET', { name: 'KafkaJSConnectionError' }), 'CONNECTION_LOST', true],
    ['a refused port', wrapped(said('connect ECONNREFUSED', { code: 'ECONNREFUSED' })), 'CONNECTION_LOST', true],
    ['a coordinator that loads', said('loading', { type: 'GROUP_LOAD_IN_PROGRESS' }), 'CONNECTION_LOST', true],
    ['a request without an answer', said('timed out', { name: 'KafkaJSRequestTimeoutError' }), 'PEER_LOST', true],
    ['a refused login', said('SASL PLAIN failed', { name: 'KafkaJSSASLAuthenticationError' }), 'AUTH_FAILED', false],
    ['a login refused by name', said('no', { type: 'SASL_AUTHENTICATION_FAILED' }), 'AUTH_FAILED', false],
    ['a missing permission', wrapped(said('no', { type: 'TOPIC_AUTHORIZATION_FAILED' })), 'AUTH_FAILED', false],
    ['an untrusted certificate', said('self-signed', { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }), 'AUTH_FAILED', false],
    ['a topic that is not there', said('no', { type: 'UNKNOWN_TOPIC_OR_PARTITION' }), 'CONFIG_INVALID', false],
    ['a group of another kind', said('no', { apiId: 'INCONSISTENT_GROUP_PROTOCOL' }), 'CONFIG_INVALID', false],
    ['a batch too large', said('no', { type: 'MESSAGE_TOO_LARGE' }), 'PAYLOAD_TOO_LARGE', false],
    ['a record that the broker refuses', said('no', { type: 'INVALID_RECORD' }), 'SINK_FAILED', false],
    ['one of several', said('all', { errors: [said('no', { apiId: 'INVALID_GROUP_ID' })] }), 'CONFIG_INVALID', false],
    [
      'what a broker says of a batch, behind what it says of a record',
      said('all', { errors: [{ apiId: 'UNKNOWN_SERVER_ERROR' }, said('no', { apiId: 'INVALID_RECORD' })] }),
      'SINK_FAILED',
      false,
    ],
    [
      'a broker that failed',
      said('all', { errors: [said('no', { apiId: 'UNKNOWN_SERVER_ERROR' })] }),
      'CONNECTION_LOST',
      true,
    ],
    ['a way to compress', said('Snappy', { name: 'KafkaJSNotImplemented' }), 'PROTOCOL_ERROR', false],
    ['another', said('zstd', { code: 'PLT_KFK_UNSUPPORTED_COMPRESSION' }), 'PROTOCOL_ERROR', false],
    ['nothing', undefined, 'CONNECTION_LOST', true],
  ])('takes %s for what it is', (_, error, code, retriable) => {
    const told = kafkaError(error, 'kafka');
    expect([told.code, told.retriable, told.cause]).toEqual([code, retriable, error]);
  });

  it('says what to do about a topic that is not there', () => {
    const text = kafkaError(
      said('not hosted here', { type: 'UNKNOWN_TOPIC_OR_PARTITION' }),
      'kafka topics orders',
    ).message;
    expect(text).toBe('kafka topics orders: not hosted here: create the topic, or set autoCreateTopics of the link');
  });

  it('says what to do about other refusals, where the protocol does not', () => {
    const told = (type: string): string => kafkaError(said('no', { type }), 'kafka').message;
    expect(told('MESSAGE_TOO_LARGE')).toContain('max.message.bytes of the topic');
    for (const type of ['INVALID_PRODUCER_EPOCH', 'PRODUCER_FENCED'])
      expect(told(type)).toContain('a transactionalId of its own');
    expect(told('GROUP_AUTHORIZATION_FAILED')).toBe('kafka: no');
  });

  it('keeps an error of its own, and shortens the sentence of a client', () => {
    const own = new SluiceError('PEER_MISSING', 'npm install kafkajs');
    expect(kafkaError(own, 'kafka')).toBe(own);
    expect(kafkaError(said('x'.repeat(1_000)), 'kafka').message.length).toBeLessThan(250);
  });

  it('names what the protocol says at the bottom of it', () => {
    expect(kafkaErrorType(wrapped(said('no', { type: 'INVALID_TOPIC_EXCEPTION' })))).toBe('INVALID_TOPIC_EXCEPTION');
    expect(kafkaErrorType(new Error('no'))).toBeUndefined();
    const ring = said('ring');
    Object.assign(ring, { cause: ring });
    expect(kafkaErrorType(ring)).toBeUndefined();
  });
});
