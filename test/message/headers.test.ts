import { describe, expect, it } from 'vitest';
import { HEADERS, headerText, NO_HEADERS } from 'sluice';
import { headerBytes } from '../../src/message/headers.js';

const utf8 = new TextEncoder();

describe('headerText', () => {
  it('finds a header whatever the case of its name', () => {
    expect(headerText({ 'Content-Type': 'text/csv' }, HEADERS.contentType)).toBe('text/csv');
    expect(headerText({ 'content-type': 'text/csv' }, 'CONTENT-TYPE')).toBe('text/csv');
  });

  it('prefers the name as it is written', () => {
    expect(headerText({ ID: 'upper', id: 'lower' }, 'id')).toBe('lower');
  });

  it('reads bytes as UTF-8 and takes the first of several values', () => {
    expect(headerText({ a: utf8.encode('grün') }, 'a')).toBe('grün');
    expect(headerText({ a: ['1', '2'] }, 'a')).toBe('1');
    expect(headerText({ a: [utf8.encode('1'), '2'] }, 'a')).toBe('1');
  });

  it('gives nothing where there is nothing, and never what objects inherit', () => {
    expect(headerText(NO_HEADERS, 'a')).toBeUndefined();
    expect(headerText({}, 'toString')).toBeUndefined();
    expect(headerText({ a: [] }, 'a')).toBeUndefined();
  });
});

describe('headerBytes', () => {
  it('counts names and values, texts, bytes and lists of them', () => {
    expect(headerBytes({ a: '12', bc: utf8.encode('345'), d: ['6', utf8.encode('78')], e: undefined })).toBe(5 + 8);
    expect([headerBytes(NO_HEADERS), headerBytes(undefined)]).toEqual([0, 0]);
  });
});

describe('NO_HEADERS', () => {
  it('cannot be written to', () => {
    expect(() => Object.assign(NO_HEADERS, { a: '1' })).toThrow(TypeError);
  });
});
