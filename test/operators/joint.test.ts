import { NEVER, of, Subject } from 'rxjs';
import { describe, expect, it } from 'vitest';
import type { Message } from 'sluice';
import { attachable, type Output } from '../../src/connection/attach.js';
import { Joint } from '../../src/operators/joint.js';
import { recorder } from '../helpers/message.js';

function stage(told: string[], own: Partial<Output<number>> = {}): Joint<number, number> {
  const output: Output<number> = {
    closed: false,
    next: () => undefined,
    error: (error) => void told.push(`output error ${(error as Error).message}`),
    complete: () => void told.push('output complete'),
  };
  return new Joint<number, number>({ next: (message) => void told.push(String(message.payload)), ...own }, output);
}
const { message } = recorder();

describe('Joint', () => {
  it('passes the end on to the output, or to the stage that answers it itself', () => {
    const told: string[] = [];
    stage(told).attachTo(of(message(1)));
    stage(told, { complete: () => void told.push('own complete') }).attachTo(of(message(2)));
    const failing = new Subject<Message<number>>();
    stage(told).attachTo(failing);
    const answered = new Subject<Message<number>>();
    stage(told, { error: (error) => void told.push(`own ${(error as Error).message}`) }).attachTo(answered);
    failing.error(new Error('a'));
    answered.error(new Error('b'));
    expect(told).toEqual(['1', 'output complete', '2', 'own complete', 'output error a', 'own b']);
  });

  it('passes nothing on after the end, however much comes', () => {
    const told: string[] = [];
    let source: Output<number> | undefined;
    stage(told).attachTo(
      attachable<number>((output) => {
        source = output;
        return () => undefined;
      }),
    );
    source?.complete();
    source?.next(message(1));
    source?.error('late');
    source?.complete();
    expect(told).toEqual(['output complete']);
    expect(source?.closed).toBe(true);
  });

  it('lets go of its source once: at the end, at a close, and when that ended while it was attached', () => {
    let detached = 0;
    const count = (): void => void (detached += 1);
    let source: Output<number> | undefined;
    const open = attachable<number>((output) => {
      source = output;
      return count;
    });
    stage([]).attachTo(open);
    source?.complete();
    expect(detached).toBe(1);
    const closed = stage([]);
    closed.attachTo(open);
    closed.close();
    closed.close();
    expect(detached).toBe(2);
    stage([]).attachTo(
      attachable<number>((output) => {
        output.complete();
        return count;
      }),
    );
    expect(detached).toBe(3);
  });

  it('passes nothing on after it was closed', () => {
    const told: string[] = [];
    const joint = stage(told);
    joint.attachTo(NEVER);
    joint.close();
    joint.next(message(1));
    joint.complete();
    expect(told).toEqual([]);
  });
});
