import { BrokerMissing, type Found, type Way } from './broker.js';

/**
 * What the first of these ways finds.
 *
 * @throws BrokerMissing when none finds anything, with the reason of each
 */
export async function findBroker<B>(name: string, ways: readonly Way<B>[]): Promise<Found<B>> {
  const reasons: string[] = [];
  for (const way of ways) {
    const found = await way();
    if (typeof found !== 'string') return found;
    reasons.push(found);
  }
  throw new BrokerMissing(`no ${name}: ${reasons.join('; ')}`);
}
