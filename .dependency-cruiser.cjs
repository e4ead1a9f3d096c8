/**
 * The import rule of the project: a file imports its own level and lower ones, never a higher one.
 * CONTRIBUTING.md says what belongs where.
 */
const levels = [
  ['^src/(types|errors)\\.ts$'],
  [
    '^src/(env|timer-lists|abortable|cancellation|ramp|options|resilience-options|deadline-scope|topology-options|health-options|http-check-options|saved-list-options|call-options|emitter|events|discovery|validate|retry-after|instance-state|same-instance|lease|waiting-list|success-ratio|hash|largest-weight)\\.ts$',
  ],
  ['^src/policies/', '^src/stages/', '^src/health/', '^src/resilience/'],
  [
    '^src/(instance-set|believed-list|discovery-status|source-tracker|saved-list|saved-list-file|removed-states|waiters|watch-loop|shrink-guard|zone-finder|zone-members|slot|slot-draw|either-set|decision|selection|attempt-context|attempt-end|attempt|describe-settled|caller|promised-caller|hedged|call-records|call-route|call-wait|call-errors|bulkhead|instance-limits|executor)\\.ts$',
  ],
  [
    '^src/(client|client-view|client-snapshot|client-pool|call-gate|call-guards|set-health|index)\\.ts$',
  ],
  ['^src/clients/', '^src/telemetry/', '^src/testing(/|\\.ts$)', '^src/server(/|\\.ts$)'],
];
const STRANGERS = 2;

const upward = levels.slice(0, -1).map((from, level) => ({
  name: `level-${level}-imports-lower`,
  comment: `Level ${level} may import level ${level} and lower.`,
  severity: 'error',
  from: { path: from },
  to: { path: levels.slice(level + 1).flat() },
}));

const strangers = levels[STRANGERS].map((folder) => ({
  name: `${folder.replace(/[^a-z]|src/g, '')}-is-a-stranger`,
  comment: 'policies, stages, health and resilience do not know each other.',
  severity: 'error',
  from: { path: folder },
  to: { path: levels[STRANGERS].filter((other) => other !== folder) },
}));

/** The package `name` is imported by `files` alone; a type counts. */
const onlyIn = (name, files) => ({
  name: `${name}-in-one-place`,
  severity: 'error',
  from: { path: '^(src|adapters)/', pathNot: files },
  to: { path: [`^${name}($|/)`, `(^|/)node_modules/(@types/)?${name}/`] },
});

module.exports = {
  forbidden: [
    ...upward,
    ...strangers,
    {
      name: 'src-file-has-a-level',
      comment: 'A new file or folder of src is given its level in this file first.',
      severity: 'error',
      from: {},
      to: { path: '^src/', pathNot: levels.flat() },
    },
    {
      name: 'src-never-imports-adapters',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^adapters/' },
    },
    {
      name: 'adapters-see-levels-0-and-1',
      severity: 'error',
      from: { path: '^adapters/' },
      to: { path: '^src/', pathNot: [...levels[0], ...levels[1]] },
    },
    {
      name: 'adapters-are-strangers',
      comment:
        'An adapter is a file, and a folder of the same name if it needs one; it knows no other.',
      severity: 'error',
      from: { path: '^adapters/([^/.]+)' },
      to: { path: '^adapters/', pathNot: '^adapters/$1[./]' },
    },
    {
      name: 'examples-import-by-package-name',
      comment:
        "An example shows what a user's file looks like: no relative imports, but of generated code.",
      severity: 'error',
      from: { path: '^examples/' },
      to: {
        dependencyTypes: ['local'],
        dependencyTypesNot: ['aliased'],
        pathNot: '^examples/generated/',
      },
    },
    {
      name: 'library-stays-in-its-folders',
      severity: 'error',
      from: { path: '^(src|adapters)/' },
      to: { path: '^(test|bench|examples|scripts|dist)/' },
    },
    {
      name: 'library-never-imports-itself-by-name',
      severity: 'error',
      from: { path: '^(src|adapters)/' },
      to: { dependencyTypes: ['aliased'] },
    },
    onlyIn('opossum', '^src/health/breaker\\.ts$'),
    onlyIn('p-retry', '^src/resilience/retry\\.ts$'),
    onlyIn('js-xxhash', '^src/hash\\.ts$'),
    onlyIn('axios', '^src/clients/axios(-attempt|-call|-errors|-redirect)?\\.ts$'),
    onlyIn('undici', '^src/clients/undici(/|\\.ts$)'),
    onlyIn('@grpc/grpc-js', '^src/clients/grpc(/|\\.ts$)'),
    onlyIn('consul', '^adapters/consul[./]'),
    {
      name: 'only-declared-packages',
      comment: 'The library imports node: builtins and what its users get with it.',
      severity: 'error',
      from: { path: '^(src|adapters)/' },
      to: {
        path: 'node_modules/',
        pathNot:
          'node_modules/(@types/)?(opossum|p-retry|js-xxhash|axios|consul|undici|@grpc/grpc-js)/',
      },
    },
    {
      name: 'no-vague-names',
      severity: 'error',
      from: { path: '^(src|adapters)/' },
      to: { path: '/(utils|helpers|common|core|manager)[/.]', pathNot: 'node_modules/' },
    },
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    // Type-only imports count.
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
