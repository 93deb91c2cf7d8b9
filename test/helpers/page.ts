/** Tells the test something; it hears all in order. For programs that run in a page, see `test/brokers/chromium.ts`. */
export function say(name: string, what: unknown): void {
  (globalThis as unknown as { readonly say: (...words: unknown[]) => void }).say(name, what);
}

/** What the test wants the program to know. */
export function setting(name: string): string {
  return new URL(location.href).searchParams.get(name) ?? '';
}
