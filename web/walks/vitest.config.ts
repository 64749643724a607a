import { defineConfig } from 'vitest/config';

// One browser walk at a time: each has programs of its own, and a laptop has few cores.
export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ['**/*.walk.ts'],
    fileParallelism: false,
    testTimeout: 180_000,
    // Conditions, not times: a busy machine is slow and right.
    expect: { poll: { timeout: 30_000 } },
    hookTimeout: 120_000,
    teardownTimeout: 20_000,
    reporters: [['default', { summary: false }], '../test/count-reporter.ts'],
  },
});
