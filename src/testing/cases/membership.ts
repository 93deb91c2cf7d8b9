import type { CaseConsumer } from '../case-consumer.js';
import type { CaseContext } from '../case-context.js';
import type { ConformanceCase } from '../conformance-case.js';
import { inspected } from '../inspected.js';

const CREDIT = 8;

/** Members of a group that come and go, and credentials that end. */
export const MEMBERSHIP_CASES: readonly ConformanceCase[] = [
  {
    id: 'REC-10',
    label: 'O',
    title: 'loses nothing while members of a group come and go, and repeats only what a dead one held',
    needs: { ack: 'manual', flags: ['consumerGroups', 'backlog'], verbs: ['sink'] },
    async run(t) {
      const total = t.volume(600);
      const channel = t.channel();
      const group = 'members';
      const everMs = t.isVirtual ? 3_000 : 30;
      const members: CaseConsumer[] = [];
      const join = async (): Promise<void> => {
        const member = t.consume(channel, { options: { group, credit: CREDIT }, handler: workFor(t, everMs / 20) });
        members.push(member);
        await t.up(member);
      };
      for (let at = 0; at < 3; at += 1) await join();
      const publisher = t.publish(channel, total, { key: (index) => `k${index % 16}` });
      const distinct = (): number => new Set(members.flatMap(({ ids }) => ids)).size;
      let moves = 0;
      while (distinct() < total && moves < 40) {
        await t.pass(everMs);
        moves += 1;
        const leaving = members.at(-3);
        if (moves % 2 === 1) await join();
        else if (leaving !== undefined) {
          // In order: what it holds is settled before it goes.
          leaving.drain();
          await t.until('a member has left', () => leaving.isClosed);
        }
      }
      await t.until('all are confirmed', () => publisher.isDone);
      await t.until('all are delivered', () => distinct() >= total, total * everMs);
      await t.until('all is settled', () => members.every((member) => member.openNow() === 0));
      const report = t.checked();
      t.same(report.lost.join(), '', 'lost messages');
      // Whoever joins may take keys over whose messages another one has in hand; whoever leaves in order, leaves nothing.
      const takenOver = Math.ceil(moves / 2) * CREDIT * (t.features.orderedPerKey === true ? 1 : 0);
      t.holds(report.duplicates <= takenOver, `${report.duplicates} duplicates, at most ${takenOver}`);
    },
  },
  {
    id: 'REC-11',
    label: 'R',
    title: 'goes on with new credentials when the old ones end, and says when there are none',
    needs: { flags: ['tokenRefresh'], verbs: ['auth.expire', 'auth.deny', 'auth.grant'] },
    async run(t) {
      const { auth } = t.bench;
      const channel = t.channel();
      const consumer = t.consume(channel);
      await t.up(consumer);
      const from = t.events.length;
      for (let round = 1; round <= 5; round += 1) {
        const before = consumer.losses;
        await auth?.expire?.();
        await t.until('the old credentials are not good any more', () => consumer.losses > before);
        await t.up(consumer);
        t.same(consumer.error, undefined, 'the error of the flow');
        t.publish(channel, 5, { writer: `r${round}` });
        await t.until('messages flow', () => consumer.ids.filter((id) => id.includes(`.r${round}.`)).length === 5);
      }
      await auth?.deny?.();
      await auth?.expire?.();
      await t.until('it says that nobody lets it in', () => consumer.error !== undefined);
      const shown = inspected([t.events.slice(from), consumer.error]);
      t.holds(shown.includes('AUTH_FAILED'), 'the error says that it is about credentials');
      t.same(
        (t.harness.secrets ?? []).some((secret) => shown.includes(secret)),
        false,
        'a secret in a report',
      );
      await auth?.grant?.();
    },
  },
];

/** A handler that takes its time for each message, one after the other. */
function workFor(
  t: CaseContext,
  ms: number,
): (message: Parameters<CaseConsumer['ack']>[0], self: CaseConsumer) => void {
  let freeAtMs = 0;
  return (message, self) => {
    freeAtMs = Math.max(freeAtMs, t.clock.elapsed()) + ms;
    t.clock.timer(freeAtMs - t.clock.elapsed(), () => void self.ack(message));
  };
}
