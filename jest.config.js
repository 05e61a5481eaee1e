const transform = {
  '\\.ts$': ['@swc/jest', { jsc: { target: 'es2022', parser: { syntax: 'typescript' } } }],
};

export const base = {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  coverageProvider: 'v8',
  // Only what hangs reaches it: on a machine that is busy with other things everything takes many times as long.
  testTimeout: 60_000,
  transform,
};

// `npm test`: everything that needs no installed service.
export default {
  ...base,
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  // They wait for sockets and clocks more than they compute.
  maxWorkers: '100%',
  // Modules of suites that are over stay in memory; collecting around them slows the later ones down.
  workerIdleMemoryLimit: '800MB',
};
