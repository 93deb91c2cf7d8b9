import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { expectedOutput } from '../scripts/expected-output.js';
import { childProgram } from './helpers/child-program.js';

const names = readdirSync('examples').filter((name) => /^\d\d-[a-z-]+\.ts$/.test(name));
const textOf = (name: string): string => readFileSync(`examples/${name}`, 'utf8');

/** What an example shows that is asked for. */
const SHOWN: Readonly<Record<string, string>> = {
  // A connector is a module outside of the library, and the application uses it by naming what it connects to.
  '09-own-connector.ts': ' (S0.45, S0.48)',
  '10-order-events.ts': ' (S3.39, S3.40, S4.3)',
  '11-broadcast.ts': ' (S3.41, S3.44, S3.45, S3.46)',
  '24-websocket.ts': ' (S3.49, S3.57)',
  '25-config-watch.ts': ' (S3.50, S3.52)',
  '26-order-book.ts': ' (S3.51)',
};

describe('examples', () => {
  // A program of its own each: it prints its block, prints no warning, and ends by itself.
  it.concurrent.each(names.map((name) => [name, SHOWN[name] ?? '']))(
    '%s prints its Output block and ends%s',
    async (name) => {
      const child = (await childProgram(`import './examples/${name}';`)).start();
      expect(await child.ended).toBe(0);
      expect(child.said.trimEnd()).toBe(expectedOutput(textOf(name)));
    },
  );

  it.each(names)('%s is short, says first what it needs, and imports public names only', (name) => {
    const text = textOf(name);
    expect(text.split('\n').length).toBeLessThanOrEqual(60);
    expect(text).toMatch(/^\/\/ .*\bneeds\b/i);
    for (const [, from] of text.matchAll(/\bfrom '([^']+)'/g))
      expect(from).toMatch(/^(sluice(\/[\w-]+)?|rxjs|node:[\w/]+)$/);
  });

  it('are numbered as a course, each number once and none left out before the protocols', () => {
    const numbers = names.map((name) => Number(name.slice(0, 2)));
    const course = numbers.filter((number) => number < 20);
    expect(course).toEqual(course.map((_, at) => at + 1));
    expect(numbers).toEqual([...new Set(numbers)]);
  });

  it('are there that show what is asked for', () => {
    expect(names).toEqual(expect.arrayContaining(Object.keys(SHOWN)));
  });

  it('open the README with the first one', () => {
    const [, block] = /```ts\n([\s\S]*?)```/.exec(readFileSync('README.md', 'utf8')) ?? [];
    expect(block).toBe(textOf('01-hello-memory.ts'));
  });
});

describe('expectedOutput', () => {
  it('reads the lines of the block', () => {
    expect(expectedOutput('run();\n\n// Output:\n// a\n//\n// b: 1\n')).toBe('a\n\nb: 1');
  });

  it('refuses a program without a block, and code below it', () => {
    expect(() => expectedOutput('run();\n')).toThrow('no // Output:');
    expect(() => expectedOutput('// Output:\n// a\nrun();\n')).toThrow('run();');
  });
});
