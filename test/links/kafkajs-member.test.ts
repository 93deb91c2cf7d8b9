import { expect, it } from 'vitest';
import { virtualClock } from 'sluice/testing';
import { KafkaJsMember } from '../../src/links/kafkajs-member.js';

/** The broker that answers for a group: fails with these, one for each try, then lets the member leave. */
function coordinator(...failures: readonly Error[]): {
  readonly asked: string[];
  leaveGroup(member: object): Promise<void>;
} {
  const left = [...failures];
  const asked: string[] = [];
  return {
    asked,
    async leaveGroup(member) {
      asked.push((member as { memberId: string }).memberId);
      const failure = left.shift();
      if (failure !== undefined) throw failure;
    },
  };
}
const answer = (type: string): Error => Object.assign(new Error(type), { type });

it('asks again to take a member out while the broker is only starting', async () => {
  const clock = virtualClock();
  const broker = coordinator(answer('NOT_COORDINATOR_FOR_GROUP'), answer('GROUP_LOAD_IN_PROGRESS'));
  const taken = new KafkaJsMember('g', clock).takeOut(['a', 'b'], async () => broker);
  await clock.run(1_000);
  await expect(taken).resolves.toBe(broker);
  expect(broker.asked).toEqual(['a', 'a', 'a', 'b']);
});

it('takes it as well that the group does not know the member', async () => {
  const broker = coordinator(answer('UNKNOWN_MEMBER_ID'));
  await expect(new KafkaJsMember('g', virtualClock()).takeOut(['a'], async () => broker)).resolves.toBe(broker);
});

it('fails where the broker gave no answer: who joined now would wait for the member that is still in', async () => {
  const broker = coordinator(new Error('the connection was closed'));
  const taken = new KafkaJsMember('g', virtualClock()).takeOut(['a'], async () => broker);
  await expect(taken).rejects.toThrow('the connection was closed');
});
