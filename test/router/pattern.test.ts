import { describe, expect, it } from 'vitest';
import { field, pattern } from 'sluice';
import { compileCondition } from '../../src/router/compile-condition.js';
import { regexFault } from '../../src/router/regex-cost.js';
import { recorder } from '../helpers/message.js';

const allowed = { allowUserRegex: true } as const;

describe('pattern', () => {
  it('is off unless allowUserRegex is written out (S18)', () => {
    expect(() => pattern('a', {} as never)).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringContaining('allowUserRegex') }),
    );
    expect(() => pattern('a', undefined as never)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  });

  it.each([
    ['a repeated repetition', '(a+)+$', 'very long'],
    ['a repeated repetition behind ^', '^(a+)+$', 'very long'],
    ['a bounded one', '^(?:a{1,10}){1,10}$', 'very long'],
    ['a repeated choice', '^(a|a)*$', 'very long'],
    ['a repeated option', '^(a?){50}$', 'very long'],
    ['many options', `^${'a?'.repeat(60)}${'a'.repeat(60)}$`, 'very long'],
    ['many repetitions', '^.*a.*a.*a$', 'very long'],
    ['two repetitions from every place', 'a*b*c', 'very long'],
    ['an anchor in one alternative only', '^a*b*|a*b*', 'very long'],
    ['an anchor in one of cheap alternatives', '^a*|b*c*', 'very long'],
    ['a repetition behind an escaped bracket', '^\\)(a+)+$', 'very long'],
    ['a repetition behind a class', '^[a](b+)+$', 'very long'],
    ['a repetition behind a class with its own end in it', '^[\\]](a+)+$', 'very long'],
    ['a choice repeated from a number on', '^(?:a|b){2,}$', 'very long'],
    ['a back-reference', '^(a)\\1$', 'back-reference'],
    ['a named back-reference', '^(?<x>a)\\k<x>$', 'back-reference'],
    ['a lookbehind', '(?<=a)b', 'look-around'],
    ['a lookahead', '(?=a)b', 'look-around'],
    ['a long one', 'a'.repeat(257), '256'],
    ['10 kB', 'a'.repeat(10_240), '256'],
    ['what is none', '(', 'cannot be read'],
  ])('refuses %s (S18, B30)', (_, source, text) => {
    expect(() => pattern(source, allowed)).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringContaining(text) }),
    );
  });

  it('looks at the length of one that was not made here, too', () => {
    expect(regexFault(new RegExp('a'.repeat(257)))).toContain('256');
  });

  it.each(['g', 'y', 'v', 'm', 'd'])('refuses the flag %s', (flags) => {
    expect(() => pattern('a', { ...allowed, flags })).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  });

  it.each([
    '^DE[0-9]{10}$',
    '^(?:buy|sell)$',
    '[^\\]()*]+',
    '^\\w+@\\w+$',
    '^(?<year>\\d{4})-\\d\\d?$',
    'a.*',
    '^a{2,}$',
    '^(?:a|b){3}$',
    '^(?:a|b){1,3}$',
    '^(?:a|b)?$',
    '^a{0,1}b{0,1}c{0,1}$',
    '^a{400,500}b{400,500}c{400,500}$',
    '^{',
  ])('accepts %s', (source) => {
    expect(regexFault(new RegExp(source))).toBeUndefined();
  });

  it('matches text up to 1,024 characters and nothing else (S18)', () => {
    const matches = compileCondition(field('isin', pattern('^d*e*$', { ...allowed, flags: 'i' })));
    const { message } = recorder();
    expect(matches(message({ isin: 'DDE' }))).toBe(true);
    expect(matches(message({ isin: 'DDX' }))).toBe(false);
    expect(matches(message({ isin: 'd'.repeat(1024) }))).toBe(true);
    expect(matches(message({ isin: 'd'.repeat(1025) }))).toBe(false);
    expect(matches(message({ isin: 5 }))).toBe(false);
    expect(matches(message({}))).toBe(false);
  });
});
