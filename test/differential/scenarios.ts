import { Subject, startWith, take } from 'rxjs';
import type { NackThen } from 'sluice';
import type { Ability, Stage } from './stage.js';

/** Something to do on every system alike. What is seen must be the same. */
export interface Scenario {
  readonly name: string;
  readonly needs: readonly Ability[];
  readonly run: (t: Stage) => Promise<void>;
}

const list: Scenario[] = [];
function scenario(name: string, needs: readonly Ability[], run: (t: Stage) => Promise<void>): void {
  list.push({ name, needs, run });
}

// --- credit -----------------------------------------------------------------------------------------------------------

for (const credit of [1, 2, 3, 5, 8, 100])
  scenario(`hands out ${credit} at a time, one more per ack`, [], async (t) => {
    const channel = await t.channel();
    const reader = await t.read(channel, 'A', { credit });
    await t.publish(channel, 'a b c d e f g h');
    for (const text of 'abcdefgh') {
      reader.ack(text);
      await t.rest();
    }
    await t.depth(channel);
  });

scenario('hands out as much as an Observable of credit says', [], async (t) => {
  const channel = await t.channel();
  const credit = new Subject<number>();
  const reader = await t.read(channel, 'A', { credit: credit.pipe(startWith(0)) });
  await t.publish(channel, 'a b c d e');
  credit.next(2);
  await t.rest();
  credit.next(0);
  reader.ack('a', 'b');
  await t.rest();
  credit.next(5);
  await t.rest();
  reader.ack('c', 'd', 'e');
  await t.depth(channel);
});

scenario('hands out nothing at a credit of 0', ['backlog'], async (t) => {
  const channel = await t.channel();
  await t.publish(channel, 'a b');
  const credit = new Subject<number>();
  await t.read(channel, 'A', { credit: credit.pipe(startWith(0)) });
  credit.next(1);
  await t.rest();
});

// --- order of settlement ----------------------------------------------------------------------------------------------

for (const order of ['abcdef', 'fedcba', 'acebdf', 'cdbeaf', 'badcfe'])
  scenario(`takes acks in the order ${order}`, [], async (t) => {
    const channel = await t.channel();
    const reader = await t.read(channel, 'A', { credit: 3 });
    await t.publish(channel, 'a b c d e f');
    const waiting = new Set(order);
    const held = ['a', 'b', 'c'];
    let next = 3;
    while (held.length > 0) {
      // The first in the order that it holds.
      const text = Array.from(order).find((one) => waiting.has(one) && held.includes(one)) as string;
      waiting.delete(text);
      held.splice(held.indexOf(text), 1);
      reader.ack(text);
      if (next < 6) held.push('abcdef'[next++] as string);
      await t.rest();
    }
    await t.depth(channel);
  });

scenario('takes all acks of one turn', [], async (t) => {
  const channel = await t.channel();
  const reader = await t.read(channel, 'A', { credit: 6 });
  await t.publish(channel, 'a b c d e f g');
  reader.ack('b', 'a', 'c', 'f', 'e', 'd');
  await t.rest();
  reader.ack('g');
  await t.depth(channel);
});

scenario('takes a second settlement for none', ['requeue'], async (t) => {
  const channel = await t.channel();
  const reader = await t.read(channel, 'A', { credit: 2 });
  await t.publish(channel, 'a b');
  reader.ack('a');
  reader.late('a');
  reader.nack('requeue', 'b');
  reader.late('b');
  await t.rest();
  reader.ack('b');
  await t.depth(channel);
});

// --- refusing ---------------------------------------------------------------------------------------------------------

for (const which of ['a', 'b', 'c', 'ab', 'bc', 'abc'])
  scenario(`brings back what was requeued: ${which} of abc`, ['requeue', 'attempts'], async (t) => {
    const channel = await t.channel();
    const reader = await t.read(channel, 'A', { credit: 10 });
    await t.publish(channel, 'a b c');
    for (const text of 'abc') if (!which.includes(text)) reader.ack(text);
    for (const text of which) {
      reader.nack('requeue', text);
      await t.rest();
    }
    reader.ack(...Array.from(which));
    await t.depth(channel);
  });

