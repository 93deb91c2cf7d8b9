/** The lines that an example says it prints: the comment block after `// Output:` at its end. */
export function expectedOutput(text: string): string {
  const [, block] = text.split(/^\/\/ Output:\n/m);
  if (block === undefined) throw new Error('The example has no // Output: block.');
  return block
    .trimEnd()
    .split('\n')
    .map((line) => {
      if (!line.startsWith('//')) throw new Error(`Below // Output: stands something else: ${line}`);
      return line.replace(/^\/\/ ?/, '');
    })
    .join('\n');
}
