import { describe, expect, it } from 'vitest';
import { importsOf, planted, readTree, target, type Tree } from './tree.js';

const entriesOf = (tree: Tree): string[] =>
  [...tree.keys()].filter((path) => path === 'src/index.ts' || path.startsWith('src/entries/'));

/** Where the names of an entry are declared. */
function declared(tree: Tree, entry: string): { readonly name: string; readonly file: string }[] {
  return importsOf(tree.get(entry) ?? '').flatMap(({ specifier, names }) =>
    names.map((name) => ({ name, file: target(entry, specifier) })),
  );
}

/** The docstring above the first declaration of a name: an overload's stands above its first signature. */
function docstring(tree: Tree, file: string, name: string): string | undefined {
  const text = tree.get(file) ?? '';
  const declaration = new RegExp(
    `^export (?:declare )?(?:abstract )?(?:async )?(?:function\\*?|const|class|interface|type) ${name}\\b`,
    'm',
  ).exec(text);
  if (declaration === null) {
    const [all] = importsOf(text).filter(({ names }) => names.length === 0 || names.includes(name));
    return all === undefined ? undefined : docstring(tree, target(file, all.specifier), name);
  }
  const before = text.slice(0, declaration.index).trimEnd();
  return before.endsWith('*/') ? before.slice(before.lastIndexOf('/**')) : undefined;
}

function docstringFaults(tree: Tree): string[] {
  const faults = new Set<string>();
  for (const entry of entriesOf(tree)) {
    for (const { name, file } of declared(tree, entry)) {
      const found = docstring(tree, file, name);
      if (found === undefined) faults.add(`${name} of ${file} has no docstring`);
      else if (!/@example|@see|\{@link /.test(found)) faults.add(`${name} of ${file} has neither @example nor @see`);
    }
  }
  return [...faults];
}

/** The rules of options are shown together, by `checkOptions`. */
const SHOWN_ELSEWHERE = 'src/options.ts';

/** Functions without an example that imports them: each can be typed in as it stands. */
function lackingExamples(tree: Tree): string[] {
  return entriesOf(tree).flatMap((entry) =>
    declared(tree, entry).flatMap(({ name, file }) => {
      if (file === SHOWN_ELSEWHERE || !isFunction(tree, file, name)) return [];
      const example = docstring(tree, file, name)?.split('@example')[1] ?? '';
      return new RegExp(`^ \\* import [^;]*\\b${name}\\b[^;]* from 'sluice`, 'm').test(example)
        ? []
        : [`${name} of ${file} has no example that imports it`];
    }),
  );
}

const isFunction = (tree: Tree, file: string, name: string): boolean =>
  new RegExp(`^export (?:async )?function\\*? ${name}\\b`, 'm').test(tree.get(file) ?? '');

/** Every name that an @example imports has to be there: an example that cannot be typed in is worse than none. */
function exampleFaults(tree: Tree): string[] {
  const exported = new Map(
    entriesOf(tree).map((entry) => {
      const name = entry === 'src/index.ts' ? 'sluice' : entry.replace(/^src\/entries\/(.*)\.ts$/, 'sluice/$1');
      return [name, new Set(declared(tree, entry).map((one) => one.name))] as const;
    }),
  );
  const faults: string[] = [];
  for (const [path, text] of tree) {
    for (const [, names = '', from = ''] of text.matchAll(
      /^ \* import (?:type )?\{([^}]*)\} from '(sluice[^']*)';/gm,
    )) {
      for (const name of names.split(',').map((one) => one.trim().replace(/^type /, ''))) {
        if (exported.get(from)?.has(name) !== true) faults.push(`${path}: an example imports ${name} from ${from}`);
      }
    }
  }
  return faults;
}

describe('docstrings', () => {
  const sources = readTree('src');

  it('explain every public name, with an example or a neighbour', () => {
    expect(docstringFaults(sources)).toEqual([]);
  });

  it('show each function in an example that imports it', () => {
    expect(lackingExamples(sources)).toEqual([]);
  });

  it('show examples that import what is there', () => {
    expect(exampleFaults(sources)).toEqual([]);
  });

  it('finds a name without a docstring, without an example, and one that is nowhere', () => {
    const of = (text: string): string[] =>
      docstringFaults(planted({ 'src/index.ts': `export { a } from './links/a.js';`, 'src/links/a.ts': text }));
    expect(of('/** Gives.\n * @see b */\nexport function a(): void {}')).toEqual([]);
    expect(of('/** Gives. */\nexport function a(): void {}')).toHaveLength(1);
    expect(of('/** @see b */\nconst b = 1;\nexport const a = 1;')).toHaveLength(1);
    expect(of('')).toHaveLength(1);
  });

  it('finds a function without an example that imports it', () => {
    const of = (example: string): string[] =>
      lackingExamples(
        planted({
          'src/index.ts': `export { a } from './links/a.js';`,
          'src/links/a.ts': `/**\n * @example\n${example} * @see b\n */\nexport function a(): void {}`,
        }),
      );
    expect(of(` * import { a } from 'sluice';\n * a();\n`)).toEqual([]);
    expect(of(` * import { ab } from 'sluice';\n * a();\n`)).toEqual([
      'a of src/links/a.ts has no example that imports it',
    ]);
    expect(of(' * a();\n')).toHaveLength(1);
  });

  it('finds an example that imports what is not there', () => {
    const example = `/**\n * @example\n * import { a, b } from 'sluice';\n */`;
    const tree = planted({ 'src/index.ts': `export { a } from './links/a.js';`, 'src/links/a.ts': example });
    expect(exampleFaults(tree)).toEqual(['src/links/a.ts: an example imports b from sluice']);
  });
});