scenario(
  'brings back what was requeued before what waits behind it',
  ['requeued before what waits', 'attempts'],
  async (t) => {
    const channel = await t.channel();
    const reader = await t.read(channel, 'A', { credit: 1 });
    await t.publish(channel, 'a b c');
    reader.nack('requeue', 'a');
    await t.rest();
    reader.ack('a');
    await t.rest();
    reader.ack('b');
    await t.rest();
    reader.ack('c');
    await t.depth(channel);
  },
);

for (const times of [1, 2, 3])
  scenario(`counts ${times} requeues`, ['requeue', 'attempts'], async (t) => {
    const channel = await t.channel();
    const reader = await t.read(channel, 'A', { credit: 4, maxAttempts: 10 });
    await t.publish(channel, 'a');
    for (let time = 0; time < times; time += 1) {
      reader.nack('requeue', 'a');
      await t.rest();
    }
    reader.ack('a');
    await t.depth(channel);
  });

for (const maxAttempts of [1, 2, 3])
  scenario(`gives up after ${maxAttempts} attempts`, ['requeue', 'attempts', 'dead letters'], async (t) => {
    const channel = await t.channel({ deadLetters: true });
    const reader = await t.read(channel, 'A', { credit: 4, maxAttempts });
    await t.publish(channel, 'a b');
    for (let attempt = 0; attempt < maxAttempts; attempt += 1) {
      reader.nack('requeue', 'a');
      await t.rest();
    }
    reader.ack('b');
    await t.depth(channel);
    await t.depth(t.deadOf(channel));
  });

for (const [then, which] of [
  ['dead', 'a'],
  ['dead', 'abc'],
  ['drop', 'a'],
  ['drop', 'abc'],
] as readonly [NackThen, string][])
  scenario(`lets ${which} of abc end as ${then}`, ['dead letters'], async (t) => {
    const channel = await t.channel({ deadLetters: true });
    const reader = await t.read(channel, 'A', { credit: 2 });
    await t.publish(channel, 'a b c');
    for (const text of 'abc') {
      if (which.includes(text)) reader.nack(then, text);
      else reader.ack(text);
      await t.rest();
    }
    await t.depth(channel);
    await t.depth(t.deadOf(channel));
  });

scenario('has dead letters read like any other', ['dead letters', 'requeue'], async (t) => {
  const channel = await t.channel({ deadLetters: true });
  const reader = await t.read(channel, 'A', { credit: 2 });
  const dead = await t.read(t.deadOf(channel), 'dead', { credit: 1 });
  await t.publish(channel, 'a b c');
  reader.nack('dead', 'b', 'a');
  await t.rest();
  dead.ack('b');
  await t.rest();
  dead.ack('a');
  reader.ack('c');
  await t.depth(t.deadOf(channel));
});

scenario('throws away what is dead where nobody keeps it', [], async (t) => {
  const channel = await t.channel();
  const reader = await t.read(channel, 'A', { credit: 2 });
  await t.publish(channel, 'a b');
  reader.nack('dead', 'a');
  await t.rest();
  reader.ack('b');
  await t.depth(channel);
});

// --- several readers --------------------------------------------------------------------------------------------------

for (const readers of [2, 3])
  scenario(`shares among ${readers} readers with a credit of 1 each`, ['competing readers'], async (t) => {
    const channel = await t.channel();
    const names = 'ABC'.slice(0, readers);
    for (const name of names) await t.read(channel, name, { credit: 1 });
    await t.publish(channel, 'a b c d');
    await t.depth(channel);
  });

scenario('gives a reader that joins what the first has no credit for', ['competing readers', 'backlog'], async (t) => {
  const channel = await t.channel();
  await t.publish(channel, 'a b c');
  await t.read(channel, 'A', { credit: 2 });
  const second = await t.read(channel, 'B', { credit: 2 });
  second.ack('c');
  await t.depth(channel);
});

scenario('gives what a reader held to the one that stays', ['competing readers'], async (t) => {
  const channel = await t.channel();
  const first = await t.read(channel, 'A', { credit: 2 });
  await t.publish(channel, 'a b');
  const second = await t.read(channel, 'B', { credit: 2 });
  first.leave();
  await t.rest();
  second.ack('a', 'b');
  await t.depth(channel);
});

