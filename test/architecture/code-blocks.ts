import { join } from 'node:path';
import ts from 'typescript';
import { type Tree } from './tree.js';

/** A piece of TypeScript in a page or a docstring. */
export interface CodeBlock {
  readonly path: string;
  /** Of its first line, from 1. */
  readonly line: number;
  readonly text: string;
}

/** Names that a block may use without saying where they come from: those that this file exports. */
const NAMES = 'test/architecture/example-names.d.ts';

/** The `ts` blocks of pages, and the examples of docstrings. */
export function codeBlocks(tree: Tree): CodeBlock[] {
  return [...tree].flatMap(([path, text]) => {
    if (path.endsWith('.md')) return matches(path, text, /^```ts\n([\s\S]*?)^```/gm);
    const examples = matches(path, text, /^ *\* @example\n((?: *\*(?: (?!@|Source:).*)?\n)+)/gm);
    return examples.map((block) => ({ ...block, text: block.text.replace(/^ *\* ?/gm, '') }));
  });
}

function matches(path: string, text: string, pattern: RegExp): CodeBlock[] {
  return [...text.matchAll(pattern)].map(({ 0: all, 1: code = '', index }) => {
    const from = index + all.indexOf(code);
    return { path, line: text.slice(0, from).split('\n').length, text: code };
  });
}

/** True for a part of a program that is compiled anyway: white space aside, it is in there word for word. */
export function isQuoted({ text }: CodeBlock, programs: Tree): boolean {
  return [...programs.values()].some((program) => flat(program).includes(flat(text)));
}

function flat(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}

/**
 * What the compiler says of each block, as a module of its own under the options of the project. All of them are one program,
 * so what they import is read once.
 */
export function compileFaults(blocks: readonly CodeBlock[], root: string): string[] {
  const options = compilerOptions(root);
  const known = exportsOf(ts.sys.readFile(join(root, NAMES)) ?? '');
  const used = new Set<string>();
  const files = new Map<string, CodeBlock>();
  const sources = new Map<string, string>();
  blocks.forEach((block, at) => {
    const file = join(root, 'test', 'architecture', `block-${at}.ts`);
    const borrowed = freeNames(block.text).filter((name) => known.includes(name));
    for (const name of borrowed) used.add(name);
    // On the first line, so that the others keep their number.
    sources.set(file, `import { ${borrowed.join(', ')} } from './example-names.js'; ${block.text}`);
    files.set(file, block);
  });
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists, readFile } = host;
  host.fileExists = (file) => sources.has(file) || fileExists(file);
  host.readFile = (file) => sources.get(file) ?? readFile(file);
  host.getSourceFile = (file, language, ...rest) => {
    const text = sources.get(file);
    return text === undefined
      ? getSourceFile(file, language, ...rest)
      : ts.createSourceFile(file, text, language, true);
  };
  const program = ts.createProgram([...sources.keys()], options, host);
  const faults = [...files].flatMap(([file, block]) => {
    const source = program.getSourceFile(file);
    const said = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
    return said.map((one) => {
      const line = block.line + (source?.getLineAndCharacterOfPosition(one.start ?? 0).line ?? 0);
      return `${block.path}:${line} ${ts.flattenDiagnosticMessageText(one.messageText, ' ')}`;
    });
  });
  const unused = known.filter((name) => !used.has(name)).map((name) => `${NAMES}: no block uses ${name}`);
  return [...faults, ...unused];
}

function compilerOptions(root: string): ts.CompilerOptions {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), (file) => ts.sys.readFile(file));
  const { options } = ts.parseJsonConfigFileContent(config, { ...ts.sys, readDirectory: () => [] }, root);
  // It names the file of the last build, which there is none of here.
  delete options.tsBuildInfoFile;
  return {
    ...options,
    incremental: false,
    // How it reads counts: no `type` before each imported type, no brackets around each variable of the environment.
    verbatimModuleSyntax: false,
    isolatedModules: false,
    noPropertyAccessFromIndexSignature: false,
  };
}

function exportsOf(text: string): string[] {
  return [...text.matchAll(/^export (?:declare )?(?:const|function|interface|type|class) (\w+)/gm)].map(
    ([, name = '']) => name,
  );
}

/** Every name in it, but those that it imports or declares at its top. */
function freeNames(text: string): string[] {
  const source = ts.createSourceFile('block.ts', text, ts.ScriptTarget.Latest, true);
  const names = new Set<string>();
  const own = new Set<string>();
  const declare = (name: ts.Node): void => {
    if (ts.isIdentifier(name)) own.add(name.text);
    else name.forEachChild((part) => ts.isBindingElement(part) && declare(part.name));
  };
  for (const statement of source.statements) {
    if (ts.isVariableStatement(statement)) for (const { name } of statement.declarationList.declarations) declare(name);
    else if ('name' in statement) declare(statement.name as ts.Node);
    else if (ts.isImportDeclaration(statement)) {
      statement.importClause?.namedBindings?.forEachChild((part) => ts.isImportSpecifier(part) && declare(part.name));
    }
  }
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node)) names.add(node.text);
    node.forEachChild(visit);
  };
  visit(source);
  return [...names].filter((name) => !own.has(name));
}
