import { expect, it } from 'vitest';
import type { Broker } from './broker.js';
import { brokerSuite } from './broker-suite.js';
import { findBroker } from './find-broker.js';

// Run by broker-suite.test.ts: a suite whose broker is not to be had.
const absent = (): Promise<Broker> =>
  findBroker<Broker>('Broker', [async () => 'it is not installed']).then((found) => found.open());

brokerSuite('a suite', absent, (broker) => {
  it('uses its broker', () => expect(broker().url).toBe('there is none'));
});
