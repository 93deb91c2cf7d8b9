import { afterAll, beforeAll, beforeEach, describe } from 'vitest';
import { BrokerMissing } from './broker.js';

/**
 * Tests against one broker, started before the first of them and taken away after the last. Where it is not to be had they
 * are skipped, with the reason; where `TEST_BROKERS` is `required` they fail.
 *
 * ```ts
 * brokerSuite('the AMQP source', rabbitmq, (broker) => {
 *   it('connects', async () => void (await (await connect(broker().url)).close()));
 * });
 * ```
 */
export function brokerSuite<B extends { close(): Promise<void> }>(
  name: string,
  open: () => Promise<B>,
  suite: (broker: () => B) => void,
): void {
  describe(name, () => {
    let opened: B | undefined;
    let missing = '';
    beforeAll(async () => {
      try {
        opened = await open();
      } catch (error) {
        if (!(error instanceof BrokerMissing) || process.env['TEST_BROKERS'] === 'required') throw error;
        missing = error.message.split('\n', 1)[0] ?? '';
        console.warn(`skipped: ${name}: ${missing}`);
      }
    }, 660_000);
    beforeEach((context) => {
      if (opened === undefined) context.skip(`not run: ${missing}`);
    });
    afterAll(() => opened?.close());
    suite(() => opened!);
  });
}
