import { toFault } from '../backend';
import type { Fault } from '../bindings/Fault';

const KEY = 'rosterbridge.single-key';

/** What lies above the pages, and what a command of the frame could not do. */
export class Frame {
  /** What is open. */
  open = $state<'palette' | 'shortcuts'>();
  problem = $state.raw<{ title: string; fault: Fault; retry: () => Promise<void> }>();
  /** Whether keys do something that are pressed alone; remembered between starts. */
  singleKeys = $state(localStorage.getItem(KEY) !== 'off');

  setSingleKeys(wanted: boolean): void {
    this.singleKeys = wanted;
    localStorage.setItem(KEY, wanted ? 'on' : 'off');
  }

  /** Does something; what goes wrong is shown under the bar, with `failure` as its title. */
  async carryOut(failure: string, work: () => Promise<void> | void): Promise<void> {
    this.problem = undefined;
    try {
      await work();
    } catch (thrown) {
      this.problem = { title: failure, fault: toFault(thrown), retry: () => this.carryOut(failure, work) };
    }
  }
}
