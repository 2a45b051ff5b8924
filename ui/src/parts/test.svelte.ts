import { toFault } from '../backend';
import type { Fault } from '../bindings/Fault';
import type { StageReport } from '../bindings/StageReport';
import type { TestReport } from '../bindings/TestReport';

/** A connection test as it is followed: stages come in one by one. */
export class ConnectionTest {
  stages = $state.raw<StageReport[]>([]);
  running = $state(false);
  /** Whether every stage passed; unknown before the first test and while one runs. */
  passed = $state<boolean>();
  fault = $state.raw<Fault>();

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
      const answer = await test((stage) => (this.stages = [...this.stages, stage]));
      const { stages, passed } = report(answer);
      this.stages = stages;
      this.passed = passed;
      return answer;
    } catch (thrown) {
      this.fault = toFault(thrown);
      return undefined;
    } finally {
      this.running = false;
    }
  }

  /** Forgets the last test, because what was tested has changed. */
  clear(): void {
    if (this.running) return;
    this.stages = [];
    this.passed = undefined;
    this.fault = undefined;
  }
}
