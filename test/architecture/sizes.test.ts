import { describe, expect, it } from 'vitest';
import { importsOf, planted, readTree, target, type Tree } from './tree.js';

const MAX_LINES = 400;
const MAX_MEDIAN = 100;
const MAX_STORY = 700;

// Read in this order, these files tell how the library works.
const STORY = [
  'src/message/message.ts',
  'src/sources/memory.ts',
  'src/connection/define-source.ts',
  'src/operators/each.ts',
  'src/router/route.ts',
  'src/sinks/memory.ts',
  'src/runtime/run.ts',
];

const linesOf = (text: string): number => text.trimEnd().split('\n').length;

function sizeFaults(tree: Tree): string[] {
  const sizes = [...tree].map(([path, text]) => [path, linesOf(text)] as const);
  const faults = sizes.filter(([, lines]) => lines > MAX_LINES).map(([path, lines]) => `${path}: ${lines} lines`);
  const sorted = sizes.map(([, lines]) => lines).sort((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)] ?? 0;
  if (median > MAX_MEDIAN) faults.push(`the median is ${median} lines`);
  return faults;
}

function storyFaults(tree: Tree): string[] {
  const faults = STORY.filter((path) => !tree.has(path)).map((path) => `${path} is missing`);
  const lines = STORY.reduce((sum, path) => sum + linesOf(tree.get(path) ?? ''), 0);
  if (lines > MAX_STORY) faults.push(`the story has ${lines} lines, more than ${MAX_STORY}`);
  const named = importsOf(tree.get('src/index.ts') ?? '').map(({ specifier }) => target('src/index.ts', specifier));
  const order = named.filter((path) => STORY.includes(path)).filter((path, at, all) => all.indexOf(path) === at);
  if (order.join() !== STORY.filter((path) => tree.has(path)).join()) {
    faults.push(`src/index.ts names the story as ${order.join(', ')}`);
  }
  return faults;
}

describe('sizes', () => {
  const sources = readTree('src');

  it('keeps every source file small', () => {
    expect(sizeFaults(sources)).toEqual([]);
  });

  it('tells the story in seven files, in the order of src/index.ts', () => {
    expect(storyFaults(sources)).toEqual([]);
  });

  it('finds a file that is too long', () => {
    const tree = planted({ 'src/a.ts': '\n'.repeat(400) + 'x', 'src/b.ts': '', 'src/c.ts': '' });
    expect(sizeFaults(tree)).toEqual(['src/a.ts: 401 lines']);
  });

  it('finds files that are too long on the whole', () => {
    const text = '\n'.repeat(100) + 'x';
    expect(sizeFaults(planted({ 'src/a.ts': text, 'src/b.ts': text }))).toEqual(['the median is 101 lines']);
  });

  it('finds a story that is incomplete, too long or out of order', () => {
    const index = (paths: readonly string[]): string =>
      paths.map((path) => `export { x } from '${path.replace('src/', './').replace('.ts', '.js')}';`).join('\n');
    const story = (text: string, order = STORY): Tree =>
      planted({ 'src/index.ts': index(order), ...Object.fromEntries(STORY.map((path) => [path, text])) });
    expect(storyFaults(story('x'))).toEqual([]);
    expect(storyFaults(story('x\n'.repeat(101)))).toEqual(['the story has 707 lines, more than 700']);
    expect(storyFaults(story('x', [...STORY].reverse()))).toHaveLength(1);
    expect(storyFaults(story('x', STORY.slice(1)))).toHaveLength(1);
    expect(storyFaults(planted({ 'src/index.ts': '' }))).toHaveLength(STORY.length);
  });
});
