import { rmSync } from 'node:fs';
import react from '@vitejs/plugin-react';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

/** `dist` itself is a tracked, otherwise ignored folder, so only what a build put there is cleared. */
function clearOldBuild(): Plugin {
  return {
    name: 'clear-old-build',
    apply: 'build',
    buildStart() {
      for (const old of ['assets', 'index.html', 'favicon.svg']) {
        rmSync(new URL(`dist/${old}`, import.meta.url), { recursive: true, force: true });
      }
    },
  };
}

// In development the API comes from a server started by hand (`make dev`).
const backend = process.env.LONGWIRE_BACKEND ?? 'http://127.0.0.1:8080';

export default defineConfig({
  plugins: [react(), clearOldBuild()],
  server: { proxy: { '/api': { target: backend, ws: true } } },
  build: { emptyOutDir: false, target: 'es2022', assetsInlineLimit: 0, chunkSizeWarningLimit: 700 },
  test: {
    include: ['test/**/*.test.{ts,tsx}'],
    // A busy machine is slow and right.
    testTimeout: 60_000,
    reporters: [['default', { summary: false }], './test/count-reporter.ts'],
  },
});
