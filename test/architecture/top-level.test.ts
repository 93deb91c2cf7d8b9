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

/** What lies at the top and neither belongs there nor is ignored by name: what a profiler or a crash has left is committed easily. */
function strays(entries: readonly string[], ignored: string): string[] {
  const names = ignored.split('\n');
  return entries.filter((name) => ![...FOLDERS, ...FILES, ...names].includes(name));
}

describe('the top level', () => {
  it('holds what belongs there and nothing else', () => {
    const ignored = readFileSync(new URL('.gitignore', root), 'utf8');
    const entries = readdirSync(root).filter((name) => !name.endsWith('.log'));
    expect(strays(entries, ignored)).toEqual([]);
    expect(ignored.split('\n')).toContain('*.log');
  });

  it('finds a planted fault', () => {
    expect(strays(['src', 'README.md', 'dist', 'core.1234'], 'node_modules\ndist\n')).toEqual(['core.1234']);
  });
});
