import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { batchPartial, fork, join, type ForkSettle, type Message } from 'sluice';
import { Members } from '../../src/message/members.js';
import { joinedIn } from '../../src/message/parts.js';
import { recorder } from '../helpers/message.js';
import { runs } from '../helpers/runs.js';

type End = 'ack' | 'note' | 'nack';

/** What becomes of a batch. */
type Tree =
  | { readonly is: 'whole'; readonly end: End }
  /** Refused at these positions, counted round. */
  | { readonly is: 'partial'; readonly refused: readonly number[] }
  /** Taken apart, each member with an end of its own, counted round. */
  | { readonly is: 'apart'; readonly ends: readonly End[] }
  /** Taken apart, and put together as two. */
  | { readonly is: 'split'; readonly at: number; readonly left: Tree; readonly right: Tree }
  | { readonly is: 'fork'; readonly settle: ForkSettle; readonly parts: readonly Tree[] };

const end = fc.constantFrom<End>('ack', 'note', 'nack');
const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof(
    { depthSize: 'medium', withCrossShrink: true },
    fc.record({ is: fc.constant('whole'), end }),
    fc.record({ is: fc.constant('partial'), refused: fc.array(fc.nat(5), { minLength: 1, maxLength: 3 }) }),
    fc.record({ is: fc.constant('apart'), ends: fc.array(end, { minLength: 1, maxLength: 5 }) }),
    fc.record({ is: fc.constant('split'), at: fc.nat(5), left: tie('tree'), right: tie('tree') }),
    fc.record({
      is: fc.constant('fork'),
      settle: fc.constantFrom('all', 'any'),
      parts: fc.array(tie('tree'), { minLength: 1, maxLength: 3 }),
    }),
  ),
}));

/** The members that are done, by what each stage alone is said to do. */
function doneBy(tree: Tree, members: readonly string[]): ReadonlySet<string> {
  switch (tree.is) {
    case 'whole':
      return new Set(tree.end === 'nack' ? [] : members);
    case 'partial': {
      const refused = new Set(tree.refused.map((at) => at % members.length));
      return new Set(members.filter((_, at) => !refused.has(at)));
    }
    case 'apart':
      return new Set(members.filter((_, at) => tree.ends[at % tree.ends.length] !== 'nack'));
    case 'split': {
      const at = tree.at % (members.length + 1);
      return new Set([...doneBy(tree.left, members.slice(0, at)), ...doneBy(tree.right, members.slice(at))]);
    }
    case 'fork': {
      const all = tree.parts.map((part) => doneBy(part, members));
      const isDone = (member: string): boolean =>
        tree.settle === 'all' ? all.every((done) => done.has(member)) : all.some((done) => done.has(member));
      return new Set(members.filter(isDone));
    }
  }
}

/** What has to be called for it, in any order. */
function settlements(tree: Tree, batch: Message<string[]>): (() => void)[] {
  switch (tree.is) {
    case 'whole':
      return [() => ended(batch, tree.end)];
    case 'partial': {
      const failed = new Map(tree.refused.map((at) => [at % batch.payload.length, 'no']));
      return [() => void batch.nack(batchPartial(failed), 'dead')];
    }
    case 'apart':
      return apart(batch).map((part, at) => () => ended(part, tree.ends[at % tree.ends.length] as End));
    case 'split': {
      const parts = apart(batch);
      const at = tree.at % (parts.length + 1);
      const halves = [
        [parts.slice(0, at), tree.left],
        [parts.slice(at), tree.right],
      ] as const;
      return halves.flatMap(([half, then]) => (half.length === 0 ? [] : settlements(then, join(half))));
    }
    case 'fork': {
      const parts = fork(batch, tree.parts.length, tree.settle);
      return parts.flatMap((part, at) => settlements(tree.parts[at] as Tree, part));
    }
  }
}

function ended(message: Message<unknown>, how: End): void {
  const { root } = message as unknown as { root: { ack: (note?: string) => boolean } };
  if (how === 'nack') message.nack('no', 'dead');
  else root.ack(how === 'note' ? 'filtered' : undefined);
}

/** As `unbatch` does. */
function apart(batch: Message<string[]>): Message<string>[] {
  const inside = new Members(batch, joinedIn(batch) as readonly Message<string>[]);
  const parts = batch.payload.map((payload, at) => inside.take(at, payload));
  inside.seal();
  return parts;
}

describe('the members of any batch', () => {
  it('are each settled once, as done where everybody who had to be done with them is (laws 1, 4)', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), tree, fc.infiniteStream(fc.nat()), (count, what, chance) => {
        const { message, settled, open, late } = recorder();
        const members = Array.from({ length: count }, (_, at) => String(at));
        const calls = settlements(what, join(members.map((member) => message(member))));
        while (calls.length > 0) calls.splice(chance.next().value % calls.length, 1)[0]?.();
        const done = settled.filter(({ outcome }) => outcome === 'ack').map(({ payload }) => payload as string);
        expect(done.toSorted()).toEqual([...doneBy(what, members)].toSorted());
        expect([settled.length, open, late]).toEqual([count, [], []]);
      }),
      { numRuns: runs(500), seed: Number(process.env['SEED'] ?? 7) },
    );
  });
});
