/** What the engine says of settings while they are edited: asked anew with every change, and only the last answer counts. */

import { toFault } from '../backend';
import type { Fault } from '../bindings/Fault';

/** So long a person has not typed before it is asked, in milliseconds. */
const PAUSE = 300;
/** Only an answer that takes longer shows that it is waited for, in milliseconds. */
const MOMENT = 400;

export class Preview {
  /** Why there is no answer. */
  fault = $state.raw<Fault>();
  /** Whether the answer takes long. */
  slow = $state(false);
  #again = $state(0);

  /** Asks once more. */
  readonly again = (): void => {
    this.#again += 1;
  };

  /**
   * Asks after a pause. To be called in an effect that reads what is asked about, and to be its answer: it stops a
   * question nobody waits for any more. `ask` passes each answer to `tell`, which drops those of a question that was
   * stopped and says whether there is a point in asking on.
   */
  ask(ask: (tell: (take: () => void) => boolean) => Promise<void>): () => void {
    void this.#again;
    let current = true;
    let moment: ReturnType<typeof setTimeout> | undefined;
    const tell = (take: () => void): boolean => {
      if (!current) return false;
      take();
      this.fault = undefined;
      return true;
    };
    const pause = setTimeout(async () => {
      moment = setTimeout(() => (this.slow = true), MOMENT);
      try {
        await ask(tell);
      } catch (thrown) {
        if (current) this.fault = toFault(thrown);
      } finally {
        clearTimeout(moment);
        if (current) this.slow = false;
      }
    }, PAUSE);
    return () => {
      current = false;
      this.slow = false;
      clearTimeout(pause);
      clearTimeout(moment);
    };
  }
}
