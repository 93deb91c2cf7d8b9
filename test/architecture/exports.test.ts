import { describe, expect, it } from 'vitest';
import { importsOf, LOADED_AT_ONCE, planted, reach, readTree, type Tree } from './tree.js';

type Conditions = Readonly<Record<string, string>>;
interface Manifest {
  readonly exports: Readonly<Record<string, string | Conditions>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
}

const manifestOf = (tree: Tree): Manifest => JSON.parse(tree.get('package.json') ?? '{}') as Manifest;

/** The file behind a public name: the root is src/index.ts, everything else a file of src/entries. */
function entryFiles(tree: Tree): Map<string, string> {
  const files = [...tree.keys()].filter((path) => path.startsWith('src/entries/')).sort();
  return new Map([
    ['.', 'src/index.ts'],
    ...files.map((path) => [path.replace(/^src\/entries\/(.*)\.ts$/, './$1'), path] as const),
  ]);
}

/** An entry that loads Node's own modules, or a client, when it is imported is for Node alone. */
function isForNode(tree: Tree, file: string): boolean {
  return [...reach(tree, file).modules].some(
    (module) => !/^rxjs(\/|$)/.test(module) && module !== LOADED_AT_ONCE[file],
  );
}

function exportFaults(tree: Tree): string[] {
  const faults: string[] = [];
  const { exports } = manifestOf(tree);
  const files = entryFiles(tree);
  for (const name of Object.keys(exports)) {
    if (name !== './package.json' && !files.has(name)) faults.push(`package.json exports ${name}, which has no file`);
  }
  for (const [name, file] of files) {
    const built = file.replace('src/', './dist/').replace(/\.ts$/, '');
    const run = isForNode(tree, file) ? 'node' : 'default';
    const expected = { types: `${built}.d.ts`, [run]: `${built}.js` };
    if (JSON.stringify(exports[name]) !== JSON.stringify(expected)) {
      faults.push(`package.json has to export "${name}": ${JSON.stringify(expected)}`);
    }
  }
  return faults;
}

/** The README's table of entries: `| \`sluice/file\` | Node | … |`. */
function tableFaults(tree: Tree): string[] {
  const rows = [...(tree.get('README.md') ?? '').matchAll(/^\| `(sluice[^`]*)` \| ([^|]+?) \|/gm)];
  const actual = rows.map(([, name, where]) => `${name ?? ''} in ${where ?? ''}`).sort();
  const expected = [...entryFiles(tree)]
    .map(([name, file]) => `sluice${name.slice(1)} in ${isForNode(tree, file) ? 'Node' : 'browsers and Node'}`)
    .sort();
  return [
    ...expected.filter((row) => !actual.includes(row)).map((row) => `README.md lacks the row ${row}`),
    ...actual.filter((row) => !expected.includes(row)).map((row) => `README.md has the row ${row} too much`),
  ];
}

/** Whatever is imported is RxJS, Node's own, or a client: an optional peer. */
function peerFaults(tree: Tree): string[] {
  const { peerDependencies = {}, peerDependenciesMeta = {} } = manifestOf(tree);
  const faults = Object.keys(peerDependencies)
    .filter((name) => name !== 'rxjs' && peerDependenciesMeta[name]?.optional !== true)
    .map((name) => `package.json: the peer ${name} is not optional`);
  for (const [path, text] of tree) {
    if (!path.startsWith('src/')) continue;
    for (const { specifier } of importsOf(text)) {
      if (specifier.startsWith('.') || specifier.startsWith('node:')) continue;
      const name = /^(@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier;
      if (peerDependencies[name] === undefined) faults.push(`${path} imports ${name}, which is no peer`);
    }
  }
  return faults;
}

describe('exports', () => {
  const project = readTree('src', 'package.json', 'README.md');

  it('are the files of src/entries, for Node alone where they load something of Node (S0.1)', () => {
    expect(exportFaults(project)).toEqual([]);
  });

  it('are the rows of the table in the README', () => {
    expect(tableFaults(project)).toEqual([]);
  });

  it('need RxJS and optional peers only', () => {
    expect(peerFaults(project)).toEqual([]);
  });

  const root = { types: './dist/index.d.ts', default: './dist/index.js' };
  const file = { types: './dist/entries/file.d.ts', node: './dist/entries/file.js' };
  const project0 = (exports: object, entry = `export { x } from '../sources/file.js';`, readme = ''): Tree =>
    planted({
      'src/index.ts': '',
      'src/entries/file.ts': entry,
      'src/sources/file.ts': `import { open } from 'node:fs/promises';`,
      'package.json': JSON.stringify({ exports }),
      'README.md': readme,
    });

  it('finds an entry that is missing, too much, or open to browsers while it needs Node', () => {
    expect(exportFaults(project0({ '.': root, './file': file }))).toEqual([]);
    expect(exportFaults(project0({ '.': root }))).toHaveLength(1);
    expect(exportFaults(project0({ '.': root, './file': file, './csv': file }))).toHaveLength(1);
    const open = { types: file.types, default: file.node };
    expect(exportFaults(project0({ '.': root, './file': open }))).toHaveLength(1);
    expect(exportFaults(project0({ '.': root, './file': file }, ''))).toHaveLength(1);
  });

  it('finds a row that is missing, too much or says the wrong place', () => {
    const rows = ['| `sluice` | browsers and Node | core |', '| `sluice/file` | Node | files |'];
    const table = (...lines: readonly string[]): string[] => tableFaults(project0({}, undefined, lines.join('\n')));
    expect(table(...rows)).toEqual([]);
    expect(table(rows[0]!)).toHaveLength(1);
    expect(table(...rows, '| `sluice/csv` | Node | tables |')).toHaveLength(1);
    expect(table(rows[0]!, '| `sluice/file` | browsers and Node | files |')).toHaveLength(2);
  });

  it('finds a peer that is not optional and an import that is no peer', () => {
    const manifest = (peerDependenciesMeta: object): string =>
      JSON.stringify({ peerDependencies: { rxjs: '7', ws: '8' }, peerDependenciesMeta });
    const ws = { ws: { optional: true } };
    const source = `import type { A } from 'ws';\nconst b = await import('kafkajs');`;
    expect(peerFaults(planted({ 'package.json': manifest({}) }))).toHaveLength(1);
    expect(peerFaults(planted({ 'package.json': manifest(ws), 'src/links/a.ts': source }))).toEqual([
      'src/links/a.ts imports kafkajs, which is no peer',
    ]);
  });
});
