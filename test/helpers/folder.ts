import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder of a test's own, gone when the test ends. */
export interface Folder {
  readonly path: string;
  /** The path of a name in it. */
  of(name: string): string;
  write(name: string, content: string | Uint8Array): Promise<string>;
  append(name: string, content: string | Uint8Array): Promise<void>;
  read(name: string): Promise<string>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** `await using folder = await temporaryFolder();` */
export async function temporaryFolder(): Promise<Folder> {
  const path = await mkdtemp(join(tmpdir(), 'sluice-test-'));
  const of = (name: string): string => join(path, name);
  return {
    path,
    of,
    async write(name, content) {
      await writeFile(of(name), content);
      return of(name);
    },
    append: (name, content) => appendFile(of(name), content),
    read: (name) => readFile(of(name), 'utf8'),
    // What was unsubscribed may still save its offset.
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 20 }),
  };
}
