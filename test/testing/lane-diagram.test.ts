import { describe, expect, it } from 'vitest';
import { laneDiagram, noteOf, plainDiagram, type Lane } from '../../src/testing/lane-diagram.js';
import type { TestSourceEvent } from '../../src/testing/test-source.js';

const record = { value: 'v', index: 0, attempt: 1, message: undefined };

/** `delivered@0 ack@2=filtered`: what happened in which frame, with a reason. */
function lane(label: string, history: string): Lane {
  const events = history.split(' ').map((word): TestSourceEvent<unknown> => {
    const [type = '', rest = ''] = word.split('@');
    const [frame, reason] = rest.split('=');
    return { type: type as 'ack', record, atMs: Number(frame), ...(reason === undefined ? {} : { reason }) };
  });
  return { label, events };
}

const drawn = (history: string): string =>
  laneDiagram([{ name: 'credit', lanes: [lane('a', history)], credit: [] }])
    .split('\n')[0]
    ?.slice(8) ?? '';

describe('laneDiagram', () => {
  it.each([
    ['delivered@0 ack@2', 'd-a'],
    ['delivered@1 ack@1', ' i'],
    ['waiting@1 delivered@4 ack@4', ' o--i'],
    ['waiting@1 delivered@1 ack@3', ' d-a'],
    ['delivered@0 ack@2=filtered', 'd-s'],
    ['delivered@0 ack@0=filtered', 'S'],
    ['delivered@0 requeue@1 delivered@3 ack@4', 'dn-da'],
    ['delivered@0 requeue@1 delivered@1 ack@2', 'dra'],
    ['delivered@0 requeue@1 delivered@1 ack@1', 'di'],
    ['delivered@0 release@1 delivered@2 dead@3', 'dndx'],
    ['delivered@0 drop@0', 'x'],
    ['delivered@0 taken-back@2 delivered@2 ack@9', 'd-r------a'],
  ])('draws %s as %s', (history, picture) => {
    expect(drawn(history)).toBe(picture);
  });

  it('fills the credit of each frame, from ten on with letters, from 36 on with a plus', () => {
    const credit = [
      { frame: 0, value: 36 },
      { frame: 1, value: 35 },
      { frame: 3, value: 10 },
      { frame: 3, value: 9 },
    ];
    const rows = laneDiagram([{ name: 'credit', lanes: [lane('a', 'delivered@0 ack@5')], credit }]);
    expect(rows.split('\n')).toEqual(['a       d----a', 'credit  +zz999']);
  });

  it('says beside its row what is still open', () => {
    expect(noteOf(lane('a', 'waiting@0'))).toBe('<- never delivered');
    expect(noteOf(lane('a', 'delivered@0'))).toBe('<- never settled');
    expect(noteOf(lane('a', 'delivered@0 requeue@1'))).toBe('<- never delivered again');
    expect(noteOf(lane('a', 'delivered@0 dead@1'))).toBe('');
  });
});

describe('plainDiagram', () => {
  it('takes indentation, empty lines and the distance of notes out', () => {
    const written = `

        a       d-a
        b        d        <- never settled
        credit  10  `;
    expect(plainDiagram(written)).toBe('a       d-a\nb        d   <- never settled\ncredit  10');
  });
});
