import { describe, expect, test } from 'vitest';
import { Backend } from '../backend';
import type { RowPageStart } from '../bindings/RowPageStart';
import type { RowSummary } from '../bindings/RowSummary';
import { PAGE, Rows } from './rows.svelte';

const TOTAL = 10_050;

/** A backend with so many rows, that keeps what it was asked for and can be made to fail. */
function sample() {
  const asked: RowPageStart[] = [];
  const fails = { next: false };
  const row = (index: number): RowSummary => ({
    cursor: { key: 0, row: { file: 1, line: index + 1 } },
    source: 'raptor',
    file: 'tardies.csv',
    line: index + 1,
    read_at: '2026-11-20T14:00:00Z',
    fate: 'written',
    at: '2026-11-20T14:00:00Z',
    code: '',
    sentence: '',
  });
  const backend = Object.assign(Object.create(Backend.prototype) as Backend, {
    rows: (_list: unknown, start: RowPageStart, limit: number) => {
      asked.push(start);
      if (fails.next) {
        fails.next = false;
        return Promise.reject({ code: 'store.busy', message: 'Busy.', remedy: '' });
      }
      const first = (start.after?.row.line ?? 0) + start.skip;
      const rows = Array.from({ length: Math.max(0, Math.min(limit, TOTAL - first)) }, (_, place) => row(first + place));
      return Promise.resolve({ ...(start.until === undefined ? { total: TOTAL } : {}), until: { file: 1, line: TOTAL }, rows });
    },
  });
  return { rows: new Rows(backend, { sort: 'read', descending: true }), asked, fails };
}

describe('a list of rows', () => {
  test('is read page by page, each from the nearest place that is known', async () => {
    const { rows, asked } = sample();
    await rows.want(0, 0);
    expect([rows.total, rows.at(0)?.line, rows.at(PAGE)]).toEqual([TOTAL, 1, undefined]);
    await rows.want(PAGE, PAGE + 5);
    expect(rows.at(PAGE)?.line).toBe(PAGE + 1);
    // To the end at once: as many are skipped as are between.
    await rows.want(TOTAL - 10, TOTAL + 20);
    expect(rows.at(TOTAL - 1)?.line).toBe(TOTAL);
    expect(asked.map(({ after, skip, until }) => [after?.row.line, skip, until?.line])).toEqual([
      [undefined, 0, undefined],
      [PAGE, 0, TOTAL],
      [2 * PAGE, 98 * PAGE, TOTAL],
    ]);
    await rows.want(TOTAL - 10, TOTAL - 1);
    expect(asked).toHaveLength(3);
  });

  test('is not kept whole', async () => {
    const { rows } = sample();
    for (let first = 0; first < TOTAL; first += PAGE) await rows.want(first, first + PAGE - 1);
    const kept = Array.from({ length: TOTAL }, (_, index) => rows.at(index)).filter((row) => row !== undefined);
    expect(kept.length).toBeLessThan(25 * PAGE);
    await rows.want(0, 0);
    expect(rows.at(0)?.line).toBe(1);
  });

  test('that can’t be read says why, and is read once it can be', async () => {
    const { rows, fails } = sample();
    await rows.want(0, 0);
    fails.next = true;
    await rows.want(500, 510);
    expect([rows.fault?.code, rows.at(500)]).toEqual(['store.busy', undefined]);
    await rows.want(500, 510);
    expect([rows.fault, rows.at(500)?.line]).toEqual([undefined, 501]);
  });

  test('answers all rows between two, here or not', async () => {
    const { rows } = sample();
    await rows.want(0, 0);
    const found = await rows.between(150, 420);
    expect([found.size, found.get(150)?.line, found.get(420)?.line]).toEqual([271, 151, 421]);
  });
});
