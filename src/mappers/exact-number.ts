/** Below this a double has fewer than 17 digits. */
const SMALLEST_NORMAL = 2.2250738585072014e-308;

/**
 * Whether a decimal literal survives being read as a JavaScript number: written out again it has the same digits, or it is
 * a whole number that the double holds exactly. Others pass with up to 17 digits: those name one double, so no sender
 * that has doubles loses anything.
 *
 * Source: IEEE 754-2019 section 5.12.2 (17 digits identify a binary64).
 * @param token a JSON number
 * @internal
 */
export function isExact(token: string): boolean {
  const value = Number(token);
  if (!Number.isFinite(value)) return false;
  const written = String(value);
  if (written === token) return true;
  const { digits, exponent } = significant(token);
  if (digits === '') return true;
  // The double is at most half or twice the number, so with the same digits it is the number.
  if (significant(written).digits === digits) return true;
  // Finite, so a whole number has at most 309 digits.
  if (exponent >= 0) return BigInt(digits + '0'.repeat(exponent)) === BigInt(Math.abs(value));
  return digits.length <= 17 && Math.abs(value) >= SMALLEST_NORMAL;
}

/** The digits without zeros at either end, and the power of ten of the last one. */
function significant(token: string): { readonly digits: string; readonly exponent: number } {
  const [mantissa = '', power = '0'] = token.replace(/^-/, '').toLowerCase().split('e');
  const [whole = '', fraction = ''] = mantissa.split('.');
  const all = (whole + fraction).replace(/^0+/, '');
  let end = all.length;
  // Not by a pattern: `0+$` takes quadratic time on long runs of zeros inside. It ends where the first digit is no zero.
  while (all.charCodeAt(end - 1) === 0x30) end -= 1;
  return { digits: all.slice(0, end), exponent: Number(power) - fraction.length + all.length - end };
}
