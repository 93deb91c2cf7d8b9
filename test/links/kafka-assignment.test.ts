import { AssignerProtocol } from 'kafkajs';
import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import {
  assignmentBytes,
  partitionsOf,
  shareOut,
  subscriptionBytes,
  topicsOf,
  type KafkaSubscriber,
} from '../../src/links/kafka-assignment.js';

const { MemberAssignment, MemberMetadata } = AssignerProtocol;

function shared(members: readonly KafkaSubscriber[], topics: Readonly<Record<string, number>>): Record<string, string> {
  const shares = shareOut(members, new Map(Object.entries(topics)));
  return Object.fromEntries(
    [...shares].map(([id, given]) => [id, given.map(({ topic, partition }) => `${topic}${partition}`).join(' ')]),
  );
}

describe('shareOut', () => {
  it('gives one partition after the other to each member in turn, whatever order they come in', () => {
    const members = [
      { memberId: 'y', topics: ['b', 'a'] },
      { memberId: 'x', topics: ['a', 'b'] },
    ];
    const expected = { x: 'a0 a2 b1', y: 'a1 b0' };
    expect(shared(members, { a: 3, b: 2 })).toEqual(expected);
    expect(shared(members.toReversed(), { b: 2, a: 3 })).toEqual(expected);
  });

  it('gives nobody what it does not read, and leaves out what nobody reads', () => {
    const members = [
      { memberId: 'x', topics: ['a'] },
      { memberId: 'y', topics: ['b'] },
      { memberId: 'z', topics: ['a', 'b'] },
    ];
    expect(shared(members, { a: 3, b: 2, c: 9 })).toEqual({ x: 'a0 a2', y: 'b0', z: 'a1 b1' });
  });

  it('leaves members without any where there are more of them than partitions', () => {
    const members = ['1', '2', '3'].map((memberId) => ({ memberId, topics: ['a'] }));
    expect(shared(members, { a: 1 })).toEqual({ 1: 'a0', 2: '', 3: '' });
    expect(shared([], { a: 1 })).toEqual({});
  });
});

describe('what members say to one another', () => {
  const partitions = [
    { topic: 'a', partition: 3 },
    { topic: 'ä', partition: 0 },
    { topic: 'a', partition: 1 },
  ];

  it('is read by members over kafkajs', () => {
    expect(MemberMetadata.decode(subscriptionBytes(['a', 'ä']))).toMatchObject({ topics: ['a', 'ä'] });
    expect(MemberAssignment.decode(assignmentBytes(partitions))).toMatchObject({ assignment: { a: [3, 1], ä: [0] } });
  });

  it('is read of members over kafkajs', () => {
    const metadata = MemberMetadata.encode({ version: 1, topics: ['a', 'ä'], userData: Buffer.from('own') });
    expect(topicsOf(metadata)).toEqual(['a', 'ä']);
    const assignment = MemberAssignment.encode({
      version: 1,
      assignment: { a: [3, 1], ä: [0] },
      userData: Buffer.of(),
    });
    expect(partitionsOf(assignment)).toEqual([partitions[0], partitions[2], partitions[1]]);
  });

  it('is nothing for a member that was given nothing', () => {
    expect(partitionsOf(new Uint8Array())).toEqual([]);
    expect(partitionsOf(assignmentBytes([]))).toEqual([]);
    expect(topicsOf(subscriptionBytes([]))).toEqual([]);
  });
});
