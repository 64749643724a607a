import { readFileSync } from 'node:fs';
import openapi, { astToString, COMMENT_HEADER } from 'openapi-typescript';
import { expect, test } from 'vitest';

test('the generated types are those of the API’s document (else: npm run types)', async () => {
  const document = new URL('../../docs/openapi.json', import.meta.url);
  const made = COMMENT_HEADER + astToString(await openapi(document));
  const kept = readFileSync(new URL('../src/api/schema.ts', import.meta.url), 'utf8');
  expect(made === kept).toBe(true);
}, 60_000);
