/** A list of rows as it is looked at: only what is near is read and kept. */

import { toFault, type Backend } from '../backend';
import type { Fault } from '../bindings/Fault';
import type { RowCursor } from '../bindings/RowCursor';
import type { RowList } from '../bindings/RowList';
import type { RowPlace } from '../bindings/RowPlace';
import type { RowSummary } from '../bindings/RowSummary';

/** Rows that are read at once. */
export const PAGE = 100;
/** Pages that are kept, beside those that are shown. */
const KEPT = 20;
/** Rows that can be marked at once. */
export const MOST_MARKED = 2_000;

export class Rows {
  readonly list: RowList;
  /** How many there are; unset until the first page has come. */
  total = $state<number>();
  fault = $state.raw<Fault>();
  busy = $state(false);
  /** By number, from 0. */
  #pages = $state.raw<ReadonlyMap<number, RowSummary[]>>(new Map());
  readonly #backend: Backend;
  /** Behind which row each page begins, as far as that is known. */
  readonly #starts = new Map<number, RowCursor>();
  #until: RowPlace | undefined;
  /** The pages that are looked at. */
  #wanted: [first: number, last: number] = [0, 0];
  #reading: Promise<void> | undefined;

  constructor(backend: Backend, list: RowList) {
    this.#backend = backend;
    this.list = list;
  }

  /** A row, if it is here. */
  at(index: number): RowSummary | undefined {
    return this.#pages.get(Math.floor(index / PAGE))?.[index % PAGE];
  }

  /** Reads what is missing of these rows. Those wanted before are wanted no more. */
  want(first: number, last: number): Promise<void> {
    this.#wanted = [Math.floor(first / PAGE), Math.floor(last / PAGE)];
    this.#reading ??= this.#read().finally(() => (this.#reading = undefined));
    return this.#reading;
  }

  /** Rows from one to another, read where they are not here. Throws a `Fault`. */
  async between(first: number, last: number): Promise<Map<number, RowSummary>> {
    const found = new Map<number, RowSummary>();
    for (let page = Math.floor(first / PAGE); page <= Math.floor(last / PAGE); page += 1) {
      const rows = this.#pages.get(page) ?? (await this.#page(page));
      rows.forEach((row, place) => {
        const index = page * PAGE + place;
        if (index >= first && index <= last) found.set(index, row);
      });
    }
    return found;
  }

  #missing(): number | undefined {
    const [first, last] = this.#wanted;
    const end = this.total === undefined ? 0 : Math.floor(Math.max(0, this.total - 1) / PAGE);
    for (let page = first; page <= Math.min(last, end); page += 1) {
      if (!this.#pages.has(page)) return page;
    }
    return undefined;
  }

  async #read(): Promise<void> {
    this.busy = true;
    this.fault = undefined;
    try {
      for (let page = this.#missing(); page !== undefined; page = this.#missing()) {
        const rows = await this.#page(page);
        const pages = new Map(this.#pages).set(page, rows);
        const [first, last] = this.#wanted;
        const far = [...pages.keys()].filter((kept) => kept < first || kept > last);
        far.sort((a, b) => Math.abs(b - first) - Math.abs(a - first));
        for (const old of far.slice(0, Math.max(0, far.length - KEPT))) pages.delete(old);
        this.#pages = pages;
      }
    } catch (thrown) {
      this.fault = toFault(thrown);
    } finally {
      this.busy = false;
    }
  }

  /** A page, from the nearest known place before it. */
  async #page(page: number): Promise<RowSummary[]> {
    let near = page;
    while (near > 0 && !this.#starts.has(near)) near -= 1;
    const after = this.#starts.get(near);
    const start = {
      ...(this.#until === undefined ? {} : { until: this.#until }),
      ...(after === undefined ? {} : { after }),
      skip: (page - near) * PAGE,
    };
    const { total, until, rows } = await this.#backend.rows(this.list, start, PAGE);
    this.#until ??= until;
    if (total !== undefined) this.total = total;
    const last = rows.at(-1);
    if (last !== undefined && rows.length === PAGE) this.#starts.set(page + 1, last.cursor);
    return rows;
  }
}
