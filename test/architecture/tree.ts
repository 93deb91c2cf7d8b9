import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, posix, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Files by their path from the root of the project, with `/`. The rules take one, so that a test can plant a fault. */
export type Tree = ReadonlyMap<string, string>;

/** One import or re-export of a module. */
export interface Import {
  readonly specifier: string;
  /** Gone after compiling: `import type`, or only types between the braces. */
  readonly isType: boolean;
  /** `import('…')` at run time. */
  readonly isDynamic: boolean;
  /** The names between the braces, as the other module calls them. */
  readonly names: readonly string[];
}

/**
 * Entries that load one client as soon as they are imported, because they work without a subscription: plain JavaScript
 * that runs in browsers too. No other entry reaches these clients.
 */
export const LOADED_AT_ONCE: Readonly<Record<string, string>> = {
  'src/entries/csv.ts': 'papaparse',
  'src/entries/json-schema.ts': 'fast-json-stringify',
};

declare global {
  interface ImportMeta {
    glob(patterns: readonly string[]): unknown;
  }
}
// Nothing is loaded by this. It tells vitest, which follows imports, that these tests depend on all sources and tests: so
// `vitest --changed` runs them too.
void import.meta.glob(['../../src/**/*.ts', '../../test/**/*.ts', '../../examples/**/*.ts']);

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const NOT_OURS = new Set(['node_modules', 'dist', 'coverage', '.git', 'results']);
/** What an example makes when it runs: tens of megabytes. By its path, so that no folder of sources is left out for its name. */
const MADE = join(root, 'examples', 'orders-hub', 'data');

/** The files of these folders and files of the project. What does not exist is left out. */
export function readTree(...places: readonly string[]): Tree {
  const tree = new Map<string, string>();
  for (const place of places) {
    for (const path of walk(join(root, place))) {
      tree.set(relative(root, path).split(sep).join('/'), readFileSync(path, 'utf8'));
    }
  }
  return tree;
}

/** A tree for planting faults. */
export function planted(files: Readonly<Record<string, string>>): Tree {
  return new Map(Object.entries(files));
}

function walk(path: string): string[] {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined || path === MADE) return [];
  if (stat.isFile()) return [path];
  return readdirSync(path).flatMap((name) => (NOT_OURS.has(name) ? [] : walk(join(path, name))));
}

/** The text without its comments; line numbers stay. Good for formatted sources: strings hold no comment marks there. */
export function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, '')).replace(/(^|\s)\/\/.*$/gm, '$1');
}

/** What a source imports. It relies on the formatter: statements start at the beginning of a line, quotes are single. */
export function importsOf(text: string): Import[] {
  const code = withoutComments(text);
  const imports: Import[] = [];
  for (const [, clause = '', specifier = ''] of code.matchAll(/^(?:import|export)\b([^;'"]*?)\bfrom '([^']+)';/gm)) {
    const named = /\{([\s\S]*)\}/.exec(clause)?.[1]?.split(',') ?? [];
    const names = named.map((name) => name.trim()).filter((name) => name !== '');
    const onlyTypes = names.length > 0 && names.every((name) => name.startsWith('type '));
    imports.push({
      specifier,
      isType: /^\s*type\b/.test(clause) || onlyTypes,
      isDynamic: false,
      names: names.map((name) => name.replace(/^type /, '').replace(/ as .*/, '')),
    });
  }
  for (const [, specifier = ''] of code.matchAll(/^import '([^']+)';/gm)) {
    imports.push({ specifier, isType: false, isDynamic: false, names: [] });
  }
  for (const [, before = '', specifier = '', after = ''] of code.matchAll(
    /(typeof )?\bimport\('([^']+)'\)(\.[A-Z])?/g,
  )) {
    const isType = before !== '' || after !== '';
    imports.push({ specifier, isType, isDynamic: !isType, names: [] });
  }
  return imports;
}

/** The file a relative specifier means: `./x.js` in a source is `x.ts` beside it. */
export function target(from: string, specifier: string): string {
  return posix.join(posix.dirname(from), specifier).replace(/\.js$/, '.ts');
}

/** What is loaded at run time when a file is: the files, and every module that is not ours. */
export function reach(tree: Tree, start: string): { readonly files: Set<string>; readonly modules: Set<string> } {
  const files = new Set<string>();
  const modules = new Set<string>();
  const visit = (path: string): void => {
    if (files.has(path)) return;
    files.add(path);
    for (const { specifier, isType, isDynamic } of importsOf(tree.get(path) ?? '')) {
      if (isType) continue;
      if (specifier.startsWith('.')) visit(target(path, specifier));
      else if (!isDynamic) modules.add(specifier);
    }
  };
  visit(start);
  return { files, modules };
}

/** Every public name: of the root and of all entries. */
export function publicNames(tree: Tree): Set<string> {
  const entries = [...tree].filter(([path]) => path === 'src/index.ts' || path.startsWith('src/entries/'));
  return new Set(entries.flatMap(([, text]) => importsOf(text).flatMap(({ names }) => names)));
}
