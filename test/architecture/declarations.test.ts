import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { planted, readTree, withoutComments, type Tree } from './tree.js';

/** The build writes declarations file by file, so an export has to say its type itself. */
function declarationFaults(tree: Tree): string[] {
  return [...tree].flatMap(([path, text]) => {
    const { diagnostics = [] } = ts.transpileDeclaration(text, {
      fileName: path,
      reportDiagnostics: true,
      compilerOptions: { declaration: true, isolatedDeclarations: true, target: ts.ScriptTarget.ES2022, strict: true },
    });
    return diagnostics.map((one) => {
      const line = one.file?.getLineAndCharacterOfPosition(one.start ?? 0).line ?? 0;
      return `${path}:${line + 1} ${ts.flattenDiagnosticMessageText(one.messageText, ' ')}`;
    });
  });
}

/** Types that only `@types/node` declares: a consumer without it could not compile. Import them from `node:` instead. */
function ambientFaults(tree: Tree): string[] {
  return [...tree]
    .filter(([, text]) => {
      const code = withoutComments(text).replace(/^import .*$/gm, '');
      return /\bNodeJS\./.test(code) || (/[:<|] *Buffer\b/.test(code) && !/from 'node:buffer'/.test(text));
    })
    .map(([path]) => `${path} uses a type of Node that is not imported`);
}

/** TypeScript below 5.7 says «not generic» of what was not: the README promises 5.4. */
function newFaults(tree: Tree): string[] {
  return [...tree]
    .filter(([, text]) =>
      /\b(?:Buffer|(?:Big)?(?:Int|Uint|Float)\d+(?:Clamped)?Array|DataView)</.test(withoutComments(text)),
    )
    .map(([path]) => `${path} gives a type argument that TypeScript has only from 5.7 on`);
}

describe('declarations', () => {
  it('need no types that only Node declares', () => {
    expect(ambientFaults(readTree('src'))).toEqual([]);
    expect(ambientFaults(planted({ 'src/a.ts': 'export type A = NodeJS.Signals;' }))).toHaveLength(1);
    expect(ambientFaults(planted({ 'src/a.ts': 'export const a: Buffer = b;' }))).toHaveLength(1);
  });

  it('can be read by TypeScript 5.4', () => {
    expect(newFaults(readTree('src'))).toEqual([]);
    expect(newFaults(planted({ 'src/a.ts': 'export type A = Uint8Array<ArrayBuffer>;' }))).toHaveLength(1);
    expect(newFaults(planted({ 'src/a.ts': 'export type A = Map<string, Uint8Array>;' }))).toEqual([]);
  });

  it('are written out on every export', () => {
    expect(declarationFaults(readTree('src'))).toEqual([]);
  });

  it('finds an export without its type', () => {
    expect(declarationFaults(planted({ 'src/a.ts': 'export const a = [1].map((x) => x);' }))).toHaveLength(1);
    expect(declarationFaults(planted({ 'src/a.ts': 'export const a: number = 1;' }))).toEqual([]);
  });
});
