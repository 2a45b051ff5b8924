/** Files that are dropped on the window, beside any place that takes them: what they are, and who takes them. */

/** What a file is good for. */
export type DropKind = 'setup' | 'plugin' | 'names';

const ENDINGS: Record<DropKind, string[]> = {
  setup: ['.rosterbridge', '.json', '.age'],
  plugin: ['.xml', '.zip'],
  names: ['.csv', '.tsv', '.txt'],
};

/** What the systems call such files while they are dragged, where they call them anything. */
const TYPES: Record<DropKind, string[]> = {
  setup: ['application/json', 'application/vnd.rosterbridge.setup'],
  plugin: ['text/xml', 'application/xml', 'application/zip', 'application/x-zip-compressed'],
  names: ['text/csv', 'text/tab-separated-values', 'text/plain', 'application/vnd.ms-excel'],
};

const KINDS = Object.keys(ENDINGS) as DropKind[];

export function kindOfName(name: string): DropKind | undefined {
  const lower = name.toLowerCase();
  return KINDS.find((kind) => ENDINGS[kind].some((ending) => lower.endsWith(ending)));
}

/** Of files that are being dragged; undefined where the system does not tell. Their names it never tells. */
export function kindOfDragged(items: DataTransferItemList | undefined): DropKind | undefined {
  const [item, ...others] = [...(items ?? [])].filter(({ kind }) => kind === 'file');
  if (item === undefined || others.length > 0) return undefined;
  return KINDS.find((kind) => TYPES[kind].includes(item.type));
}

/** The file that was dropped last, until somebody has taken it. */
class Dropped {
  #file = $state.raw<{ kind: DropKind; file: File; claimed: boolean }>();

  offer(kind: DropKind, file: File): void {
    this.#file = { kind, file, claimed: false };
  }

  /** Whether there is such a file. */
  waits(kind: DropKind): boolean {
    return this.#file?.kind === kind;
  }

  /** Whether there is a file that nobody has promised to take. */
  get unclaimed(): boolean {
    return this.#file?.claimed === false;
  }

  /** Promises to take the file, once what takes it is open. Answers whether there is such a one. */
  claim(kind: DropKind): boolean {
    if (this.#file?.kind !== kind) return false;
    if (!this.#file.claimed) this.#file = { ...this.#file, claimed: true };
    return true;
  }

  /** The file, if it is such a one: from then on it is the caller's. */
  take(kind: DropKind): File | undefined {
    if (this.#file?.kind !== kind) return undefined;
    const { file } = this.#file;
    this.#file = undefined;
    return file;
  }

  forget(): void {
    this.#file = undefined;
  }
}

export const dropped = new Dropped();
