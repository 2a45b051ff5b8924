/** What can be done from anywhere, as the shortcuts and the palette offer it. */

import { helpHere } from '../help/here';
import type { Job } from '../bindings/Job';
import { anythingScheduled } from '../home/next';
import { isPaused } from '../home/paused';
import type { Page, Session } from '../session.svelte';
import { SECTIONS } from '../settings/sections';
import { accountWords } from '../text/jobs';
import { SETUP_STEPS, STEP_NAMES, kindOf } from '../text/names';
import { say } from '../text/say';
import { appearance } from '../theme.svelte';
import type { Frame } from './frame.svelte';
import { SHORTCUTS } from './shortcuts';
import { THEMES } from './themes';

export interface Command {
  id: string;
  name: string;
  /** What it belongs to, as it is shown. */
  group: string;
  /** Further words it is found by. */
  words: string;
  run: () => Promise<void> | void;
  /** Said when it can't be done. */
  failure: string;
}

const GO = say('Go to');
const SET_UP = say('Set-up');
const SETTINGS = say('Settings');
const RUNS = say('Runs');
const APPEARANCE = say('Appearance');
const PRACTICE = say('Practice district');
const HELP = say('Help');

/** One exchange alone. */
const RUN_ONE: Record<Job, string> = {
  'hero-students': say('Run student demographics to Hero'),
  'hero-schedule': say('Run student schedules to Hero'),
  'hero-teachers': say('Run teachers to Hero'),
  'hero-attendance': say('Run attendance from Hero'),
  'raptor-roster': say('Run the student roster to Raptor'),
  'raptor-tardies': say('Run tardies from Raptor'),
};

/** What can be done now: what makes no sense where the person is, is left out. */
export function commandsOf(session: Session, frame: Frame): Command[] {
  const commands: Command[] = [];
  const { screen, status, navigable } = session;
  if (screen === 'starting') return commands;
  /** Whether there is a district, so far as it was set up. */
  const district = screen !== 'welcome' && screen !== 'erased';
  const running = session.running || status?.running !== undefined;

  // A run works with the set-up as it is.
  const setup: Command[] =
    district && !session.running
      ? [
          {
            id: 'setup',
            name: SHORTCUTS.setup.name,
            group: GO,
            words: say('configure steps'),
            run: () => (screen === 'setup' ? undefined : session.showStep('powerschool')),
            failure: say('The set-up could not be opened'),
          },
        ]
      : [];

  if (navigable) {
    const go = (page: Page, words: string): Command => ({
      id: page,
      name: SHORTCUTS[page].name,
      group: GO,
      words,
      run: () => session.show(page),
      failure: say('The latest state could not be read'),
    });
    commands.push(
      go('home', say('start overview status')),
      go('activity', say('runs history records')),
      go('settings', say('preferences backups support')),
      ...setup,
      {
        id: 'find-row',
        name: SHORTCUTS['find-row'].name,
        group: GO,
        words: say('search trace student tardy file line'),
        run: () => session.showTrace(),
        failure: say('The search could not be opened'),
      },
    );
    // From the set-up it would save a step half-way, and switch on what it leads to.
    if (!running && screen !== 'setup') {
      commands.push(
        {
          id: 'run-now',
          name: SHORTCUTS['run-now'].name,
          group: RUNS,
          words: say('start sync synchronize'),
          run: async () => {
            await session.show('home');
            if (session.screen === 'home') session.askToRun();
          },
          failure: say('The latest state could not be read'),
        },
        {
          id: 'dry-run',
          name: SHORTCUTS['dry-run'].name,
          group: RUNS,
          words: say('preview simulate try'),
          run: async () => {
            await session.show('home');
            if (session.screen === 'home') void session.sync([], true);
          },
          failure: say('The latest state could not be read'),
        },
      );
      for (const { job, enabled, owner } of status?.jobs ?? []) {
        if (!enabled || owner === 'power_school' || isPaused(status, job)) continue;
        const account = accountWords(job, session.setup?.setup);
        const name = RUN_ONE[kindOf(job)];
        commands.push({
          id: `run-${job}`,
          name: account === undefined ? name : `${name} · ${account}`,
          group: RUNS,
          words: say('start sync synchronize one exchange alone'),
          run: async () => {
            await session.show('home');
            if (session.screen === 'home') session.askToRun([job]);
          },
          failure: say('The latest state could not be read'),
        });
      }
    } else if (running) {
      commands.push({
        id: 'cancel-run',
        name: say('Cancel the run'),
        group: RUNS,
        words: say('stop abort'),
        run: () => session.cancel(),
        failure: say('The run was not cancelled'),
      });
    }
    if (status?.paused === true) {
      commands.push({
        id: 'resume',
        name: say('Resume scheduled runs'),
        group: RUNS,
        words: say('go on continue pause'),
        run: () => session.pause({ kind: 'no' }),
        failure: say('Scheduled runs were not resumed'),
      });
    } else if (status !== undefined && anythingScheduled(status)) {
      commands.push({
        id: 'pause',
        name: say('Pause scheduled runs…'),
        group: RUNS,
        words: say('hold stop schedule'),
        run: async () => {
          await session.show('home');
          if (session.screen === 'home') session.question = 'pause';
        },
        failure: say('The latest state could not be read'),
      });
    }
  } else commands.push(...setup);

  if (setup.length > 0) {
    for (const step of SETUP_STEPS) {
      commands.push({
        id: `step-${step}`,
        name: STEP_NAMES[step].title,
        group: SET_UP,
        words: say(`set-up setup step ${STEP_NAMES[step].about}`),
        run: () => session.showStep(step),
        failure: say('The step could not be opened'),
      });
    }
  }

  if (navigable) {
    for (const { id, title } of SECTIONS) {
      commands.push({
        id: `section-${id}`,
        name: title,
        group: SETTINGS,
        words: say('preferences options change'),
        run: () => session.show('settings', id),
        failure: say('The settings could not be opened'),
      });
    }
  }

  for (const { theme, name } of THEMES) {
    if (theme === appearance.theme) continue;
    commands.push({
      id: `theme-${theme}`,
      name,
      group: APPEARANCE,
      words: say('theme colours mode'),
      run: () => appearance.choose(theme),
      failure: say('The appearance was not changed'),
    });
  }

  if (session.setup?.practice === true) {
    if (!session.running) {
      commands.push({
        id: 'practice-leave',
        name: say('Leave the practice district'),
        group: PRACTICE,
        words: say('exit sample try'),
        run: () => session.leavePractice(),
        failure: say('The practice district could not be left'),
      });
    }
  } else if (screen !== 'setup' && screen !== 'erased' && !running && !session.switching) {
    commands.push({
      id: 'practice',
      name: say('Try the practice district'),
      group: PRACTICE,
      words: say('sample test enter'),
      run: () => session.enterPractice(),
      failure: say('The practice district could not be started'),
    });
  }

  commands.push(
    {
      id: 'help',
      name: SHORTCUTS.help.name,
      group: HELP,
      words: say('guide manual troubleshooting documentation'),
      run: () => helpHere(session),
      failure: say('The help could not be opened'),
    },
    {
      id: 'shortcuts',
      name: SHORTCUTS.shortcuts.name,
      group: HELP,
      words: say('keys cheat sheet'),
      run: () => void (frame.open = 'shortcuts'),
      failure: say('The shortcuts could not be shown'),
    },
  );
  return commands;
}

