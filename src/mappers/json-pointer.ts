/** How much of a pointer is shown: keys come from the payload and may be of any length. */
const SHOWN = 120;

/**
 * A path as JSON Pointer, safe to print: line ends and other control characters are escaped, a long one is cut.
 *
 * Source: RFC 6901 section 3 and 5.
 * @internal
 */
export function jsonPointer(path: readonly PropertyKey[]): string {
  let pointer = '';
  for (const part of path) {
    pointer += `/${printable(String(part).slice(0, SHOWN)).replaceAll('~', '~0').replaceAll('/', '~1')}`;
    if (pointer.length > SHOWN) return `${pointer.slice(0, SHOWN)}…`;
  }
  return pointer === '' ? 'the root' : pointer;
}

function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu,
    (char) => `\\u${char.codePointAt(0)?.toString(16).padStart(4, '0') ?? ''}`,
  );
}
