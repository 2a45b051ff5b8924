import type { GuardedView } from '../bindings/GuardedView';
import type { RunView } from '../bindings/RunView';
import type { StatusView } from '../bindings/StatusView';
import { plural, say } from '../text/say';
import { GOES_ON, goesOn } from './paused';
import { underWay, type Run } from './run';

/** The state of the exchange in one line, and what it means in another. */
export function headline(
  status: StatusView,
  run: Run | undefined,
  latest: RunView | undefined,
  guarded: GuardedView[] = [],
): { title: string; about: string; lang?: 'en' } {
  if (run !== undefined && underWay(run)) {
    return run.dryRun
      ? { title: say('Trying it out'), about: say('A dry run reads everything and writes nothing.') }
      : {
          title: say('Running'),
          about: run.byItself
            ? say('This run was not started in this window.')
            : say('Reading from PowerSchool, sending files, and taking attendance back.'),
        };
  }
  if (status.running !== undefined) {
    return { title: say('Running'), about: say('This run was started outside this window.') };
  }
  const enabled = status.jobs.filter((job) => job.enabled);
  const theirs = status.jobs.filter(({ owner }) => owner === 'power_school').length;
  const alerts = status.watch.flatMap(({ files }) => files).filter(({ state }) => state === 'alert').length;
  // What could not be looked at says nothing about the files.
  const unseen = status.watch.find(({ cause }) => cause !== undefined)?.cause;
  const alarm =
    unseen === undefined
      ? {
          title: plural(alerts, ['# file needs attention', '# files need attention']),
          about: say('What PowerSchool exchanges with Hero is not as it should be. The reason is below.'),
        }
      : { title: say('Hero could not be looked at'), about: unseen.message, lang: 'en' as const };
  const alarming = alerts > 0 || unseen !== undefined;
  if (enabled.length === 0 && theirs > 0) {
    return alarming
      ? alarm
      : { title: say('PowerSchool sends'), about: say('RosterBridge looks from outside whether its files come as they should.') };
  }
  if (enabled.length === 0) {
    return { title: say('Nothing is switched on'), about: say('Finish the set-up to choose what is exchanged.') };
  }
  const senders = status.other_sender.length;
  if (senders > 0) {
    return {
      title: say('Another sender is active'),
      about: plural(senders, [
        '# exchange is paused until you say who carries it out. What to switch off is below.',
        '# exchanges are paused until you say who carries them out. What to switch off is below.',
      ]),
    };
  }
  if (guarded.length > 0) {
    return {
      title: plural(guarded.length, ['# file was stopped', '# files were stopped']),
      about: plural(guarded.length, [
        'It would change more than usual: nothing of it was passed on. It waits for your word below.',
        'They would change more than usual: nothing of them was passed on. They wait for your word below.',
      ]),
    };
  }
  if (latest?.cause !== undefined && latest.outcome !== 'cancelled') {
    return { title: latest.dry_run ? say('The last dry run failed') : say('The last run failed'), about: latest.cause.message, lang: 'en' };
  }
  const done = enabled.filter((job) => job.last !== undefined);
  const broken = done.filter((job) => !goesOn(job) && (job.last?.outcome === 'failed' || job.last?.outcome === 'interrupted'));
  if (broken.length > 0) {
    return {
      title: plural(broken.length, ['# exchange needs attention', '# exchanges need attention']),
      about: say('The reason and what to do about it are below.'),
    };
  }
  if (alarming) return alarm;
  const goingOn = done.filter(goesOn).length;
  if (goingOn > 0) {
    return {
      title: plural(goingOn, ['# exchange goes on at its next time', '# exchanges go on at their next time']),
      about: goingOn === 1 ? GOES_ON : say('They were paused and have not run since. They go on then, or when you run them.'),
    };
  }
  if (done.length === 0) {
    return {
      title: say('Ready for the first run'),
      about: plural(enabled.length, [
        'Run now reads the roster from PowerSchool once, then does # exchange. A dry run shows what that would do.',
        'Run now reads the roster from PowerSchool once, then does # exchanges. A dry run shows what that would do.',
      ]),
    };
  }
  if (status.held > 0) {
    return {
      title: say('Everything ran'),
      about: plural(status.held, [
        '# row is held for you. Nothing is lost: each is kept with its reason.',
        '# rows are held for you. Nothing is lost: each is kept with its reason.',
      ]),
    };
  }
  return { title: say('Everything is up to date'), about: say('Every exchange did what it should.') };
}
