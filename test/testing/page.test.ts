import { compileFunction } from 'node:vm';
import * as rxjs from 'rxjs';
import * as rxjsMarbles from 'rxjs-marbles';
import ts from 'typescript';
import * as vitest from 'vitest';
import * as sluice from 'sluice';
import * as sluiceTesting from 'sluice/testing';
import { codeBlocks, type CodeBlock } from '../architecture/code-blocks.js';
import { readTree } from '../architecture/tree.js';

const { describe, expect, it } = vitest;

interface WrittenTest {
  readonly name: string;
  readonly test: () => void;
}

/** The tests in a block of code, as whoever copies it would have them. */
function testsIn({ text }: Pick<CodeBlock, 'text'>): WrittenTest[] {
  const found: WrittenTest[] = [];
  const modules: Readonly<Record<string, object>> = {
    rxjs,
    'rxjs-marbles': rxjsMarbles,
    sluice,
    'sluice/testing': sluiceTesting,
    vitest: { ...vitest, it: (name: string, test: () => void) => found.push({ name, test }) },
  };
  const compilerOptions = { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022 };
  const { outputText } = ts.transpileModule(text, { compilerOptions });
  const block = compileFunction(outputText, ['require', 'exports']) as (...args: readonly unknown[]) => void;
  block((name: string) => modules[name], {});
  return found;
}

describe('the tests that pages and docstrings show', () => {
  const blocks = codeBlocks(readTree('docs', 'src/testing')).filter(({ text }) => /^it\(/m.test(text));

  it('are run, and fail when what they say is not so', () => {
    expect(blocks.length).toBeGreaterThan(3);
    const [wrong] = testsIn({ text: "import { it } from 'vitest';\nit('x', () => { throw new Error('no'); });\n" });
    expect(wrong?.test).toThrow('no');
  });

  for (const block of blocks) {
    for (const { name, test } of testsIn(block)) {
      it(`${name} (${block.path}:${block.line})`, () => expect(test).not.toThrow());
    }
  }
});
