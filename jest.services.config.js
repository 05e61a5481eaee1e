import { base } from './jest.config.js';

// Tests against real PostgreSQL, Superset and the vendor's own clients, each started by the test that needs it.
export default {
  ...base,
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.services.ts'],
  testTimeout: 300_000,
};
