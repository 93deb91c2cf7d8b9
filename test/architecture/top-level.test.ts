import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const FOLDERS = ['.ci', '.git', 'bench', 'docs', 'examples', 'scripts', 'src', 'test'];
const FILES = [
  '.gitignore',
  '.npmrc',
  '.oxfmtrc.json',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'LICENSE',
  'README.md',
  'compose.yaml',
  'eslint.config.js',
  'knip.json',
  'package-lock.json',
  'package.json',
  'tsconfig.build.json',
  'tsconfig.json',
  'vitest.config.ts',
];

const root = new URL('../../', import.meta.url);

/** What lies at the top and neither belongs there nor is ignored: what a profiler or a crash has left is committed easily. */
function strays(entries: readonly string[], ignored: string): string[] {
  const lines = ignored.split('\n');
  const kinds = lines.filter((line) => line.startsWith('*.')).map((line) => line.slice(1));
  return entries.filter(
    (name) => ![...FOLDERS, ...FILES, ...lines].includes(name) && !kinds.some((kind) => name.endsWith(kind)),
  );
}

describe('the top level', () => {
  it('holds what belongs there and nothing else', () => {
    const ignored = readFileSync(new URL('.gitignore', root), 'utf8');
    expect(strays(readdirSync(root), ignored)).toEqual([]);
  });

  it('finds a planted fault', () => {
    const entries = ['src', 'README.md', 'dist', 'core.1234', 'run.log', 'log'];
    expect(strays(entries, 'node_modules\ndist\n*.log\n')).toEqual(['core.1234', 'log']);
  });
});