scenario(
  'gives what one reader refused to one that has credit',
  ['competing readers', 'requeue', 'attempts'],
  async (t) => {
    const channel = await t.channel();
    const first = await t.read(channel, 'A', { credit: 1 });
    await t.publish(channel, 'a');
    first.leave();
    await t.rest();
    const second = await t.read(channel, 'B', { credit: 1 });
    second.nack('requeue', 'a');
    await t.rest();
    second.ack('a');
    await t.depth(channel);
  },
);

// --- leaving ----------------------------------------------------------------------------------------------------------

for (const done of [0, 1, 2, 3])
  scenario(`brings back what was held when its reader left: ${3 - done} of 3`, ['backlog'], async (t) => {
    const channel = await t.channel();
    const first = await t.read(channel, 'A', { credit: 3 });
    await t.publish(channel, 'a b c');
    first.ack(...['a', 'b', 'c'].slice(0, done));
    await t.rest();
    first.leave();
    await t.depth(channel);
    first.late('c');
    const second = await t.read(channel, 'B', { credit: 3 });
    second.ack(...['a', 'b', 'c'].slice(done));
    await t.depth(channel);
  });

scenario('leaves the rest where it is after take(2)', ['backlog', 'read ahead unmarked'], async (t) => {
  const channel = await t.channel();
  await t.publish(channel, 'a b c d');
  const first = await t.read(channel, 'A', { credit: 1, closeTimeoutMs: 1_000 }, (flow) => flow.pipe(take(2)));
  first.ack('a');
  await t.rest();
  first.ack('b');
  await t.depth(channel);
  const second = await t.read(channel, 'B', { credit: 5 });
  second.ack('c', 'd');
  await t.depth(channel);
});

// --- a line that breaks -----------------------------------------------------------------------------------------------

for (const done of [0, 1, 2])
  scenario(`brings back what was held when the line broke: ${2 - done} of 2`, ['cut'], async (t) => {
    const channel = await t.channel();
    const reader = await t.read(channel, 'A', { credit: 2 });
    await t.publish(channel, 'a b');
    reader.ack(...['a', 'b'].slice(0, done));
    await t.cut();
    reader.late('b');
    reader.late('a');
    await t.rest();
    await t.depth(channel);
  });

scenario('has its window again after the line broke twice', ['cut'], async (t) => {
  const channel = await t.channel();
  await t.read(channel, 'A', { credit: 2, maxAttempts: 10 });
  await t.publish(channel, 'a b c');
  await t.cut();
  await t.cut();
  await t.depth(channel);
});

scenario('goes on with what is sent after the line broke', ['cut'], async (t) => {
  const channel = await t.channel();
  const reader = await t.read(channel, 'A', { credit: 2 });
  await t.cut();
  await t.publish(channel, 'a b');
  reader.ack('a', 'b');
  await t.depth(channel);
});

// --- channels and what travels ----------------------------------------------------------------------------------------

scenario('keeps what nobody reads yet, in order', ['backlog'], async (t) => {
  const channel = await t.channel();
  await t.publish(channel, 'a b c');
  await t.depth(channel);
  await t.read(channel, 'A', { credit: 5 });
  await t.depth(channel);
});

scenario('keeps two channels apart', [], async (t) => {
  const [one, two] = [await t.channel(), await t.channel()];
  const first = await t.read(one, 'A', { credit: 5 });
  await t.read(two, 'B', { credit: 5 });
  await t.publish(one, 'a');
  await t.publish(two, 'b');
  first.ack('a');
  await t.depth(one);
});

scenario('carries key and headers, also when it comes again', ['requeue', 'attempts', 'keys'], async (t) => {
  const channel = await t.channel();
  const reader = await t.read(channel, 'A', { credit: 5 });
  await t.publish(channel, 'a', { key: 'k', header: 'h' });
  reader.nack('requeue', 'a');
  await t.rest();
  reader.ack('a');
  await t.depth(channel);
});

for (const maxMessages of [1, 2])
  scenario(`refuses what finds more than ${maxMessages} waiting`, ['refuses when full', 'backlog'], async (t) => {
    const channel = await t.channel({ maxMessages });
    await t.publish(channel, 'a b c');
    await t.depth(channel);
    const reader = await t.read(channel, 'A', { credit: 1 });
    await t.publish(channel, 'd');
    reader.ack('a');
    await t.depth(channel);
  });

/** All of them; 40 or more. */
export const SCENARIOS: readonly Scenario[] = list;
