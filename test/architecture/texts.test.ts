import { describe, expect, it } from 'vitest';
import { planted, readTree, type Tree } from './tree.js';

/** Folders of one machine and addresses of one registry: nobody else has them. */
const PLACES = [
  /(?<![\w./])\/(?:work|home\/\w|root|Users\/\w)[\w/]*/,
  /\b[A-Z]:\\\\?Users\b/,
  /registry\.npmjs\.org/,
  /"resolved":/,
];

function placeFaults(tree: Tree): string[] {
  return [...tree].flatMap(([path, text]) =>
    PLACES.map((pattern) => pattern.exec(text)?.[0])
      .filter((found) => found !== undefined)
      .map((found) => `${path} names ${found}`),
  );
}

/**
 * A test runs, or says why not where it is seen: `skip('reason')` on the test's context. Switched off in the source,
 * it is forgotten; alone in the source, it switches off all others.
 */
function skipFaults(tree: Tree): string[] {
  const faults: string[] = [];
  for (const [path, text] of tree) {
    for (const [found] of text.matchAll(
      /\b(it|test|describe)\.(only|todo|fails|skip|skipIf|runIf)\b|\bx(it|describe)\(/g,
    )) {
      faults.push(`${path} has ${found}`);
    }
    for (const [found] of text.matchAll(/\b(?:ctx|context|task|t)\.skip\((?!.*['"`])[^)]*\)/g))
      faults.push(`${path} has ${found} without a reason`);
  }
  return faults;
}

/** A test that sleeps is slow on a fast machine and wrong on a slow one. */
function sleepFaults(tree: Tree): string[] {
  return [...tree]
    .filter(([path]) => path.endsWith('.test.ts') && !/^test\/(architecture|heavy)\//.test(path))
    .filter(([, text]) => /await new Promise[^;]*\bsetTimeout\(|timers\/promises/.test(text))
    .map(([path]) => `${path} sleeps`);
}

/** A name says what is, so that a failing one reads as what is not. */
function nameFaults(tree: Tree): string[] {
  return [...tree].flatMap(([path, text]) =>
    [...text.matchAll(/\b(?:it|test)(?:\.each\([^)]*\))?\(\s*['"`](should\b[^'"`]*)/g)].map(
      ([, name]) => `${path}: ${name ?? ''}`,
    ),
  );
}

// This file is full of what it looks for.
function readTexts(...places: readonly string[]): Tree {
  return new Map([...readTree(...places)].filter(([path]) => path !== 'test/architecture/texts.test.ts'));
}

describe('texts', () => {
  const tests = readTexts('test', 'src/testing');

  it('name no folder of a machine and no address of a registry', () => {
    const everything = readTexts(
      'src',
      'test',
      'docs',
      'examples',
      'bench',
      'scripts',
      '.ci',
      'README.md',
      'CHANGELOG.md',
      'CONTRIBUTING.md',
      'package.json',
      'package-lock.json',
      'knip.json',
      'tsconfig.json',
      'tsconfig.build.json',
      'vitest.config.ts',
      'eslint.config.js',
    );
    expect(placeFaults(everything)).toEqual([]);
  });

  it('skip no test without a reason', () => {
    expect(skipFaults(tests)).toEqual([]);
  });

  it('sleep in no test', () => {
    expect(sleepFaults(tests)).toEqual([]);
  });

  it('name tests as facts', () => {
    expect(nameFaults(tests)).toEqual([]);
  });

  it('finds places', () => {
    for (const text of ['see /work/main', `cd '/home/me/x'`, '"resolved": "x"', 'https://registry.npmjs.org/x']) {
      expect(placeFaults(planted({ 'docs/a.md': text })), text).toHaveLength(1);
    }
    expect(placeFaults(planted({ 'docs/a.md': 'src/work/x, https://a.example/root, /var/log' }))).toEqual([]);
  });

  it('finds tests that are switched off', () => {
    for (const text of [
      `it.skip('x')`,
      `describe.only('x')`,
      `test.todo('x')`,
      `xit('x')`,
      `it.skipIf(a)('x')`,
      'ctx.skip()',
    ]) {
      expect(skipFaults(planted({ 'test/a.test.ts': text })), text).toHaveLength(1);
    }
    expect(skipFaults(planted({ 'test/a.test.ts': `ctx.skip('no broker here')` }))).toEqual([]);
  });

  it('finds sleeps and names that are wishes', () => {
    const sleep = `await new Promise((resolve) => setTimeout(resolve, 50));`;
    expect(sleepFaults(planted({ 'test/a.test.ts': sleep }))).toHaveLength(1);
    expect(nameFaults(planted({ 'test/a.test.ts': `it('should work', () => {})` }))).toHaveLength(1);
  });
});
