import { beforeEach, expect, test, vi } from 'vitest';

/** The catalogues that can be read. */
let readable: string[] = [];

vi.mock('virtual:languages', () => ({
  read: (language: string) => (readable.includes(language) ? Promise.resolve({ c: [] }) : Promise.reject(new Error('404'))),
}));

beforeEach(() => {
  document.body.innerHTML = '<div id="app"></div>';
  document.documentElement.lang = 'en';
});

/** The page once it has looked for the catalogue of this language. */
async function speaking(language: string) {
  vi.resetModules();
  localStorage.setItem('rosterbridge.language', language);
  const { speak } = await import('./language');
  return { shows: await speak(), lang: document.documentElement.lang, said: document.getElementById('app')?.textContent ?? '' };
}

test('the window speaks the language that was chosen', async () => {
  readable = ['en', 'es'];
  expect(await speaking('es')).toEqual({ shows: true, lang: 'es', said: '' });
});

test('it speaks English where the other catalogue can’t be read', async () => {
  readable = ['en'];
  expect(await speaking('es')).toEqual({ shows: true, lang: 'en', said: '' });
});

test('without any catalogue the page says what to do', async () => {
  readable = [];
  for (const language of ['en', 'es']) {
    const { shows, lang, said } = await speaking(language);
    expect({ shows, lang }).toEqual({ shows: false, lang: 'en' });
    expect(said).toMatch(/can’t read .* install RosterBridge again/);
  }
});
