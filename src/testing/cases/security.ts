import { isSluiceError } from '../../errors.js';
import { hold } from '../case-context.js';
import type { ConformanceCase } from '../conformance-case.js';
import type { Features } from '../features.js';
import type { DefaultRow } from '../harness.js';
import { inspected } from '../inspected.js';

/** Security: safe without a word, and no secret in anything that is said. */
export const SECURITY_CASES: readonly ConformanceCase[] = [
  {
    id: 'SEC-01',
    label: 'R',
    title: 'is safe by default, in every row that applies to it',
    needs: { verbs: ['defaults'] },
    async run(t) {
      const { defaults = {} } = t.bench;
      const missing = rowsFor(t.features).filter((row) => defaults[row] === undefined);
      t.same(missing.join(', '), '', 'rows that apply and are not proven');
      for (const [row, prove] of Object.entries(defaults)) {
        let failure = '';
        try {
          await prove();
        } catch (error) {
          failure = error instanceof Error ? error.message : 'something was thrown';
        }
        t.same(failure, '', `the default of ${row}`);
      }
    },
  },
  {
    id: 'SEC-02',
    label: 'R',
    title: 'shows no payload, header or secret in anything that it reports',
    async run(t) {
      const canary = 'canary-payload';
      const from = t.events.length;
      const said: unknown[] = [];
      const items = t.items(8).map((item) => ({
        payload: new TextEncoder().encode(`${item.id} ${canary}`),
        ...(t.features.headers === 'none' ? {} : { headers: { authorization: `Bearer ${canary}` } }),
      }));
      const channel = t.channel();
      const options = { credit: 8, settleWithinMs: 50, closeTimeoutMs: 20, maxAttempts: 2 };
      const consumer = await t.aroundSent(channel, items, () => t.consume(channel, { options, handler: hold }));
      await t.until('all are delivered', () => consumer.count >= 8);
      // Everything that is reported of messages: refused, given up, too late, overdue, taken back, lost.
      const [first, second, third] = [...consumer.messages];
      if (first !== undefined) consumer.nack(first, 'dead');
      if (second !== undefined) consumer.nack(second, 'drop');
      if (third !== undefined) consumer.nack(third);
      first?.ack();
      await t.until('one is overdue', () => t.events.slice(from).some((event) => event.type === 'message.overdue'));
      said.push(consumer.handle?.unfinished(), consumer.handle?.counts);
      if (t.bench.sink !== undefined && t.features.maxMessageBytes !== undefined) {
        const payload = new TextEncoder().encode(canary.padEnd(t.features.maxMessageBytes + 1, 'x'));
        const other = t.channel();
        const large = t.offerItems(other, [{ id: 'large', payload }], t.sink(other));
        await t.until('one is refused', () => large.isSettled);
        const { reason } = large.fates[0] ?? {};
        t.holds(isSluiceError(reason), 'it says why');
        said.push(reason);
      }
      await t.bench.net?.cut?.('rst');
      if (t.bench.auth?.deny !== undefined) {
        await t.bench.auth.deny();
        const denied = t.consume(t.channel());
        await t.stays('it has time to fail', () => true, 1_000);
        said.push(denied.error);
        await t.bench.auth.grant?.();
      }
      consumer.unsubscribe();
      await t.until('it is closed', () => consumer.isClosed);
      const reported = t.events.slice(from);
      t.holds(reported.length > 4, 'there is something to look at');
      const text = inspected([reported, said]);
      for (const secret of [canary, ...(t.harness.secrets ?? [])]) {
        t.same(text.includes(secret), false, `shown in a report: ${secret.slice(0, 12)}`);
      }
    },
  },
];

/** Which rows a connector with these features has to prove. */
function rowsFor({ exposesServer, tls, authModes, maxMessageBytes }: Features): DefaultRow[] {
  const rows: DefaultRow[] = [];
  if (maxMessageBytes !== undefined) rows.push('message limit');
  if (tls === true) rows.push('transport security');
  if (authModes !== undefined) rows.push('secrets');
  if (exposesServer === true) {
    rows.push('listen address', 'anonymous server', 'decompression', 'timeouts', 'connections', 'origin');
    rows.push('authentication', 'error replies');
  }
  return rows;
}