/** How well a command answers a word: the smaller the better; unset where it does not. */
function rank({ name, group, words }: Command, word: string): number | undefined {
  const called = name.toLowerCase();
  if (called.startsWith(word)) return 0;
  const begins = (text: string) => text.split(/[\s-]+/).some((part) => part.startsWith(word));
  if (begins(called)) return 1;
  if (called.includes(word)) return 2;
  const beside = `${group} ${words}`.toLowerCase();
  if (begins(beside)) return 3;
  return beside.includes(word) ? 4 : undefined;
}

/** The commands that answer every word typed, the best first; of equals those chosen lately. */
export function found(commands: Command[], typed: string, recent: string[]): Command[] {
  const words = typed.toLowerCase().split(/\s+/).filter((word) => word !== '');
  const place = ({ id }: Command) => {
    const at = recent.indexOf(id);
    return at < 0 ? recent.length : at;
  };
  return commands
    .flatMap((command) => {
      const ranks = words.map((word) => rank(command, word));
      if (ranks.includes(undefined)) return [];
      return [{ command, rank: Math.max(0, ...ranks.map((one) => one ?? 0)) }];
    })
    .sort((one, other) => one.rank - other.rank || place(one.command) - place(other.command))
    .map(({ command }) => command);
}

const KEY = 'rosterbridge.commands';
/** How many are remembered. */
const REMEMBERED = 5;

/** The commands chosen lately in the palette, the last one first. */
export function recentCommands(): string[] {
  return (localStorage.getItem(KEY) ?? '').split(' ').filter((id) => id !== '');
}

export function remember(id: string): void {
  const others = recentCommands().filter((other) => other !== id);
  localStorage.setItem(KEY, [id, ...others].slice(0, REMEMBERED).join(' '));
}
