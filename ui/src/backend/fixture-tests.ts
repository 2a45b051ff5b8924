/** The tests that go on stage by stage: each stage is told as it begins and ends. */

import type { Event } from '../bindings/Event';
import type { Fault } from '../bindings/Fault';
import type { Job } from '../bindings/Job';
import type { PowerSchoolTest } from '../bindings/PowerSchoolTest';
import type { StageReport } from '../bindings/StageReport';
import type { TestReport } from '../bindings/TestReport';
import type { Stage } from './fixture-connections';
import { powerSchoolTest } from './fixture-powerschool';

const STOPPED: Fault = { code: 'powerschool.stopped', message: 'The test was stopped.', remedy: 'Test again when you like.' };

/** Goes through the stages of a test. With a fault, the last but one fails. */
export async function passStages(
  names: Stage[],
  failing: Fault | null,
  wait: () => Promise<unknown>,
  onEvent: (event: Event) => void,
): Promise<TestReport> {
  const reports: StageReport[] = [];
  for (const [index, [name, detail, result]] of names.entries()) {
    await wait();
    const broken = failing !== null && index === names.length - 2;
    const skipped = failing !== null && index > names.length - 2;
    const stage: StageReport = {
      name,
      result: result ?? (broken ? { result: 'failed', ...failing } : skipped ? { result: 'skipped' } : { result: 'passed' }),
      detail: broken || skipped ? '' : detail,
      millis: 18 + index * 7,
    };
    reports.push(stage);
    onEvent({ event: 'stage', data: stage });
  }
  return { passed: reports.every(({ result }) => result.result !== 'failed'), stages: reports };
}

/** PowerSchool's test: the one under way, the one that waits for the server, and the last one. */
export class SampleTests {
  last: PowerSchoolTest | null;
  /** Whether a test waits for the server to be reachable. */
  waiting: boolean;
  /** What the test ends with; missing access is put right by a new plugin, an unknown authority by trusting it. */
  failing: string | null;
  #cancelled = false;
  /** Ends what waits for the waiting test. */
  readonly #stopWaiting: (() => void)[] = [];
  readonly #long: boolean;
  /** After so many milliseconds the waiting test runs; never where it is 0. */
  readonly #after: number;
  readonly #exchanges: () => Job[];
  readonly #wait: () => Promise<unknown>;

  constructor(query: URLSearchParams, exchanges: () => Job[], wait: () => Promise<unknown>) {
    this.#long = query.has('long');
    this.#after = Number(query.get('waiting'));
    this.#exchanges = exchanges;
    this.#wait = wait;
    this.failing = query.get('fail');
    this.waiting = query.has('waiting');
    const earlier = new Date(Date.now() - 2 * 86_400_000);
    this.last = this.waiting
      ? powerSchoolTest(exchanges(), null, true, new Date(), this.#long)
      : query.has('tested')
        ? powerSchoolTest(exchanges(), this.failing, false, earlier, this.#long)
        : null;
  }

  async run(offline: boolean, onEvent: (event: Event) => void): Promise<PowerSchoolTest> {
    this.#cancelled = false;
    const report = powerSchoolTest(this.#exchanges(), this.failing, offline, new Date(), this.#long);
    for (const stage of report.stages) {
      if (stage.result.result === 'skipped' || stage.result.result === 'waiting') continue;
      onEvent({ event: 'stage', data: { ...stage, result: { result: 'running' }, detail: '', millis: 0 } });
      await this.#wait();
      if (this.#cancelled) throw STOPPED;
      onEvent({ event: 'stage', data: stage });
    }
    this.last = report;
    this.waiting = offline;
    return report;
  }

  /** Answers once the waiting test has run. */
  awaited(): Promise<PowerSchoolTest> {
    return new Promise((resolve, reject) => {
      if (!this.waiting) {
        reject(STOPPED);
        return;
      }
      this.#stopWaiting.push(() => reject(STOPPED));
      if (this.#after <= 0) return;
      setTimeout(() => {
        if (!this.waiting) return;
        this.waiting = false;
        this.last = powerSchoolTest(this.#exchanges(), this.failing, false, new Date(), this.#long);
        resolve(this.last);
      }, this.#after);
    });
  }

  /** Stops the test under way, and takes a waiting one off the list. */
  cancel(): void {
    this.#cancelled = true;
    this.waiting = false;
    for (const stop of this.#stopWaiting.splice(0)) stop();
  }
}
