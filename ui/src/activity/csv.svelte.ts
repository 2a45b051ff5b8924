/** Rows on their way into a file of the person's choice. */

import { toFault, type Backend } from '../backend';
import type { Fault } from '../bindings/Fault';
import type { RowList } from '../bindings/RowList';
import type { WrittenRows } from '../bindings/WrittenRows';

export class RowsFile {
  writing = $state(false);
  written = $state.raw<WrittenRows>();
  fault = $state.raw<Fault>();
  readonly #backend: () => Backend;

  constructor(backend: () => Backend) {
    this.#backend = backend;
  }

  /** Asks where to, and writes the rows of a list there. */
  async save(list: RowList, suggestedName: string): Promise<void> {
    if (this.writing) return;
    this.forget();
    this.writing = true;
    try {
      const backend = this.#backend();
      const file = await backend.chooseFile(suggestedName);
      if (file !== null) this.written = await backend.exportRows(list, file);
    } catch (thrown) {
      this.fault = toFault(thrown);
    } finally {
      this.writing = false;
    }
  }

  /** What was said of an earlier file is said no more. */
  forget(): void {
    this.written = undefined;
    this.fault = undefined;
  }
}
