import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { codeBlocks, compileFaults, isQuoted } from './code-blocks.js';
import { planted, readTree } from './tree.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

describe('blocks of code', () => {
  const blocks = codeBlocks(readTree('README.md', 'CONTRIBUTING.md', 'docs', 'src'));

  it('are found in pages and docstrings', () => {
    const page = 'Text.\n\n```ts\nconst a = 1;\n```\n\n```sh\nls\n```\n';
    const source = '/**\n * Gives.\n *\n * @example\n * f();\n *\n * g();\n * @see f\n */\n';
    expect(codeBlocks(planted({ 'docs/a.md': page, 'src/b.ts': source }))).toEqual([
      { path: 'docs/a.md', line: 4, text: 'const a = 1;\n' },
      { path: 'src/b.ts', line: 5, text: 'f();\n\ng();\n' },
    ]);
    expect(blocks.length).toBeGreaterThan(100);
  });

  // One compilation of some seconds, which is not divided: a busy machine may need minutes for it.
  it('compile against the public entries, or are quoted from a program that does', { timeout: 300_000 }, () => {
    const examples = readTree('examples');
    const own = blocks.filter((block) => !isQuoted(block, examples));
    const broken = [
      {
        path: 'docs/a.md',
        line: 4,
        text: "import { each } from 'sluice';\neach((n: number) => n, { concurency: 2 });\n",
      },
      { path: 'docs/a.md', line: 9, text: 'nobody();\n' },
    ];
    const [typo, unknown, ...faults] = compileFaults([...broken, ...own], root);
    expect(typo).toMatch(/^docs\/a\.md:5 .*'concurency' does not exist/);
    expect(unknown).toBe("docs/a.md:9 Cannot find name 'nobody'.");
    expect(faults).toEqual([]);
  });
});
