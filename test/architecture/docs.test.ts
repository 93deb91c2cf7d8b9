import { describe, expect, it } from 'vitest';
import { planted, publicNames, readTree, type Tree } from './tree.js';

/**
 * Rows of docs/concepts.md end with `here` or `planned`. What a row names in code marks has to agree: of the names of a
 * row that is here at least one can be imported, and the first name of a planned one cannot.
 */
function conceptFaults(tree: Tree): string[] {
  const names = publicNames(tree);
  const rows = [...(tree.get('docs/concepts.md') ?? '').matchAll(/^\| (.+?) \| (.+) \| (\w+) \|$/gm)];
  return rows.flatMap(([, theirs = '', ours = '', state = '']) => {
    const named = [...ours.matchAll(/`([A-Za-z]\w*)\b[^`]*`/g)].map(([, name = '']) => name);
    if (state === 'here' && named.length > 0 && !named.some((name) => names.has(name))) return [`${theirs} is planned`];
    if (state === 'planned' && names.has(named[0] ?? '')) return [`${theirs} is here`];
    return [];
  });
}

/** The blocks of code of a page that are not word for word in the program they come from; white space does not count. */
function quoteFaults(page: string, program: string): string[] {
  const flat = (text: string): string => text.replace(/\s+/g, ' ').trim();
  const blocks = [...page.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, block = '']) => block);
  return blocks.filter((block) => !flat(program).includes(flat(block)));
}

describe('docs', () => {
  it('quote the program that adds a connector (S0.44)', () => {
    const page = readTree('docs').get('docs/add-a-connector.md') ?? '';
    const program = readTree('examples').get('examples/09-own-connector.ts') ?? '';
    const [rest] = page.split('## 4. Options');
    const [, use = ''] = page.split('## 6. Use it');
    expect(quoteFaults(`${rest ?? ''}${use}`, program)).toEqual([]);
    expect(quoteFaults('```ts\nopen();\n```', program)).toHaveLength(1);
  });

  it('say of each concept whether it is here', () => {
    expect(conceptFaults(readTree('src', 'docs/concepts.md'))).toEqual([]);
  });

  it('finds a concept that is not here yet, and one that is by now', () => {
    const faults = (row: string): string[] =>
      conceptFaults(
        planted({ 'src/index.ts': `export { each, type Mapper } from './a.js';`, 'docs/concepts.md': row }),
      );
    expect(faults('| Loop | `each(work)` with `retry` | here |')).toEqual([]);
    expect(faults('| Loop | `route` | planned |')).toEqual([]);
    expect(faults('| Loop | `route` | here |')).toEqual(['Loop is planned']);
    expect(faults('| Loop | `each` | planned |')).toEqual(['Loop is here']);
  });
});
