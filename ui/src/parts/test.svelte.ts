import { toFault } from '../backend';
import type { Fault } from '../bindings/Fault';
import type { StageReport } from '../bindings/StageReport';
import type { TestReport } from '../bindings/TestReport';

/** Whether every stage ran and none failed: a test that waits for the server has not passed yet. */
export function hasPassed({ stages, passed }: TestReport): boolean {
  return passed && stages.every(({ result }) => result.result === 'passed' || result.result === 'warned');
}

/** A connection test as it is followed: stages come in one by one. */
export class ConnectionTest {
  /** Those that began or ended, in order. */
  stages = $state.raw<StageReport[]>([]);
  running = $state(false);
  /** Whether every stage passed; unknown before the first test and while one runs. */
  passed = $state<boolean>();
  fault = $state.raw<Fault>();
  /** Whether what is shown was followed here, and not made earlier: only then is it brought into view. */
  followed = $state(false);
  readonly #expected: readonly string[];

  /** `expected`: the stages' names where they are known beforehand. */
  constructor(expected: readonly string[] = []) {
    this.#expected = expected;
  }

  /** The stages still to come. */
  get pending(): string[] {
    if (!this.running) return [];
    return this.#expected.filter((name) => !this.stages.some((stage) => stage.name === name));
  }

  /** Carries out a test. The report's own stages, which include the skipped ones, replace those seen on the way. */
  async follow<T>(
    test: (onStage: (stage: StageReport) => void) => Promise<T>,
    report: (answer: T) => TestReport,
  ): Promise<T | undefined> {
    this.stages = [];
    this.passed = undefined;
    this.fault = undefined;
    this.running = true;
    try {
      const answer = await test((stage) => this.#take(stage));
      this.running = false;
      this.show(report(answer));
      this.followed = true;
      return answer;
    } catch (thrown) {
      this.fault = toFault(thrown);
      // What was under way when it stopped has no result.
      this.stages = this.stages.filter((stage) => stage.result.result !== 'running');
      return undefined;
    } finally {
      this.running = false;
    }
  }

  /** Shows a test that was made earlier, unless one is under way. */
  show(report: TestReport): void {
    if (this.running || report.stages === this.stages) return;
    this.followed = false;
    this.stages = report.stages;
    this.passed = hasPassed(report);
    this.fault = undefined;
  }

  /** Forgets the last test, because what was tested has changed. */
  clear(): void {
    if (this.running) return;
    this.stages = [];
    this.passed = undefined;
    this.fault = undefined;
  }

  /** A stage is told when it begins and again when it has ended. */
  #take(stage: StageReport): void {
    const known = this.stages.some((other) => other.name === stage.name);
    this.stages = known
      ? this.stages.map((other) => (other.name === stage.name ? stage : other))
      : [...this.stages, stage];
  }
}
