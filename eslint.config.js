import js from '@eslint/js';
import prettier from 'eslint-config-prettier';
import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

const AMBIENT =
  'Clock and randomness are parameters: take them from Env (only src/env.ts is ambient).';

const ambientGlobals = ['setTimeout', 'setInterval', 'setImmediate', 'performance'];
const ambientProperties = [
  ['Date', 'now'],
  ['Math', 'random'],
  ['AbortSignal', 'timeout'],
  ['process', 'hrtime'],
  ['process', 'uptime'],
  ['crypto', 'randomUUID'],
  ['crypto', 'getRandomValues'],
  ...ambientGlobals.map((name) => ['globalThis', name]),
];
const ambientImports = [
  { name: 'timers' },
  { name: 'timers/promises' },
  { name: 'perf_hooks' },
  {
    name: 'crypto',
    importNames: ['randomBytes', 'randomFill', 'randomInt', 'randomUUID', 'webcrypto'],
  },
].flatMap((rule) =>
  [rule.name, `node:${rule.name}`].map((name) => ({ ...rule, name, message: AMBIENT })),
);

const PASSED_ON = { allowThrowingAny: true, allowThrowingUnknown: true };

const noDefaultExport = [
  {
    selector: 'ExportDefaultDeclaration, ExportSpecifier[exported.name="default"]',
    message: 'No default exports: a name says what it is at every import.',
  },
];
const noBareDate = [
  {
    selector:
      'NewExpression[callee.name="Date"][arguments.length=0], CallExpression[callee.name="Date"]',
    message: AMBIENT,
  },
];

/**
 * V8 takes a function written right of `object.property =` for a method of a prototype and allocates each in old space,
 * where all that it leads to lives until the next full collection: for one a request, a third of all CPU (measured). Node does it
 * itself with an object that listens to an EventTarget.
 */
const noOldClosures = [
  {
    selector:
      'AssignmentExpression[left.type="MemberExpression"] > :matches(ArrowFunctionExpression, FunctionExpression).right, ' +
      'AssignmentExpression[left.type="MemberExpression"] > :matches(TSAsExpression, TSSatisfiesExpression, TSNonNullExpression).right > :matches(ArrowFunctionExpression, FunctionExpression)',
    message: 'V8 allocates such a function in old space: give it a name first, then assign that.',
  },
];

/** The ban on ambient time and randomness, except for the globals in `allowed`. */
function noAmbient(allowed = []) {
  const bannedGlobals = ambientGlobals.filter((name) => !allowed.includes(name));
  return {
    'no-restricted-globals': [
      'error',
      ...bannedGlobals.map((name) => ({ name, message: AMBIENT })),
    ],
    'no-restricted-properties': [
      'error',
      ...ambientProperties
        .filter(([, property]) => !allowed.includes(property))
        .map(([object, property]) => ({ object, property, message: AMBIENT })),
    ],
    'no-restricted-imports': ['error', { paths: ambientImports }],
    'no-restricted-syntax': ['error', ...noDefaultExport, ...noBareDate, ...noOldClosures],
  };
}

export default defineConfig(
  { ignores: ['dist/', 'coverage/', '.cache/', 'test/package/consumers/'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      // `typeof import('consul')` is how a package that loads lazily is named.
      '@typescript-eslint/consistent-type-imports': [
        'error',
        { fixStyle: 'inline-type-imports', disallowTypeAnnotations: false },
      ],
      '@typescript-eslint/no-import-type-side-effects': 'error',
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true },
      ],
      // `for (;;)` and `while (true)` are how a watch loop says that it does not end.
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: 'only-allowed-literals' },
      ],
      // A caller's abort reason and a failed attempt's error are passed on as they came.
      '@typescript-eslint/only-throw-error': ['error', PASSED_ON],
      '@typescript-eslint/prefer-promise-reject-errors': ['error', PASSED_ON],
      eqeqeq: ['error', 'always', { null: 'ignore' }],
    },
  },
  {
    files: ['src/**/*.ts', 'adapters/**/*.ts'],
    rules: { ...noAmbient(), '@typescript-eslint/explicit-module-boundary-types': 'error' },
  },
  {
    files: ['src/env.ts'],
    rules: {
      'no-restricted-globals': 'off',
      'no-restricted-properties': 'off',
      'no-restricted-imports': 'off',
      'no-restricted-syntax': ['error', ...noDefaultExport, ...noOldClosures],
    },
  },
  {
    files: ['src/testing/manual-clock.ts'],
    rules: noAmbient(['setImmediate']),
  },
  {
    // A test may hand in what the types forbid, throw what it likes and stub an async method.
    files: ['test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-confusing-void-expression': 'off',
      '@typescript-eslint/no-empty-function': 'off',
      '@typescript-eslint/no-misused-spread': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/only-throw-error': 'off',
      '@typescript-eslint/prefer-promise-reject-errors': 'off',
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  {
    // Programs for people: they print numbers.
    files: ['bench/**/*.ts', 'examples/**/*.ts', 'scripts/**/*.ts'],
    rules: {
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
    },
  },
  {
    files: ['**/*.{js,mjs,cjs}'],
    languageOptions: {
      globals: Object.fromEntries(
        [
          'AbortController',
          'AbortSignal',
          'Buffer',
          'URL',
          'clearInterval',
          'clearTimeout',
          'console',
          'fetch',
          'module',
          'performance',
          'process',
          'require',
          'setInterval',
          'setTimeout',
        ].map((name) => [name, 'readonly']),
      ),
    },
  },
  prettier,
);
