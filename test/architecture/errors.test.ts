import { describe, expect, it } from 'vitest';
import { ERROR_CODES } from 'sluice';
import { planted, readTree, withoutComments, type Tree } from './tree.js';

const uses = (tree: Tree, folder: RegExp, code: string): boolean =>
  [...tree].some(([path, text]) => folder.test(path) && new RegExp(`\\b${code}\\b`).test(text));

/** One `## CODE` entry per code, and of no other one; what stands below it says the cause and what to do. */
function documentFaults(page: string, codes: readonly string[]): string[] {
  const sections = page.split(/^## /m).slice(1);
  const documented = sections.map((section) => section.split('\n', 1)[0] ?? '');
  const faults = [
    ...codes.filter((code) => !documented.includes(code)).map((code) => `${code} is not in docs/errors.md`),
    ...documented
      .filter((code) => !codes.includes(code))
      .map((code) => `docs/errors.md explains ${code}, which is no code`),
  ];
  for (const [at, section] of sections.entries()) {
    if (!/\*\*Cause:?\*\*/.test(section) || !/\*\*What to do:?\*\*/.test(section)) {
      faults.push(`${documented[at] ?? ''} lacks its cause or what to do`);
    }
  }
  return faults;
}

function useFaults(tree: Tree, codes: readonly string[]): { unthrown: string[]; untested: string[] } {
  const code = new Map([...tree].map(([path, text]) => [path, withoutComments(text)]));
  return {
    unthrown: codes.filter((name) => !uses(code, /^src\/(?!errors\.ts)/, name)),
    untested: codes.filter((name) => !uses(tree, /^test\/(?!architecture\/).*\.test\.ts$|^src\/testing\//, name)),
  };
}

/** A code in the text of a source that the closed list does not have. */
function strangerFaults(tree: Tree, codes: readonly string[]): string[] {
  return [...tree].flatMap(([path, text]) =>
    [...withoutComments(text).matchAll(/SluiceError\(\s*'([A-Z_]+)'/g)]
      .map(([, code]) => code ?? '')
      .filter((code) => !codes.includes(code))
      .map((code) => `${path} throws ${code}`),
  );
}

describe('error codes', () => {
  const project = readTree('src', 'test', 'docs/errors.md');

  it('are each explained in docs/errors.md, and no other is', () => {
    expect(documentFaults(project.get('docs/errors.md') ?? '', ERROR_CODES)).toEqual([]);
  });

  it('are each used by a source and named by a test', () => {
    expect(useFaults(project, ERROR_CODES)).toEqual({ unthrown: [], untested: [] });
  });

  it('are all in the list', () => {
    expect(strangerFaults(readTree('src'), ERROR_CODES)).toEqual([]);
  });

  it('finds a code that is not explained, one that is none, and an empty explanation', () => {
    const entry = (code: string): string => `## ${code}\n\n**Cause:** x\n\n**What to do:** y\n\n`;
    expect(documentFaults(entry('A') + entry('B'), ['A', 'B'])).toEqual([]);
    expect(documentFaults(entry('A'), ['A', 'B'])).toHaveLength(1);
    expect(documentFaults(entry('A') + entry('B'), ['A'])).toHaveLength(1);
    expect(documentFaults('## A\n\nIt happens.\n', ['A'])).toHaveLength(1);
  });

  it('finds a code that nothing throws or no test names', () => {
    const tree = planted({
      'src/errors.ts': `'A'`,
      'src/links/a.ts': `// throws A`,
      'test/architecture/b.test.ts': `'A'`,
    });
    expect(useFaults(tree, ['A'])).toEqual({ unthrown: ['A'], untested: ['A'] });
    const used = planted({ 'src/links/a.ts': `new SluiceError('A', '')`, 'test/links/a.test.ts': `code: 'A'` });
    expect(useFaults(used, ['A'])).toEqual({ unthrown: [], untested: [] });
  });

  it('finds a code that is not in the list', () => {
    expect(strangerFaults(planted({ 'src/a.ts': `new SluiceError(\n  'B_C', '')` }), ['A'])).toEqual([
      'src/a.ts throws B_C',
    ]);
  });
});
