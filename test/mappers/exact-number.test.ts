import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isExact } from '../../src/mappers/exact-number.js';
import { runs } from '../helpers/runs.js';

describe('isExact', () => {
  it.each([
    ['0', true],
    ['-0', true],
    ['0.000', true],
    ['0e999', true],
    ['12.50', true],
    ['1E5', true],
    ['1e+5', true],
    ['9007199254740993', false],
    ['9007199254740993e0', false],
    ['0.9007199254740993e16', false],
    ['9007199254740994', true],
    ['18446744073709551616', true],
    ['18446744073709551617', false],
    ['0.1', true],
    ['0.10000000000000000555', false],
    ['4.9406564584124654e-324', false],
    ['5e-324', true],
    ['2.2250738585072014e-308', true],
    ['2.2250738585072013e-308', true],
    ['2.2250738585072009e-308', false],
    ['1e-324', false],
    ['1e309', false],
    ['00012', true],
  ])('B07: %s is %s', (token, exact) => {
    expect(isExact(token)).toBe(exact);
  });

  it('holds for whole numbers exactly when the double is that number or is written like it', () => {
    fc.assert(
      fc.property(fc.bigInt(-(2n ** 80n), 2n ** 80n), (whole) => {
        const token = String(whole);
        const double = Number(token);
        expect(isExact(token)).toBe(
          BigInt(double) === whole || String(double) === token || sameDigits(String(double), whole),
        );
      }),
      { numRuns: runs(2000) },
    );
  });

  it('holds for every double as JavaScript writes it, and with 17 digits', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (double) => {
        expect(isExact(String(double))).toBe(true);
        if (Math.abs(double) > 1e-300 && !Number.isInteger(double)) expect(isExact(double.toPrecision(17))).toBe(true);
      }),
      { numRuns: runs(2000) },
    );
  });
});

/** Whether `1.2345e+24` names exactly this whole number. */
function sameDigits(written: string, whole: bigint): boolean {
  const [, sign = '', first = '', rest = '', power = ''] = /^(-?)(\d)(?:\.(\d+))?e\+(\d+)$/.exec(written) ?? [];
  return power !== '' && BigInt(`${sign}${first}${rest.padEnd(Number(power), '0')}`) === whole;
}
