import { describe, expect, it } from 'vitest';
import { SluiceError, type Sink } from 'sluice';
import { watchSink } from '../../src/connection/watch-sink.js';

const sink = (failure?: SluiceError, closed?: Promise<void>): Sink<never> => ({
  next: () => undefined,
  error: () => undefined,
  complete: () => undefined,
  ...(closed === undefined ? {} : { closed }),
  failure,
});

describe('watchSink', () => {
  it('tells of a sink that closed by itself, and of no other', async () => {
    const failure = new SluiceError('FILE_IS_DIRECTORY', 'no');
    const told: SluiceError[] = [];
    for (const one of [sink(failure, Promise.resolve()), sink(undefined, Promise.resolve()), sink()])
      watchSink(one, (error) => told.push(error));
    // Neither may end the process: an observer of RxJS, whose `closed` is no promise, and a promise that is rejected.
    watchSink({ ...sink(), closed: false } as unknown as Sink<never>, (error) => told.push(error));
    watchSink(sink(undefined, Promise.reject(new Error('no'))), (error) => told.push(error));
    await new Promise(setImmediate);
    expect(told).toEqual([failure]);
  });
});
