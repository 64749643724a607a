import { defineConfig } from 'vitest/config';

/** Not a check: takes a picture of every page into `artefacts/`, for people to look at. */
export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ['screenshots.ts'],
    testTimeout: 300_000,
    hookTimeout: 120_000,
    reporters: [['default', { summary: false }]],
  },
});
