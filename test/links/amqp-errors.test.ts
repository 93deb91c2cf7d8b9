import { describe, expect, it } from 'vitest';
import { SluiceError } from 'sluice';
import { amqpError, amqpLost, sizeLimit } from '../../src/links/amqp-errors.js';

const said = (message: string, code?: number | string): Error => Object.assign(new Error(message), { code });

describe('amqpError', () => {
  it.each([
    ['a reset', said('read ECONNRESET', 'ECONNRESET'), 'CONNECTION_LOST', true],
    ['a port with a reply code in it', said('connect ECONNREFUSED 127.0.0.1:54030'), 'CONNECTION_LOST', true],
    ['a broker that stops', said('Connection closed: 320 (CONNECTION-FORCED)', 320), 'CONNECTION_LOST', true],
    ['silence', said('Heartbeat timeout'), 'PEER_LOST', true],
    ['a refused login', said('Handshake terminated by server: 403 (ACCESS-REFUSED)'), 'AUTH_FAILED', false],
    ['a missing permission', said('access to queue refused', 403), 'AUTH_FAILED', false],
    ['a vhost that is not allowed', said('Connection closed: 530 (NOT-ALLOWED)'), 'AUTH_FAILED', false],
    ['a vhost that is not there', said('Expected ConnectionOpenOk; got <ConnectionClose>'), 'AUTH_FAILED', false],
    ['an untrusted certificate', said('self-signed', 'DEPTH_ZERO_SELF_SIGNED_CERT'), 'AUTH_FAILED', false],
    ['a queue in exclusive use', said('queue orders in exclusive use', 403), 'CONNECTION_LOST', true],
    ['a queue that is not there', said('no queue orders', 404), 'CONFIG_INVALID', false],
    [
      'a queue whose node is not up yet',
      said(`home node 'rabbit@a' of durable queue 'q' in vhost '/' is down or inaccessible`, 404),
      'CONNECTION_LOST',
      true,
    ],
    ['a declaration that does not agree', said('406 (PRECONDITION-FAILED) with message'), 'CONFIG_INVALID', false],
    ['nothing', undefined, 'CONNECTION_LOST', true],
  ])('takes %s for what it is', (_, error, code, retriable) => {
    const told = amqpError(error, 'amqp');
    expect([told.code, told.retriable, told.cause]).toEqual([code, retriable, error]);
  });

  it.each([
    [`NOT_FOUND - no queue 'q' in vhost '/'`, 'declare it in the topology'],
    [`PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue 'q'`, 'declare it as the broker has it'],
    [
      `PRECONDITION_FAILED - invalid arg 'x-priority' for queue 'q' of queue type rabbit_stream_queue`,
      'that is a stream',
    ],
    ['ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN', 'correct username and password'],
    ['Expected ConnectionOpenOk; got <ConnectionClose channel:0>', 'it is not there, or not for this user'],
  ])('says what to do about %s', (message, cure) => {
    expect(amqpError(said(message), 'amqp').message).toContain(cure);
  });

  it('keeps an error of its own, and shortens the sentence of a broker', () => {
    const own = new SluiceError('PEER_MISSING', 'npm install amqplib');
    expect(amqpError(own, 'amqp')).toBe(own);
    expect(amqpError(said('x'.repeat(1_000)), 'amqp').message.length).toBeLessThan(250);
  });
});

describe('amqpLost', () => {
  it('opens again what the broker closed for a fault, but not without a permission', () => {
    const codes = [406, 404, 403, 320].map((code) => amqpLost(said('closed', code), 'amqp'));
    expect(codes.map(({ code, retriable }) => [code, retriable])).toEqual([
      ['CONNECTION_LOST', true],
      ['CONNECTION_LOST', true],
      ['AUTH_FAILED', false],
      ['CONNECTION_LOST', true],
    ]);
  });

  it('does not open again over a message that the client cannot read: it would come again each time (B24)', () => {
    const cause = new RangeError('Maximum call stack size exceeded');
    const told = amqpLost(cause, 'amqp connection closed');
    expect(told).toMatchObject({ code: 'PROTOCOL_ERROR', retriable: false, cause });
    expect(told.message).toContain('nested deeper than the client can read: take it out of its queue');
    expect(amqpLost(new RangeError('Invalid array length'), 'amqp')).toMatchObject({ retriable: true });
  });

  it('knows the largest message of a broker from what it says of a larger one', () => {
    const text = (limit: string): Error => new Error(`406 with message "message size 20 is larger than ${limit}"`);
    expect(
      [text('configured max size 16'), text('max size 536870912'), new Error('406'), undefined].map(sizeLimit),
    ).toEqual([16, 536_870_912, undefined, undefined]);
  });
});
