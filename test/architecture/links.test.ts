import { posix } from 'node:path';
import { describe, expect, it } from 'vitest';
import { planted, readTree, type Tree } from './tree.js';

/** The anchor that a heading gets on the usual hosts. */
const anchor = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replace(/\s/g, '-');

/** Links between pages and to files: each has to lead somewhere, also behind its `#`. */
function linkFaults(pages: Tree, files: Tree): string[] {
  const faults: string[] = [];
  for (const [path, text] of pages) {
    for (const [, link = ''] of text.replace(/```[\s\S]*?```/g, '').matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(link)) continue;
      const [place = '', hash] = link.split('#');
      const file = place === '' ? path : posix.join(posix.dirname(path), place);
      const isThere = files.has(file) || [...files.keys()].some((name) => name.startsWith(`${file}/`));
      if (!isThere) faults.push(`${path} links to ${link}`);
      const headings = [...(files.get(file) ?? '').matchAll(/^#+ (.*)$/gm)].map(([, heading]) => anchor(heading ?? ''));
      if (isThere && hash !== undefined && !headings.includes(hash)) faults.push(`${path} links to ${link}`);
    }
  }
  return faults;
}

describe('links', () => {
  it('lead somewhere', () => {
    const pages = readTree('README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'docs');
    const files = new Map([...pages, ...readTree('LICENSE', 'src', 'test', 'examples', 'bench', 'scripts', '.ci')]);
    expect(linkFaults(pages, files)).toEqual([]);
  });

  it('are found when they lead nowhere', () => {
    const files = planted({ 'docs/b.md': '## What to do\n', 'README.md': '' });
    const faults = (text: string): string[] => linkFaults(planted({ 'docs/a.md': text }), files);
    expect(faults('[x](b.md#what-to-do) [y](../README.md) [z](https://a.example) [docs](../docs)')).toEqual([]);
    expect(faults('[x](c.md)')).toHaveLength(1);
    expect(faults('[x](b.md#what-else)')).toHaveLength(1);
  });
});
