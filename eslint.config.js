import js from '@eslint/js';
import { defineConfig, globalIgnores } from 'eslint/config';
import rxjsX from 'eslint-plugin-rxjs-x';
import tseslint from 'typescript-eslint';

// Time, timers, turns and randomness come from one seam, src/clock.ts, so that a test can own them.
const seam = 'Take time, timers and randomness from the Clock (src/clock.ts).';
const seamGlobals = [
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
  'clearTimeout',
  'clearInterval',
  'performance',
];

export default defineConfig(
  // What is measured against is installed only to measure: bench/ is checked by its own tsconfig.
  globalIgnores(['dist', 'coverage', 'bench', '**/*.js', '**/*.mjs', '**/*.cjs']),
  js.configs.recommended,
  tseslint.configs.strictTypeChecked,
  rxjsX.configs.strict,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-meaningless-void-operator': 'off',
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-invalid-void-type': 'off',
      // The compiler lets none be declared (erasableSyntaxOnly), and looking for them is a fifth of the work.
      '@typescript-eslint/no-unsafe-enum-assignment': 'off',
      // Messages are told by their brand, not by their class: another copy of the package may have made them.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      // A flow never carries failures of messages, and a stage hands errors on through the observer it builds.
      'rxjs-x/no-ignored-error': 'off',
      'rxjs-x/no-ignored-default-value': 'off',
      'rxjs-x/finnish': 'off',
    },
  },
  {
    files: ['src/**'],
    ignores: ['src/clock.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        { name: 'Buffer', message: 'Uint8Array in shared code; import Buffer from node:buffer in Node-only files.' },
        ...seamGlobals.map((name) => ({ name, message: seam })),
      ],
      'no-restricted-properties': [
        'error',
        { object: 'Date', property: 'now', message: seam },
        { object: 'Math', property: 'random', message: seam },
        { object: 'performance', property: 'now', message: seam },
      ],
    },
  },
  {
    files: ['test/**', 'bench/**', 'examples/**'],
    rules: {
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unnecessary-condition': 'off',
      '@typescript-eslint/unbound-method': 'off',
      'rxjs-x/no-nested-subscribe': 'off',
    },
  },
);
