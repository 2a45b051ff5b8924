import { read, type Page } from 'virtual:help';
import { toFault } from '../backend';
import type { Fault } from '../bindings/Fault';

/** The help, which is read when it is opened for the first time. */
class Help {
  /** Whether it is shown. */
  shown = $state(false);
  /** Whether it was opened before: it is not loaded with the window. */
  wanted = $state(false);
  /** The page that was asked for: a code, or what `virtual:help` calls it; unset for the contents. */
  key = $state<string>();
  /** The place in that page, by its id. */
  place = $state<string>();
  /** All pages, once they were read. */
  pages = $state.raw<Page[]>();
  /** Why they could not be. */
  fault = $state.raw<Fault>();
  /** Where the person was before, latest last. */
  #before: { key: string | undefined; place: string | undefined }[] = $state([]);
  #reading: Promise<void> | undefined;

  /** Whether a page was left for the one that is shown. */
  get canGoBack(): boolean {
    return this.#before.length > 0;
  }

  /** Opens the help, there at a page: a code, `guide/…`, or nothing for the contents. */
  open(key?: string): void {
    this.#before = [];
    this.key = key;
    this.place = undefined;
    this.wanted = true;
    this.shown = true;
    void this.read();
  }

  /** Turns to another page of the help that is open. */
  turnTo(key: string | undefined, place?: string): void {
    if (key === this.key && place === this.place) return;
    this.#before.push({ key: this.key, place: this.place });
    this.key = key;
    this.place = place;
  }

  back(): void {
    const before = this.#before.pop();
    if (before === undefined) return;
    this.key = before.key;
    this.place = before.place;
  }

  close(): void {
    this.shown = false;
  }

  /** Reads the pages, unless that was done. */
  read(): Promise<void> {
    if (this.pages !== undefined) return Promise.resolve();
    this.#reading ??= this.#read().finally(() => (this.#reading = undefined));
    return this.#reading;
  }

  async #read(): Promise<void> {
    this.fault = undefined;
    try {
      this.pages = await read();
    } catch {
      // The reason would be the browser's own words.
      this.fault = toFault(undefined);
    }
  }
}

export const help = new Help();
