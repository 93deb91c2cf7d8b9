/**
 * Everything that a value shows, as one text: names, texts, numbers and bytes as text, of errors what is hidden from JSON
 * too. So a secret in it is found wherever it is.
 *
 * @internal
 */
export function inspected(value: unknown, depth: number = 8): string {
  const seen = new Set<unknown>();
  const parts: string[] = [];
  const look = (item: unknown, left: number): void => {
    if (item instanceof Uint8Array) parts.push(new TextDecoder().decode(item));
    else if (typeof item === 'function') parts.push(item.name);
    else if (typeof item !== 'object' || item === null) parts.push(String(item));
    else if (left > 0 && !seen.has(item)) {
      seen.add(item);
      const entries = item instanceof Map || item instanceof Set ? [...item].entries() : [];
      for (const [, entry] of entries) look(entry, left - 1);
      // Of an error also its text, its stack and its cause.
      for (const name of Object.getOwnPropertyNames(item)) {
        parts.push(name);
        look((item as Record<string, unknown>)[name], left - 1);
      }
    }
  };
  look(value, depth);
  return parts.join(' ');
}
