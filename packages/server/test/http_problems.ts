/**
 * What every problem must be, wherever it comes from, and what tests of problems share.
 */
import {STATUS_CODES} from 'node:http';
import {expect} from 'vitest';
import type {Answer} from './http_in_process.ts';

const CATEGORIES = ['definite', 'indefinite'];

/** Checks the form of a problem, and answers its code. */
export function codeOf({status, type, headers, json}: Pick<Answer, 'status' | 'type' | 'headers' | 'json'>): string {
  expect(type).toBe('application/problem+json; charset=utf-8');
  expect(STATUS_CODES[status]).toBeDefined();
  expect(status).toBeGreaterThanOrEqual(400);
  expect(json.status).toBe(status);
  expect(json.code).toMatch(/^[a-z_]+$/);
  expect(json.type).toBe(`/openapi.json#/components/responses/${json.code}`);
  expect(json.title).toMatch(/./);
  expect(json.detail).toMatch(/./);
  expect(CATEGORIES).toContain(json.category);
  expect(headers.get('x-content-type-options')).toBe('nosniff');
  expect(headers.get('cache-control')).toBe('no-store');
  return json.code;
}
