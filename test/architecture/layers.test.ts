import { describe, expect, it } from 'vitest';
import { importsOf, planted, readTree, target, withoutComments, type Tree } from './tree.js';

// Lowest first. A file imports its own folder and lower rows; what shares a row does not know each other.
const LAYERS: readonly (readonly string[])[] = [
  ['errors.ts'],
  ['clock.ts'],
  ['options.ts'],
  ['message'],
  ['mappers', 'observability'],
  ['connection'],
  ['links'],
  ['operators', 'sources', 'sinks'],
  ['router', 'rpc'],
  ['runtime', 'sql'],
  ['testing'],
  ['index.ts', 'entries'],
];

// Usable without any stream, and the part of the library that is safe from the next major version of RxJS.
const WITHOUT_RXJS = /^src\/(message|mappers)\/|^src\/router\/(rule|topic-pattern|matcher[\w-]*|rule-index)\.ts$/;

// Where protocols are spoken. What is above them speaks of messages alone; the broker in memory is no protocol.
const PROTOCOLS = /^src\/(links|sources|sinks)\//;
const IN_MEMORY = /^src\/(links|sources|sinks)\/memory[-.]/;
const MAY_NAME_ONE = /^src\/(links|sources|sinks|entries)\//;

const partOf = (path: string): string => path.split('/')[1] ?? '';
const rankOf = (path: string): number => LAYERS.findIndex((row) => row.includes(partOf(path)));

function layerFaults(tree: Tree): string[] {
  const faults: string[] = [];
  for (const [path, text] of tree) {
    if (rankOf(path) < 0) faults.push(`${path}: src/${partOf(path)} is in no layer`);
    for (const { specifier } of importsOf(text)) {
      if (specifier === 'rxjs' && WITHOUT_RXJS.test(path)) faults.push(`${path} imports rxjs`);
      const isTestScheduler = specifier === 'rxjs/testing' && path.startsWith('src/testing/');
      if (specifier.startsWith('rxjs/') && !isTestScheduler) faults.push(`${path} imports ${specifier}, not 'rxjs'`);
      if (!specifier.startsWith('.')) continue;
      if (!specifier.endsWith('.js')) faults.push(`${path}: '${specifier}' lacks its .js`);
      const other = target(path, specifier);
      if (!tree.has(other)) faults.push(`${path}: ${other} does not exist`);
      if (partOf(other) === partOf(path)) continue;
      if (rankOf(other) >= rankOf(path)) faults.push(`${path} imports ${other}, which is not in a lower layer`);
      if (partOf(other) === 'testing' && partOf(path) !== 'entries') faults.push(`${path} imports ${other}`);
      if (PROTOCOLS.test(other) && !IN_MEMORY.test(other) && !MAY_NAME_ONE.test(path))
        faults.push(`${path} imports ${other}, which is of one protocol`);
    }
  }
  return faults;
}

/** Files that only re-export: the root and the entries hold no code of their own. */
function codeFaults(tree: Tree): string[] {
  return [...tree]
    .filter(([path]) => path === 'src/index.ts' || path.startsWith('src/entries/'))
    .filter(
      ([, text]) =>
        withoutComments(text)
          .replace(/^export\b[^;]*\bfrom '[^']+';/gm, '')
          .trim() !== '',
    )
    .map(([path]) => `${path} holds more than re-exports`);
}

/** Rings of imports that exist at run time; a ring of types is harmless. */
function ringFaults(tree: Tree): string[] {
  const faults: string[] = [];
  const done = new Set<string>();
  const visit = (path: string, way: readonly string[]): void => {
    const at = way.indexOf(path);
    if (at >= 0) faults.push([...way.slice(at), path].join(' -> '));
    if (at >= 0 || done.has(path)) return;
    for (const { specifier, isType } of importsOf(tree.get(path) ?? '')) {
      if (!isType && specifier.startsWith('.')) visit(target(path, specifier), [...way, path]);
    }
    done.add(path);
  };
  for (const path of tree.keys()) visit(path, []);
  return faults;
}

describe('layers', () => {
  const sources = readTree('src');

  it('lets a file import its own folder and lower layers only (S0.1, S0.17)', () => {
    expect(layerFaults(sources)).toEqual([]);
  });

  it('lets no imports run in a ring', () => {
    expect(ringFaults(sources)).toEqual([]);
  });

  it('keeps code out of the root and the entries', () => {
    expect(codeFaults(sources)).toEqual([]);
  });

  it.each([
    ['an upward import', { 'src/message/a.ts': `import { b } from '../connection/b.js';`, 'src/connection/b.ts': '' }],
    [
      'an upward import of a type',
      { 'src/errors.ts': `import type { b } from './message/b.js';`, 'src/message/b.ts': '' },
    ],
    [
      'a sink that knows a source',
      { 'src/sinks/a.ts': `import { b } from '../sources/b.js';`, 'src/sources/b.ts': '' },
    ],
    [
      'a source that knows a stage',
      { 'src/sources/a.ts': `export { b } from '../operators/b.js';`, 'src/operators/b.ts': '' },
    ],
    [
      'a stage that knows a protocol',
      { 'src/operators/a.ts': `import { b } from '../links/kafka-errors.js';`, 'src/links/kafka-errors.ts': '' },
    ],
    ['a protocol in the root', { 'src/index.ts': `export { b } from './sinks/file.js';`, 'src/sinks/file.ts': '' }],
    ['a late import', { 'src/links/a.ts': `const x = await import('../sources/b.js');`, 'src/sources/b.ts': '' }],
    ['the testing kit in the root', { 'src/index.ts': `export { b } from './testing/b.js';`, 'src/testing/b.ts': '' }],
    ['a folder without a layer', { 'src/helpers/a.ts': '' }],
    ['RxJS in a mapper', { 'src/mappers/a.ts': `import { of } from 'rxjs';` }],
    ['RxJS in a pattern', { 'src/router/topic-pattern.ts': `import type { Observable } from 'rxjs';` }],
    ['a deep import of RxJS', { 'src/operators/a.ts': `import { map } from 'rxjs/operators';` }],
    ['an import without its ending', { 'src/links/a.ts': `import { b } from './b';`, 'src/links/b.ts': '' }],
  ])('finds %s', (_, files) => {
    expect(layerFaults(planted(files))).not.toEqual([]);
  });

  it('finds a ring, but not one of types', () => {
    const back = (text: string): Tree =>
      planted({ 'src/links/a.ts': `import { b } from './b.js';`, 'src/links/b.ts': text });
    expect(ringFaults(back(`import { a } from './a.js';`))).toHaveLength(1);
    expect(ringFaults(back(`import type { a } from './a.js';`))).toEqual([]);
  });

  it('finds code in an entry', () => {
    expect(
      codeFaults(planted({ 'src/entries/a.ts': `export { b } from '../links/b.js';\nconst x = 1;` })),
    ).toHaveLength(1);
  });
});
