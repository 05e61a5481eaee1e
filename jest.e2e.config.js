import { base } from './jest.config.js';

// The whole journey: real Keycloak, real Superset, headless Chromium; several instances.
export default {
  ...base,
  roots: ['<rootDir>/test/e2e', '<rootDir>/test/several'],
  testMatch: ['**/*.e2e.ts'],
  testTimeout: 600_000,
};
