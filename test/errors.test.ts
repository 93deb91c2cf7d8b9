import { describe, expect, it, onTestFinished } from 'vitest';
import { backoff, each, ERROR_CODES, isSluiceError, observe, SluiceError } from 'sluice';
import { metBy, toSluiceError } from '../src/errors.js';
import { runStage } from './helpers/stage.js';

describe('SluiceError', () => {
  it('keeps code, cause and details, and is not retriable by default', () => {
    const cause = new Error('socket');
    const error = new SluiceError('CONNECT_FAILED', 'no', { cause, details: { port: 1 } });
    expect(error).toMatchObject({
      name: 'SluiceError',
      code: 'CONNECT_FAILED',
      retriable: false,
      details: { port: 1 },
    });
    expect(error.cause).toBe(cause);
  });

  it('is told by its brand, also from another copy of the package', () => {
    const foreign = Object.assign(new Error('x'), { [Symbol.for('sluice.error.v1')]: true, code: 'UNROUTED' });
    expect(isSluiceError(foreign, 'UNROUTED')).toBe(true);
    expect(isSluiceError(foreign, 'OVERFLOW')).toBe(false);
    expect(isSluiceError(new Error('x'))).toBe(false);
  });

  it('names the connector that met it, unless it names one itself', () => {
    const error = new SluiceError('CONNECTION_LOST', 'gone', { details: { port: 1 } });
    expect(metBy('amqp', error)).toBe(error);
    expect(metBy('amqp source', error).details).toEqual({ connector: 'amqp', port: 1 });
  });

  it('names the connector also where an error cannot be changed, which is kept as the cause', () => {
    const frozen = Object.freeze(new SluiceError('CONNECT_FAILED', 'no', { retriable: true, details: { port: 1 } }));
    const met = metBy('own', frozen);
    expect(met).toMatchObject({ code: 'CONNECT_FAILED', message: 'no', retriable: true });
    expect([met.details, met.cause, frozen.details]).toEqual([{ connector: 'own', port: 1 }, frozen, { port: 1 }]);
  });

  it('is made of whatever was thrown, also of what has no text', () => {
    const of = (thrown: unknown): string => toSluiceError(thrown, 'HANDLER_FAILED', 'failed').message;
    const odd = Object.assign(new Error('x'), { message: { code: 1 } });
    const bare: unknown = Object.create(null);
    expect([of(new Error('no')), of('text'), of(undefined), of(Symbol('s')), of(odd), of(bare)]).toEqual([
      'failed: no',
      'failed: text',
      'failed: undefined',
      'failed: Symbol(s)',
      'failed: [object Object]',
      'failed: a thrown object without a text',
    ]);
    expect(toSluiceError(bare, 'HANDLER_FAILED', 'failed').cause).toBe(bare);
  });

  it('has no code twice', () => {
    expect(new Set(ERROR_CODES).size).toBe(ERROR_CODES.length);
  });
});

describe('an error of an application', () => {
  class OutOfStock extends Error {}
  class Refused extends SluiceError {
    readonly by: string;
    constructor(by: string) {
      super('HANDLER_FAILED', `refused by ${by}`);
      this.by = by;
    }
  }

  it('comes out as the cause, or as itself where it is one of ours, which says whether to try again (S4.75)', () => {
    const nacked: unknown[] = [];
    onTestFinished(observe((event) => void (event.type === 'message.nacked' && nacked.push(event.reason))));
    const failures = [new OutOfStock('no tea left'), new Refused('the bank')] as const;
    const tries = [0, 0];
    const run = runStage(
      each(
        (at: number) => {
          tries[at] = (tries[at] ?? 0) + 1;
          throw failures[at] as Error;
        },
        { retry: backoff({ tries: 3 }), onError: 'dead' },
      ),
      { values: [0, 1] },
    );
    run.clock.advance(60_000);
    expect([run.log, tries]).toEqual([
      ['0 dead HANDLER_FAILED', '1 dead HANDLER_FAILED'],
      [3, 1],
    ]);
    const [first, second] = nacked as [SluiceError, Refused];
    expect(first.cause).toBe(failures[0]);
    expect([second, second.name, second.by]).toEqual([failures[1], 'Refused', 'the bank']);
  });
});
